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
    SeparateDatabases(std::string directory, OpenFile open)
        : directory_(std::move(directory)), open_(std::move(open)) {}

    Result<void> probe(const Tenant& tenant) override {
        ZONA_TRY_VOID(check_host(tenant));
        return os::make_directories(directory_of(tenant), 0700);
    }

    Result<std::shared_ptr<store::Database>> open(const Tenant& tenant) override {
        ZONA_TRY_VOID(probe(tenant));
        return open_(directory_of(tenant) + "/data.db", tenant.code);
    }

    /// A code is a name for a file: scope_of() sees to that; and so is the name of a database.
    std::string directory_of(const Tenant& tenant) const override {
        if (tenant.database.host != kEmbedded) return {};
        const std::string own = fmt::format("{}/{}", directory_, tenant.code);
        if (tenant.database.name.empty()) return own;
        return fmt::format("{}/{}", own, tenant.database.name);
    }

  private:
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
                     fmt::format("the tenant {} has its database at {}, and this zona has no "
                                 "driver for databases elsewhere",
                                 tenant.code, tenant.database.host));
    }
    std::string directory_;
    OpenFile open_;
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

std::unique_ptr<TenantDatabases> separate_databases(std::string directory, OpenFile open) {
    return std::make_unique<SeparateDatabases>(std::move(directory), std::move(open));
}

std::unique_ptr<TenantDatabases> shared_database(std::shared_ptr<store::Database> database) {
    return std::make_unique<SharedDatabase>(std::move(database));
}

}  // namespace zona::tenancy
