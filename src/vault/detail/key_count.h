/// @file
/// Which keys the pages of a database and the frames of its log are encrypted under.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <sqlite3.h>

#include "core/result.h"
#include "vault/data_keys.h"

namespace zona::vault::detail {

/// Blocks by key; frames from before the log began anew, which nobody reads, do not count.
/// Errors: kUnavailable for what the VFS reports. A missing file has no blocks.
core::Result<std::map<KeyId, std::uint64_t>> count_keys(sqlite3_vfs* base,
                                                        const std::string& database);

}  // namespace zona::vault::detail
