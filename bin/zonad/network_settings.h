/// @file
/// What the settings say of the API's network side, as what the modules take.
#pragma once

#include <cstddef>

#include "core/result.h"
#include "core/settings.h"
#include "net/filter_addresses.h"
#include "net/firewall/firewall.h"
#include "net/limit_rate.h"
#include "net/network_policy.h"
#include "net/server.h"
#include "process/doctor.h"

namespace zona::daemon {

/// How many servers there are, each with a thread.
std::size_t server_count(const core::Settings::Api& api);

/// Limits and time-outs of each; at most `most_connections` connections, whatever is set.
net::ServerOptions server_options(const core::Settings::Api& api, std::size_t most_connections);

/// Who may ask from where; `rate` outlives it. Errors: kInvalidArgument, naming the setting.
core::Result<net::NetworkPolicy> network_policy(const core::Settings::Api& api,
                                                net::RateLimiter& rate);

/// Whose addresses are let in. Reads the files that the settings name: blocks. Errors:
/// kInvalidArgument, naming the setting; those of the files.
core::Result<net::AddressRules> address_rules(const core::Settings::Api& api);
/// Those that let nobody in, for where the right ones cannot be had.
net::AddressRules nobody();
/// What `zona doctor` says of the rules in force; `problem` is why those of the settings are not.
process::HostCheck check_addresses(const net::AddressRules& rules, const std::string& problem);
/// The same of the web application firewall.
process::HostCheck check_firewall(const net::Firewall& firewall, const std::string& problem);

}  // namespace zona::daemon
