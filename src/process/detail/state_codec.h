/// @file
/// The JSON of the state files: bodies of journal records, snapshot.json and saved.json.
///
/// Bytes that are not UTF-8 survive: a path becomes {"hex": "..."}, an environment variable goes to
/// "caller_environment_hex". No message holds a value of an environment variable. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "process/detail/state_envelope.h"
#include "process/detail/state_model.h"

namespace zona::process::detail {

/// `body`: the app's content, for an app that the files do not have yet; else nullptr.
std::string encode_put(const StoredProcess& process, AppKey app, const StoredApp* body);
std::string encode_remove(const core::Uuid& id);
std::string encode_desired(const core::Uuid& id, Desired desired);
std::string encode_kill();
std::string encode_forget_killed();

/// Carries a record out. A change of a process that is not there (because its own record could not
/// be read) changes nothing.
/// Errors  kInvalidArgument: not a record of this format; nothing changed, but for an app without
/// uses.
core::Result<void> apply_record(std::string_view body, StateModel& model,
                                std::vector<std::string>& warnings);

/// What a record does, for the list of what was lost: `start of web (pm_id 3)`.
std::string describe_record(std::string_view body, const StateModel& model);

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
