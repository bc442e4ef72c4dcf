/// @file
/// Starting a program that outlives its starter: new session, no terminal, nothing inherited.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// The descriptor number at which a daemon finds the write end of its ready pipe.
inline constexpr int kReadyFd = 3;

/// A daemon to start, described completely.
struct DaemonPlan {
    std::string executable;                ///< path for execve(2); no PATH search
    std::vector<std::string> arguments;    ///< argv, the name first
    std::vector<std::string> environment;  ///< "NAME=value", complete
};

/// Starts a program in the background by a double fork.
///
/// The program is nobody's child here (its parent is init or the nearest subreaper), leads no
/// terminal and can get none (setsid(2) came before the second fork). It has `/` as working
/// directory, umask 022, default signal dispositions and an empty signal mask, /dev/null as
/// descriptors 0 to 2, the pipe at kReadyFd, and no other descriptor. Resource limits and nice
/// value stay those of the caller.
/// @return  the read end of the ready pipe: what the program writes to kReadyFd arrives there; end
///          of file means that it closed its end or died.
/// Errors:  from errno of the step that failed, which the message names; a failed execve(2) is
/// known
///          here, too. Nothing is left running then.
/// Threading: only while the process has one thread (fork(2)). Waits until the program was
/// executed. Source: PM-57; daemon(7), "SysV daemons", steps 1-9.
core::Result<UniqueFd> start_daemon(const DaemonPlan& plan);

}  // namespace zona::os
