/// @file
/// How processes are shown to whoever asks: as they are now, how their runs ended, what happened.
///
/// Values, made by the supervisor and free of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "process/containment.h"
#include "process/stored_process.h"
#include "process/versions.h"

namespace zona::process {

/// Where a process's output and index lie; what a log reader needs.
struct LogFiles {
    std::uint32_t slot = 0;
    std::uint32_t pm_id = 0;
    std::uint32_t instance = 0;
    std::string name;
    std::string out_file;
    std::string error_file;
};

/// How a run ended (docs/api.md, Exit).
struct ExitView {
    std::uint64_t incarnation = 0;
    std::int32_t pid = 0;
    core::SystemTime started_at{};
    core::SystemTime exited_at{};
    /// What ended the run; the fields below say with which of them they hold.
    enum class Cause : std::uint8_t { kExited, kSignaled, kOutOfMemory, kNotStarted, kUnknown };
    Cause cause = Cause::kUnknown;
    int code = 0;    ///< kExited
    int signal = 0;  ///< kSignaled, kOutOfMemory
    bool core_dumped = false;
    bool requested = false;
    std::string reason;  ///< kNotStarted
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::int64_t max_rss_kb = 0;
    std::uint64_t out_begin = 0, out_end = 0;  ///< the run's part of its log files, in bytes
    std::uint64_t err_begin = 0, err_end = 0;
};

/// As on the wire: "exited" "signaled" "out_of_memory" "not_started" "unknown".
std::string_view cause_name(ExitView::Cause cause);

/// One process as it is now (docs/api.md, Process).
struct ProcessView {
    StoredProcess stored;
    std::uint32_t slot = 0;
    std::string_view status;
    std::int32_t pid = 0;  ///< 0: none
    core::SystemTime started_at{};
    std::chrono::milliseconds uptime{0};
    std::uint32_t restarts = 0;
    std::uint32_t unstable_restarts = 0;
    std::optional<core::SystemTime> restart_at;
    std::string held_because;
    std::optional<ExitView> last_exit;
    Tier tier = Tier::kSweep;
    bool guaranteed = false;
    std::vector<Survivor> survivors;  ///< of the last stop, those that still run
    std::string interpreter;          ///< in force; empty: executes itself
    Version version;                  ///< what Supervisor::versions() said at this moment
};

/// Something that happened to a process.
struct ProcessEvent {
    /// What it was.
    enum class Kind : std::uint8_t { kCreated, kStatus, kExit, kDeleted };
    Kind kind = Kind::kStatus;
    core::SystemTime at{};
    std::uint32_t pm_id = 0;
    std::string name;
    std::uint32_t instance = 0;
    std::string_view from;  ///< kStatus: as ProcessView::status
    std::string_view to;
    std::optional<ExitView> exit;  ///< kExit
};

/// What became known since the last news.
struct ProcessNews {
    std::vector<ProcessEvent> events;    ///< all of them, in order
    std::vector<ProcessView> changed;    ///< as they are now, each once
    std::vector<std::uint32_t> deleted;  ///< pm_ids
};
/// Who is told.
using Observer = std::move_only_function<void(ProcessNews)>;

}  // namespace zona::process
