/// @file
/// The file of a home in which API keys lay before they came into the core database, and in which
/// the first one lies until the core database takes it over. Source: PM-50, PM-51.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "identity/keys/api_key.h"

namespace zona::identity {

/// What the file holds.
struct KeyListFile {
    bool exists = false;
    std::vector<StoredKey> keys;  ///< not yet taken over; with the ids that they keep
};

/// Reads it. Errors: kConflict, naming the file, for one that is damaged or of a newer format: it
/// is left as it is. Others from errno.
core::Result<KeyListFile> read_key_list(const std::string& file);

/// Makes the key "default" with scope admin, in the list, and its text in `plain`, both of mode
/// 0600, for whoever starts zona first. Errors: those of writing; then there is no list.
core::Result<StoredKey> make_first_key(const std::string& file, const std::string& plain,
                                       const core::Clock& clock, core::Random& random);

/// Says in the file that its keys were taken over, in a format that no zona reads which would take
/// them from there. Errors: those of writing.
core::Result<void> empty_key_list(const std::string& file);

}  // namespace zona::identity
