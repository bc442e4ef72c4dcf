// The declarations of what can be asked about the daemon, its settings and its host.
#pragma once

#include "api/operation.h"

namespace zona::api {

Operation ping();
Operation add_listener();
Operation get_liveness();
Operation get_readiness();
Operation get_health();
Operation list_settings();
Operation reload_settings();
Operation get_log_levels();
Operation set_log_levels();
Operation examine_host();
Operation get_system();
Operation get_metrics();
Operation scrape_metrics();
Operation shut_down();

}  // namespace zona::api
