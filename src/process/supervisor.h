/// @file
/// The supervisor: owns every operation on managed processes (PM-01).
///
/// One thread, that of the io_context it is given, holds all its state and makes all its decisions;
/// so callers never wait for each other and there is nothing to lock. Every member function may be
/// called from any thread and returns at once; the answer is given to the callback on the
/// supervisor's thread. What a callback does must be short.
///
/// Guarantees (PM-08, PM-10, REL-20): no child is lost or doubled and no exit goes unrecorded when
/// this process dies at any instruction; see table_layout.h for the order that makes it so. A
/// change is acknowledged after it is on the disk; a restart of a crashed process never waits for
/// one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "os/resources.h"
#include "process/app_spec.h"
#include "process/process_view.h"
#include "process/versions.h"

namespace boost::asio {
class io_context;
}

namespace zona::core {
class Logging;
class MetricRegistry;
}  // namespace zona::core

namespace zona::os {
class Helpers;
}

namespace zona::process {

class Capture;
class ExitHistory;
class StateStore;
class Table;
class KeeperLink;
class Listeners;

/// Takes the answer; called once, on the supervisor's thread.
template <class T>
using Callback = std::move_only_function<void(core::Result<T>)>;

/// What became of a start (docs/api.md, Outcome).
struct Outcome {
    /// What it came to.
    enum class Kind : std::uint8_t { kReady, kExited, kNotStarted };
    std::uint32_t pm_id = 0;
    std::string name;
    std::uint32_t instance = 0;
    Kind kind = Kind::kReady;
    std::chrono::milliseconds after{0};
    std::optional<ExitView> exit;
    std::vector<std::string> stderr_tail;
    std::string hint;
};

/// Whether save() may replace a saved list by an empty one.
enum class Force : std::uint8_t { kNo, kYes };
/// What happens to an app whose name is taken.
enum class Existing : std::uint8_t {
    kRefuse,       ///< an app whose name exists is a conflict
    kStartStopped  ///< running instances are left alone, stopped ones take the new settings and
                   ///< start
};

/// What to start, with the caller's environment below each app's own.
struct StartRequest {
    std::vector<AppSpec> apps;
    std::map<std::string, std::string> environment;
    Existing existing = Existing::kRefuse;
};

/// The processes of the request's apps, and what became of each start.
struct StartReply {
    std::vector<ProcessView> processes;
    std::vector<Outcome> outcomes;
};

/// One action on what the selectors match (selector.h).
struct OperationRequest {
    /// As `zona` calls them; kReset sets counters to zero, kSend writes `line` to the standard
    /// input.
    enum class Action : std::uint8_t {
        kStart,
        kStop,
        kRestart,
        kDelete,
        kReset,
        kScale,
        kSignal,
        kSend
    };
    Action action = Action::kStop;
    std::vector<std::string> select;
    std::string instances;  ///< kScale: "4", "+2", "-1"
    int signal = 0;
    Target target = Target::kGroup;
    std::string line;
    std::optional<std::map<std::string, std::string>> new_environment;  ///< kRestart
};

/// What became of one process: its view, none when deleted, or the error.
struct OperationResult {
    std::uint32_t pm_id = 0;
    std::string name;
    std::uint32_t instance = 0;
    std::optional<ProcessView> process;
    std::optional<Outcome> outcome;
    std::optional<core::Error> error;
};

/// How a change comes along, for those who do not wait for its end. Both are called on the
/// supervisor's thread, if they are not empty.
struct Progress {
    /// Once, when the change is on the disk: from then on it happens, whoever goes away.
    /// `processes` is how many it is for. Not called for a change that is refused.
    std::move_only_function<void(std::size_t processes)> accepted;
    /// For each of them, when its part is over or has failed; before or after accepted().
    std::move_only_function<void(const OperationResult&)> finished;
};

/// What the configuration and the host say.
struct SupervisorOptions {
    std::string home;            ///< absolute
    std::string logs_dir;        ///< absolute
    std::string keeper_program;  ///< what this process becomes when the keeper dies
    /// What it hands on to the keeper that it becomes: "--set", KEY=VALUE, ...
    std::vector<std::string> keeper_arguments;
    std::uint64_t child_fd_limit_soft =
        1024;  ///< RLIMIT_NOFILE of children: the daemon's own is higher
    std::uint64_t child_fd_limit_hard = 1048576;
    /// RLIMIT_CORE of children that ask for none; nothing: the daemon's own.
    std::optional<os::FdLimits> child_core_limit = {};
    std::chrono::milliseconds shutdown_timeout{30000};
    /// File descriptors for processes (DescriptorBudget); no process is made that finds none left.
    std::size_t descriptors = std::numeric_limits<std::size_t>::max();
    std::uint32_t max_processes = 16384;
    std::string version;
};

/// Everything it works with; all outlive it.
struct SupervisorDeps {
    boost::asio::io_context& loop;
    const core::Clock& clock;
    core::Random& random;
    core::Logging& logging;
    core::MetricRegistry& metrics;
    Table& table;
    StateStore& state;
    ExitHistory& history;
    Capture& capture;
    Containment& containment;
    KeeperLink& keeper;
    const Listeners& listeners;      ///< which go on when this process becomes the keeper
    int keeper_events_fd;            ///< eventfd: exits of adopted children were recorded
    os::Helpers* helpers = nullptr;  ///< programs that others run here; null: nobody does
};

/// Owns all managed processes. Guarantees, errors and threading: supervisor.h.
class Supervisor {
  public:
    /// Does nothing yet: recover() begins.
    Supervisor(SupervisorOptions options, SupervisorDeps deps);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    /// Takes over what lives, starts what should run, begins to watch. Before the loop runs, once.
    /// `loaded` is what the state store remembered. Never fails: what cannot be had back is logged
    /// and shown.
    void recover(std::vector<StoredProcess> loaded, std::uint32_t next_pm_id);

    /// Starts new apps. Errors: kConflict (a name exists; nothing is started), kResourceExhausted
    /// (limit), kUnavailable (shutting down), those of the state store (then nothing is started).
    void start(StartRequest request, Callback<StartReply> done, Progress progress = {});
    /// One action on each selected process; failures are per process. Errors: kNotFound (a selector
    /// matches nothing; nothing is done), kInvalidArgument, kUnavailable.
    void operate(OperationRequest request, Callback<std::vector<OperationResult>> done,
                 Progress progress = {});

    /// The processes that the selectors match, all for none. Errors: kNotFound (one matches
    /// nothing), kInvalidArgument.
    void list(std::vector<std::string> select, Callback<std::vector<ProcessView>> done);
    /// By pm_id, UUID or the name of an app with one instance. kNotFound, kInvalidArgument (several
    /// instances).
    void find(std::string id, Callback<ProcessView> done);
    /// A process and its remembered exits, the latest first. `id` and errors as find().
    void exits(std::string id, Callback<std::pair<ProcessView, std::vector<ExitView>>> done);
    /// The variables that the next start gives to the process. `id` and errors as find().
    void environment(std::string id, Callback<std::map<std::string, std::string>> done);
    /// Where the output of the processes lies that list() would give. Errors as list().
    void log_files(std::vector<std::string> select, Callback<std::vector<LogFiles>> done);

    /// What save() has written.
    struct Saved {
        std::string file;
        std::size_t processes = 0;
    };
    /// Writes down the list for resurrect(). Errors: kConflict for an empty list without force,
    /// those of the state store.
    void save(Force force, Callback<Saved> done);
    /// Starts what was saved, or what ran before `zona kill`; names that exist already are left
    /// alone.
    void resurrect(Callback<std::pair<StartReply, std::string>> done, Progress progress = {});
    /// How many processes `resurrect` would bring back after a kill.
    void killed_count(Callback<std::size_t> done);

    /// Tells `observer` all news from now on, on the supervisor's thread, right after what made
    /// them; in place of the one before. An empty one ends it, and then news cost nothing.
    void observe(Observer observer);
    /// For readers on other threads.
    const Versions& versions() const;

    /// Whether the next zona starts what runs now by itself: with kKill the list is set aside.
    enum class Shutdown : std::uint8_t { kStop, kKill };
    /// Ends every process in order, then calls `done`; `begun` is told first how many run.
    /// The desired state stays, unless `how` is kKill. A second call is ignored but for its
    /// callbacks.
    void shutdown(Shutdown how, std::move_only_function<void(std::size_t stopping)> begun,
                  std::move_only_function<void()> done);

  private:
    class Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace zona::process
