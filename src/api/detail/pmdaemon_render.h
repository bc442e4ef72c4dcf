// PMDaemon's shapes of what zona knows: for its clients, beside zona's own (render.h). What zona
// does not measure is null, never a made-up 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/clock.h"
#include "core/error.h"
#include "os/host.h"
#include "process/supervisor.h"

namespace zona::api::pmdaemon {

/// PMDaemon's name for a status of zona's: "starting", "restarting", else the same.
std::string_view state_name(std::string_view status);
/// The port that the process is told by PORT: its own setting, else its caller's variable.
std::optional<std::int64_t> port_of(const process::ProcessView& process);

/// `pm2proc`: an entry of GET /api/processes.
boost::json::object pm2_process(const process::ProcessView& process, std::string_view version);
/// The short form of the documents: id, name, status, pid, port, cpu, memory, uptime in ms, ...
boost::json::object short_process(const process::ProcessView& process);
/// The same with `config` and the places of the logs.
boost::json::object long_process(const process::ProcessView& process);
/// `status`: what the WebSocket carries.
boost::json::object process_status(const process::ProcessView& process);

/// {cpu, memory, load_average, uptime, timestamp}: what GET /api/system holds.
boost::json::object system(const os::HostState& host, core::SystemTime now);
/// The flat form of the WebSocket's SystemUpdate.
boost::json::object system_metrics(const os::HostState& host, core::SystemTime now);
/// {cpu, memory, load} as the documents show the system.
boost::json::object documented_system(const os::HostState& host, int cpus);

/// {success: false, error: {code, message, details}, message}.
boost::json::object failure(std::string_view code, std::string_view message,
                            boost::json::object details);

}  // namespace zona::api::pmdaemon
