/// @file
/// A small sealed file of a whole backup: a title in clear, as a backup has it, and a text.
#pragma once

#include <string>
#include <string_view>

#include "core/random.h"
#include "core/result.h"
#include "tenancy/backup/backup_format.h"
#include "vault/data_keys.h"

namespace zona::tenancy::detail {

/// What is in one.
struct SealedNote {
    BackupTitle title;
    std::string text;
};

/// Writes it under another name, syncs it and gives it its own. `purpose` is what another kind of
/// note does not open with. Errors: those of the disk and of the keys.
core::Result<void> write_note(const std::string& path, std::string_view purpose,
                              const SealedNote& note, const vault::DataKeys& keys,
                              core::Random& random);
/// Reads it. Errors: kConflict: it was changed, is none, or is over 64 MiB. kNotFound: it is not
/// there, or its key is not.
core::Result<SealedNote> read_note(const std::string& path, std::string_view purpose,
                                   const vault::DataKeys& keys);

}  // namespace zona::tenancy::detail
