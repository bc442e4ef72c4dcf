/// @file
/// The text of snapshot.json and saved.json.
///
/// A JSON object in a fixed layout: after the first line (state_envelope.h) one with the numbers,
/// then one line per app and per process, and the brackets around them on lines of their own. It is
/// read line by line, so that the whole never stands in memory as values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "process/detail/state_envelope.h"
#include "process/detail/state_model.h"

namespace zona::process::detail {

/// Everything that a snapshot holds. saved.json is one with only processes.
struct StateImage {
    std::uint64_t sequence = 0;  ///< of the last record in it
    std::uint64_t journal = 0;   ///< the first segment with later records
    std::uint32_t next_pm_id = 0;
    std::vector<std::pair<AppKey, AppPtr>> apps;
    std::vector<ProcessPtr> processes;
    std::vector<ProcessPtr> killed;
};

/// The model as it is now; copies pointers only.
StateImage image_of(const StateModel& model);
/// The present processes alone, and their apps.
StateImage processes_of(const StateModel& model);

/// The whole text of a file.
std::string encode_image(const StateImage& image);

struct ImageReading {
    Envelope envelope;
    StateImage image;                   ///< envelope good: what could be read
    std::vector<std::string> warnings;  ///< entries left out, settings not known
    bool complete = true;               ///< nothing was left out
};

/// Reads a whole file; takes any bytes. An entry that cannot be read is left out with a warning.
ImageReading decode_image(std::string_view text);

/// The image as a model.
StateModel model_of(const StateImage& image);

}  // namespace zona::process::detail
