/// @file
/// What is remembered of a managed process beyond the life of the daemon and of the host: its
/// settings and what its owner wants of it. What it does at this moment stands in the table
/// (table_layout.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/random.h"
#include "process/app_spec.h"

namespace zona::process {

/// What the owner wants. Deaths, also those during a shutdown, do not change it.
enum class Desired : std::uint8_t { kStopped, kRunning };

/// The app that an instance belongs to, shared by its instances; never changed in place.
struct StoredApp {
    AppSpec spec;
    /// The caller's environment at `start` (or at the last restart with --update-env); the file's
    /// comes on top.
    std::map<std::string, std::string> caller_environment;
};

/// One instance of an app, as its owner wants it.
struct StoredProcess {
    core::Uuid id;
    std::uint32_t pm_id = 0;
    std::uint32_t instance = 0;  ///< 0..n-1 in its app
    std::shared_ptr<const StoredApp>
        app;                 ///< second owners: the app's other instances, the state writer
    std::string out_file;    ///< absolute; decided once, so that a rename of the app keeps its logs
    std::string error_file;  ///< absolute; may equal out_file
    Desired desired = Desired::kRunning;
    core::SystemTime created_at{};
};

}  // namespace zona::process
