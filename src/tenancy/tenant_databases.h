/// @file
/// TenantDatabases: where tenants' databases come from, in either mode. The one place that knows
/// which mode the platform runs in.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/database.h"
#include "store/mongo_database.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

/// The `db_host` of a tenant whose database is a file of this host's.
inline constexpr std::string_view kEmbedded = "embedded";
/// Whether a `db_host` is that of a database in MongoDB: a URI that begins with `mongodb://` or
/// `mongodb+srv://`.
bool is_mongo_host(std::string_view host);

/// What the database of a tenant in MongoDB is called: as its address says, or `zona_CODE`.
std::string database_name(std::string_view code, const DatabaseAddress& address);

/// Those that open and probe block; on threads for that. Any thread.
class TenantDatabases {
  public:
    TenantDatabases() = default;
    TenantDatabases(const TenantDatabases&) = delete;
    TenantDatabases& operator=(const TenantDatabases&) = delete;
    virtual ~TenantDatabases() = default;

    /// Whether the tenant's database could be opened now, without opening it.
    /// Errors: kInvalidArgument: the tenant has no database host (TEN-18). kUnavailable: it cannot
    /// be reached. kUnsupported: a kind of database that this program has no driver for. Those of
    /// the file system.
    virtual core::Result<void> probe(const Tenant& tenant) = 0;
    /// Opens it, and makes it if it is not there. It may be let go of on any thread, one of the
    /// database's own included. Errors: those of probe(), and of the backend.
    virtual core::Result<std::shared_ptr<store::Database>> open(const Tenant& tenant) = 0;

    /// Has a database that open() has given connect with the user and password of the tenant's
    /// record from now on, where it connects at all: as store::MongoDatabase::set_login().
    virtual void set_login(store::Database& database, const Tenant& tenant) {
        (void)database;
        (void)tenant;
    }

    /// Whether reads of the tenant's database may give an older state than the last acknowledged
    /// one, because secondaries answer them.
    virtual bool may_be_old(const Tenant&) const { return false; }
    /// As open(), and no read is old: for whole copies of what a tenant has.
    virtual core::Result<std::shared_ptr<store::Database>> open_exact(const Tenant& tenant) {
        return open(tenant);
    }

    /// The directory of the file that is this tenant's database; empty: it is no file of its own.
    virtual std::string directory_of(const Tenant&) const { return {}; }
};

/// Opens or makes the database file of the tenant with this code at `path`.
using OpenFile = std::function<core::Result<std::shared_ptr<store::Database>>(
    const std::string& path, std::string_view code)>;

/// Databases in MongoDB.
struct OpenMongo {
    /// As store::probe_mongo() and store::open_mongo(), of the tenants' collections.
    std::function<core::Result<void>(const store::MongoOptions& options)> probe;
    std::function<core::Result<std::shared_ptr<store::Database>>(const store::MongoOptions&)> open;
    /// Pool, time-outs and TLS of all of them.
    store::MongoOptions defaults;
};

/// Where the tenant's database in MongoDB is: host, user and password of its record, and the name
/// there or `zona_CODE`. Errors: kInvalidArgument: credentials in the host, a name over 63 bytes.
core::Result<store::MongoOptions> mongo_options_of(const Tenant& tenant,
                                                   const store::MongoOptions& defaults);

/// MSSP: a database of its own for each tenant, where its `db_host` says, or the file
/// DIRECTORY/CODE/data.db, or DIRECTORY/CODE/NAME/data.db for a database with a name: what was
/// restored or moved has one, so that old and new can both be there and the registry says which of
/// them is meant.
std::unique_ptr<TenantDatabases> separate_databases(std::string directory, OpenFile open,
                                                    OpenMongo mongo = {});
/// SINGLE_TENANT: `database` for all of them; its documents are stamped with their tenant.
std::unique_ptr<TenantDatabases> shared_database(std::shared_ptr<store::Database> database);

}  // namespace zona::tenancy
