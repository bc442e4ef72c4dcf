/// @file
/// SessionMap: from a tenant's code to that tenant's documents, for all operations (TEN-12).
///
/// A tenant whose database cannot be had is reported and tried again, each time after a longer
/// pause, and the others are served meanwhile (TEN-17..TEN-26, TEN-47, REL-24). A database is
/// opened when it is used first.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "core/result.h"
#include "tenancy/tenant.h"
#include "tenancy/tenant_data.h"
#include "tenancy/tenant_databases.h"

namespace zona::tenancy {

/// Pauses between two tries of one tenant's database: they double from `first` to `longest`, and
/// each is shortened by up to a fifth at random, so that many tenants of one host do not come back
/// all at once.
struct Backoff {
    std::chrono::milliseconds first{1000};
    std::chrono::milliseconds longest{300'000};
};

/// A tenant that should be served and cannot be.
struct Outage {
    std::string code;
    std::string reason;
    std::size_t tries = 0;
    core::SystemTime next_try{};
};

/// Who is served.
struct SessionReport {
    std::size_t ready = 0;        ///< tenants with a session
    std::vector<Outage> outages;  ///< by code
};

/// What it works with; all outlive it, and what it has given out.
struct SessionDeps {
    TenantDatabases& databases;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    /// Runs what waits for a disk or a network on a thread for that.
    std::function<void(std::move_only_function<void()>)> run_blocking;
    /// Told when the connection of a tenant comes or goes (TEN-37); may be empty.
    std::function<void(const std::string& code, ConnectionStatus status)> connection_changed;
    std::function<void()> opened;  ///< told when a database was opened; may be empty
    /// Told when a tenant is held, after which it may have other documents; may be empty.
    std::function<void(const std::string& code)> held;
    PermissionHook hook;  ///< of every TenantData; may be empty
    /// What seals a tenant's flagged fields; asked once for each database that is opened, on the
    /// same thread. Empty: there are no keys, and collections with such fields are refused.
    std::function<core::Result<std::shared_ptr<const vault::FieldSealer>>(const std::string& code)>
        fields;
    /// What a tenant may store; asked with each TenantData. Empty: any number.
    std::function<std::shared_ptr<const StorageQuota>(const std::string& code)> quota;
    /// What counts a tenant's work; asked once for each database that is opened. May be empty.
    std::function<std::shared_ptr<const TenantMeter>(const std::string& code)> meter;
};

/// Whether a database is given that is held from others.
enum class WhileHeld : std::uint8_t {
    kRefuse,
    kOpen,  ///< for whoever holds it, who then waits for it to be let go of
};

/// What a record of a tenant's said that another host has written.
enum class News : std::uint8_t {
    kNothingNew,
    kTaken,
    kToProbe,  ///< it was taken, and is to be given to put() on a thread that may wait
};

/// Any thread.
class SessionMap {
  public:
    /// Knows no tenant yet.
    SessionMap(SessionDeps deps, Backoff backoff);
    SessionMap(const SessionMap&) = delete;
    SessionMap& operator=(const SessionMap&) = delete;
    ~SessionMap();

    /// Takes a tenant in, or what has changed of one; an active one is probed and gets a session,
    /// any other loses it. Blocks. What fails is reported, and tried again by retry_due(). A record
    /// that is older than the one that is known changes nothing. An open database whose user or
    /// password is another one stays open, with whoever uses it, and connects with the new ones.
    /// Returns what has become of its connection.
    ConnectionStatus put(const Tenant& tenant);
    /// The same for what another host may have changed, without the probe: one that is not served
    /// any more has lost its session when this returns.
    News follow(const Tenant& tenant);
    /// Tries again those whose time has come; how many got a session. Blocks.
    std::size_t retry_due();
    /// When the next one's time comes.
    std::optional<core::SystemTime> next_retry() const;

    /// The documents of one tenant, given to `done`, at once on the calling thread unless its
    /// database has to be opened first.
    /// Errors  kInvalidTenant: no such tenant (TEN-28). kTenantInactive: one that is not active
    ///         (TEN-36). kSessionError: it has no session now (TEN-29).
    void find(std::string_view code, store::Callback<TenantData> done);

    /// Whether find() would find the tenant, as far as is known; opens nothing and waits for
    /// nothing. Errors: those of find().
    core::Result<void> check(std::string_view code) const;

    /// The tenants whose databases are open.
    std::vector<std::string> in_use() const;
    /// What a use of the tenant's open database has shown: after an error it is tried as any other
    /// that cannot be had.
    void note(std::string_view code, const core::Result<void>& used);
    /// The database itself, of a tenant of any status, for operations on all of its documents.
    /// Blocks. Errors: kNotFound: no such tenant. The reason of a hold, unless it is `held`'s to
    /// open it: its file may be about to be removed. Those of TenantDatabases::open().
    core::Result<std::shared_ptr<store::Database>> database(std::string_view code,
                                                            WhileHeld held = WhileHeld::kRefuse);
    /// Whether somebody holds the tenant: between hold() and release().
    bool is_held(std::string_view code) const;
    /// Serves the tenant no more until release(): what was asked for is waited for, the database is
    /// let go of, and whoever asks meanwhile gets `reason`. Blocks; not on a thread of the
    /// database's own. Once per tenant at a time. Errors: kNotFound: no such tenant.
    core::Result<void> hold(std::string_view code, core::Error reason);
    /// Takes in what has become of the tenant; it is served again if it is active. Blocks.
    ConnectionStatus release(const Tenant& tenant);

    /// Who is served, and who should be and is not.
    SessionReport report() const;

  private:
    struct Session;
    using SessionPtr = std::shared_ptr<Session>;
    SessionPtr take(const Tenant& tenant);
    ConnectionStatus probe(const SessionPtr& session);
    core::Result<TenantData> open(const SessionPtr& session);
    core::Result<TenantData> data_of(const Session& session) const;
    ConnectionStatus fail(const SessionPtr& session, const core::Error& error);
    ConnectionStatus succeed(const SessionPtr& session);
    void tell(const std::string& code, ConnectionStatus status) const;
    std::chrono::milliseconds pause_after(std::size_t tries);
    core::SystemTime next_try_of(const Session& session, core::SystemTime now) const;
    core::Result<std::shared_ptr<store::Database>> use(const SessionPtr& session, WhileHeld held);
    core::Result<SessionPtr> served(std::string_view code) const;

    SessionDeps deps_;
    Backoff backoff_;
    mutable std::mutex mutex_;
    std::map<std::string, SessionPtr, std::less<>> sessions_;  // guarded by mutex_
};

}  // namespace zona::tenancy
