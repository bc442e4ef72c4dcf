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
#include <cstdint>
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
#include "tenancy/backup_format.h"
#include "tenancy/backup_records.h"
#include "tenancy/tenants.h"

namespace zona::store {
class Image;
}

namespace zona::tenancy {

/// Where backups lie, and how many stay.
struct OperationsOptions {
    std::string backups;   ///< absolute; a directory for each tenant, `_all` for whole ones
    std::string zona;      ///< the version that backups name
    std::size_t keep = 0;  ///< backups of each tenant, and whole ones, the newest; 0: all.
                           ///< compliance_settings.backups_kept of a tenant goes before it
};

/// What it works with; all outlive it.
struct OperationsDeps {
    Tenants& tenants;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
};

/// Whether documents that are there may be replaced.
enum class Existing : std::uint8_t { kRefuse, kReplace };
/// Whether a tenant's backups go with its data. Kept ones need its keys, which are kept with them.
enum class Backups : std::uint8_t { kErase, kKeep };
/// Whether fields that are stored as ciphertext are told in clear.
enum class SecretFields : std::uint8_t { kMask, kOpen };

/// Which backup, and for whom.
struct RestoreRequest {
    std::string tenant;  ///< who gets it
    /// A backup's uuid, or the absolute path of a file.
    std::string backup;
    Existing existing = Existing::kRefuse;
    /// Another tenant, of which the backup was made; empty: `tenant` itself.
    std::string of;
};

/// Where an export goes.
struct ExportRequest {
    std::string tenant;
    std::string directory;  ///< absolute; made by it, and must not be there
    SecretFields secrets = SecretFields::kMask;
};

/// What is wrong somewhere.
struct Finding {
    std::string where;  ///< "core", a tenant's code
    std::string what;   ///< with what to do
};
/// What check() has seen.
struct CheckReport {
    std::size_t databases = 0;
    std::uint64_t documents = 0;
    std::vector<Finding> findings;  ///< none: all is well
};

/// A backup of everything: a directory _all/UUID with a file for the core database and for each
/// tenant, the ring's file (wrapped keys; the root key is not in it), and a sealed list of them.
struct WholeBackup {
    core::Uuid uuid;
    core::SystemTime made_at{};
    std::string zona;
    std::size_t tenants = 0;
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;
    std::string directory;  ///< absolute
};

/// All members from any thread that may wait, but none of the databases' own or run_blocking's.
/// Errors of all: kUnavailable: the tenants' data is not open. kCancelled after stop(). kConflict:
/// another operation is under way with that tenant. kNotFound: no such tenant. Those of databases
/// and disks; after an error what was there before is there still, unless it says otherwise.
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
    void stop() { stopping_ = true; }

    /// Makes a backup while the tenant is served: all that was acknowledged before. Then the oldest
    /// over the limit are deleted. Errors: kResourceExhausted: a full disk; nothing is left of it.
    core::Result<BackupRecord> back_up_tenant(const std::string& code,
                                              const core::ProgressSink& tell = {});
    /// Reads the whole file and holds it against what it says of itself; restores nothing.
    /// `backup`: a uuid, or an absolute path. Errors: kConflict: it is damaged, or of another
    /// tenant. kNotFound: no such backup or file, or its keys are not here.
    core::Result<BackupSummary> verify(const std::string& code, const std::string& backup,
                                       const core::ProgressSink& tell = {});
    /// Deletes the file, then the record. Errors: kNotFound.
    core::Result<void> remove_backup(const std::string& code, const std::string& uuid);
    /// The backups of a tenant, or of all for an empty code; the latest first.
    core::Result<std::vector<BackupRecord>> backups(const std::string& code);

    /// Puts a backup in the place of what the tenant has. It is not served meanwhile: requests get
    /// kUnavailable. What it had stays until all of the new is there and was verified.
    /// Errors: kConflict: it has documents and `existing` is kRefuse; the backup is of another
    /// tenant than `of` says, or damaged. kNotFound as verify().
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

    /// Moves a tenant's documents to a database of its own under a new name, or to another open
    /// one, which `host` and `name` are recorded for. It is not served while it is copied.
    /// Errors: kConflict: the copy is not the same; then all stays as it was.
    core::Result<std::vector<CollectionSum>> move(const std::string& code,
                                                  const core::ProgressSink& tell = {});

    /// Reads all databases and holds them against themselves, what is recorded of them, and their
    /// keys. What is wrong is told, and not an error.
    core::Result<CheckReport> check(const core::ProgressSink& tell = {});

    /// Makes a backup of the core database, all tenants and the ring.
    core::Result<WholeBackup> back_up_all(const core::ProgressSink& tell = {});
    /// The latest first.
    core::Result<std::vector<WholeBackup>> whole_backups();
    /// Verifies each file of it. `backup`: a uuid, or an absolute path.
    core::Result<WholeBackup> verify_all(const std::string& backup,
                                         const core::ProgressSink& tell = {});
    /// Errors: kNotFound.
    core::Result<void> remove_whole(const std::string& uuid);

  private:
    class Steps;
    class Busy;
    struct Opened;
    struct Restoring;
    core::Result<Tenant> tenant_of(const Tenants::Parts& parts, const std::string& code) const;
    core::Result<Busy> occupy(const std::string& code);
    core::Result<BackupSummary> write_backup(const Tenants::Parts& parts, const Tenant& tenant,
                                             const std::string& path, const core::Uuid& id,
                                             Steps& steps);
    core::Result<BackupSummary> write_core(const Tenants::Parts& parts, const std::string& path,
                                           Steps& steps);
    core::Result<void> copy_image(store::Image& image, BackupWriter& writer,
                                  const std::vector<const store::CollectionSpec*>& specs,
                                  const store::Scope& scope, Steps& steps);
    core::Result<void> fill_whole(const Tenants::Parts& parts, WholeBackup& whole,
                                  const core::ProgressSink& tell);
    core::Result<std::string> whole_directory(const std::string& backup) const;
    core::Result<void> keep_newest(const Tenant& tenant);
    core::Result<Opened> open_backup(const Tenants::Parts& parts, const std::string& owner,
                                     const std::string& backup);
    static core::Result<void> read_again(Opened& opened);
    core::Result<BackupSummary> restore_held(Restoring& work);
    core::Result<BackupSummary> fill_new(Restoring& work, const std::string& name);
    core::Result<BackupSummary> fill_shared(Restoring& work);
    core::Result<BackupSummary> unpack(Restoring& work, const std::string& directory,
                                       const std::string& owner);
    core::Result<void> switch_to(const Tenants::Parts& parts, Tenant& tenant,
                                 const std::string& name);
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

    const OperationsOptions options_;
    const OperationsDeps deps_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::set<std::string> busy_;  // guarded by mutex_
};

}  // namespace zona::tenancy
