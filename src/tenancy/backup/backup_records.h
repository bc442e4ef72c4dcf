/// @file
/// BackupRecords: TENANTBACKUP and TENANTDB, and what is being done to tenants as a whole, in the
/// core database.
///
/// Source: DATA-17, DATA-18, ORCH-82.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "store/database.h"
#include "tenancy/backup/backup_format.h"
#include "tenancy/tenant.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::tenancy {

/// A backup that is there. What names the tenant and its database is as it was then.
struct BackupRecord {
    std::int64_t id = 0;  ///< of a counter, never reused
    core::Uuid uuid;
    std::string tenant;  ///< its code
    std::string name;    ///< of the tenant
    TenantStatus status = TenantStatus::kActive;
    ConnectionStatus connection_status = ConnectionStatus::kDisconnected;
    DatabaseAddress database;  ///< without the password
    core::SystemTime made_at{};
    std::string zona;
    BackupContent content = BackupContent::kDocuments;
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;  ///< of the file
    std::string sha256;       ///< as BackupSummary
    std::string file;         ///< below the directory of backups
    /// When it came to the last place that backups are copied to; none: not yet. Not kept here.
    std::optional<core::SystemTime> copied_at{};
};

/// A database that a tenant has.
struct DatabaseRecord {
    std::int64_t id = 0;
    std::string uuid;
    std::string tenant;
    DatabaseAddress database;  ///< without the password
};

/// Something that goes on after a restart. One for each tenant at a time.
struct TenantWork {
    /// kErase is done to its end; of the others what is half done is taken away.
    enum class Kind : std::uint8_t { kRestore, kErase, kMove };
    std::string tenant;
    Kind kind = Kind::kRestore;
    std::string name;  ///< of the database that is being made; of kErase "keep" or empty
    // Of kMove.
    DatabaseAddress from{};
    DatabaseAddress to{};
    std::string instance{};  ///< the host that is at it; empty: there is one only
};

/// Has a move that is under way with the tenant find the database at this address as this user,
/// too. Part of a transaction on the core database. Errors: those of the database and of `sealer`.
core::Result<void> renew_login(store::Writer& writer, const std::string& tenant,
                               const DatabaseAddress& address, const vault::FieldSealer* sealer);

/// All members from any thread. Errors of all: those of the database.
class BackupRecords {
  public:
    /// `core` was opened with core_collections(); `clock` outlives it and its callbacks.
    /// Without a sealer the passwords of a move's two databases are not kept, and are empty when it
    /// is read; it outlives this and its callbacks.
    BackupRecords(std::shared_ptr<store::Database> core, const core::Clock& clock,
                  const vault::FieldSealer* sealer = nullptr)
        : core_(std::move(core)), clock_(clock), sealer_(sealer) {}

    /// Of one tenant, or of all for an empty code; the latest first.
    void list(const std::string& code, store::Callback<std::vector<BackupRecord>> done) const;
    /// The databases that a tenant has.
    void databases(const std::string& code,
                   store::Callback<std::vector<DatabaseRecord>> done) const;

    /// @{
    /// These block. `add` gives the record its number.
    core::Result<std::vector<BackupRecord>> list(const std::string& code) const;
    core::Result<BackupRecord> add(BackupRecord record) const;
    core::Result<void> remove(std::int64_t id) const;
    /// Errors: kConflict: something else is under way with this tenant.
    core::Result<void> begin(const TenantWork& work) const;
    /// The same in place of whatever this host has under way with it. Errors: kConflict: another
    /// host is at it.
    core::Result<void> begin_anew(const TenantWork& work) const;
    core::Result<void> end(const std::string& code) const;
    /// What is under way with one tenant.
    core::Result<std::optional<TenantWork>> under_way(const std::string& code) const;
    /// The same, at this host. Errors: kConflict: another one is at it.
    core::Result<std::optional<TenantWork>> own(const std::string& code,
                                                const std::string& instance) const;
    core::Result<std::vector<TenantWork>> under_way() const;
    /// @}

  private:
    std::shared_ptr<store::Database> core_;
    const core::Clock& clock_;
    const vault::FieldSealer* sealer_;
};

}  // namespace zona::tenancy
