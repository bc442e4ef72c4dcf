/// @file
/// What a whole backup's directory says of its logs: `ends.zbk`, sealed with the keys of the core
/// database, written anew each time. By it one notices that the last links are gone, unless an
/// older one was put back with them; without it nothing after the images is restored.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/random.h"
#include "core/result.h"
#include "tenancy/backup/backup_log.h"
#include "vault/data_keys.h"

namespace zona::tenancy::detail {

/// Up to when one log reaches.
struct KnownEnd {
    std::uint64_t number = 0;  ///< of its last link
    core::SystemTime until{};  ///< nothing has changed from that link to then
    std::int64_t written = 0;  ///< when the database's file was written last, at that link
};
/// By the name of the image: "core", "_shared", a tenant's code.
using LogEnds = std::map<std::string, KnownEnd>;

/// Writes it into a whole backup's directory. Errors: those of the disk and of the keys.
core::Result<void> write_ends(const std::string& directory, const BackupTitle& title,
                              const LogEnds& ends, const vault::DataKeys& keys,
                              core::Random& random);
/// Reads it; there may be none: then nothing was logged yet. Errors: kConflict: it was changed, or
/// is of another backup than `whole`; those of the disk and of the keys.
core::Result<LogEnds> read_ends(const std::string& directory, const core::Uuid& whole,
                                const vault::DataKeys& keys);

/// The links of an image that make it as it was at `at`. Errors: as links_until(); kConflict: its
/// log does not reach there, naming the moments nearest to it, or links that were written are gone.
core::Result<std::vector<LogFile>> find_links(const std::string& image, const LogEnds& ends,
                                              core::SystemTime at);

}  // namespace zona::tenancy::detail
