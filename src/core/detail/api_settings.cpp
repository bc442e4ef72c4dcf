#include "core/detail/api_settings.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace zona::core::detail {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kKib = 1024;
constexpr std::int64_t kMib = 1024 * kKib;

std::vector<Setting> api_access() {
    return {
        {.key = "api.listen",
         .type = SettingType::kText,
         .default_value = "127.0.0.1:8063",
         .description = "Where the API listens in the network, e.g. `0.0.0.0:8063` or "
                        "`[::1]:8063`; `off`: only on the unix socket in zona's home."},
        {.key = "api.pmdaemon_listen",
         .type = SettingType::kText,
         .default_value = "off",
         .description = "A second address for clients of PMDaemon, which look at "
                        "`127.0.0.1:9615`; `off`: none. The same API by the same rules. "
                        "`zona web` opens it until zona ends."},
        {.key = "api.authentication",
         .type = SettingType::kChoice,
         .default_value = "key",
         .description = "What clients over the network show: an API key (`zona key`), or nothing, "
                        "which only the profile development allows, on an address of this host.",
         .choices = {"key", "none"}},
        {.key = "api.tls.certificate",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "PEM file of the certificate and its chain; with it the API speaks TLS 1.3 "
                        "only. The file is read again by `zona config reload` and on SIGHUP."},
        {.key = "api.tls.key",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "PEM file of the certificate's key; empty: in `api.tls.certificate`."},
        {.key = "api.tls.client_ca",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "PEM file of the authorities whose certificates clients may show, each "
                        "trusted as it is; empty: clients are asked for none. Read again as "
                        "`api.tls.certificate`."},
        {.key = "api.tls.client_crl",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "PEM file of the revocation lists of these authorities, one of each that "
                        "issues; empty: none is looked at. Read again as `api.tls.certificate`."},
        {.key = "api.tls.client_certificates",
         .type = SettingType::kChoice,
         .default_value = "optional",
         .description = "Whether a client over TLS may or must show a certificate.",
         .choices = {"optional", "required"}},
        {.key = "api.closed_routes",
         .type = SettingType::kText,
         .default_value = "",
         .description = "Operations that are open to everybody (`zona doctor` lists them) and are "
                        "to ask for a key or a session as all others do, separated by commas, e.g. "
                        "`getApiPage,getApiDocument`."},
        {.key = "api.key_requests_per_second",
         .type = SettingType::kInteger,
         .default_value = "100",
         .description = "How often a new API key may ask unless it is made with a rate of its own; "
                        "twice as many may come at once. 0: any number.",
         .least = 0,
         .most = 1'000'000},
        {.key = "api.insecure",
         .type = SettingType::kBoolean,
         .default_value = "false",
         .description = "Listen beyond this host without TLS; the profile production refuses it."},
    };
}

std::vector<Setting> api_limits() {
    return {
        {.key = "api.threads",
         .type = SettingType::kInteger,
         .default_value = "0",
         .description = "Threads that serve requests; 0: one per usable core, at most 8.",
         .least = 0,
         .most = 16},
        {.key = "api.max_connections",
         .type = SettingType::kInteger,
         .default_value = "1024",
         .description =
             "Connections at one time; over it new ones are answered 503. Unless set, at most an "
             "eighth of the limit on open files; if set, at most five eighths, at the cost of "
             "processes.",
         .reload = ReloadMode::kHot,
         .least = 1,
         .most = 1'000'000},
        {.key = "api.max_connections_per_address",
         .type = SettingType::kInteger,
         .default_value = "256",
         .description = "Connections of one address over the network at one time; over it new ones "
                        "are answered 503. 0: no such limit.",
         .reload = ReloadMode::kHot,
         .least = 0,
         .most = 1'000'000},
        {.key = "api.max_body_bytes",
         .type = SettingType::kSize,
         .default_value = "8M",
         .description = "The largest body of a request; over it 413.",
         .reload = ReloadMode::kHot,
         .least = kKib,
         .most = 1024 * kMib},
        {.key = "api.max_header_bytes",
         .type = SettingType::kSize,
         .default_value = "16K",
         .description = "The longest request line and header together; over it 431.",
         .reload = ReloadMode::kHot,
         .least = kKib,
         .most = kMib},
    };
}

std::vector<Setting> api_timeouts() {
    return {
        {.key = "api.header_timeout",
         .type = SettingType::kDuration,
         .default_value = "10s",
         .description = "From the first byte of a request to the end of its header.",
         .reload = ReloadMode::kHot,
         .least = 10,
         .most = kHour},
        {.key = "api.idle_timeout",
         .type = SettingType::kDuration,
         .default_value = "1m",
         .description = "How long a connection without a request stays open.",
         .reload = ReloadMode::kHot,
         .least = 10,
         .most = 24 * kHour},
        {.key = "api.request_timeout",
         .type = SettingType::kDuration,
         .default_value = "1m",
         .description =
             "From the end of a request's header to the end of its answer; streams excepted.",
         .reload = ReloadMode::kHot,
         .least = 10,
         .most = 24 * kHour},
        {.key = "api.drain_timeout",
         .type = SettingType::kDuration,
         .default_value = "10s",
         .description = "What requests in flight get at shutdown before they are cut.",
         .reload = ReloadMode::kHot,
         .most = kHour,
         .profile_defaults = {{"development", "1s"}}},
    };
}

std::vector<Setting> api_network() {
    return {
        {.key = "api.hosts",
         .description = "Names, separated by commas, under which the API is asked for over TCP; "
                        "addresses and `localhost` always are. Others are answered 421."},
        {.key = "api.cors_origins",
         .description = "Origins, separated by commas (`https://panel.example`), whose pages may "
                        "use the API; `*`: all. Empty: none."},
        {.key = "api.compress_above",
         .type = SettingType::kSize,
         .default_value = "4K",
         .description = "Larger answers over TCP are sent with gzip to who takes it; 0: none is.",
         .most = 1024 * kMib},
        {.key = "api.requests_per_second",
         .type = SettingType::kInteger,
         .default_value = "0",
         .description = "What one address may send over TCP; over it 429. An IPv6 network of 64 "
                        "bits counts as one. 0: no limit.",
         .reload = ReloadMode::kHot,
         .most = 1'000'000},
        {.key = "api.requests_burst",
         .type = SettingType::kInteger,
         .default_value = "200",
         .description = "What of these may come at once after a rest.",
         .reload = ReloadMode::kHot,
         .least = 1,
         .most = 1'000'000},
    };
}

std::vector<Setting> api_addresses() {
    return {
        {.key = "api.trusted_proxies",
         .description = "Addresses and networks of proxies, separated by commas, whose "
                        "X-Forwarded-For is believed: limits, lists and the record are about the "
                        "client that it names."},
        {.key = "api.deny_addresses",
         .description = "Addresses and networks, separated by commas, whose requests over TCP are "
                        "answered 403, those without a key as well. They come before those that "
                        "are allowed.",
         .reload = ReloadMode::kHot},
        {.key = "api.allow_addresses",
         .description = "Addresses and networks, separated by commas: if there are some, nobody "
                        "else is let in over TCP. Empty: everybody.",
         .reload = ReloadMode::kHot},
        {.key = "api.deny_file",
         .type = SettingType::kPath,
         .description = "A file with more networks to deny, one a line, as threat feeds come; `#` "
                        "and `;` begin a comment. Read again by `zona config reload`.",
         .reload = ReloadMode::kHot},
        {.key = "api.country_database",
         .type = SettingType::kPath,
         .description = "A database of countries in the format of MaxMind "
                        "(`GeoLite2-Country.mmdb`), for the next two.",
         .reload = ReloadMode::kHot},
        {.key = "api.deny_countries",
         .description = "Countries, two letters each and separated by commas, whose addresses are "
                        "denied.",
         .reload = ReloadMode::kHot},
        {.key = "api.allow_countries",
         .description = "Countries whose addresses are let in beside `api.allow_addresses`; if "
                        "there are some, nobody else is.",
         .reload = ReloadMode::kHot},
    };
}

std::vector<Setting> api_firewall() {
    return {
        {.key = "api.firewall",
         .type = SettingType::kChoice,
         .default_value = "off",
         .description = "A web application firewall (ModSecurity with the OWASP core rules) for "
                        "requests over `api.listen`: `detect` tells of what looks like an attack, "
                        "`block` refuses it.",
         .reload = ReloadMode::kHot,
         .choices = {"off", "detect", "block"}},
        {.key = "api.pmdaemon_firewall",
         .type = SettingType::kChoice,
         .default_value = "off",
         .description = "The same for `api.pmdaemon_listen` and addresses that are asked for "
                        "while zona runs.",
         .reload = ReloadMode::kHot,
         .choices = {"off", "detect", "block"}},
        {.key = "api.firewall_rules",
         .type = SettingType::kPath,
         .description = "A file of rules of your own in ModSecurity's language, and of core rules "
                        "that are not to hold. Read again by `zona config reload`.",
         .reload = ReloadMode::kHot},
        {.key = "api.firewall_core_rules",
         .type = SettingType::kPath,
         .default_value = "/usr/share/modsecurity-crs/rules",
         .description = "The directory of the OWASP core rules.",
         .reload = ReloadMode::kHot},
        {.key = "api.firewall_body_bytes",
         .type = SettingType::kSize,
         .default_value = "128K",
         .description = "Larger bodies are not inspected, which takes long: `block` refuses them.",
         .reload = ReloadMode::kHot,
         .least = 1024,
         .most = 16 * kMib},
    };
}

}  // namespace

std::vector<Setting> api_settings() {
    std::vector<Setting> all = api_access();
    for (std::vector<Setting> part :
         {api_limits(), api_timeouts(), api_network(), api_addresses(), api_firewall()})
        std::ranges::move(part, std::back_inserter(all));
    return all;
}

Settings::Api api_from(const ConfigSnapshot& snapshot) {
    const auto listener = [&snapshot](const char* key) {
        std::string address = snapshot.text(key);
        return address == "off" ? std::string() : address;
    };
    return {.listen = listener("api.listen"),
            .pmdaemon_listen = listener("api.pmdaemon_listen"),
            .authentication = snapshot.text("api.authentication") == "key",
            .insecure = snapshot.boolean("api.insecure"),
            .tls_certificate = snapshot.text("api.tls.certificate"),
            .tls_key = snapshot.text("api.tls.key"),
            .tls_client_ca = snapshot.text("api.tls.client_ca"),
            .tls_client_crl = snapshot.text("api.tls.client_crl"),
            .tls_client_required = snapshot.text("api.tls.client_certificates") == "required",
            .closed_routes = snapshot.text("api.closed_routes"),
            .key_requests_per_second = snapshot.integer("api.key_requests_per_second"),
            .threads = snapshot.integer("api.threads"),
            .max_connections = snapshot.integer("api.max_connections"),
            .max_connections_per_address = snapshot.integer("api.max_connections_per_address"),
            .max_body_bytes = snapshot.size("api.max_body_bytes"),
            .max_header_bytes = snapshot.size("api.max_header_bytes"),
            .header_timeout = snapshot.duration("api.header_timeout"),
            .idle_timeout = snapshot.duration("api.idle_timeout"),
            .request_timeout = snapshot.duration("api.request_timeout"),
            .drain_timeout = snapshot.duration("api.drain_timeout"),
            .hosts = snapshot.text("api.hosts"),
            .cors_origins = snapshot.text("api.cors_origins"),
            .compress_above = snapshot.size("api.compress_above"),
            .requests_per_second = snapshot.integer("api.requests_per_second"),
            .requests_burst = snapshot.integer("api.requests_burst"),
            .trusted_proxies = snapshot.text("api.trusted_proxies"),
            .deny_addresses = snapshot.text("api.deny_addresses"),
            .allow_addresses = snapshot.text("api.allow_addresses"),
            .deny_file = snapshot.text("api.deny_file"),
            .country_database = snapshot.text("api.country_database"),
            .deny_countries = snapshot.text("api.deny_countries"),
            .allow_countries = snapshot.text("api.allow_countries"),
            .firewall = snapshot.text("api.firewall"),
            .pmdaemon_firewall = snapshot.text("api.pmdaemon_firewall"),
            .firewall_rules = snapshot.text("api.firewall_rules"),
            .firewall_core_rules = snapshot.text("api.firewall_core_rules"),
            .firewall_body = snapshot.size("api.firewall_body_bytes")};
}

}  // namespace zona::core::detail
