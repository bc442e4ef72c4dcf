/// @file
/// Task: a piece of work that somebody has asked for and that outlives the daemon that took it.
///
/// A job (definition.h) is done again and again; a task is done once, and what came of it is kept.
/// Its kind says in code how it is done, its input with what. Source: ARCH-10,
/// docs/adr/0024-durable-queue.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/schedule.h"
#include "store/value.h"

namespace zona::jobs {

/// Where a task is on its way.
enum class TaskState : std::uint8_t {
    kWaiting,    ///< for its turn
    kDelayed,    ///< it failed, and is begun again after a pause
    kRunning,    ///< somewhere
    kSucceeded,  ///< its outcome is kept
    kFailed,     ///< its error is kept; somebody may ask for it once more
    kCancelled,  ///< somebody asked for its end before it came by itself
};
/// "waiting", "delayed", "running", "succeeded", "failed", "cancelled".
std::string_view to_string(TaskState state);
/// Whether nothing more happens to it by itself.
bool has_ended(TaskState state);

/// What becomes of a task whose daemon ended or died while it was under way.
enum class Interrupted : std::uint8_t {
    kAgain,  ///< it is begun again, kMostInterruptions times at most: its work is idempotent
    kFails,  ///< it has failed: doing it twice is not the same as doing it once
};
/// A task that takes its daemon with it that often fails, and is not begun again.
inline constexpr int kMostInterruptions = 5;

/// Which instances may do a task.
enum class Place : std::uint8_t {
    kAnywhere,
    kHere,  ///< the one that was asked alone: it is about that host's own files
};

/// A task, and what is known of it.
struct Task {
    core::Uuid id;
    std::string kind;
    std::string tenant;          ///< whom it is about; empty: the installation
    std::string correlation_id;  ///< of the request that asked for it
    TaskState state = TaskState::kWaiting;
    int attempt = 0;       ///< times that it was begun
    std::string instance;  ///< that does or did it, or alone may do it; empty: any
    core::SystemTime asked_at{};
    std::optional<core::SystemTime> ended_at{};
    std::optional<core::Progress> progress{};          ///< of one that runs, once it has told
    std::shared_ptr<const store::Document> outcome{};  ///< of one that succeeded
    std::optional<core::Error> error{};                ///< the last one, unless it succeeded
};

/// A task that somebody asks for.
struct NewTask {
    std::string kind;
    std::string tenant{};
    std::shared_ptr<const store::Document> input{};  ///< null: an empty one
    std::string correlation_id{};
    Place place = Place::kAnywhere;
    /// Of the one who asks, who gives it again when an answer was lost: then there is one task.
    /// At most kMostKey bytes; empty: none.
    std::string key{};
};
/// Bytes of NewTask::key.
inline constexpr std::size_t kMostKey = 128;

/// @cond
namespace detail {
class TaskRun;
}
/// @endcond

/// One attempt of a task, as its work sees it. Any thread, as long as the work goes on.
class TaskContext {
  public:
    /// Made by the queue.
    explicit TaskContext(std::shared_ptr<detail::TaskRun> run) : run_(std::move(run)) {}

    const core::Uuid& id() const;  ///< the same in each attempt: what is made can be named by it
    const std::string& tenant() const;     ///< Task::tenant
    const store::Document& input() const;  ///< NewTask::input
    int attempt() const;                   ///< from 1
    /// To be told how far it is; says when the work should end, as stop_token().
    core::ProgressSink progress() const;
    /// The work should end, with kCancelled: somebody asks for it, another instance has taken over,
    /// or the daemon is stopping.
    std::stop_token stop_token() const;

  private:
    std::shared_ptr<detail::TaskRun> run_;  // shared with the queue
};

/// How tasks of one kind are done.
struct TaskKind {
    std::string name;  ///< 1 to 64 of [A-Za-z0-9-]
    Interrupted interrupted = Interrupted::kAgain;
    /// After an error that may pass: kUnavailable, kTimeout, kTooManyRequests, kResourceExhausted.
    Retries retries{.attempts = 0};
    /// Does it, on a thread of its own, which it may block, and gives what has come of it. What it
    /// throws is an error of the task.
    std::function<core::Result<store::Document>(const TaskContext&)> work;
};

}  // namespace zona::jobs
