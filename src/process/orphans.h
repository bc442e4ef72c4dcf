/// @file
/// Processes that live on without a keeper and a daemon: what a command can know without them.
#pragma once

#include <string>

#include "core/result.h"

namespace zona::process {

/// Whether a process of the home lives, told from its table and /proc; a few microseconds for each
/// slot in use. Meant for a home where nobody listens: with a keeper it is true as long as anything
/// runs. False without a table, and with another boot's. Errors: from errno for files of the home
/// that cannot be read; kConflict for a table of another version.
/// Threading: any thread. Source: PM-61, REL-21.
core::Result<bool> has_living_processes(const std::string& home);

}  // namespace zona::process
