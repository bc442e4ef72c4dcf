/// @file
/// Daemon: the composition root. Builds everything in order, runs the loops, takes it down in
/// reverse. Its members are defined by what they are about: the network in daemon_network.cpp, the
/// tenants' data in daemon_data.cpp, users' sessions in daemon_sessions.cpp, loops in
/// daemon_loops.cpp, the rest in daemon.cpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "api/audit_trail.h"
#include "api/daemon_api.h"
#include "audit/alerts.h"
#include "audit/recorder.h"
#include "cache/cache.h"
#include "core/config.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/settings.h"
#include "identity/access/methods.h"
#include "identity/authentication.h"
#include "identity/federation/federation.h"
#include "identity/keys/api_keys.h"
#include "identity/sessions/sessions.h"
#include "identity/users/invitations.h"
#include "jobs/loops.h"
#include "jobs/queue.h"
#include "jobs/scheduler.h"
#include "net/filter_addresses.h"
#include "net/firewall/firewall.h"
#include "net/limit_rate.h"
#include "net/outgoing/http_caller.h"
#include "net/server_pool.h"
#include "net/tls.h"
#include "os/helpers.h"
#include "os/resources.h"
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
#include "tenancy/audit_archives.h"
#include "tenancy/audit_books.h"
#include "tenancy/backup/backup_copies.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/limits/admission.h"
#include "tenancy/limits/licensing.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenants.h"
#include "vault/root_key.h"

namespace zona::daemon {

namespace asio = boost::asio;

/// Hashes of passwords that are computed at the same time: 128 MiB at most.
inline constexpr std::size_t kHashesAtOnce = 2;

/// What `zona doctor` says of API keys; null: they cannot be used.
process::HostCheck check_keys(const identity::ApiKeys* keys);
/// What needs neither key nor session, and what was closed of it. Source: AUTH-13.
process::HostCheck check_open_routes(const api::Service& service, std::string_view closed);

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

    /// Errors: what is wrong with the settings, or with the home.
    core::Result<void> build();
    /// Until zona is stopped. Errors: nothing could be served.
    core::Result<void> run();

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
    void begin_with_core(std::shared_ptr<store::Database> core);
    core::Result<void> build_operations();
    void build_identity();
    void note_methods(const tenancy::Tenant& tenant);
    void build_federation();
    /// What seals the secret fields of a tenant, or for the empty code the core's.
    core::Result<std::shared_ptr<const vault::FieldSealer>> fields_of(
        const std::string& tenant) const;
    core::Result<void> build_licensing();
    core::Result<void> build_audit();
    core::Result<std::unique_ptr<tenancy::EncryptedFiles>> open_files(tenancy::RingPlace ring);
    void open_tenants();
    void open_tenants_later();
    void allow_tasks();
    core::Result<void> build_jobs();
    void begin_loops();
    void collect_metrics();
    void poke_loops();
    void begin_sessions(std::shared_ptr<store::Database> core);
    /// Null until the core database is open. Any thread.
    std::shared_ptr<identity::Sessions> sessions() const;
    void end_sessions();
    /// Of a user who was changed; calls `then` once they have ended.
    void end_sessions_of(const std::string& tenant, std::int64_t id,
                         std::move_only_function<void()> then);
    jobs::Definition session_cleanup();
    jobs::Definition signing_key_rotation();
    jobs::Definition api_key_check();
    core::Result<void> open_tls();
    void reload_tls();
    core::Result<void> load_addresses(const core::Settings::Api& api);
    std::string addresses_problem() const;
    std::string firewall_problem() const;
    core::Result<void> open_firewall(bool must_load);
    core::Result<void> load_firewall(const core::Settings::Api& api);
    net::FirewallModes firewall_modes(const core::Settings::Api& api) const;
    void reload_settings();
    void store_uses_of_keys();
    core::Result<void> build_supervisor();
    core::Result<void> build_api();
    core::Result<void> build_servers();
    std::vector<process::HostCheck> host_checks(std::span<const jobs::JobView> jobs) const;
    net::ServerOptions server_options();
    static identity::Demand demand(const core::Settings& settings) {
        return settings.api.authentication ? identity::Demand::kKey : identity::Demand::kNothing;
    }
    std::optional<std::string> not_ready() const;
    void begun(std::string_view step);
    void begin_serving();
    core::Result<void> serve();
    void end();
    void wait_for_termination();
    void begin_shutdown(process::Supervisor::Shutdown how,
                        std::move_only_function<void(std::size_t)> begun);

    std::string home_;
    std::vector<std::string> flags_;  ///< KEY=VALUE each
    process::KeeperLink& keeper_;
    process::Listeners listeners_;
    core::RealClock clock_;
    core::SystemRandom random_;
    os::Helpers helpers_;
    core::Logging logging_;
    core::MetricRegistry metrics_;
    net::RateLimiter rate_{clock_};
    net::AddressFilter addresses_{metrics_};
    mutable std::mutex addresses_mutex_;
    std::string
        addresses_problem_;         ///< guarded by addresses_mutex_; why the lists are not in force
    std::string firewall_problem_;  ///< as addresses_problem_, of the firewall's rules
    std::optional<net::Firewall> firewall_;
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
    std::optional<asio::thread_pool> calling_;   ///< for calls of identity providers
    std::optional<asio::thread_pool> hashing_;   ///< for passwords, which nothing else waits behind
    std::stop_source end_;                       ///< of MongoOptions::ending
    store::MongoOptions core_;                   ///< the core database, unless it is a file
    std::string instance_;  ///< what tells this host from others on the same core database
    std::unique_ptr<vault::RootKeyProvider> root_keys_;
    std::unique_ptr<store::SqliteProcess> sqlite_;
    std::unique_ptr<cache::Cache> cache_;
    tenancy::LicenseKeys license_keys_;
    std::optional<tenancy::Licensing> licensing_;
    std::optional<tenancy::Tenants> tenants_;
    mutable std::mutex sessions_mutex_;
    std::shared_ptr<identity::Sessions> sessions_;  // guarded by sessions_mutex_
    std::optional<jobs::Scheduler> jobs_;
    std::optional<jobs::Queue> tasks_;
    std::atomic<int> tasks_wait_for_{2};
    std::mutex loops_mutex_;            ///< held to make and to poke them
    std::optional<jobs::Loops> loops_;  ///< uses the cache, the sessions and the tenants
    std::unique_ptr<tenancy::BackupCopies> copies_;
    std::optional<tenancy::TenantOperations> operations_;
    std::optional<tenancy::KeyRotation> rotation_;
    std::optional<identity::PasswordHasher> hasher_;
    std::optional<identity::Roles> roles_;
    std::optional<net::HttpCaller> caller_;
    std::optional<identity::IdentityProviders> providers_;
    std::optional<identity::Federation> federation_;
    std::optional<identity::PermissionCache> permissions_;
    std::optional<identity::Users> users_;
    std::optional<identity::Invitations> invitations_;
    std::optional<tenancy::AuditBooks> books_;
    std::optional<tenancy::AuditArchives> archives_;
    std::optional<tenancy::AuditTurn> turn_;
    std::optional<audit::Recorder> recorder_;  ///< uses both
    std::optional<audit::Alerts> alerts_;      ///< tells the recorder
    std::optional<api::AuditTrail> trail_;
    asio::steady_timer reopen_{supervision_};
    std::chrono::seconds reopen_after_{1};  ///< the pause before the next try
    asio::steady_timer store_uses_{supervision_};
    asio::steady_timer serve_anyhow_{supervision_};
    core::Result<void> served_;  ///< why nothing is
    std::unique_ptr<identity::ApiKeys> keys_;
    std::string keys_problem_;              ///< why they cannot be used
    std::shared_ptr<net::TlsContext> tls_;  ///< null: plain HTTP, unless there is a problem
    std::string tls_problem_;               ///< why what the settings say of TLS cannot be used
    std::optional<process::Supervisor> supervisor_;
    api::Network network_;  ///< by the settings
    identity::MethodPolicies methods_;
    tenancy::Admission admission_{{}, clock_, metrics_};
    std::optional<api::Service> service_;
    std::atomic<Readiness> readiness_{Readiness::kStarting};
    std::optional<net::ServerPool> servers_;
    std::optional<asio::posix::stream_descriptor> signals_;
};

}  // namespace zona::daemon
