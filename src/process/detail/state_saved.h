/// @file
/// saved.json: the list that `zona save` writes and `zona resurrect` reads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "process/detail/state_files.h"
#include "process/detail/state_image.h"

namespace zona::process::detail {

struct SavedReading {
    std::string name;  ///< of the file it was read from
    StateImage image;
    std::vector<std::string> warnings;
};

/// Writes a new generation; a damaged file in its place is set aside, not made the previous one.
/// Errors: kConflict, the file there is of a newer format; as StateDirectory::write_generation.
core::Result<void> write_saved(const StateDirectory& directory, core::ByteCount limit,
                               const StateImage& image);

/// The newest generation that can be read; nullopt: nothing was saved.
/// Errors: kConflict, both are damaged, or the newest is of a newer format.
core::Result<std::optional<SavedReading>> read_saved(const StateDirectory& directory,
                                                     core::ByteCount limit);

}  // namespace zona::process::detail
