/// @file
/// Containment: everything that descends from a managed process, and its end.
///
/// "Stopped" means that no descendant is left. How sure that is depends on the host: a control
/// group holds every descendant whatever it does (tiers cgroup2, cgroup1), a sweep through /proc
/// finds what can be recognised. Each process has a Tree of its own. Nothing here waits: a kill is
/// a series of steps that the event loop drives. No step is addressed by pid alone; a reused pid is
/// never signalled.
///
/// Threading: one thread, the supervision's, uses a Containment and its trees. Trees must not
/// outlive it. What is promised by which tier, and measured: docs/containment.md. Source: PM-03,
/// PM-17, PM-66.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "core/result.h"
#include "os/proc.h"
#include "os/spawn.h"

namespace zona::process {

/// By what the descendants of a process are held.
enum class Tier : std::uint8_t {
    kCgroup2,  ///< a cgroup v2: guaranteed
    kCgroup1,  ///< a cgroup v1 with the freezer: guaranteed
    kSweep,  ///< descent, session, group, an inherited mark: all that does not erase its traces on
             ///< purpose
};

/// What the configuration asks for.
enum class TierChoice : std::uint8_t { kAuto, kCgroup2, kCgroup1, kSweep };

/// "cgroup2", "cgroup1", "sweep": as on the wire.
std::string_view to_string(Tier tier);
/// "auto", or a tier's name. kInvalidArgument names the possible ones.
core::Result<TierChoice> parse_tier_choice(std::string_view text);

/// Who gets a signal. A process is what was started; its group is the processes that share its job
/// (the default of `stop` and `signal`); its tree is every descendant.
enum class Target : std::uint8_t { kProcess, kGroup, kTree };

/// Which tier is wanted, and where the host is looked at.
struct ContainmentOptions {
    TierChoice tier = TierChoice::kAuto;
    /// The home of this zona, absolute and canonical: names of groups and marks are derived from
    /// it, so that two homes never meet and nothing has to be remembered.
    std::string home;
    /// The reaper of orphans: ours, in production the keeper. 0: unknown; orphans then fall to
    /// PID 1.
    pid_t keeper = 0;
    std::string proc_root = "/proc";
    std::string cgroup_root = "/sys/fs/cgroup";
};

/// Names one process of this home for good.
struct TreeId {
    std::uint32_t slot = 0;
    std::string uuid;  ///< hexadecimal digits and '-', at most 64
};

/// What a spawn has to do so that the child is inside from its first instruction. Descriptors are
/// borrowed from the tree; they are good until started() or the next placement().
struct Placement {
    /// The file into which the child writes "0" before anything else; -1 where it is born in its
    /// group.
    int join_fd = -1;
    /// The directory of the v2 group in which the child is born.
    int cgroup2_fd = -1;
    /// "ZONA_PROCESS=<uuid>"
    std::string variable;
    /// A limit that every descendant inherits and that means nothing to the kernel (RLIMIT_LOCKS).
    std::optional<os::ResourceLimit> mark;

    /// Writes all of this into the plan. The variable is a new entry of its environment.
    void add_to(os::SpawnPlan& plan) const;
};

/// What a round of killing has come to.
struct KillProgress {
    bool empty = false;
    /// When to make the next step; 0 ms: after the other events that are due.
    std::chrono::milliseconds retry_after{0};
};

/// A process that outlived a stop.
struct Survivor {
    /// How it is known to be ours.
    enum class Certainty : std::uint8_t {
        kMember,     ///< known to belong to the tree
        kSuspected,  ///< an orphan of this zona's, younger than the process, that carries no mark
                     ///< of any
    };
    os::ProcessRef process;
    std::string name;
    Certainty certainty = Certainty::kMember;
};

/// A count of out-of-memory kills: what grew since the process was started counts.
struct OomKills {
    /// Whose kills are counted.
    enum class Scope : std::uint8_t {
        kTree,    ///< of this tree alone
        kDaemon,  ///< of the group in which the daemon and all processes without their own are
        kHost,    ///< of everything on this host
    };
    std::uint64_t count = 0;
    Scope scope = Scope::kTree;
};

/// All descendants of one managed process.
class Tree {
  public:
    Tree() = default;
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    virtual ~Tree() = default;

    /// By what it is held, for its whole life.
    virtual Tier tier() const = 0;
    /// Whether is_empty() and an empty kill_step() are proofs. True for the cgroup tiers.
    bool guaranteed() const { return tier() != Tier::kSweep; }

    /// For the next spawn; may be asked again after a failed one, and for each restart. Ask it when
    /// the tree is empty: what is still there shares the group with the new run. Errors:
    /// kResourceExhausted (no fds left), kNotFound (somebody removed the group: prepare() a new
    /// tree).
    virtual core::Result<Placement> placement() = 0;
    /// Tells which process was started. Reads its start time and gives it back.
    /// Errors: kNotFound when it is not there: it must not have been reaped yet.
    core::Result<os::ProcessRef> started(pid_t pid);

    /// Whether nothing of the tree runs. A zombie does not run, reaped or not.
    ///
    /// Made for the moment when the process has just died: cgroup2 one read of an open file,
    /// cgroup1 a file, sweep 1 to 2 µs for each process of the host (which may overlook what
    /// kill_step() finds).
    virtual core::Result<bool> is_empty() = 0;
    /// Everything of the tree that runs, the process included; ascending by pid.
    virtual core::Result<std::vector<os::ProcessRef>> members() = 0;

    /// Sends a signal. A process being forked meanwhile may miss it, but for kGroup while its
    /// leader exists. Returns how many processes were signalled, a group that was signalled at once
    /// counts as one; 0: none left. Errors: kForbidden (not ours to signal), kInvalidArgument (no
    /// such signal).
    core::Result<std::size_t> signal(int number, Target target);

    /// One round of SIGKILL to all that is left; a few milliseconds at most. Call it again after
    /// `retry_after` until it is empty or the deadline has passed.
    virtual core::Result<KillProgress> kill_step() = 0;

    /// What is left after giving up. A member that cannot be killed waits inside the kernel (state
    /// D) or belongs to another user; suspected ones come from the sweep only.
    virtual core::Result<std::vector<Survivor>> survivors() = 0;

    /// nullopt: this host does not count.
    virtual std::optional<OomKills> oom_kills() const = 0;

    /// Removes what prepare() made on the host. kConflict while the tree is not empty. The tree is
    /// useless then.
    virtual core::Result<void> release() = 0;

    /// The process; pid 0 before started().
    const os::ProcessRef& main() const { return main_; }

  protected:
    /// Sends the signal to every member once; how many got it.
    virtual core::Result<std::size_t> signal_tree(int number) = 0;
    /// The process is in: what was open for its entrance is not needed any more.
    virtual void entered() {}
    /// The /proc of its Containment.
    virtual const os::ProcFs& proc() const = 0;

    os::ProcessRef main_;
};

/// What was found out about one tier.
struct TierReport {
    Tier tier = Tier::kSweep;
    bool available = false;
    std::string detail;  ///< where it is, or why it cannot be had
    std::string cure;    ///< how to get it; empty when available
};

/// The trees of one zona home, and which tier this host allows.
class Containment {
  public:
    /// Finds out what the host offers; makes and removes a group for that. About 1 ms.
    /// Errors: kUnsupported when the tier asked for is not to be had; the message says why. With
    /// kAuto only an unreadable /proc is an error.
    static core::Result<std::unique_ptr<Containment>> open(ContainmentOptions options);

    /// Removes the groups of this home in which nothing runs. Processes run on, in their groups.
    virtual ~Containment() = default;

    /// Of new trees.
    virtual Tier tier() const = 0;
    bool guaranteed() const { return tier() != Tier::kSweep; }
    /// Why no better tier is in force and how to get it, in one sentence for each; empty for
    /// cgroup2.
    virtual const std::string& why_not_more() const = 0;
    /// Every tier, best first.
    virtual const std::vector<TierReport>& tiers() const = 0;

    /// A tree for a process that is to be started; takes up the group of an earlier run of the same
    /// process. With kAuto a group that cannot be made gives a tree of tier sweep, since a running
    /// service is worth more than a perfect stop. Errors: kInvalidArgument (uuid); with a tier
    /// asked for, also those of the group.
    virtual core::Result<std::unique_ptr<Tree>> prepare(const TreeId& id) = 0;

    /// The tree of a process that an earlier daemon started, dead or alive. The tier is the one it
    /// was started in, whatever this daemon's is: the group is looked for where the process is,
    /// below our own group, then everywhere. `main` may have gone. For the next run of the process,
    /// prepare() a tree.
    virtual core::Result<std::unique_ptr<Tree>> adopt(const TreeId& id,
                                                      const os::ProcessRef& main) = 0;

    /// Groups of this home that belong to none of `known` (left by a daemon that died between
    /// steps): the empty ones are removed, the others come back as trees to be killed and released.
    virtual core::Result<std::vector<std::unique_ptr<Tree>>> take_strays(
        const std::vector<TreeId>& known) = 0;

    /// After a change of the keeper.
    virtual void set_keeper(pid_t keeper) = 0;

    /// The /proc that it was opened with; lives as long as this.
    virtual const os::ProcFs& proc() const = 0;
};

}  // namespace zona::process
