/// @file
/// What zonad does without being the daemon: for commands whose zona does not run, or is not there
/// yet.
#pragma once

#include <optional>

namespace zona::daemon {

/// Does what the flags ask for, if that is not to be the daemon, and gives the exit status:
///
///     --restore-backup DIRECTORY --home HOME --root-key FILE [--at TIME]
///                                                              a new home of a whole backup
///     --check-backup DIRECTORY (--shares | --root-key) FILE [--at TIME]
///                                                              the same, compared and gone again
///     --export-shares --home HOME --needed N --total N         the root key as shares
///     --import-shares --file FILE --to FILE                    shares as a root key
std::optional<int> do_maintenance(int argc, char** argv);

}  // namespace zona::daemon
