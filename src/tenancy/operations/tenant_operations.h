/// @file
/// TenantOperations: what is done to all that a tenant, or the installation, has: backup, restore,
/// export, erasure, moves, checks.
///
/// Each member blocks for as long as the work takes, tells how it comes along, and leaves the old
/// or the new when the process dies at any moment: what is half done is finished or taken away by
/// resume(). One operation for each tenant at a time; backups beside anything but a change of the
/// tenant's database. Members are for jobs, the API and commands alike. Source: TEN-03, TEN-11,
/// TEN-41, DATA-17, DATA-18, REL-07, REL-08, SEC-09.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/result.h"
#include "tenancy/backup/backup_copies.h"
#include "tenancy/backup/backup_format.h"
#include "tenancy/backup/backup_log.h"
#include "tenancy/backup/backup_records.h"
#include "tenancy/backup/whole_backup.h"
#include "tenancy/operations/reports.h"
#include "tenancy/operations/requests.h"
#include "tenancy/tenants.h"

namespace zona::store {
class Image;
}

namespace zona::tenancy {

/// Whether whole backups are what a log goes on from. In SINGLE_TENANT they are half as large
/// without it.
enum class Log : std::uint8_t { kOff, kOn };

/// Where backups lie, and how many stay.
struct OperationsOptions {
    std::string backups;   ///< absolute; a directory for each tenant, `_all` for whole ones
    std::string zona;      ///< the version that backups name
    std::size_t keep = 0;  ///< backups of each tenant, and whole ones, the newest; 0: all.
                           ///< compliance_settings.backups_kept of a tenant goes before it
    Log log = Log::kOn;
};

/// What it works with; all outlive it.
struct OperationsDeps {
    Tenants& tenants;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    BackupCopies* copies = nullptr;  ///< told of what is deleted; null: there are none
};

/// All members from any thread that may wait, but none of the databases' own or run_blocking's.
/// Errors of all: kUnavailable: the tenants' data is not open. kCancelled after stop(). kConflict:
/// another operation is under way with that tenant. kNotFound: no such tenant. Those of databases
/// and disks; after an error what was there before is there still, unless it says otherwise.
///
/// Where several hosts have one core database (TenantsOptions::core), restore() and move() want a
/// tenant that is not active, kConflict, and they and erase() wait until no other host serves it:
/// TenantsOptions::others_time. What one host has begun another leaves alone.
class TenantOperations {
  public:
    /// Does nothing yet.
    TenantOperations(OperationsOptions options, OperationsDeps deps);
    TenantOperations(const TenantOperations&) = delete;
    TenantOperations& operator=(const TenantOperations&) = delete;
    /// Precondition: no member runs.
    ~TenantOperations();

    /// Finishes or takes away what an earlier process left half done. Once, after Tenants::open().
    core::Result<void> resume();
    /// Makes what runs end soon, with kCancelled.
    void stop();

    /// Makes a backup while the tenant is served: all that was acknowledged before. Then the oldest
    /// over the limit are deleted. With `id`, that is its uuid: one that is there is given as it
    /// is, so whoever does not know whether it was made may ask once more. Errors:
    /// kResourceExhausted: a full disk; nothing is left of it.
    core::Result<BackupRecord> back_up_tenant(const std::string& code,
                                              const core::ProgressSink& tell = {},
                                              std::optional<core::Uuid> id = {});
    /// Reads the whole file and holds it against what it says of itself; restores nothing.
    /// `backup`: a uuid, or an absolute path. Errors: kConflict: it is damaged, or of another
    /// tenant. kNotFound: no such backup or file, or its keys are not here.
    core::Result<BackupSummary> verify(const std::string& code, const std::string& backup,
                                       const core::ProgressSink& tell = {});
    /// Deletes the file, then the record. Errors: kNotFound.
    core::Result<void> remove_backup(const std::string& code, const std::string& uuid);
    /// The backups of a tenant, or of all for an empty code; the latest first.
    core::Result<std::vector<BackupRecord>> backups(const std::string& code);

    /// Puts a backup, or with `at` what the tenant had at a moment, in the place of what it has. It
    /// is not served meanwhile: requests get kUnavailable. What it had stays until all of the new
    /// is there and was verified. Errors: kConflict: it has documents and `existing` is kRefuse;
    /// the backup is of another tenant than `of` says, or damaged; no log has that moment, naming
    /// the nearest ones. kNotFound as verify(). kUnsupported: a moment of a tenant in MongoDB.
    core::Result<BackupSummary> restore(const RestoreRequest& request,
                                        const core::ProgressSink& tell = {});

    /// Writes a file of JSON lines for each collection, and manifest.json with counts and hashes.
    /// Errors: kConflict: the directory is there.
    core::Result<std::vector<CollectionSum>> export_data(const ExportRequest& request,
                                                         const core::ProgressSink& tell = {});

    /// Erases all that is stored of a tenant: documents, files, backups, keys, and what its record
    /// says of people. The record stays, inactive, with the time. Goes on after a restart; may be
    /// done again. Errors: kConflict for the default tenant, which is always there.
    core::Result<void> erase(const std::string& code, Backups backups,
                             const core::ProgressSink& tell = {});

    /// Moves a tenant's documents to another database, and serves it from there. It is copied while
    /// it is served, then what has changed since, until little does. Then requests for it get
    /// kUnavailable: for as long as reading all of its documents twice from either side takes, and
    /// storing the last changes. Counts and hashes of both are compared before the registry names
    /// the new one; what was in the old one is removed after that.
    /// In MongoDB an unfinished copy stays after an error, or a death, and the same move goes on
    /// with it; another one removes it.
    /// Errors: kConflict: the copy is not the same; the database there is in use by somebody, or
    /// has documents of such a tenant. kInvalidArgument: no such kind of host, or credentials in
    /// it. kUnavailable: a server does not answer. Then the tenant is as it was.
    core::Result<std::vector<CollectionSum>> move(const MoveRequest& request,
                                                  const core::ProgressSink& tell = {});
    /// move() of each tenant in turn that is not at that host; without one, of each that is not
    /// where the placement says. Who cannot be moved is told, and the others are. Done again it
    /// goes on. Errors, with nothing changed: kUnsupported where all have one database; those of
    /// TenantDatabases::probe() for `to`.
    core::Result<MigrationReport> migrate(const DatabaseAddress& to,
                                          const core::ProgressSink& tell = {});

    /// Asks for another build type, or with the present one for none; the next start with that
    /// setting changes it (build_type.h). Errors: kUnsupported: several hosts have one core
    /// database; those of ask_for_build_type().
    core::Result<BuildTypeRecord> ask_for(BuildType type);

    /// Reads all databases and holds them against themselves, what is recorded of them, and their
    /// keys. What is wrong is told, and not an error.
    core::Result<CheckReport> check(const core::ProgressSink& tell = {});

    /// Makes a backup of the core database, all tenants and the ring. A tenant whose database
    /// cannot be read, or that another operation works on, is left out and named in `missing`. Of
    /// more than `keep` the oldest are deleted, but none that holds what all newer ones miss; what
    /// hinders that is logged. `id` as back_up_tenant().
    /// Errors: kResourceExhausted: a full disk; those of the core database. Nothing is left of it
    /// then.
    core::Result<WholeBackup> back_up_all(const core::ProgressSink& tell = {},
                                          std::optional<core::Uuid> id = {});
    /// Writes what has changed since this was called last, or since the latest whole backup, beside
    /// that: a link for each database file that has changed (backup_log.h). A tenant that is new
    /// since then gets an image there. Nobody waits for it. Does nothing without a whole backup;
    /// nor, as the report says, while one is being made or another operation waits to work on the
    /// log. All databases are tried; the error is that of the first that failed.
    core::Result<LogReport> log_changes(const core::ProgressSink& tell = {});
    /// The latest first.
    core::Result<std::vector<WholeBackup>> whole_backups();
    /// Verifies each file of it. `backup`: a uuid, or an absolute path.
    core::Result<WholeBackup> verify_all(const std::string& backup,
                                         const core::ProgressSink& tell = {});
    /// Restores the latest whole backup, with its log to its end, into a directory beside the data
    /// that nobody but this process may enter, reads it all and compares it with the backup, then
    /// takes it away. Nothing: there is no backup. Errors: as restore_whole(); kConflict: the file
    /// of a tenant who was not erased is gone from it.
    core::Result<std::optional<WholeBackup>> check_restore(const core::ProgressSink& tell = {});
    /// Errors: kNotFound.
    core::Result<void> remove_whole(const std::string& uuid);
    /// Whether an operation is under way with the tenant, of those that nothing else may go beside.
    bool is_busy(const std::string& code) const;

  private:
    class Steps;
    class Busy;
    struct Opened;
    struct Restoring;
    struct Moving;
    struct LogWork;
    class Logging;
    /// What is known of a database since its last link.
    struct Logged {
        std::weak_ptr<store::Database> database;
        std::uint64_t changes = 0;  ///< SqliteStats
        std::string image;
        std::string path;  ///< of the database's file
        LogEnd end;
        std::int64_t written = 0;  ///< when the file was, last, at that link
    };
    core::Result<Tenant> tenant_of(const Tenants::Parts& parts, const std::string& code) const;
    core::Result<Busy> occupy(const std::string& code);
    /// @{
    /// Where other hosts have the same core database, in this order: whether the tenant is left to
    /// this one; what is under way is recorded then, after which none makes it active; and when the
    /// second returns none of them serves it.
    core::Result<void> check_left_to_us(const Tenants::Parts& parts, const Tenant& tenant) const;
    core::Result<void> wait_for_others(const Tenants::Parts& parts, const Tenant& tenant,
                                       Steps& steps);
    /// @}
    core::Result<BackupSummary> write_backup(const Tenants::Parts& parts, const Tenant& tenant,
                                             const std::string& path, const core::Uuid& id,
                                             Steps& steps, Logged* logged = nullptr);
    core::Result<BackupSummary> write_core(const Tenants::Parts& parts, const std::string& name,
                                           const std::string& path, Steps& steps, Logged& logged);
    static core::Result<void> note_image(const Tenants::Parts& parts, Logged& logged);
    core::Result<void> copy_image(store::Image& image, BackupWriter& writer,
                                  const std::vector<const store::CollectionSpec*>& specs,
                                  const store::Scope& scope, Steps& steps);
    core::Result<void> add_tenants(const Tenants::Parts& parts, std::vector<Tenant> tenants,
                                   WholeList& list, Steps& steps,
                                   std::map<std::string, Logged>& logged);
    core::Result<void> forget_old_wholes();
    core::Result<void> note_removal(const std::string& name, CopyEnd end = CopyEnd::kAsKept) const;
    void note_written() const;
    core::Result<void> fill_whole(const Tenants::Parts& parts, WholeBackup& whole,
                                  const core::ProgressSink& tell,
                                  std::map<std::string, Logged>& logged);
    /// Holds log_mutex_, before any log_changes() that begins from now on.
    std::unique_lock<std::mutex> log_turn();
    core::Result<LogReport> log_held(const core::ProgressSink& tell);
    core::Result<void> log_tenants(LogWork& work);
    core::Result<void> tidy_ends(LogWork& work, core::SystemTime begun) const;
    core::Result<void> log_database(LogWork& work, const std::string& name,
                                    const std::string& owner, const std::string& path,
                                    const std::shared_ptr<store::Database>& database);
    core::Result<void> write_link(LogWork& work, const Logged* known, store::Image& image,
                                  const std::string& path, Logged& next);
    core::Result<void> begin_log(LogWork& work, const Tenant& tenant);
    core::Result<void> log_until(const Tenant& tenant, core::SystemTime at);
    core::Result<std::vector<LogFile>> links_at(const Tenants::Parts& parts,
                                                const std::string& owner, RestoreRequest& request);
    core::Result<std::string> image_at(const Tenants::Parts& parts, const std::string& name,
                                       const RestoreRequest& request);
    core::Result<std::string> whole_directory(const std::string& backup) const;
    static core::Result<void> remove_nameless(const std::string& directory);
    core::Result<void> keep_newest(const Tenant& tenant);
    core::Result<Opened> open_backup(const Tenants::Parts& parts, const std::string& owner,
                                     const std::string& backup);
    static core::Result<void> read_again(Opened& opened);
    static core::Result<BackupContent> content_of(Opened& opened);
    core::Result<BackupSummary> restore_alone(Restoring& work);
    core::Result<BackupSummary> restore_held(Restoring& work);
    core::Result<BackupSummary> fill_new(Restoring& work, const std::string& name);
    core::Result<BackupSummary> fill_shared(Restoring& work);
    core::Result<BackupSummary> fill_from_image(Restoring& work);
    core::Result<BackupSummary> unpack(Restoring& work, const std::string& directory,
                                       const std::string& owner);
    core::Result<DatabaseAddress> target_of(const Tenant& tenant, DatabaseAddress to);
    BackupRecords works_of(const Tenants::Parts& parts) const;
    core::Result<std::vector<CollectionSum>> copy_and_switch(Moving& work);
    core::Result<std::shared_ptr<store::Database>> begin_move(Moving& work);
    core::Result<void> settle_move(Moving& work, const std::optional<core::Error>& failure);
    core::Result<void> end_move(const Tenants::Parts& parts, const std::string& code);
    static core::Result<void> remove_there(const Tenants::Parts& parts, const Tenant& tenant);
    static bool is_to_move(const Tenant& tenant, const DatabaseAddress& to);
    core::Result<void> switch_to(const Tenants::Parts& parts, Tenant& tenant,
                                 const DatabaseAddress& address);
    core::Result<void> export_documents(const Tenants::Parts& parts, const Tenant& tenant,
                                        const ExportRequest& request, const std::string& directory,
                                        std::vector<CollectionSum>& sums, Steps& steps);
    core::Result<void> erase_held(const Tenants::Parts& parts, const Tenant& tenant,
                                  Backups backups, Steps& steps);
    core::Result<void> erase_backups(const std::string& code);
    core::Result<void> clean_up(const Tenants::Parts& parts, const TenantWork& work);
    core::Result<void> remove_others(const Tenants::Parts& parts, const Tenant& tenant);
    void check_tenant(const Tenants::Parts& parts, const Tenant& tenant, CheckReport& report);
    std::string path_of(const std::string& file) const { return options_.backups + "/" + file; }
    std::string new_name();
    /// A directory for what is to be gone after this operation; resume() takes it away if it stays.
    std::string scratch_name(const Tenants::Parts& parts) const;

    const OperationsOptions options_;
    const OperationsDeps deps_;
    const core::Uuid run_;  // of this process
    std::atomic<bool> stopping_ = false;
    mutable std::mutex mutex_;
    std::set<std::string> busy_;  // guarded by mutex_
    std::string logging_;         // the tenant whose database is being logged; guarded by mutex_
    std::condition_variable one_logged_;        // logging_ is another one
    std::condition_variable stopped_;           // stopping_ is set
    std::atomic<std::size_t> log_waiting_ = 0;  // who is in log_turn()
    std::mutex log_mutex_;  // held while a log or whole backup is written or taken away
    std::map<std::string, Logged> logged_;  // by the name of the image; guarded by log_mutex_
};

}  // namespace zona::tenancy
