// The daemon's composition root: builds everything in order, runs the loops, takes it down in
// reverse.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <span>
#include <tuple>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <unistd.h>

#include "api/daemon_api.h"
#include "api/pmdaemon.h"
#include "core/config.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/settings.h"
#include "data_settings.h"
#include "flags.h"
#include "identity/api_keys.h"
#include "identity/authentication.h"
#include "identity/exposure.h"
#include "jobs/scheduler.h"
#include "maintenance.h"
#include "net/network_policy.h"
#include "net/server_pool.h"
#include "net/tls.h"
#include "network_settings.h"
#include "os/child.h"
#include "os/fd.h"
#include "os/proc.h"
#include "os/resources.h"
#include "os/spawn.h"
#include "process/capture.h"
#include "process/containment.h"
#include "process/descriptor_budget.h"
#include "process/doctor.h"
#include "process/history.h"
#include "process/keeper_link.h"
#include "process/listeners.h"
#include "process/state_store.h"
#include "process/supervisor.h"
#include "process/table.h"
#include "store/sqlite_process.h"
#include "tenancy/admission.h"
#include "tenancy/encrypted_files.h"
#include "tenancy/tenant_jobs.h"
#include "tenancy/tenant_operations.h"
#include "tenancy/tenants.h"
#include "vault/root_key.h"

namespace asio = boost::asio;
using namespace zona;

namespace {

/// Operations on whole tenants at once; each may keep a disk busy.
constexpr std::size_t kLongThreads = 2;
constexpr int kExitConfiguration = 78;  // EX_CONFIG of sysexits.h
constexpr std::uint64_t kWantedFds = 131072;
/// The longest pause between two tries of a core database that cannot be used for now.
constexpr std::chrono::seconds kReopenAfterAtMost(60);
/// How old what is known of the last use of a key may be after a crash.
constexpr std::chrono::seconds kUsesStoredAfter(60);

std::string to_line(const core::Error& error) {
    std::string out = "{\"code\":\"";
    out += core::info(error.code()).name;
    out += "\",\"message\":";
    core::append_json_string(out, error.message());
    out += ",\"details\":[";
    for (std::size_t i = 0; i < error.details().size(); ++i) {
        const core::Detail& d = error.details()[i];
        if (i > 0) out += ',';
        out += "{\"where\":";
        core::append_json_string(out, d.where);
        out += ",\"problem\":";
        core::append_json_string(out, d.problem);
        out += ",\"hint\":";
        core::append_json_string(out, d.hint);
        out += '}';
    }
    return out + "]}\n";
}

std::string search_path() {
    for (const auto& [name, value] : os::environment()) {
        if (name == "PATH") return value;
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

/// The network's listening sockets that the keeper has handed over.
std::vector<process::InheritedListener> listeners_of(const daemon::Flags& flags) {
    const std::uint64_t count = flags.number("--listeners");
    return process::inherited_listeners(
        static_cast<int>(std::min<std::uint64_t>(count, process::kMostListeners)),
        flags.number("--requested-listeners"));
}

/// Whether requests should come.
enum class Readiness : std::uint8_t { kStarting, kReady, kStopping };

/// Everything that lives as long as the daemon.
class Daemon {
  public:
    Daemon(std::string home, std::vector<std::string> settings, process::KeeperLink& keeper,
           std::vector<process::InheritedListener> inherited)
        : home_(std::move(home)),
          flags_(std::move(settings)),
          keeper_(keeper),
          listeners_(std::move(inherited)),
          logging_(clock_),
          metrics_() {}

    core::Result<void> build();
    void run();

  private:
    core::Result<void> configure();
    void apply_settings();
    core::Result<void> open_stores();
    core::Result<void> open_network();
    core::Result<std::string> listen(const std::string& wanted);
    core::Result<void> may_listen(const os::TcpAddress& address);
    core::Result<std::string> listen_also(const std::string& wanted);
    core::Result<void> may_resume(const os::TcpAddress& address);
    api::Network network() const;
    void open_keys();
    core::Result<bool> has_backups(const std::string& owner);
    core::Result<void> build_tenants();
    core::Result<std::unique_ptr<tenancy::EncryptedFiles>> open_files();
    void open_tenants();
    void open_tenants_later();
    core::Result<void> build_jobs();
    core::Result<void> open_tls();
    void reload_tls();
    void reload_settings();
    void store_uses_of_keys();
    core::Result<void> build_supervisor();
    core::Result<void> build_api();
    core::Result<void> build_servers();
    std::vector<process::HostCheck> host_checks() const;
    net::ServerOptions server_options();
    static identity::Demand demand(const core::Settings& settings) {
        return settings.api.authentication ? identity::Demand::kKey : identity::Demand::kNothing;
    }
    std::optional<std::string> not_ready() const;
    void wait_for_termination();
    void begin_shutdown(process::Supervisor::Shutdown how,
                        std::move_only_function<void(std::size_t)> begun);

    std::string home_;
    std::vector<std::string> flags_;  ///< KEY=VALUE each
    process::KeeperLink& keeper_;
    process::Listeners listeners_;
    core::RealClock clock_;
    core::SystemRandom random_;
    core::Logging logging_;
    core::MetricRegistry metrics_;
    net::RateLimiter rate_{clock_};
    std::unique_ptr<core::Config> config_;
    core::Settings settings_{};
    process::DescriptorBudget budget_;
    std::optional<os::FdLimits> child_core_limit_;  ///< none: ours was left alone
    os::FdLimits child_limits_;                     ///< as they were before ours were raised
    std::optional<process::Table> table_;
    std::unique_ptr<process::StateStore> state_;
    std::unique_ptr<process::ExitHistory> history_;
    std::unique_ptr<process::Capture> capture_;
    std::unique_ptr<process::Containment> containment_;
    asio::io_context supervision_{1};
    std::optional<asio::thread_pool> blocking_;  ///< for what waits for the disk
    std::optional<asio::thread_pool> long_;      ///< for what takes seconds and more
    std::unique_ptr<vault::RootKeyProvider> root_keys_;
    std::unique_ptr<store::SqliteProcess> sqlite_;
    std::optional<tenancy::Tenants> tenants_;
    std::optional<jobs::Scheduler> jobs_;
    std::optional<tenancy::TenantOperations> operations_;
    asio::steady_timer reopen_{supervision_};
    std::chrono::seconds reopen_after_{1};  ///< the pause before the next try
    asio::steady_timer store_uses_{supervision_};
    std::unique_ptr<identity::ApiKeys> keys_;
    std::string keys_problem_;              ///< why they cannot be used
    std::shared_ptr<net::TlsContext> tls_;  ///< null: plain HTTP, unless there is a problem
    std::string tls_problem_;               ///< why what the settings say of TLS cannot be used
    std::optional<process::Supervisor> supervisor_;
    api::Network network_;  ///< by the settings
    tenancy::Admission admission_{{}, clock_, metrics_};
    std::optional<api::Service> service_;
    std::atomic<Readiness> readiness_{Readiness::kStarting};
    std::optional<net::ServerPool> servers_;
    std::optional<asio::posix::stream_descriptor> signals_;
};

core::Result<void> Daemon::configure() {
    ZONA_TRY(config_,
             core::Config::load(core::daemon_settings(), {.home = home_,
                                                          .environment = os::environment(),
                                                          .flags = daemon::split(flags_)}));
    apply_settings();
    const std::string file =
        settings_.log_file.empty() ? home_ + "/logs/zonad.log" : settings_.log_file;
    ZONA_TRY(auto sink, core::make_file_sink(file));
    logging_.add_sink(std::move(sink));
    for (const core::Detail& warning : config_->snapshot()->warnings()) {
        logging_.logger("config").warn(warning.problem, {{"where", warning.where}});
    }
    return {};
}

/// What may change while the daemon runs. On the supervision thread, once that runs.
void Daemon::apply_settings() {
    settings_ = core::Settings::from(*config_->snapshot());
    logging_.set_default_level(settings_.log_level);
    for (const auto& [category, level] : settings_.log_levels) {
        if (auto set = logging_.set_level(category, level); !set) {
            logging_.logger("config").report("cannot set a log level", set.error());
        }
    }
    rate_.set_limit({settings_.api.requests_per_second, settings_.api.requests_burst});
    admission_.set_options(
        {.usual = {.requests_per_second =
                       static_cast<std::uint32_t>(settings_.tenant_requests_per_second),
                   .concurrency = static_cast<std::uint32_t>(settings_.tenant_concurrent_requests)},
         .concurrency = static_cast<std::uint32_t>(settings_.concurrent_requests_of_all)});
    if (servers_) servers_->set_options(server_options());
    if (tls_ && blocking_) asio::post(*blocking_, [this] { reload_tls(); });
}

core::Result<void> Daemon::open_stores() {
    ZONA_TRY(const os::ProcFs proc, os::ProcFs::open());
    ZONA_TRY(const std::string boot_id, proc.boot_id());
    ZONA_TRY(table_, process::Table::open(home_ + "/run/table", boot_id));
    ZONA_TRY(state_,
             process::StateStore::open({.directory = home_ + "/state"}, logging_.logger("state")));
    ZONA_TRY(history_, process::ExitHistory::open({.directory = home_ + "/state"}));
    process::CaptureOptions capture{.fifo_directory = home_ + "/run/fifo",
                                    .index_directory = home_ + "/state/log-index",
                                    .disk_full_wait = settings_.disk_full_wait,
                                    .open_files = budget_.log_files};
    ZONA_TRY(capture_,
             process::Capture::start(std::move(capture), clock_, logging_.logger("capture")));
    ZONA_TRY(const auto tier, process::parse_tier_choice(settings_.supervisor.containment));
    ZONA_TRY(containment_,
             process::Containment::open(
                 {.tier = tier, .home = home_, .keeper = table_->header().keeper_pid.load()}));
    return {};
}

/// Without keys nobody gets in over the network; the rest works.
void Daemon::open_keys() {
    const core::Logger log = logging_.logger("identity");
    const auto used = [this] { asio::post(supervision_, [this] { store_uses_of_keys(); }); };
    auto keys = identity::ApiKeys::open(home_ + "/state/api-keys.json", clock_, random_, used);
    if (!keys) {
        log.report("API keys cannot be used", keys.error());
        keys_problem_ = keys.error().message();
        return;
    }
    keys_ = std::move(*keys);
    const auto made = keys_->make_first(home_ + "/api-key");
    if (!made) log.report("the first API key could not be made", made.error());
    if (made && *made) log.info("the first API key is in the home's api-key");
}

core::Result<void> Daemon::open_tls() {
    if (settings_.api.tls_certificate.empty()) return {};
    const std::string& key = settings_.api.tls_key;
    auto loaded = net::TlsContext::load({.certificates = settings_.api.tls_certificate,
                                         .key = key.empty() ? settings_.api.tls_certificate : key},
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

/// SIGHUP does what `zona config reload` does.
void Daemon::reload_settings() {
    if (auto reloaded = config_->reload(); !reloaded)
        return logging_.logger("config").report("the settings in force stay", reloaded.error());
    apply_settings();
}

/// Some time from now, so that a busy key costs one write a minute.
void Daemon::store_uses_of_keys() {
    store_uses_.expires_after(kUsesStoredAfter);
    store_uses_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        asio::post(*blocking_, [this] {
            if (auto stored = keys_->store_uses(); !stored) {
                logging_.logger("identity")
                    .report("cannot store when keys were used", stored.error());
            }
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
    return listeners_.settle(keeper_);
}

core::Result<void> Daemon::build_supervisor() {
    ZONA_TRY(const std::string self, os::self_executable());
    process::SupervisorOptions options;
    options.home = home_;
    options.logs_dir =
        settings_.logs_directory.empty() ? home_ + "/logs" : settings_.logs_directory;
    options.keeper_program = self.substr(0, self.rfind('/') + 1) + "zona-keeper";
    for (const std::string& flag : flags_) {
        options.keeper_arguments.emplace_back("--set");
        options.keeper_arguments.push_back(flag);
    }
    options.child_fd_limit_soft = child_limits_.soft;
    options.child_fd_limit_hard = child_limits_.hard;
    options.child_core_limit = child_core_limit_;
    options.shutdown_timeout = settings_.supervisor.shutdown_timeout;
    options.descriptors = budget_.processes;
    options.max_processes = static_cast<std::uint32_t>(settings_.max_processes);
    options.version = ZONA_VERSION;
    supervisor_.emplace(std::move(options),
                        process::SupervisorDeps{.loop = supervision_,
                                                .clock = clock_,
                                                .random = random_,
                                                .logging = logging_,
                                                .metrics = metrics_,
                                                .table = *table_,
                                                .state = *state_,
                                                .history = *history_,
                                                .capture = *capture_,
                                                .containment = *containment_,
                                                .keeper = keeper_,
                                                .listeners = listeners_,
                                                .keeper_events_fd = process::kFdEvents});
    return {};
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

std::vector<process::HostCheck> Daemon::host_checks() const {
    std::vector<process::HostCheck> checks = process::examine_host(
        *containment_, {.home = home_, .search_path = search_path(), .descriptors = budget_});
    process::HostCheck& network = checks.emplace_back();
    network.name = "network API";
    network.detail = network_.address.empty() ? "only the unix socket is served (api.listen)"
                                              : "listening on " + network_.address;
    if (!network_.problem.empty()) {
        network.status = process::CheckStatus::kDegraded;
        network.detail = network_.problem;
        network.cure = "free that address or set another api.listen, then restart zona";
    }
    return checks;
}

core::Result<void> Daemon::build_tenants() {
    ZONA_TRY_VOID(daemon::set_token_environment(settings_.root_key));
    ZONA_TRY(const tenancy::BuildType type, tenancy::parse_build_type(settings_.build_type));
    root_keys_ = daemon::root_key_providers(settings_.root_key, random_);
    ZONA_TRY(sqlite_, store::SqliteProcess::begin(logging_.logger("sqlite")));
    tenants_.emplace(
        tenancy::TenantsOptions{.directory = home_ + "/state",
                                .build_type = type,
                                .mongo = daemon::mongo_options(settings_.mongo, random_)},
        tenancy::TenantsDeps{.clock = clock_,
                             .random = random_,
                             .log = logging_.logger("tenancy"),
                             .open_files = [this] { return open_files(); },
                             .run_blocking =
                                 [this](std::move_only_function<void()> work) {
                                     asio::post(*blocking_, std::move(work));
                                 },
                             .hook = {},
                             .tenant_changed =
                                 [this](const tenancy::Tenant& tenant) {
                                     admission_.set_quota(tenant.code, tenant.quota);
                                 },
                             .changed = [this] { jobs_->poke(); }});
    operations_.emplace(
        tenancy::OperationsOptions{.backups = settings_.backup_directory,
                                   .zona = ZONA_VERSION,
                                   .keep = static_cast<std::size_t>(settings_.backups_kept)},
        tenancy::OperationsDeps{.tenants = *tenants_,
                                .clock = clock_,
                                .random = random_,
                                .log = logging_.logger("tenancy")});
    return build_jobs();
}

core::Result<std::unique_ptr<tenancy::EncryptedFiles>> Daemon::open_files() {
    return tenancy::EncryptedFiles::open({.ring = home_ + "/state/keys.json",
                                          .root_keys = *root_keys_,
                                          .clock = clock_,
                                          .random = random_,
                                          .log = logging_.logger("store"),
                                          .page_token_key = daemon::new_page_token_key(random_),
                                          .open_files = budget_.databases});
}

/// On the blocking thread. Without the core database supervision goes on.
void Daemon::open_tenants() {
    if (auto opened = tenants_->open(); !opened) {
        logging_.logger("tenancy").report("tenants cannot be served", opened.error());
        // A lock that somebody holds, a token that is gone, a full disk: that may pass.
        const core::Code code = opened.error().code();
        if (code == core::Code::kUnavailable || code == core::Code::kResourceExhausted)
            asio::post(supervision_, [this] { open_tenants_later(); });
        return;
    }
    jobs_->start(tenants_->core());
    asio::post(*long_, [this] {
        if (auto resumed = operations_->resume(); !resumed)
            logging_.logger("tenancy").report("unfinished work stays", resumed.error());
    });
}

void Daemon::open_tenants_later() {
    reopen_.expires_after(reopen_after_);
    reopen_after_ = std::min(2 * reopen_after_, kReopenAfterAtMost);
    reopen_.async_wait([this](const boost::system::error_code& error) {
        if (!error) asio::post(*blocking_, [this] { open_tenants(); });
    });
}

core::Result<void> Daemon::build_jobs() {
    ZONA_TRY(std::string instance, daemon::instance_of(home_, random_));
    const core::Settings::Jobs& wanted = settings_.jobs;
    jobs_.emplace(
        jobs::SchedulerOptions{.instance = std::move(instance),
                               .keep_runs = static_cast<std::size_t>(wanted.history_runs)},
        jobs::SchedulerDeps{.clock = clock_,
                            .random = random_,
                            .log = logging_.logger("jobs"),
                            .metrics = metrics_,
                            .tenants = [this] { return tenants_->active(); }},
        tenancy::tenant_jobs({.purge_interval = wanted.purge_interval,
                              .key_age = wanted.key_age,
                              .check_interval = wanted.check_interval,
                              .health_interval = wanted.health_interval},
                             {.tenants = *tenants_,
                              .clock = clock_,
                              .metrics = metrics_,
                              .needs_key = [this](const std::string& owner, vault::KeyId) {
                                  return has_backups(owner);
                              }}));
    return {};
}

/// Whether there is a backup that the owner's keys open.
core::Result<bool> Daemon::has_backups(const std::string& owner) {
    ZONA_TRY(const auto whole, operations_->whole_backups());
    if (!whole.empty() || owner == tenancy::kCoreOwner) return !whole.empty();
    ZONA_TRY(const auto own, operations_->backups(owner));
    return !own.empty();
}

core::Result<void> Daemon::build_api() {
    api::DaemonInfo info;
    info.pid = ::getpid();
    info.version = ZONA_VERSION;
    info.started_at = clock_.system();
    info.cpus = os::usable_cpus();
    service_.emplace(ZONA_VERSION);
    service_->admit_by(admission_);
    ZONA_TRY_VOID(api::add_daemon_routes(
        *service_, std::move(info),
        {.supervisor = *supervisor_,
         .capture = *capture_,
         .logging = logging_,
         .metrics = metrics_,
         .config = *config_,
         .clock = clock_,
         .random = random_,
         .keys = {.keys = keys_.get(),
                  .problem = keys_problem_,
                  .clock = clock_,
                  .run_blocking =
                      [this](std::move_only_function<void()> work) {
                          asio::post(*blocking_, std::move(work));
                      }},
         .tenants = *tenants_,
         .jobs = *jobs_,
         .operations = *operations_,
         .run_long =
             [this](std::move_only_function<void()> work) { asio::post(*long_, std::move(work)); },
         .settings_changed = [this] { asio::post(supervision_, [this] { apply_settings(); }); },
         .keeper_pid = [this] { return table_->header().keeper_pid.load(); },
         .network = [this] { return this->network(); },
         .listen = [this](const std::string& address) { return listen_also(address); },
         .not_ready = [this] { return not_ready(); },
         .host_checks = [this] { return host_checks(); },
         .shutdown =
             [this](auto begun) {
                 begin_shutdown(process::Supervisor::Shutdown::kKill, std::move(begun));
             }}));
    return build_servers();
}

core::Result<void> Daemon::build_servers() {
    std::vector<net::Middleware> inner;
    if (keys_) {
        inner.push_back(identity::authenticate(
            *keys_, {.demand = demand(settings_), .open_paths = service_->open_paths()}, clock_,
            logging_.logger("identity"), metrics_));
    }
    ZONA_TRY(const net::NetworkPolicy policy, daemon::network_policy(settings_.api, rate_));
    const net::ApplicationDeps deps{.clock = clock_,
                                    .random = random_,
                                    .metrics = metrics_,
                                    .access = logging_.logger("http.access"),
                                    .log = logging_.logger("http"),
                                    .is_secret = identity::holds_api_key,
                                    .error_form = api::pmdaemon_error};
    const auto make = [&](std::size_t) {
        return net::make_application(service_->router(), deps, inner,
                                     net::network_middlewares(policy));
    };
    const core::Logger log = logging_.logger("http");
    servers_.emplace(daemon::server_count(settings_.api), server_options(), make, clock_, log,
                     metrics_);
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

std::optional<std::string> Daemon::not_ready() const {
    switch (readiness_.load()) {
        case Readiness::kStarting:
            return "zona is starting: it looks after the processes of its predecessor";
        case Readiness::kReady:
            return tenants_->problem();
        case Readiness::kStopping:
            return "zona is stopping";
    }
    return std::nullopt;
}

core::Result<void> Daemon::build() {
    child_limits_ = os::fd_limits();
    const std::uint64_t descriptors = os::raise_fd_limit(kWantedFds);
    os::ignore_signal(SIGPIPE);
    // A log file over RLIMIT_FSIZE is an error of writing like a full disk.
    os::ignore_signal(SIGXFSZ);
    ZONA_TRY_VOID(configure());
    if (!settings_.core_dumps) child_core_limit_ = os::leave_no_core_dumps();
    const auto& connections = config_->snapshot()->items().at("api.max_connections");
    const bool asked_for = connections.source != core::ConfigSource::kDefault;
    budget_ = process::DescriptorBudget::of(
        descriptors, asked_for ? static_cast<std::size_t>(settings_.api.max_connections) : 0,
        daemon::server_count(settings_.api), static_cast<std::size_t>(settings_.open_files));
    ZONA_TRY_VOID(open_stores());
    ZONA_TRY_VOID(open_network());
    ZONA_TRY_VOID(build_supervisor());
    ZONA_TRY_VOID(build_tenants());
    return build_api();
}

void Daemon::begin_shutdown(process::Supervisor::Shutdown how,
                            std::move_only_function<void(std::size_t)> begun) {
    readiness_ = Readiness::kStopping;
    supervisor_->shutdown(how, std::move(begun), [this] {
        // On the supervision thread: all is at rest. Answers may still be on their way, and a
        // client may ask once more; supervision answers until the last connection has ended.
        servers_->drain(core::Deadline::after(clock_, settings_.api.drain_timeout));
    });
}

void Daemon::wait_for_termination() {
    signals_->async_wait(asio::posix::descriptor_base::wait_read, [this](const auto& error) {
        if (error) return;
        for (int number = os::next_signal(signals_->native_handle()); number != 0;
             number = os::next_signal(signals_->native_handle())) {
            if (number == SIGTERM || number == SIGINT || number == SIGQUIT) {
                logging_.logger("daemon").info("stopping on a signal", {{"signal", number}});
                begin_shutdown(process::Supervisor::Shutdown::kStop, {});
            }
            if (number == SIGHUP) reload_settings();
            if (number == SIGUSR2) {
                if (auto reopened = logging_.reopen(); !reopened) {
                    logging_.logger("daemon").report("cannot reopen the log", reopened.error());
                }
            }
        }
        wait_for_termination();
    });
}

void Daemon::run() {
    const core::Logger log = logging_.logger("daemon");
    process::LoadedState loaded = state_->take_loaded();
    for (const std::string& warning : loaded.warnings)
        log.warn(warning);
    const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    if (auto fd = os::signals_as_fd(numbers)) {
        signals_.emplace(supervision_, std::move(*fd).release());
        wait_for_termination();
    } else {
        log.report("cannot take signals", fd.error());
    }
    supervisor_->recover(std::move(loaded.processes), loaded.next_pm_id);
    // Its thread inherits this one's mask: by now it blocks every signal that somebody waits for.
    blocking_.emplace(1);
    long_.emplace(kLongThreads);
    asio::post(*blocking_, [this] { open_tenants(); });
    // Not before the loop has turned once: what recovery left for it to do comes first.
    asio::post(supervision_, [this] {
        auto starting = Readiness::kStarting;
        readiness_.compare_exchange_strong(starting, Readiness::kReady);
    });
    servers_->start([this] { supervision_.stop(); });
    if (auto ready = keeper_.ready(); !ready)
        log.report("the keeper does not listen", ready.error());
    log.info("ready", {{"version", ZONA_VERSION},
                       {"containment", process::to_string(containment_->tier())}});
    supervision_.run();
    servers_->join();
    // What was begun with the tenants' data ends before it does; opening it, first.
    std::promise<void> opened;
    asio::post(*blocking_, [&opened] { opened.set_value(); });
    opened.get_future().wait();
    jobs_->stop();
    std::promise<void> idle;
    asio::post(*blocking_, [&idle] { idle.set_value(); });
    idle.get_future().wait();
    operations_->stop();
    long_->join();
    tenants_.reset();
    blocking_->join();
    if (keys_) {
        if (auto stored = keys_->store_uses(); !stored)
            log.report("cannot store when keys were used", stored.error());
    }
    log.info("stopped");
}

}  // namespace

int main(int argc, char** argv) {
    if (const auto status = zona::daemon::do_maintenance(argc, argv)) return *status;
    const zona::daemon::Flags flags(argc, argv);
    const std::string home = flags.value("--home");
    if (home.empty() || home.front() != '/') {
        constexpr std::string_view kUsage =
            "zonad is started by zona-keeper, which the command `zona` starts.\n";
        (void)::write(2, kUsage.data(), kUsage.size());
        return 2;
    }
    process::KeeperLink keeper(process::kFdKeeper);
    std::vector<process::InheritedListener> listeners = listeners_of(flags);
    const int inherited_end = process::kFdFirstListener + static_cast<int>(listeners.size());
    for (int fd = process::kFdKeeper; fd < inherited_end; ++fd)
        (void)os::set_close_on_exec(fd, 1);
    // Without them starts are slower, and the next thing that needs a descriptor says why.
    std::ignore = os::reserve_spawn_descriptors();
    Daemon daemon(home, flags.values("--set"), keeper, std::move(listeners));
    if (auto built = daemon.build(); !built) {
        const std::string line = to_line(built.error());
        (void)::write(2, line.data(), line.size());
        keeper.failed(line);
        return kExitConfiguration;
    }
    daemon.run();
    return 0;
}
