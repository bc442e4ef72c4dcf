/// @file
/// The answers of the API as values (docs/api.md), read leniently: an absent field keeps its
/// default, an unknown one is ignored, so that the command works with a newer daemon.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace boost::json {
class value;
class object;
}  // namespace boost::json

namespace zona::cli {

using Milliseconds = std::chrono::milliseconds;

/// How one run of a process ended.
struct Exit {
    std::int64_t incarnation = 0;
    std::int64_t pid = 0;
    std::optional<core::SystemTime> started_at;
    std::optional<core::SystemTime> exited_at;
    Milliseconds ran{0};
    std::string cause;  ///< exited, signaled, out_of_memory, not_started, unknown
    std::optional<int> code;
    std::string signal;
    std::string reason;
    bool core = false;
    bool requested = false;
    Milliseconds user_cpu{0};
    Milliseconds system_cpu{0};
    std::int64_t max_rss_bytes = 0;
    std::vector<std::string> stderr_tail;
    std::vector<std::string> stdout_tail;
};

/// What outlived a stop.
struct Survivor {
    std::int64_t pid = 0;
    std::string name;
    bool certain = true;  ///< false: it may be of another tree
};

struct Process {
    std::int64_t pm_id = 0;
    std::string id;
    std::string name;
    std::string space;  ///< its namespace
    int instance = 0;
    std::string status;
    std::string desired;
    std::optional<std::int64_t> pid;
    std::optional<core::SystemTime> created_at;
    std::optional<core::SystemTime> started_at;
    Milliseconds uptime{0};
    std::int64_t restarts = 0;
    std::int64_t unstable_restarts = 0;
    std::optional<core::SystemTime> restart_at;
    std::string held_because;
    std::optional<Exit> last_exit;
    std::string script;
    std::string interpreter;
    std::string cwd;
    std::string user;
    std::string group;
    std::vector<std::string> args;
    std::vector<std::string> interpreter_args;
    bool autorestart = true;
    std::int64_t max_restarts = 0;
    Milliseconds min_uptime{0};
    Milliseconds restart_delay{0};
    Milliseconds kill_timeout{0};
    std::string kill_signal;
    std::string stdin_from;
    std::string out_file;
    std::string error_file;
    std::string containment_tier;
    bool containment_guaranteed = false;
    std::vector<Survivor> survivors;

    bool is_online() const { return status == "online"; }
    /// Neither runs nor will by itself.
    bool has_ended() const { return status == "stopped" || status == "errored"; }
};

/// What became of a start or restart.
struct Outcome {
    std::int64_t pm_id = 0;
    std::string name;
    int instance = 0;
    std::string outcome;  ///< ready, exited, not_started
    Milliseconds after{0};
    std::optional<Exit> exit;
    std::vector<std::string> stderr_tail;
    std::string hint;

    bool failed() const { return outcome == "exited" || outcome == "not_started"; }
};

/// One process's part in an operation.
struct OperationResult {
    std::int64_t pm_id = 0;
    std::string name;
    int instance = 0;
    std::optional<Process> process;
    std::optional<Outcome> outcome;
    std::optional<core::Error> error;
};

/// The answer of a start: of the processes route and of resurrect.
struct Started {
    std::vector<Process> processes;
    std::vector<Outcome> outcomes;
    std::vector<std::string> warnings;
};

/// A change that goes on after its answer.
struct Execution {
    std::string id;
    std::string action;
    std::string status;  ///< running, success, failure
    std::optional<core::SystemTime> started_at;
    std::optional<core::SystemTime> ended_at;
    std::int64_t processes = 0;
    std::int64_t finished = 0;
    std::int64_t failed = 0;
    std::vector<OperationResult> results;
    std::optional<core::Error> error;
    std::string subject;  ///< of a task: a tenant's code; may be empty
    bool is_task = false;
    std::int64_t percent = 0;           ///< of a task
    std::vector<std::string> outcome;   ///< of a task that succeeded: a line for each thing
    std::vector<std::string> findings;  ///< of a check
};

struct ProcessList {
    std::vector<Process> processes;
    std::int64_t killed = 0;  ///< how many `zona resurrect` would bring back
};

Process read_process(const boost::json::value& value);
Exit read_exit(const boost::json::value& value);
/// The objects in a list; `data` outlives them. What is none is passed over.
std::vector<std::reference_wrapper<const boost::json::object>> objects_in(
    const boost::json::value& data);
Outcome read_outcome(const boost::json::value& value);
OperationResult read_operation_result(const boost::json::value& value);
Started read_started(const boost::json::value& data);
Execution read_execution(const boost::json::value& data);
/// Whether the `data` of an answer is an execution.
bool is_execution(const boost::json::value& data);
ProcessList read_process_list(const boost::json::value& envelope);

/// The error of an envelope `{"success": false, "error": {...}}`; kInternal when there is none.
core::Error read_error(const boost::json::value& envelope);
/// One `error` object: {code, message, details}.
core::Error read_error_object(const boost::json::value& error);

/// A field of an object, or nothing if it is absent or of another type.
std::string text_of(const boost::json::object& object, std::string_view key);
std::optional<std::int64_t> integer_of(const boost::json::object& object, std::string_view key);
std::vector<std::string> texts_of(const boost::json::object& object, std::string_view key);

}  // namespace zona::cli
