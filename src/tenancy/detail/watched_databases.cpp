#include "tenancy/detail/watched_databases.h"

#include <utility>

namespace zona::tenancy::detail {
namespace {

using core::Result;
using DatabasePtr = std::shared_ptr<store::Database>;

class WatchedDatabases final : public TenantDatabases {
  public:
    WatchedDatabases(std::unique_ptr<TenantDatabases> inner, store::DatabaseMeter& meter)
        : inner_(std::move(inner)), meter_(meter) {}

    Result<void> probe(const Tenant& tenant) override { return inner_->probe(tenant); }
    Result<DatabasePtr> open(const Tenant& tenant) override {
        ZONA_TRY(DatabasePtr database, inner_->open(tenant));
        return meter_.watch(tenant.code, std::move(database));
    }
    void set_login(store::Database& database, const Tenant& tenant) override {
        inner_->set_login(database, tenant);
    }
    bool may_be_old(const Tenant& tenant) const override { return inner_->may_be_old(tenant); }
    Result<DatabasePtr> open_exact(const Tenant& tenant) override {
        ZONA_TRY(DatabasePtr database, inner_->open_exact(tenant));
        return meter_.watch(tenant.code, std::move(database));
    }
    std::string directory_of(const Tenant& tenant) const override {
        return inner_->directory_of(tenant);
    }

  private:
    const std::unique_ptr<TenantDatabases> inner_;
    store::DatabaseMeter& meter_;
};

}  // namespace

std::unique_ptr<TenantDatabases> watched_databases(std::unique_ptr<TenantDatabases> inner,
                                                   store::DatabaseMeter& meter) {
    return std::make_unique<WatchedDatabases>(std::move(inner), meter);
}

}  // namespace zona::tenancy::detail
