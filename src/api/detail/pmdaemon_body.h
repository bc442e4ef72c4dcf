// What PMDaemon's clients send, in every form of its documents and its source.
#pragma once

#include <cstdint>
#include <optional>

#include <boost/json/fwd.hpp>

#include "core/result.h"
#include "process/supervisor.h"

namespace zona::api::pmdaemon {

/// One port, or several in a row: instance i gets `first` + i.
struct Ports {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

/// 3001, "3001", "4000-4003" or [4000, 4003]; spaces around numbers are allowed. Errors:
/// kInvalidArgument; kUnsupported for "auto:A-B": zona does not look for free ports.
core::Result<Ports> read_ports(const boost::json::value& value);

/// The body of a restart: null, {} or {"port": ...} or {"port_range": [A, B]}. Errors: those of
/// read_ports(), kInvalidArgument, kUnsupported for `instances`.
core::Result<std::optional<Ports>> read_restart(const boost::json::value& body);

/// The environment of a restart that tells `process` its part of `ports` by PORT. Errors:
/// kInvalidArgument: the range is too short. kConflict: the app's own settings say PORT, and win.
core::Result<std::map<std::string, std::string>> with_port(const process::ProcessView& process,
                                                           const Ports& ports);

/// The app of {"name", "script", "args", "port", "env", ...}: the keys of an ecosystem file, `port`
/// becoming PORT. Errors: those of parse_apps(), kUnsupported for what its `port` cannot do yet.
core::Result<process::StartRequest> read_app(const boost::json::value& body, int cpus);

}  // namespace zona::api::pmdaemon
