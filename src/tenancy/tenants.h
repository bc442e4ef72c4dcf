/// @file
/// Tenants: the tenants of this installation and their data, from its start to its end.
///
/// Start-up is that of § 8.1 and § 8.6: the core database first, without which there is nothing;
/// then each active tenant is tried, of which any may fail without holding up the others; then
/// somebody begins to watch over them; then they are ready. The log has a line for each step.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "store/database.h"
#include "store/database_meter.h"
#include "store/mongo_database.h"
#include "tenancy/build_type.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/limits/storage_quota.h"
#include "tenancy/placement.h"
#include "tenancy/session_map.h"
#include "tenancy/tenant.h"
#include "tenancy/tenant_databases.h"
#include "tenancy/tenant_registry.h"

namespace zona::tenancy {

/// Where the data lies, and how it is kept apart.
struct TenantsOptions {
    std::string directory;  ///< absolute: `core.db`, and `tenants/` with one folder for each
    /// Another one than recorded, if that was asked for, is what the first open() changes to.
    BuildType build_type = BuildType::kMssp;
    std::uint64_t storage_quota = 0;  ///< bytes of a tenant without a quota of its own; 0: any
    Backoff backoff{};
    /// Pool, time-outs, TLS and the key of page tokens of databases in MongoDB. With a URI, and
    /// kSingleTenant, the shared database is there; a tenant's own has the address of its record.
    store::MongoOptions mongo{};
    Placement placement{};  ///< of new tenants without a database host
    /// The core database, if it has a URI: in MongoDB, where several hosts can have it in common.
    /// Then all tenants' databases are in MongoDB, those without a place at this server. Else it is
    /// the file `core.db`.
    store::MongoOptions core{};
    std::string instance{};                        ///< what tells this host from others
    std::chrono::milliseconds follow_interval{0};  ///< between two follow() by itself; 0: none
    LicenseKeys license_keys{};                    ///< whose licences count
    /// After which no other host serves a tenant that is not active: kFollowTrust, and time for
    /// what was begun before. For tests.
    std::chrono::milliseconds others_time{60'000};
};

/// How often a host looks for what others have changed.
inline constexpr std::chrono::seconds kFollowInterval{2};
/// How long a host serves tenants that it could not look.
inline constexpr std::chrono::seconds kFollowTrust{20};

/// Tenants whose databases are probed at the same time when they are taken in.
inline constexpr std::size_t kProbesAtOnce = 16;

/// What it works with; all outlive it, and what it has given out.
struct TenantsDeps {
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    /// Every access to documents, at level trace (store/query_meter.h).
    core::Logger accesses{};
    /// Where the databases' files come from; called by open(), once for each place of the ring at
    /// most. Blocks.
    std::function<core::Result<std::unique_ptr<EncryptedFiles>>(RingPlace)> open_files;
    /// Runs what waits for a disk or a network on a thread for that.
    std::function<void(std::move_only_function<void()>)> run_blocking;
    PermissionHook hook;  ///< of every TenantData; may be empty
    /// Where what is done with tenants' documents is counted; null: it is not.
    core::MetricRegistry* metrics = nullptr;
    /// Told of each tenant's record when it is read first and when it was changed; any thread, must
    /// not call back. May be empty.
    std::function<void(const Tenant&)> tenant_changed;
    /// Told when a tenant is held, whose documents may be others afterwards: until then nothing of
    /// them is read. Any thread, must not call back. May be empty.
    std::function<void(const std::string& code)> tenant_held{};
    /// Told when next_retry() or in_use() have something new: somebody has to call retry_due() at
    /// that moment. May be empty; any thread.
    std::function<void()> changed;
    /// Begins to watch over the databases, with the core one: called once by open(), after every
    /// tenant was tried and before anything is ready. What it begins may ask, and waits for open().
    /// May be empty.
    std::function<void(std::shared_ptr<store::Database> core)> watch{};
};

/// Any thread. What is asked before open() has ended waits for it. Errors of everything that
/// answers: kUnavailable, with the reason, if open() failed; those of TenantRegistry.
class Tenants {
  public:
    /// Opens nothing yet.
    Tenants(TenantsOptions options, TenantsDeps deps);
    Tenants(const Tenants&) = delete;
    Tenants& operator=(const Tenants&) = delete;
    /// Waits until whoever works with something it gave out is done, and everything is closed. Not
    /// on a thread of run_blocking's, which it needs for that.
    ~Tenants();

    /// Opens the core database, makes the default tenant if there is none, and takes all tenants
    /// in. Blocks. After an error it may be called again. Where another build type was asked for,
    /// all that tenants have is copied before (operations/change_build_type.h); whoever asks
    /// meanwhile is refused with how far that is.
    /// Errors: those of the core database; kConflict: another build type is recorded; kCancelled
    /// after stop(); those of change_build_type().
    core::Result<void> open();
    /// Makes an open() that changes the build type end soon. Any thread.
    void stop() { stopping_ = true; }

    /// Makes a tenant and its database; it is served from then on. One whose database host is empty
    /// is placed.
    void create(NewTenant wanted, store::Callback<Tenant> done);
    /// Errors: kNotFound.
    void find(const std::string& code, store::Callback<Tenant> done);
    /// As TenantRegistry::list().
    void list(store::Callback<std::vector<Tenant>> done);
    /// As TenantRegistry::history().
    void history(const std::string& code, store::Callback<std::vector<Tenant>> done);
    /// Changes what is known of a tenant; what it was stays in its history. Another user or
    /// password of its database is tried first, as long as a connection may take; refused, all
    /// stays as it was, and the error is that of store::probe_mongo(). Taken, its open database
    /// connects with them before the answer, and one that could not be had is served again: no
    /// request fails for it. Errors: those of TenantRegistry::update(). kInvalidArgument: a
    /// database that is not in MongoDB, or is that of all tenants; a password without a user.
    /// kConflict: somebody works on the whole of the tenant.
    void update(const std::string& code, TenantChange change, store::Callback<Tenant> done);
    /// Serves it or serves it no more, from before the answer on.
    void set_status(const std::string& code, TenantStatus status, store::Callback<Tenant> done);

    /// Calls `use` on a thread for what waits, with the host's encrypted files once they are open.
    void with_files(
        std::move_only_function<void(core::Result<std::shared_ptr<EncryptedFiles>>)> use);
    /// Another TenantsOptions::storage_quota from now on.
    void set_storage_quota(std::uint64_t bytes) { quotas_.set_usual(bytes); }
    /// Queries that take at least so long are logged from now on; 0: none are.
    void set_slow_query(std::chrono::milliseconds time) {
        if (queries_) queries_->set_slow(time);
        if (core_queries_) core_queries_->set_slow(time);
    }
    /// One tenant's documents: as SessionMap::find().
    void data_of(std::string_view code, store::Callback<TenantData> done);

    /// Whether other hosts may have the same core database.
    bool is_shared() const { return !options_.core.uri.empty(); }
    /// Takes in what other hosts have changed of tenants and keys; nothing unless is_shared().
    /// Tenants that are not served any more are not, when it returns. Without it for kFollowTrust
    /// no tenant's documents are given, and problem() says so. Blocks. Errors: those of the core
    /// database and of KeyRing::follow().
    core::Result<void> follow();

    /// The core database, for what else has documents there, its queries measured; null unless
    /// open() has succeeded.
    std::shared_ptr<store::Database> core() const;
    /// The codes of the active tenants, in the order of their making. Blocks.
    core::Result<std::vector<std::string>> active();
    /// A database file of this host's, which this keeps open.
    struct File {
        std::string path;
        std::function<core::Result<void>()> settle;  ///< waits for all writes begun before; blocks
    };
    /// The files under the keys of `owner`, "core" or an active tenant's code; none for one whose
    /// database is elsewhere or in the shared file. Blocks, and opens them.
    core::Result<std::vector<File>> files_of(const std::string& owner);
    /// Keys and files; null unless open() has succeeded. Not to be kept.
    std::shared_ptr<EncryptedFiles> files() const;
    /// @{
    /// As the members of SessionMap.
    std::vector<std::string> in_use() const;
    void note(std::string_view code, const core::Result<void>& used);
    std::optional<core::SystemTime> next_retry() const;
    /// @}
    /// Whether any tenant has a schedule of its own for backups.
    bool has_backup_schedules() const;
    /// @{
    /// Whether something may have changed since forget_changes(): a tenant or its documents. The
    /// first one after that is told by TenantsDeps::changed. Always, where nothing is counted. Any
    /// thread.
    bool has_changes() const { return changes_ || !queries_; }
    void note_change();
    void forget_changes() { changes_ = false; }
    /// @}
    /// What operations on whole tenants work with (tenant_operations.h); valid as long as `alive`
    /// is kept, which keeps the destructor waiting.
    struct Parts {
        std::shared_ptr<store::Database> core;
        TenantDatabases* databases = nullptr;
        TenantRegistry* registry = nullptr;
        SessionMap* sessions = nullptr;
        std::shared_ptr<EncryptedFiles> files;
        /// Opens or makes a file with the collections of tenants.
        std::function<core::Result<std::shared_ptr<store::Database>>(const std::string& path,
                                                                     std::string_view owner)>
            open_file;
        /// Blocks until nobody has it open; not on a thread of run_blocking's.
        std::function<void(const std::string& path)> wait_until_closed;
        const Placement* placement = nullptr;
        BuildType build_type = BuildType::kMssp;
        std::string directory;
        /// What tells this host from others on the same core database; empty: there are none.
        std::string instance;
        std::chrono::milliseconds others_time{0};  ///< as TenantsOptions has it
        std::shared_ptr<const void> alive;
    };
    /// Waits until open() has ended; blocks. Errors: kUnavailable, with the reason, if it failed.
    core::Result<Parts> parts() const;

    /// Why nothing can be asked; nothing once open() has succeeded.
    std::optional<std::string> problem() const;
    /// Who is served, and who should be and is not.
    SessionReport report() const;
    /// Whether requests for the tenant can be served now, in the order of section 8.7; waits for
    /// nothing. While open() runs they may: whoever asks for its data waits for that.
    /// Errors: those of SessionMap::find(). Source: AUTH-07..AUTH-09.
    core::Result<void> check(std::string_view code) const;
    /// Tries again those whose time has come. Blocks.
    void retry_due();

  private:
    struct Open;
    class Files;
    enum class Phase : std::uint8_t { kOpening, kOpen, kFailed };
    /// Calls `use(open, done)` once there is something to use; else tells `done` why not.
    template <class T, class Use>
    void with_open(store::Callback<T> done, Use use);
    std::shared_ptr<Open> opened() const;
    void serve(const std::shared_ptr<Open>& open, Tenant tenant, store::Callback<Tenant> done);
    core::Result<std::shared_ptr<Open>> try_to_open();
    core::Result<void> take_file_along() const;
    core::Result<void> note_place() const;
    core::Result<std::shared_ptr<store::Database>> open_core(Open& made);
    core::Result<void> make_default(Open& open);
    DatabaseAddress place_of(const std::string& code) const;
    core::Result<void> check_shared(const std::string& code, const DatabaseAddress& address) const;
    std::optional<core::Error> left_behind() const;
    core::Result<void> follow_tenants(const std::shared_ptr<Open>& open);
    void follow_until(const std::stop_token& stop);
    core::Result<void> settle_type(store::Database& core, TenantRegistry& registry,
                                   const std::string& folder);
    core::Result<void> change_type(store::Database& core, TenantRegistry& registry,
                                   const std::string& folder, const BuildTypeRecord& record);
    core::Result<std::shared_ptr<store::Database>> open_exact_mongo(
        store::MongoOptions options) const;
    core::Result<void> tell(const std::string& step);
    core::Result<void> open_databases(Open& made, const std::string& folder);
    core::Result<void> take_all_in(Open& open);
    void watch_over(const Open& made);
    void take_in(Open& open, const std::vector<Tenant>& all);
    void heard_of(const Tenant& tenant);
    std::shared_ptr<const TenantMeter> meter_of(const std::string& code);

    TenantsOptions options_;
    TenantsDeps deps_;
    StorageQuotas quotas_;
    std::optional<store::QueryMeter> queries_;
    std::optional<store::QueryMeter> core_queries_;
    std::optional<store::DatabaseMeter> pools_;
    std::shared_ptr<Files> files_;
    std::atomic<bool> changes_ = false;
    std::atomic<bool> stopping_ = false;
    mutable std::mutex mutex_;
    mutable std::condition_variable settled_;  // phase_ is another one
    // All guarded by mutex_.
    Phase phase_ = Phase::kOpening;
    std::shared_ptr<Open> open_;  // kOpen
    std::string problem_ = "the tenants' data is being opened";
    std::vector<std::move_only_function<void()>> waiting_;  // kOpening
    std::set<std::string, std::less<>> backup_schedules_;   // tenants that have one
    // Of a core database that is shared.
    std::mutex following_;  // held over a follow()
    std::atomic<core::SteadyTime> followed_at_{};
    std::jthread follower_;  // last: it uses the others
};

/// Whose keys the core database is encrypted under, and the shared one. No tenant has this code.
inline constexpr std::string_view kCoreOwner = "core";

/// Whose key signs page tokens where several hosts have to take each other's. No tenant has this
/// code.
inline constexpr std::string_view kPageTokenOwner = "page tokens";

/// The collections that every tenant has. Source: TEN-08, TEN-09, GAP-39.
std::vector<const store::CollectionSpec*> tenant_collections();

}  // namespace zona::tenancy
