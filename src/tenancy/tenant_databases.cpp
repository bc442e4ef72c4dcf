#include "tenancy/tenant_databases.h"

#include <fmt/format.h>

#include "os/fd.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

class SeparateDatabases final : public TenantDatabases {
  public:
    SeparateDatabases(std::string directory, OpenFile open, OpenMongo mongo)
        : directory_(std::move(directory)), open_(std::move(open)), mongo_(std::move(mongo)) {}

    Result<void> probe(const Tenant& tenant) override {
        if (is_elsewhere(tenant)) {
            ZONA_TRY(const store::MongoOptions options, mongo_options_of(tenant, mongo_.defaults));
            return mongo_.probe(options);
        }
        ZONA_TRY_VOID(check_host(tenant));
        return os::make_directories(directory_of(tenant), 0700);
    }

    Result<std::shared_ptr<store::Database>> open(const Tenant& tenant) override {
        if (is_elsewhere(tenant)) {
            ZONA_TRY(const store::MongoOptions options, mongo_options_of(tenant, mongo_.defaults));
            return mongo_.open(options);
        }
        ZONA_TRY_VOID(probe(tenant));
        return open_(directory_of(tenant) + "/data.db", tenant.code);
    }

    void set_login(store::Database& database, const Tenant& tenant) override {
        if (auto* there = dynamic_cast<store::MongoDatabase*>(&database))
            there->set_login(tenant.database.username, tenant.database.password);
    }

    bool may_be_old(const Tenant& tenant) const override {
        return is_elsewhere(tenant) &&
               mongo_.defaults.read_preference != store::ReadPreference::kPrimary;
    }

    Result<std::shared_ptr<store::Database>> open_exact(const Tenant& tenant) override {
        if (!may_be_old(tenant)) return open(tenant);
        ZONA_TRY(store::MongoOptions options, mongo_options_of(tenant, mongo_.defaults));
        options.read_preference = store::ReadPreference::kPrimary;
        return mongo_.open(options);
    }

    /// A code is a name for a file: scope_of() sees to that; and so is the name of a database.
    std::string directory_of(const Tenant& tenant) const override {
        if (tenant.database.host != kEmbedded) return {};
        const std::string own = fmt::format("{}/{}", directory_, tenant.code);
        if (tenant.database.name.empty()) return own;
        return fmt::format("{}/{}", own, tenant.database.name);
    }

  private:
    bool is_elsewhere(const Tenant& tenant) const {
        return mongo_.open && is_mongo_host(tenant.database.host);
    }
    static Result<void> check_host(const Tenant& tenant) {
        if (tenant.database.host == kEmbedded) {
            const std::string& name = tenant.database.name;
            if (name.empty() || store::Scope::tenant(name)) return {};
            return Error(Code::kInvalidArgument,
                         fmt::format("the tenant {} has a database called '{}', which is no name "
                                     "for a directory",
                                     tenant.code, name));
        }
        if (tenant.database.host.empty()) {
            return Error(Code::kInvalidArgument,
                         fmt::format("the tenant {} has no database host", tenant.code));
        }
        return Error(Code::kUnsupported,
                     fmt::format("the tenant {} has its database at a kind of host that this zona "
                                 "has no driver for: there are `{}` and `mongodb://HOST`",
                                 tenant.code, kEmbedded));
    }
    std::string directory_;
    OpenFile open_;
    OpenMongo mongo_;
};

class SharedDatabase final : public TenantDatabases {
  public:
    explicit SharedDatabase(std::shared_ptr<store::Database> database)
        : database_(std::move(database)) {}

    Result<void> probe(const Tenant&) override { return {}; }
    Result<std::shared_ptr<store::Database>> open(const Tenant&) override { return database_; }

  private:
    std::shared_ptr<store::Database> database_;
};

}  // namespace

bool is_mongo_host(std::string_view host) {
    return host.starts_with("mongodb://") || host.starts_with("mongodb+srv://");
}

std::string database_name(std::string_view code, const DatabaseAddress& address) {
    return address.name.empty() ? fmt::format("zona_{}", code) : address.name;
}

Result<store::MongoOptions> mongo_options_of(const Tenant& tenant,
                                             const store::MongoOptions& defaults) {
    const DatabaseAddress& address = tenant.database;
    if (address.host.contains('@')) {
        return Error(
            Code::kInvalidArgument,
            fmt::format("the database host of the tenant {} holds a user name or password: "
                        "they belong in db_username and db_password",
                        tenant.code));
    }
    store::MongoOptions options = defaults;
    options.uri = address.host;
    options.database = database_name(tenant.code, address);
    options.username = address.username;
    options.password = address.password;
    return options;
}

std::unique_ptr<TenantDatabases> separate_databases(std::string directory, OpenFile open,
                                                    OpenMongo mongo) {
    return std::make_unique<SeparateDatabases>(std::move(directory), std::move(open),
                                               std::move(mongo));
}

std::unique_ptr<TenantDatabases> shared_database(std::shared_ptr<store::Database> database) {
    return std::make_unique<SharedDatabase>(std::move(database));
}

}  // namespace zona::tenancy
