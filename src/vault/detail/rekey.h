/// @file
/// Encrypting the pages of a database anew under the current key, while it is in use.
///
/// In place, some pages at a time: their new form goes into a file beside the database, which is
/// synced, then into the database, which is synced, then the file is removed. After a crash in
/// between, a page that is torn is taken from that file; one that opens is left as it is, for it is
/// the old form, the new form, or of a database that was put there since.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "vault/detail/page_cipher.h"
#include "vault/detail/vfs_file.h"

namespace zona::vault::detail {

/// What all open files of one database share.
struct DatabaseState {
    /// Held by whoever writes to the database file: checkpoints and rekeying.
    std::mutex writing;
    /// Where rekeying goes on; 0 is the first page.
    std::uint64_t next_page = 0;  // guarded by writing
    /// A bit for each page that was written since somebody asked last; nothing: nobody asked yet.
    std::optional<std::vector<bool>> written;  // guarded by writing
};

/// The file beside a database.
std::string rekey_path(const std::string& database);

/// Encrypts at most `most` pages anew. True when the last page was reached. The caller holds
/// `writing`. Errors: kConflict for a page that does not open, kNotFound for a key that is not
/// there, kUnavailable for what SQLite's VFS reports, and those of writing.
core::Result<bool> rekey_some(const std::string& database, VfsFile& file, PageCipher& cipher,
                              DatabaseState& state, std::size_t most);

/// Does what a crash left to be done, before the database is opened. Errors: as of rekey_some();
/// kConflict when the file beside the database does not open with these keys.
core::Result<void> finish_rekey(const std::string& database, VfsFile& file, PageCipher& cipher);

}  // namespace zona::vault::detail
