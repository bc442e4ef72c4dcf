/// @file
/// From the files in state/ to the state: which generation, which journal records, what was lost.
///
/// Only reads. What has to be mended on disk is in the result; nothing is to be touched when an
/// error is returned.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "process/detail/state_image.h"

namespace zona::process::detail {

/// Where the files come from: the directory, or a test.
struct StateSource {
    /// nullopt: there is no such file.
    std::function<core::Result<std::optional<std::string>>(std::string_view name)> read;
    std::vector<std::uint64_t> segments;  ///< ascending
};

struct StateLoading {
    StateModel model;
    std::uint64_t sequence = 0;  ///< the last number in use; the next record is the one above
    std::vector<std::string> warnings;

    bool snapshot_present = false;       ///< snapshot.json is there and good
    std::uint64_t snapshot_journal = 0;  ///< first segment of the snapshot that was used, or 0
    std::uint64_t snapshot_bytes = 0;

    std::uint64_t segment = 0;        ///< to be continued; 0: none
    std::uint64_t segment_bytes = 0;  ///< its good part
    std::uint64_t journal_bytes = 0;  ///< good parts of all segments that were replayed

    /// Files to be set aside at once, because something else serves in their place.
    std::vector<std::string> damaged;
    /// Files to be set aside as soon as a new snapshot has what is good in them.
    std::vector<std::string> replaced;
    /// A new snapshot and segment are needed before anything is appended.
    bool rewrite = false;
};

/// Loads; takes any content of the files.
///
/// Errors  kConflict: a file of a newer format. kForbidden, kResourceExhausted: a file that is
/// there
///         could not be read. Damage is no error: see StateLoading::warnings.
core::Result<StateLoading> load_state(const StateSource& source);

}  // namespace zona::process::detail
