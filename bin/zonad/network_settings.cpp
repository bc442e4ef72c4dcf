#include "network_settings.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "api/daemon_api.h"
#include "core/text.h"
#include "net/country_database.h"
#include "os/fd.h"
#include "os/resources.h"

namespace zona::daemon {
namespace {

/// A list of networks to deny: a million lines.
constexpr std::size_t kMostDenyFile = std::size_t{32} << 20U;

core::Result<std::vector<net::Network>> networks_in(const std::string& list) {
    std::vector<net::Network> out;
    for (const std::string& entry : net::split_list(list)) {
        ZONA_TRY(net::Network network, net::Network::parse(entry));
        out.push_back(std::move(network));
    }
    return out;
}

core::Result<std::vector<net::Network>> denied_networks(const core::Settings::Api& api) {
    auto networks = networks_in(api.deny_addresses);
    if (!networks) return networks.take_error().context("api.deny_addresses");
    if (api.deny_file.empty()) return networks;
    const auto text = os::read_file(api.deny_file, kMostDenyFile);
    auto more = text ? net::parse_network_list(*text) : text.error();
    if (!more) return more.take_error().context(api.deny_file).context("api.deny_file");
    std::ranges::move(*more, std::back_inserter(*networks));
    return networks;
}

core::Result<std::vector<std::string>> countries_in(const std::string& list) {
    std::vector<std::string> out;
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    for (const std::string& entry : net::split_list(list)) {
        std::string country = core::lower_ascii(entry);
        if (country.size() != 2 || !std::ranges::all_of(country, is_letter)) {
            return core::Error(core::Code::kInvalidArgument,
                               fmt::format("'{}' is no country: write two letters, as in DE",
                                           core::to_valid_utf8(entry)));
        }
        for (char& c : country)
            c = static_cast<char>(c - 'a' + 'A');
        out.push_back(std::move(country));
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace

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
    auto proxies = net::NetworkSet::parse(net::split_list(api.trusted_proxies));
    if (!proxies) return proxies.take_error().context("api.trusted_proxies");
    policy.proxies = std::move(*proxies);
    policy.hosts = std::move(*hosts);
    policy.origins = std::move(*origins);
    policy.is_for_all = api::takes_forms_of_others;
    policy.compress.above = api.compress_above;
    policy.rate = &rate;
    return policy;
}

core::Result<net::AddressRules> address_rules(const core::Settings::Api& api) {
    net::AddressRules rules;
    ZONA_TRY(const auto denied, denied_networks(api));
    rules.deny = net::NetworkSet(denied);
    auto allowed = net::NetworkSet::parse(net::split_list(api.allow_addresses));
    if (!allowed) return allowed.take_error().context("api.allow_addresses");
    rules.allow = std::move(*allowed);
    auto deny = countries_in(api.deny_countries);
    if (!deny) return deny.take_error().context("api.deny_countries");
    auto allow = countries_in(api.allow_countries);
    if (!allow) return allow.take_error().context("api.allow_countries");
    rules.deny_countries = std::move(*deny);
    rules.allow_countries = std::move(*allow);
    if (rules.deny_countries.empty() && rules.allow_countries.empty()) return rules;
    if (api.country_database.empty()) {
        return core::Error(core::Code::kInvalidArgument,
                           "api.country_database: countries are denied or allowed, and no "
                           "database says where an address is");
    }
    auto database = net::CountryDatabase::open(api.country_database);
    if (!database) return database.take_error().context("api.country_database");
    rules.country_of = [database = std::move(*database)](std::string_view address) {
        return database->country_of(address);
    };
    return rules;
}

net::AddressRules nobody() {
    net::AddressRules rules;
    rules.deny = net::NetworkSet(
        std::vector{net::Network::parse("0.0.0.0/0").value(), net::Network::parse("::/0").value()});
    return rules;
}

process::HostCheck check_addresses(const net::AddressRules& rules, const std::string& problem) {
    const std::string name = "address lists";
    if (!problem.empty()) {
        return process::degraded(name, "those in force are not those of the settings: " + problem,
                                 "mend that, then `zona config reload`");
    }
    if (rules.is_empty()) return process::ok(name, "none: requests from everywhere are taken");
    return process::ok(
        name, fmt::format("networks denied: {}, allowed: {}; countries denied: {}, allowed: {}",
                          rules.deny.size(), rules.allow.size(), rules.deny_countries.size(),
                          rules.allow_countries.size()));
}

process::HostCheck check_firewall(const net::Firewall& firewall, const std::string& problem) {
    const std::string name = "firewall";
    if (!problem.empty()) {
        return process::degraded(name, "its rules are not those of the settings: " + problem,
                                 "mend that, then `zona config reload`");
    }
    const net::FirewallModes modes = firewall.modes();
    if (!modes.any()) return process::ok(name, "off (api.firewall)");
    return process::ok(name,
                       fmt::format("api.listen: {}, others: {}; {} rules", to_string(modes.main),
                                   to_string(modes.others), firewall.rules()));
}

}  // namespace zona::daemon
