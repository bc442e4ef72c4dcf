/// @file
/// BackupCopies: the backups once more in another place, a mounted share for instance.
///
/// The directory has the same files under the same names: what is restored from here is restored
/// from there. Each file is written under another name, synced, read back and compared by SHA-256,
/// then renamed; of a whole backup its list comes last, so that what is there is whole. What is
/// deleted here stays there. Source: SEC-09, REL-07.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"

namespace zona::tenancy {

/// What a call of copy_backups() has seen and done.
struct CopyReport {
    std::size_t files = 0;    ///< finished ones
    std::size_t copied = 0;   ///< those of them that were not there, or were others
    std::uint64_t bytes = 0;  ///< of these
};

/// Copies what is in `from` (OperationsOptions::backups), is finished, and is not in `to`. Both
/// absolute; `to` must be there: a share that is not mounted is no place for backups. Blocks. One
/// call at a time. `go_on` is asked between two files.
/// Errors: kInvalidArgument: `to` is no directory, or within `from`. kConflict: a file does not
/// read as it was written. Those of both disks and of `go_on`; what was copied stays.
core::Result<CopyReport> copy_backups(const std::string& from, const std::string& to,
                                      const std::function<core::Result<void>()>& go_on);

}  // namespace zona::tenancy
