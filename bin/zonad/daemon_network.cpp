// How the daemon is reached: keys, TLS, addresses, servers.
#include <algorithm>
#include <utility>
#include <variant>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "api/pages.h"
#include "api/pipeline.h"
#include "api/pmdaemon.h"
#include "daemon.h"
#include "identity/caller.h"
#include "identity/exposure.h"
#include "identity/secret_text.h"
#include "net/network_policy.h"
#include "network_settings.h"

namespace zona::daemon {
namespace {

/// How old what is known of the uses of keys may be after a crash.
constexpr std::chrono::seconds kUsesStoredAfter(60);

/// Where no keys can be used there is no address but the unix socket's, whose mode keeps others
/// out.
net::Decision trust_socket(net::Request& request) {
    if (const auto* local = std::get_if<net::UnixPeer>(&request.peer))
        identity::set_unbounded(request, fmt::format("uid {}", local->uid));
    return {};
}

std::optional<net::Response> error_form(const net::Request& request, const core::Error& shown,
                                        int status) {
    if (auto page = api::page_error(request, shown, status)) return page;
    return api::pmdaemon_error(request, shown, status);
}

}  // namespace

/// Without keys nobody gets in over the network; the rest works. They are known once the core
/// database is open.
void Daemon::open_keys() {
    const core::Logger log = logging_.logger("identity");
    auto keys = identity::ApiKeys::open(
        home_ + "/state/api-keys.json", home_ + "/api-key",
        {.clock = clock_, .random = random_, .log = log, .metrics = metrics_, .used = [this] {
             asio::post(supervision_, [this] { store_uses_of_keys(); });
         }});
    if (!keys) {
        log.report("API keys cannot be used", keys.error());
        keys_problem_ = keys.error().message();
        return;
    }
    keys_ = std::move(*keys);
}

core::Result<void> Daemon::open_tls() {
    if (settings_.api.tls_client_required && settings_.api.tls_client_ca.empty()) {
        return core::Error(core::Code::kInvalidArgument,
                           "api.tls.client_certificates: clients cannot be asked for certificates "
                           "without authorities: set api.tls.client_ca");
    }
    if (settings_.api.tls_certificate.empty()) return {};
    const std::string& key = settings_.api.tls_key;
    auto loaded = net::TlsContext::load({.certificates = settings_.api.tls_certificate,
                                         .key = key.empty() ? settings_.api.tls_certificate : key,
                                         .authorities = settings_.api.tls_client_ca,
                                         .revocations = settings_.api.tls_client_crl,
                                         .certificate_required = settings_.api.tls_client_required},
                                        clock_);
    if (!loaded) return loaded.take_error().recode(core::Code::kInvalidArgument).context("api.tls");
    tls_ = std::move(*loaded);
    for (const std::string& warning : tls_->warnings())
        logging_.logger("http").warn(warning);
    return {};
}

/// A certificate that was renewed, for later connections. On the thread for what waits.
void Daemon::reload_tls() {
    const core::Logger log = logging_.logger("http");
    if (auto reloaded = tls_->reload(); !reloaded)
        return log.report("the certificate in force stays", reloaded.error());
    for (const std::string& warning : tls_->warnings())
        log.warn(warning);
    log.info("the certificate was read again", {{"sha256", tls_->certificate().fingerprint}});
}

/// On the thread for what waits, once that runs.
core::Result<void> Daemon::load_addresses(const core::Settings::Api& api) {
    auto rules = address_rules(api);
    const std::scoped_lock lock(addresses_mutex_);
    addresses_problem_ = rules ? std::string() : rules.error().message();
    if (!rules) return rules.take_error();
    if (!rules->is_empty()) {
        logging_.logger("security")
            .info("the address lists are in force",
                  {{"denied", rules->deny.size()},
                   {"allowed", rules->allow.size()},
                   {"denied_countries", rules->deny_countries.size()},
                   {"allowed_countries", rules->allow_countries.size()}});
    }
    addresses_.set_rules(*std::move(rules));
    return {};
}

std::string Daemon::addresses_problem() const {
    const std::scoped_lock lock(addresses_mutex_);
    return addresses_problem_;
}

std::string Daemon::firewall_problem() const {
    const std::scoped_lock lock(addresses_mutex_);
    return firewall_problem_;
}

/// By the ports that are listened on: of two settings with one port the stricter holds for both.
net::FirewallModes Daemon::firewall_modes(const core::Settings::Api& api) const {
    net::FirewallModes out{.main = net::firewall_mode(api.firewall),
                           .others = net::firewall_mode(api.pmdaemon_firewall)};
    const auto main = os::TcpAddress::parse(network_.address);
    if (!main) return out;  // there is none
    out.main_port = main->port;
    const auto other = os::TcpAddress::parse(network_.pmdaemon);
    if (other && other->port == main->port) out.main = std::max(out.main, out.others);
    return out;
}

/// As load_addresses().
core::Result<void> Daemon::load_firewall(const core::Settings::Api& api) {
    auto loaded = firewall_->load({.own_file = api.firewall_rules,
                                   .core_directory = api.firewall_core_rules,
                                   .body = api.firewall_body},
                                  firewall_modes(api));
    const std::scoped_lock lock(addresses_mutex_);
    firewall_problem_ = loaded ? std::string() : loaded.error().message();
    if (loaded && firewall_->rules() > 0) {
        logging_.logger("security")
            .info("the firewall's rules are in force", {{"rules", firewall_->rules()},
                                                        {"main", api.firewall},
                                                        {"others", api.pmdaemon_firewall}});
    }
    return loaded;
}

/// Some time from now, so that a busy key costs one write a minute.
void Daemon::store_uses_of_keys() {
    store_uses_.expires_after(kUsesStoredAfter);
    store_uses_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        keys_->store_uses([log = logging_.logger("identity")](const core::Result<void>& stored) {
            if (!stored) log.report("cannot store how keys were used", stored.error());
        });
    });
}

/// The rules of every address, whoever wants it. Any thread.
core::Result<void> Daemon::may_listen(const os::TcpAddress& address) {
    if (!tls_problem_.empty()) return core::Error(core::Code::kConflict, tls_problem_);
    const core::Settings settings = core::Settings::from(*config_->snapshot());
    ZONA_TRY(const auto warnings, identity::judge({.address = address,
                                                   .transport = tls_ ? identity::Transport::kTls
                                                                     : identity::Transport::kPlain,
                                                   .insecure = settings.api.insecure,
                                                   .demand = demand(settings),
                                                   .profile = settings.profile}));
    for (const std::string& warning : warnings)
        logging_.logger("http").warn(warning);
    if (!keys_) return core::Error(core::Code::kConflict, keys_problem_);
    return {};
}

core::Result<std::string> Daemon::listen(const std::string& wanted) {
    ZONA_TRY(const os::TcpAddress address, os::TcpAddress::parse(wanted));
    ZONA_TRY_VOID(may_listen(address));
    ZONA_TRY(std::string bound, listeners_.open(address));
    logging_.logger("http").info("listening", {{"address", bound}, {"tls", tls_ != nullptr}});
    return bound;
}

/// Until zona ends. On a thread of the servers.
core::Result<std::string> Daemon::listen_also(const std::string& wanted) {
    ZONA_TRY(const os::TcpAddress address, os::TcpAddress::parse(wanted));
    ZONA_TRY_VOID(may_listen(address));
    ZONA_TRY(process::Listeners::Added added, listeners_.add(address, keeper_));
    if (added.socket) {
        servers_->listen_now(std::move(*added.socket), tls_);
        logging_.logger("http").info("listening", {{"address", added.address}});
    }
    return added.address;
}

/// Whether an address goes on on which an earlier daemon was asked to listen.
core::Result<void> Daemon::may_resume(const os::TcpAddress& address) {
    const std::string name = address.to_string();
    if (auto may = may_listen(address); !may) {
        auto error = may.take_error().context(name);
        logging_.logger("http").report("what zona was asked to listen on ends", error);
        if (network_.problem.empty()) network_.problem = error.message();
        return error;
    }
    logging_.logger("http").info("listening", {{"address", name}, {"tls", tls_ != nullptr}});
    return {};
}

api::Network Daemon::network() const {
    api::Network out = network_;
    if (!out.pmdaemon.empty()) return out;
    const std::vector<std::string> requested = listeners_.requested();
    if (!requested.empty()) out.pmdaemon = requested.front();
    return out;
}

/// Where the rules cannot be had, what was to be blocked is not served.
core::Result<void> Daemon::open_firewall(bool must_load) {
    firewall_.emplace(net::FirewallDeps{
        .clock = clock_,
        .log = logging_.logger("security"),
        .metrics = metrics_,
        .attacked = [this](const net::Request& request) { trail_->attacked(request); },
        .threads = server_count(settings_.api)});
    auto loaded = load_firewall(settings_.api);
    if (loaded || must_load) return loaded;
    logging_.logger("security").report("the firewall's rules cannot be used", loaded.error());
    firewall_->load_nothing(firewall_modes(settings_.api));
    return {};
}

/// What is wrong with the settings stops the first daemon, whose starter can mend it. Nothing else
/// stops supervision: the unix socket is served in any case.
core::Result<void> Daemon::open_network() {
    open_keys();
    const bool is_first = table_->header().daemons.load() <= 1;
    const bool wanted_anywhere =
        !settings_.api.listen.empty() || !settings_.api.pmdaemon_listen.empty();
    if (auto tls = open_tls(); !tls) {
        if (is_first && wanted_anywhere) return tls;
        tls_problem_ = tls.error().message();
    }
    network_.tls = tls_ != nullptr;
    if (auto loaded = load_addresses(settings_.api); !loaded) {
        if (is_first && wanted_anywhere) return loaded;
        logging_.logger("security")
            .report("nobody is let in over TCP: the address lists cannot be used", loaded.error());
        addresses_.set_rules(nobody());
    }
    const auto open = [&](const std::string& wanted, std::string& bound) -> core::Result<void> {
        if (wanted.empty()) return {};
        auto listening = listen(wanted);
        if (listening) {
            bound = std::move(*listening);
            return {};
        }
        if (is_first && listening.error().code() == core::Code::kInvalidArgument)
            return listening.take_error();
        logging_.logger("http").report("the API does not listen where it should",
                                       listening.error());
        if (network_.problem.empty()) network_.problem = listening.error().message();
        return {};
    };
    ZONA_TRY_VOID(open(settings_.api.listen, network_.address));
    auto pmdaemons = open(settings_.api.pmdaemon_listen, network_.pmdaemon);
    if (!pmdaemons) return pmdaemons.take_error().context("api.pmdaemon_listen");
    listeners_.resume([this](const os::TcpAddress& address) { return may_resume(address); });
    ZONA_TRY_VOID(open_firewall(is_first && wanted_anywhere));
    return listeners_.settle(keeper_);
}

/// A thread each; more than eight would wait for the one of supervision.
net::ServerOptions Daemon::server_options() {
    net::ServerOptions options = daemon::server_options(settings_.api, budget_.connections);
    if (options.connections < static_cast<std::size_t>(settings_.api.max_connections)) {
        logging_.logger("config").info(
            "fewer connections than api.max_connections: the limit on open files is low",
            {{"connections", options.connections}});
    }
    return options;
}

core::Result<void> Daemon::build_servers() {
    auto required = identity::RequiredMethods::parse(settings_.required_methods);
    if (!required) return required.take_error().context("identity.required_methods");
    methods_.set_usual(*std::move(required));
    std::vector<net::Middleware> authenticate;
    authenticate.push_back(api::record_refusals(*trail_));
    authenticate.push_back(net::filter_addresses(addresses_));
    authenticate.push_back(net::inspect_requests(*firewall_));
    if (!keys_) {
        authenticate.emplace_back(trust_socket);
    } else {
        authenticate.push_back(identity::authenticate({.keys = *keys_,
                                                       .sessions = [this] { return sessions(); },
                                                       .permissions = &*permissions_},
                                                      {.demand = demand(settings_)}, clock_,
                                                      logging_.logger("identity"), metrics_));
    }
    ZONA_TRY(api::OperationNames closed,
             api::parse_closed_routes(settings_.api.closed_routes, *service_));
    const std::vector<net::Middleware> inner = api::pipeline(
        std::move(authenticate),
        {.check_tenant = [this](std::string_view code) { return tenants_->check(code); },
         .admission = admission_,
         .licensing = *licensing_,
         .clock = clock_,
         .metrics = metrics_,
         .log = logging_.logger("security"),
         .methods = methods_,
         .closed_routes = std::move(closed),
         .keys = keys_.get()});
    ZONA_TRY(const net::NetworkPolicy policy, network_policy(settings_.api, rate_));
    const net::ApplicationDeps deps{.clock = clock_,
                                    .random = random_,
                                    .metrics = metrics_,
                                    .access = logging_.logger("http.access"),
                                    .log = logging_.logger("http"),
                                    .is_secret = identity::is_secret_path,
                                    .error_form = error_form};
    const auto make = [&](std::size_t) {
        return net::make_application(service_->router(), deps, inner,
                                     net::network_middlewares(policy));
    };
    const core::Logger log = logging_.logger("http");
    servers_.emplace(server_count(settings_.api), server_options(), make, clock_, log, metrics_);
    begun("middleware");
    ZONA_TRY(std::vector<os::UniqueFd> network, listeners_.copies());
    for (os::UniqueFd& socket : network) {
        std::vector<os::UniqueFd> one;
        one.push_back(std::move(socket));
        ZONA_TRY_VOID(servers_->listen(std::move(one), tls_));
    }
    std::vector<os::UniqueFd> local;
    local.push_back(os::UniqueFd::adopt(process::kFdListen));
    return servers_->listen(std::move(local));
}

}  // namespace zona::daemon
