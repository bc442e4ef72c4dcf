// Executions: changes of processes whose end their client does not wait for, and what has become of
// them, with a result for each process.
//
// They live as long as the daemon: what they change is on the disk, they themselves are not. The
// newest of those that have ended are kept, within limits. What outlives the daemon is a task
// (tasks.h), which is shown as an execution, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/result.h"
#include "net/broadcast.h"
#include "process/supervisor.h"

namespace zona::api {

/// What has become of an execution.
enum class ExecutionStatus : std::uint8_t {
    kWaiting,  ///< a task, for its turn
    kRunning,
    kSuccess,    ///< it has ended, and every part of it did what it should
    kFailure,    ///< it has ended, and at least one part of it did not
    kCancelled,  ///< a task, whose end somebody has asked for
};
/// "waiting", "running", "success", "failure", "cancelled".
std::string_view to_string(ExecutionStatus status);

/// What an execution is, at one moment.
struct ExecutionView {
    core::Uuid id;
    std::string operation;       ///< the operationId of what was asked
    std::string action;          ///< in a word: "start", "backup", ...
    std::string subject;         ///< of a task, what it is about: a tenant's code; may be empty
    std::string correlation_id;  ///< of the request that asked for it
    ExecutionStatus status = ExecutionStatus::kRunning;
    core::SystemTime started_at{};
    std::optional<core::SystemTime> ended_at;
    std::size_t processes = 0;  ///< that it is for
    std::size_t finished = 0;   ///< of them
    std::size_t failed = 0;     ///< of those that finished
    std::vector<std::string> warnings;
    std::optional<core::Error> error;                    ///< why it ended as a whole
    std::optional<core::Progress> progress;              ///< of a task, once it has told
    std::shared_ptr<const boost::json::object> outcome;  ///< of a task that succeeded; else null
};

/// One execution. Any thread.
class Execution {
  public:
    const core::Uuid& id() const { return view_.id; }  // never changes
    ExecutionView view() const;
    /// At most `most` results, in the order in which they came, from the one with index `from`.
    std::vector<process::OperationResult> results(
        std::size_t from, std::size_t most = static_cast<std::size_t>(-1)) const;
    bool ended() const;

  private:
    friend class Executions;
    explicit Execution(ExecutionView view) : view_(std::move(view)) {}

    mutable std::mutex mutex_;
    ExecutionView view_;
    std::vector<process::OperationResult> results_;  // without the views of processes
};
using ExecutionPtr = std::shared_ptr<Execution>;

/// All of them. Any thread.
class Executions : public std::enable_shared_from_this<Executions> {
  public:
    struct Limits {
        std::size_t running = 256;
        std::size_t ended = 256;       ///< kept, the newest
        std::size_t results = 65'536;  ///< kept of those that have ended
    };

    /// A change: it tells how it comes along, and at its end whether it failed as a whole.
    using Change = std::move_only_function<void(process::Progress, process::Callback<void> ended)>;

    /// `clock`, `random` and `metrics` outlive it and whatever it began.
    Executions(const core::Clock& clock, core::Random& random, core::MetricRegistry& metrics,
               Limits limits);
    Executions(const core::Clock& clock, core::Random& random, core::MetricRegistry& metrics)
        : Executions(clock, random, metrics, Limits()) {}

    /// What is known of the change from its start.
    struct Request {
        std::string operation;
        std::string action;
        std::string correlation_id;
        std::vector<std::string> warnings{};
    };
    /// Begins `change` and calls `accepted` once it is on the disk. Errors, given to `accepted`:
    /// kTooManyRequests when too many run; those of the change when it was refused, and then there
    /// is no execution.
    void begin(Request request, Change change, process::Callback<ExecutionPtr> accepted);

    /// Null: it is not known, or not any more.
    ExecutionPtr find(const core::Uuid& id) const;
    /// The latest first.
    std::vector<ExecutionPtr> list() const;

    /// Gets a message, whose text is the execution's id, after each change of any of them, and each
    /// note().
    net::Subscription subscribe(const net::asio::any_io_executor& executor);

    /// A task is not as it was.
    void note(const core::Uuid& execution);

  private:
    struct Beginning;
    core::Result<ExecutionPtr> make(Request request);
    process::Progress progress_of(const std::shared_ptr<Beginning>& beginning);
    void end(const ExecutionPtr& execution, core::Result<void> result);
    void add(const ExecutionPtr& execution);
    void forget_oldest();

    const core::Clock& clock_;
    core::Random& random_;
    Limits limits_;
    net::Broadcast news_;
    mutable std::mutex mutex_;
    std::size_t running_ = 0;              // begun, accepted or not
    std::deque<ExecutionPtr> executions_;  // accepted, the oldest first
};

}  // namespace zona::api
