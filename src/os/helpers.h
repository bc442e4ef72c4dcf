/// @file
/// Helpers: programs that do a piece of work for this process and end, beside a supervisor that
/// takes the end of every child.
///
/// Both may see the end of a helper: who runs it, by its pidfd, and the supervisor's loop, by
/// waitid(2) for all children. Whoever comes first keeps the exit and reaps, under one mutex, so
/// that the exit is never lost, and no signal is sent to a pid that may be another's by then. The
/// kernel notes a helper's pid before the helper runs (CLONE_PARENT_SETTID), so its end cannot come
/// before it is known. Source: waitid(2), pidfd_open(2), clone(2), REL-20.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.h"
#include "os/child.h"

namespace zona::os {

/// One run of a program. It has no input.
struct HelperPlan {
    std::vector<std::string> words;  ///< the program, with a '/' or of PATH, and its arguments
    std::vector<std::string> environment;  ///< "NAME=value", complete; PATH is looked for in it
    std::string directory = "/";
    std::chrono::milliseconds time_limit{std::chrono::hours(1)};
    std::size_t output_bytes = 16'384;  ///< of what it writes that is kept, the last
};

/// What a run has come to.
struct HelperEnd {
    ChildExit exit;
    bool timed_out = false;
    std::string output;       ///< of stdout and stderr, in the order in which they came
    bool is_success() const;  ///< it exited 0, in time
};
/// For people: "exited 1", "was ended by SIGKILL", "did not end in time".
std::string to_string(const HelperEnd& end);

/// All that run. Any thread.
class Helpers {
  public:
    Helpers() = default;
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;
    /// Precondition: none runs.
    ~Helpers() = default;

    /// Runs one to its end, on this thread. It leads a session of its own; at the limit, and when
    /// `stop` asks for it, it gets SIGTERM and some seconds later SIGKILL with all of its process
    /// group, and what it leaves behind in that group ends with it. When this thread or process
    /// dies it is killed. Errors: kNotFound: no such program. kCancelled: `stop`. Those of starting
    /// it. After an error it is gone.
    core::Result<HelperEnd> run(const HelperPlan& plan, const std::stop_token& stop = {});

    /// For whoever takes the ends of all children: reaps one that has ended and is none of its own.
    /// Of a helper the exit is kept.
    void reap(pid_t pid);

  private:
    /// One that was or is about to be started.
    struct Running {
        std::int32_t pid = 0;  // written by the kernel
        std::optional<ChildExit> exit;
    };
    core::Result<HelperEnd> follow(Running& running, const HelperPlan& plan, int output, int asked);
    core::Result<UniqueFd> watch(const Running& running);
    std::optional<ChildExit> collect(Running& running);
    void signal(const Running& running, int number);
    void keep(Running& running);

    std::mutex mutex_;
    std::list<Running> running_;  // guarded by mutex_, but for what the kernel writes
};

}  // namespace zona::os
