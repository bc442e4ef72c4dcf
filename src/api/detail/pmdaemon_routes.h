// What answers PMDaemon's paths.
#pragma once

#include "api/daemon_api.h"
#include "api/detail/process_hub.h"
#include "api/service.h"

namespace zona::api::pmdaemon {

/// Adds PMDaemon's operations; `deps` and `hub` null where nobody asks. The hub outlives them.
core::Result<void> add_routes(Service& service, const DaemonInfo& info, const DaemonApiDeps* deps,
                              ProcessHub* hub);

/// What GET / tells a program.
net::Response front(const std::string& version);
/// Whether a client of GET / is a browser, or would rather have what browsers get.
bool wants_page(const net::Request& request);

}  // namespace zona::api::pmdaemon
