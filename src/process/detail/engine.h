// The supervisor's single-threaded core. Its members stand in several files by subject:
// engine.cpp (events and timers), engine_spawn.cpp, engine_exit.cpp, engine_recover.cpp,
// engine_requests.cpp, engine_operation.cpp, engine_news.cpp, engine_shutdown.cpp.
#pragma once

#include <array>
#include <list>
#include <map>
#include <set>
#include <span>
#include <thread>
#include <unordered_map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/log.h"
#include "os/child.h"
#include "os/fd.h"
#include "process/capture.h"
#include "process/containment.h"
#include "process/history.h"
#include "process/keeper_link.h"
#include "process/lifecycle.h"
#include "process/selector.h"
#include "process/state_store.h"
#include "process/supervisor.h"
#include "process/table.h"

namespace zona::process {

/// A start counts as ready when the program executes and lives this long.
inline constexpr Milliseconds kReadyAfter{300};
/// After SIGKILL, this long until what still lives is listed as survivors.
inline constexpr Milliseconds kGiveUpAfter{10000};
inline constexpr std::size_t kTailLines = 5;
/// PATH of a child whose environment has none; what a shell would take.
inline constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

RestartPolicy policy_of(const AppSpec& spec);

enum class TimerKind : std::uint8_t { kKill, kRestart, kTree, kReady };
inline constexpr std::size_t kTimerKinds = 4;

/// Who is asked about the end of the present child.
enum class Parent : std::uint8_t {
    kNone,    ///< no child
    kUs,      ///< a direct child: SIGCHLD
    kKeeper,  ///< adopted: the keeper records its exit
    kNobody,  ///< lost both its parents: a pidfd tells when, not always how
};

/// Somebody waiting for what becomes of a process.
struct Waiter {
    enum class For : std::uint8_t { kReady, kRest, kRemoval };
    For what = For::kReady;
    std::uint64_t incarnation = 0;  ///< kReady: of this one or a later
    std::move_only_function<void(core::Result<std::optional<Outcome>>)> done;
};

/// Why a program was not executed.
struct NotStarted {
    std::string reason;  ///< for people
    os::SpawnStep step = os::SpawnStep::kNone;
    int error_number = 0;
};

struct Entry {
    StoredProcess stored;
    RestartPolicy policy;
    std::uint32_t slot = 0;
    LifecycleState life;
    std::string_view held_because;
    std::unique_ptr<Tree> tree;
    Parent parent = Parent::kNone;
    std::unique_ptr<boost::asio::posix::stream_descriptor> pidfd;  ///< Parent::kNobody
    std::uint64_t oom_before = 0;
    std::string spawn_failure;  ///< why the last start did not execute; empty if it did
    Milliseconds last_ran{0};
    int last_exit_code = -1;
    bool killing = false;  ///< SIGKILL steps are under way
    core::SteadyTime killing_since{};
    Milliseconds tree_interval{1};
    std::vector<Survivor> survivors;  ///< of the last stop
    core::SteadyTime launched_at{};
    std::string interpreter;
    std::array<std::optional<core::SteadyTime>, kTimerKinds> timers{};
    std::vector<Waiter> waiters;
};

/// One action on one process, until its result is known.
struct Operation {
    OperationRequest request;
    OperationResult result;
    std::move_only_function<void(OperationResult)> done;
};

/// Processes that are to be started, and those that the answer shows.
struct StartBatch {
    std::vector<std::uint32_t> shown;    ///< pm_ids
    std::vector<std::uint32_t> started;  ///< likewise
};

class Supervisor::Engine {
  public:
    Engine(SupervisorOptions options, SupervisorDeps deps);
    ~Engine();

    // engine.cpp
    void begin_watching();
    void feed(Entry& entry, const Event& event);
    void post(std::move_only_function<void()> work);

    // engine_recover.cpp
    void recover(std::vector<StoredProcess> loaded, std::uint32_t next_pm_id);

    // engine_requests.cpp
    void start(const StartRequest& request, Callback<StartReply> done, Progress progress);
    void operate(OperationRequest request, Callback<std::vector<OperationResult>> done,
                 Progress progress);
    core::Result<std::vector<Entry*>> select(std::span<const std::string> selectors);
    core::Result<Entry*> find_one(const std::string& id);
    std::vector<Entry*> in_order();
    ProcessView view(Entry& entry);
    ExitView exit_view(const Entry& entry, const ExitRecord& record) const;
    std::vector<ExitView> exits(const Entry& entry) const;
    std::map<std::string, std::string> environment(const Entry& entry) const;
    core::Result<Saved> save(Force force);
    void resurrect(Callback<std::pair<StartReply, std::string>> done, Progress progress);

    // engine_news.cpp
    void observe(Observer observer);
    const Versions& versions() const { return versions_; }

    // engine_shutdown.cpp
    void shutdown(Shutdown how, std::move_only_function<void(std::size_t)> begun,
                  std::move_only_function<void()> done);
    bool shutting_down() const { return shutting_down_; }
    void release_waiters(Waiter::For what);
    /// The keeper is dead: this process becomes one. Returns only if that fails.
    void become_keeper();

    SupervisorOptions options_;
    SupervisorDeps deps_;

  private:
    // engine.cpp
    void carry_out(Entry& entry, const Action& action);
    void mirror(Entry& entry);
    void arm(Entry& entry, TimerKind kind, Milliseconds delay);
    void disarm(Entry& entry, TimerKind kind);
    void schedule_timer();
    void run_timers();
    void timer_fired(Entry& entry, TimerKind kind);
    void check_tree(Entry& entry);
    void list_survivors(Entry& entry);
    void list_suspects(Entry& entry);
    void forget_ended_survivors(Entry& entry) const;
    void resolve(Entry& entry, Waiter::For what,
                 const core::Result<std::optional<Outcome>>& result);
    void resolve_ready(Entry& entry, std::optional<ExitView> exit);
    void remove(Entry& entry);
    void wait_for_signals();
    void wait_for_keeper();
    void wait_for_adopted_exits();

    // engine_spawn.cpp
    void spawn(Entry& entry);
    core::Result<Placement> place(Entry& entry);
    core::Result<os::SpawnPlan> plan(Entry& entry);
    void spawned(Entry& entry, std::uint64_t incarnation, const os::SpawnOutcome& outcome);
    void not_started(Entry& entry, std::uint64_t incarnation, NotStarted why);
    /// Begins to capture. The keeper must then hold the streams.
    core::Result<void> attach(Entry& entry);
    /// Lets the keeper hold the streams of these, as far as it does not already. Those for which
    /// that failed, and why.
    std::vector<std::pair<Entry*, core::Error>> hold(std::span<Entry* const> entries);

    // engine_exit.cpp
    void reap_children();
    void reap_other(pid_t pid);
    void take_adopted_exits();
    std::optional<os::ChildExit> foreign_exit(const Entry& entry, const os::UniqueFd& pidfd);
    void watch_foreign(Entry& entry, os::UniqueFd pidfd);
    void record_exit(Entry& entry, const std::optional<os::ChildExit>& how);
    void append_history(const ExitRecord& record);
    void finish_exit(Entry& entry);
    void follow_exit(Entry& entry);
    Outcome outcome_of(Entry& entry, Outcome::Kind kind, std::optional<ExitView> exit);

    // engine_recover.cpp
    std::jthread find_trees(const std::vector<std::pair<std::uint32_t, Entry*>>& recovered);
    void attach_all(const std::vector<std::pair<std::uint32_t, Entry*>>& recovered);
    void recover_slot(std::uint32_t number, Entry* entry);
    void adopt(Entry& entry, Slot& slot);
    void adopt_foreign(Entry& entry, Slot& slot);
    std::optional<os::ProcStat> stat_of(pid_t pid) const;
    bool is_the_spawned(const Entry& entry, const Slot& slot, const os::ProcStat& stat) const;
    void restore_counters(Entry& entry, Slot& slot);
    void adopt_tree(Entry& entry, const Slot& slot);
    void resume(Entry& entry);
    void look_again(const std::vector<std::pair<std::uint32_t, Entry*>>& recovered);
    void look_for_strays();
    void verify(std::vector<std::uint32_t> left);

    // engine_requests.cpp
    core::Result<Entry*> create(const std::shared_ptr<const StoredApp>& app,
                                std::uint32_t instance);
    core::Result<std::vector<Entry*>> create_missing(const StartRequest& request,
                                                     std::vector<Entry*>& to_start);
    core::Result<void> check_room(const AppSpec& spec, std::size_t instances) const;
    void enter(std::unique_ptr<Entry> owned);
    void decide_log_files(StoredProcess& process) const;
    static OperationResult result_of(const Entry& entry);
    void start_batch(StartBatch batch, Callback<StartReply> done, Progress progress);
    void start_in_its_turn(std::uint32_t pm_id);
    void scale(OperationRequest request, Callback<std::vector<OperationResult>> done,
               Progress progress);
    void committed(std::move_only_function<void(core::Result<void>)> then);

    // engine_operation.cpp
    void act(Entry& entry, Operation operation);
    void act_start(Entry& entry, Operation operation);
    void act_signal(Entry& entry, Operation operation);
    void act_send(Entry& entry, Operation operation);
    core::Result<void> want_stopped(Entry& entry);
    void await(Entry& entry, Operation operation, Waiter::For what);
    void finish(std::uint32_t pm_id, Operation operation);
    void fail(Entry& entry, Operation operation, core::Error error);
    void fail_not_running(Entry& entry, Operation operation);

    // engine_news.cpp
    /// Every change of what view() shows goes through one of these three, before any answer.
    void changed(const Entry& entry);
    void entered(const Entry& entry);
    void left(const Entry& entry);
    void tell(const Entry& entry, ProcessEvent event);
    void schedule_news();
    void tell_news();

    Slot& slot_of(const Entry& entry) { return deps_.table.slot(entry.slot); }
    Entry* by_slot(std::uint32_t slot);

    core::Logger log_;
    std::map<std::uint32_t, std::unique_ptr<Entry>> entries_;  ///< by pm_id
    std::unordered_map<std::uint32_t, Entry*> slots_;
    Versions versions_{kTableSlots};
    Observer observer_;
    ProcessNews news_;                 ///< `changed` is filled when they are told
    std::set<std::uint32_t> changed_;  ///< pm_ids
    bool news_scheduled_ = false;
    /// Whose log file a path is. Views of the entries' own paths, which never change.
    std::unordered_multimap<std::string_view, Entry*> log_files_;
    std::unordered_map<std::int32_t, Entry*> children_;  ///< direct children by pid
    std::set<std::tuple<core::SteadyTime, std::uint32_t, TimerKind>> due_;  ///< by pm_id
    core::SteadyTime armed_for_{core::SteadyTime::max()};
    boost::asio::steady_timer timer_;
    os::UniqueFd child_signals_;
    std::optional<boost::asio::posix::stream_descriptor> signals_;
    std::optional<boost::asio::posix::stream_descriptor> keeper_;
    std::optional<boost::asio::posix::stream_descriptor> adopted_;
    std::uint32_t next_pm_id_ = 0;
    bool shutting_down_ = false;
    std::vector<std::move_only_function<void()>> after_shutdown_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace zona::process
