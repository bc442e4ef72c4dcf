#include "network_settings.h"

#include <algorithm>
#include <utility>

#include "os/resources.h"

namespace zona::daemon {

std::size_t server_count(const core::Settings::Api& api) {
    constexpr int kMost = 8;
    const auto wanted = static_cast<std::size_t>(api.threads);
    if (wanted > 0) return wanted;
    return static_cast<std::size_t>(std::clamp(os::usable_cpus(), 1, kMost));
}

net::ServerOptions server_options(const core::Settings::Api& api, std::size_t most_connections) {
    net::ServerOptions options;
    const auto wanted = static_cast<std::size_t>(api.max_connections);
    options.connections = std::min(wanted, most_connections);
    options.connections_per_address = static_cast<std::size_t>(api.max_connections_per_address);
    options.body = api.max_body_bytes;
    options.head = api.max_header_bytes;
    options.head_time = api.header_timeout;
    options.idle_time = api.idle_timeout;
    options.request_time = api.request_timeout;
    return options;
}

core::Result<net::NetworkPolicy> network_policy(const core::Settings::Api& api,
                                                net::RateLimiter& rate) {
    net::NetworkPolicy policy;
    auto hosts = net::HostList::parse(net::split_list(api.hosts));
    if (!hosts) return hosts.take_error().context("api.hosts");
    auto origins = net::OriginList::parse(net::split_list(api.cors_origins));
    if (!origins) return origins.take_error().context("api.cors_origins");
    policy.hosts = std::move(*hosts);
    policy.origins = std::move(*origins);
    policy.compress.above = api.compress_above;
    policy.rate = &rate;
    return policy;
}

}  // namespace zona::daemon
