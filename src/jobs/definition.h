/// @file
/// Definition: a job as code declares it, and what is known of it and its runs.
///
///     const Definition kPurge{.name = "purge",
///                             .summary = "Removes what is older than its collection keeps it.",
///                             .schedule = Schedule::every(24h),
///                             .work = [&](Context& context) { return purge(context); }};
///
/// A job is done again after a failure, after the death of the daemon, and when somebody asks for
/// it: its work must be idempotent, and is best done in small steps that are saved
/// (Context::save()). Source: BG-05, BG-07, BG-09, BG-12, docs/guides/background-jobs.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/result.h"
#include "jobs/schedule.h"

namespace zona::jobs {

class Context;

/// What a run is for.
enum class Coverage : std::uint8_t {
    kInstallation,  ///< once for the whole of it
    kEachTenant,    ///< for one active tenant after the other; what fails for one does not stop it
};
/// "installation", "each tenant".
std::string_view to_string(Coverage coverage);

/// Which of several instances on one core database run it.
enum class Instances : std::uint8_t {
    kOne,   ///< one at a time, by a lease
    kEach,  ///< every one, for itself
};
/// "one", "each".
std::string_view to_string(Instances instances);

/// What is done about moments that have passed while nobody was there, however many.
enum class Missed : std::uint8_t { kRunOnce, kSkip };

/// What is done, when, and by whom.
struct Definition {
    std::string name;     ///< 1 to 64 of [a-z0-9-]
    std::string summary;  ///< one sentence for people
    Schedule schedule = Schedule::when_asked();
    Coverage coverage = Coverage::kInstallation;
    Instances instances = Instances::kOne;
    Missed missed = Missed::kRunOnce;
    /// After it the run is told to end, and counts as failed.
    std::chrono::milliseconds time_limit{std::chrono::hours(1)};
    Retries retries{};
    /// Does it, on a thread of its own, which it may block. What it throws is an error of the run.
    std::function<core::Result<void>(Context&)> work;
    /// When it is really due, given the moment that the schedule has planned, if any; none: not
    /// until Scheduler::poke(). Empty: as planned. Must be short; any thread.
    std::function<std::optional<core::SystemTime>(std::optional<core::SystemTime> planned)> due{};
};

/// Why a run was begun.
enum class Trigger : std::uint8_t {
    kSchedule,
    kMissed,       ///< its moment passed while nobody was there
    kRetry,        ///< the one before failed
    kInterrupted,  ///< the one before was not ended by its daemon
    kManual,       ///< somebody asked for it
};
/// "schedule", "missed", "retry", "interrupted", "manual".
std::string_view to_string(Trigger trigger);

/// What a run came to.
enum class Outcome : std::uint8_t {
    kRunning,
    kSucceeded,
    kFailed,
    kCancelled,    ///< somebody asked for its end
    kTimedOut,     ///< it took longer than its limit
    kLost,         ///< another instance took over: this one was paused for too long
    kInterrupted,  ///< its daemon ended or died
};
/// "running", "succeeded", "failed", "cancelled", "timed_out", "lost", "interrupted".
std::string_view to_string(Outcome outcome);

/// One run.
struct RunView {
    std::int64_t number = 0;  ///< over all jobs
    std::string job;          ///< its name
    Trigger trigger = Trigger::kSchedule;
    int attempt = 0;       ///< retries before it
    std::string instance;  ///< that runs or ran it
    core::SystemTime started_at{};
    std::optional<core::SystemTime> ended_at;
    std::chrono::microseconds duration{0};  ///< of steady time; of one that has ended by itself
    Outcome outcome = Outcome::kRunning;
    std::string error;  ///< empty: none
    std::map<std::string, std::int64_t> counters;
};

/// A job and what is known of it.
struct JobView {
    std::string name;
    std::string summary;
    std::string schedule;  ///< Schedule::text()
    Coverage coverage = Coverage::kInstallation;
    Instances instances = Instances::kOne;
    std::chrono::milliseconds time_limit{};
    int retries = 0;
    bool paused = false;
    int attempt = 0;                      ///< retries since it failed first; 0: it did not
    std::optional<core::SystemTime> due;  ///< none: not until something asks for it
    std::optional<core::SystemTime> last_success;
    std::optional<RunView> last;  ///< the run that was begun last
    bool running = false;         ///< `last` has not ended
};

/// A part of a job's history.
struct RunPage {
    std::vector<RunView> runs;
    std::string next;  ///< empty: there is no more
};

}  // namespace zona::jobs
