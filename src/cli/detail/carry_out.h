/// @file
/// From a command line to its exit status, on this host or on another one.
#pragma once

#include <memory>

#include "cli/command.h"
#include "cli/detail/api_client.h"
#include "cli/detail/interrupts.h"
#include "cli/detail/remote.h"
#include "cli/detail/verbs.h"
#include "core/clock.h"
#include "core/secret.h"

namespace zona::cli {

/// Makes the way to another zona.
class RemoteWay {
  public:
    RemoteWay() = default;
    RemoteWay(const RemoteWay&) = delete;
    RemoteWay& operator=(const RemoteWay&) = delete;
    virtual ~RemoteWay() = default;
    virtual core::Result<std::unique_ptr<Api>> open(const Remote& remote, const core::Secret& key,
                                                    const core::Clock& clock,
                                                    Interrupts& interrupts) = 0;
};

/// run_command() and run_remote_command(). Without a `way`, a command for another zona becomes the
/// program zona-remote, in this process.
int answer_command(const Surroundings& surroundings, RemoteWay* way);

/// What the verb of a command does, in a context that is made for it.
Status carry_out_verb(Context& context, const Command& command);

/// Carries a command out on this host's zona, which it starts if the verb wants that.
Status carry_out_here(const Surroundings& surroundings, const Command& command, Console& console);

/// Carries a command out on another zona.
Status carry_out_there(const Surroundings& surroundings, const Command& command,
                       const Remote& remote, RemoteWay& way, Console& console);

/// What the other zona may know of who typed the command: as directory `--cwd` or else `/`, as
/// environment a usual PATH alone, or that of this shell with --env-from-here; never a key.
/// Errors: kInvalidArgument: --cwd is not absolute; --update-env without --env-from-here.
core::Result<Caller> caller_there(const Surroundings& surroundings, const Command& command,
                                  const Remote& remote);

/// zona's home on this host when neither --home nor ZONA_HOME says it; empty when there is none.
std::string usual_home(const Surroundings& surroundings);

/// Becomes zona-remote with the same words and variables. Returns only if that fails: kNotFound
/// when it is not installed, else from errno.
core::Error hand_over(const Surroundings& surroundings);

}  // namespace zona::cli
