// What the daemon is built of, in which order it begins, and how it ends.
#include "daemon.h"

#include <algorithm>
#include <csignal>
#include <future>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>
#include <unistd.h>

#include "alert_settings.h"
#include "backup_checks.h"
#include "cache_settings.h"
#include "data_settings.h"
#include "flags.h"
#include "license_settings.h"
#include "network_settings.h"
#include "os/child.h"
#include "os/proc.h"
#include "os/spawn.h"
#include "secret_checks.h"

namespace zona::daemon {
namespace {

/// Operations on whole tenants at once; each may keep a disk busy.
constexpr std::size_t kLongThreads = 2;
constexpr std::size_t kCallsAtOnce = 4;
constexpr std::uint64_t kWantedFds = 131072;
/// Then requests are served without the tenants' data.
constexpr std::chrono::seconds kOpenWait(1);

}  // namespace

core::Result<void> Daemon::configure() {
    ZONA_TRY(config_, core::Config::load(core::daemon_settings(), {.home = home_,
                                                                   .environment = os::environment(),
                                                                   .flags = split(flags_)}));
    apply_settings();
    const std::string file =
        settings_.log_file.empty() ? home_ + "/logs/zonad.log" : settings_.log_file;
    ZONA_TRY(auto sink, core::make_file_sink(file));
    logging_.add_sink(std::move(sink));
    if (!settings_.security_log_file.empty()) {
        ZONA_TRY(auto security, core::make_file_sink(settings_.security_log_file));
        logging_.add_sink(
            core::make_category_sink(std::move(security), {"security", "identity", "log"}));
    }
    begun("logging");
    begun("configuration");
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
    if (tenants_) {
        tenants_->set_storage_quota(static_cast<std::uint64_t>(settings_.tenant_storage.bytes()));
        tenants_->set_slow_query(settings_.slow_query);
    }
    if (users_) users_->set_rules(password_rules(settings_));
    if (alerts_) alerts_->set_limits(alert_limits(settings_.alerts));
    if (servers_) servers_->set_options(server_options());
    if (tls_ && blocking_) asio::post(*blocking_, [this] { reload_tls(); });
    if (blocking_) {
        asio::post(*blocking_, [this, api = settings_.api] {
            if (auto loaded = load_addresses(api); !loaded)
                logging_.logger("security")
                    .report("the address lists in force stay", loaded.error());
            if (auto loaded = load_firewall(api); !loaded)
                logging_.logger("security")
                    .report("the firewall's rules in force stay", loaded.error());
        });
    }
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

/// SIGHUP does what `zona config reload` does.
void Daemon::reload_settings() {
    if (auto reloaded = config_->reload(); !reloaded)
        return logging_.logger("config").report("the settings in force stay", reloaded.error());
    apply_settings();
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
                                                .keeper_events_fd = process::kFdEvents,
                                                .helpers = &helpers_});
    return {};
}

/// On a thread of the servers, while the settings may be read anew.
std::vector<process::HostCheck> Daemon::host_checks(std::span<const jobs::JobView> jobs) const {
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
    checks.push_back(check_addresses(*addresses_.rules(), addresses_problem()));
    checks.push_back(check_firewall(*firewall_, firewall_problem()));
    checks.push_back(check_alerts(alerts_->raised(), clock_.system()));
    const core::Settings settings = core::Settings::from(*config_->snapshot());
    std::ranges::move(check_secrets(settings, home_, *tenants_, clock_),
                      std::back_inserter(checks));
    checks.push_back(check_cache(*cache_));
    checks.push_back(check_license(*licensing_, settings.license));
    checks.push_back(check_keys(keys_.get()));
    checks.push_back(check_open_routes(*service_, settings.api.closed_routes));
    std::ranges::move(check_backup_jobs(settings, jobs, clock_.system()),
                      std::back_inserter(checks));
    return checks;
}

core::Result<void> Daemon::build_api() {
    api::DaemonInfo info;
    info.pid = ::getpid();
    info.version = ZONA_VERSION;
    info.started_at = clock_.system();
    info.cpus = os::usable_cpus();
    service_.emplace(ZONA_VERSION);
    begun("router");
    service_->record_by(*trail_);
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
                  .requests_per_second = settings_.api.key_requests_per_second},
         .identity = {.users = &*users_,
                      .invitations = &*invitations_,
                      .roles = &*roles_,
                      .providers = &*providers_,
                      .federation = &*federation_,
                      .sessions = [this] { return sessions(); },
                      .came_from_new_place =
                          [this](const net::Request& request, const identity::SignedIn& who) {
                              trail_->came_from_new_place(request, who);
                          }},
         .tenants = *tenants_,
         .jobs = *jobs_,
         .tasks = *tasks_,
         .operations = *operations_,
         .rotation = *rotation_,
         .cache = *cache_,
         .audit = *recorder_,
         .archives = *archives_,
         .licensing = *licensing_,
         .run_long =
             [this](std::move_only_function<void()> work) { asio::post(*long_, std::move(work)); },
         .settings_changed = [this] { asio::post(supervision_, [this] { apply_settings(); }); },
         .keeper_pid = [this] { return table_->header().keeper_pid.load(); },
         .network = [this] { return this->network(); },
         .listen = [this](const std::string& address) { return listen_also(address); },
         .not_ready = [this] { return not_ready(); },
         .host_checks = [this](auto jobs) { return host_checks(jobs); },
         .shutdown =
             [this](auto begun) {
                 begin_shutdown(process::Supervisor::Shutdown::kKill, std::move(begun));
             }}));
    begun("routes");
    return build_servers();
}

/// A step of the start, in the order of specification § 8.1. Source: ARCH-01.
void Daemon::begun(std::string_view step) {
    logging_.logger("daemon").info("start: " + std::string(step));
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
        server_count(settings_.api), static_cast<std::size_t>(settings_.open_files));
    ZONA_TRY_VOID(open_stores());
    ZONA_TRY_VOID(open_network());
    ZONA_TRY_VOID(build_supervisor());
    ZONA_TRY(cache_,
             open_cache(settings_.cache, clock_, random_, logging_.logger("cache"), metrics_));
    ZONA_TRY_VOID(build_tenants());
    ZONA_TRY_VOID(network_policy(settings_.api, rate_));
    begun("settings are valid");
    return {};
}

void Daemon::begin_shutdown(process::Supervisor::Shutdown how,
                            std::move_only_function<void(std::size_t)> begun) {
    readiness_ = Readiness::kStopping;
    supervisor_->shutdown(how, std::move(begun), [this] {
        // On the supervision thread: all is at rest. Answers may still be on their way, and a
        // client may ask once more; supervision answers until the last connection has ended.
        end_.request_stop();
        if (!servers_) return supervision_.stop();
        servers_->drain(core::Deadline::after(clock_, settings_.api.drain_timeout));
        // The keeper has these sockets, too, and would let who comes now wait for its own end.
        if (auto refusing = listeners_.stop_listening(); !refusing)
            logging_.logger("http").report("who connects now waits in vain", refusing.error());
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

/// The tenants' data is open, or could not be opened, or takes long. On the supervision thread,
/// any number of times.
void Daemon::begin_serving() {
    if (servers_ || readiness_ == Readiness::kStopping) return;
    serve_anyhow_.cancel();
    served_ = serve();
    if (!served_) supervision_.stop();
}

core::Result<void> Daemon::serve() {
    ZONA_TRY_VOID(build_api());
    allow_tasks();
    cache_->start();
    begun("cache");
    begin_loops();
    servers_->start([this] { supervision_.stop(); });
    begun("HTTP server");
    readiness_ = Readiness::kReady;
    const core::Logger log = logging_.logger("daemon");
    if (auto ready = keeper_.ready(); !ready)
        log.report("the keeper does not listen", ready.error());
    log.info("ready", {{"version", ZONA_VERSION},
                       {"containment", process::to_string(containment_->tier())}});
    return {};
}

core::Result<void> Daemon::run() {
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
    // Their threads inherit this one's mask: by now it blocks every signal that somebody waits for.
    blocking_.emplace(1);
    long_.emplace(kLongThreads);
    hashing_.emplace(kHashesAtOnce);
    calling_.emplace(kCallsAtOnce);
    // Supervision goes on meanwhile; who asks waits in the listening sockets' queues.
    asio::post(*blocking_, [this] {
        open_tenants();
        asio::post(supervision_, [this] { begin_serving(); });
    });
    serve_anyhow_.expires_after(kOpenWait);
    serve_anyhow_.async_wait([this](const boost::system::error_code& error) {
        if (!error) begin_serving();
    });
    supervision_.run();
    end();
    log.info("stopped");
    return served_;
}

/// In the reverse order.
void Daemon::end() {
    end_.request_stop();
    if (loops_) loops_->stop();
    if (servers_) servers_->join();
    if (firewall_) firewall_->stop();
    // What was begun with the tenants' data ends before it does; opening it, first.
    tenants_->stop();
    std::promise<void> opened;
    asio::post(*blocking_, [&opened] { opened.set_value(); });
    opened.get_future().wait();
    jobs_->stop();
    std::promise<void> idle;
    asio::post(*blocking_, [&idle] { idle.set_value(); });
    idle.get_future().wait();
    operations_->stop();
    rotation_->stop();
    tasks_->stop();
    long_->join();
    end_sessions();
    caller_->stop();
    calling_->join();
    licensing_->stop();
    hashing_->join();
    cache_.reset();
    recorder_->stop();
    tenants_.reset();
    blocking_->join();
}

}  // namespace zona::daemon
