/// @file
/// What happened, told to people: outcomes, ends, lists. Pure; every text that comes from the
/// daemon or a process is made printable here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/detail/console.h"
#include "cli/detail/model.h"
#include "core/clock.h"

namespace zona::cli {

/// A measured time in the form of the outcomes: "40 ms", "0.3 s", "12.5 s", then "3m 12s".
std::string spoken_duration(Milliseconds duration);

/// "exited 3", "was killed by SIGSEGV (core dumped)", "was killed for lack of memory",
/// "was not started: REASON", "ended, nobody saw how".
std::string cause_of(const Exit& exit);

/// The table of `zona list` and its notes: what is held, what outlived a stop.
std::string list_text(const ProcessList& list, const Screen& screen);

/// What became of each process: one line each, for the failed ones the last lines of stderr and
/// what to try. More than ten ready instances of one app share a line.
std::string outcomes_text(std::span<const Outcome> outcomes, const Screen& screen);

/// All fields of one process, in sections.
std::string description(const Process& process, const Screen& screen);

/// The account of one process for `zona why`: state, reason of a hold, and its `exits`, newest
/// first. `now` makes "2m ago".
std::string why_text(const Process& process, std::span<const Exit> exits, core::SystemTime now,
                     const Screen& screen);

/// An error as lines for stderr: "zona: MESSAGE", then where, problem and hint of each detail.
std::string error_text(const core::Error& error);

/// The same as the API's error envelope, for --json.
std::string error_json(const core::Error& error);

}  // namespace zona::cli
