#include "tenancy/tenant_data.h"

#include <fmt/format.h>

namespace zona::tenancy {

using core::Result;
using store::Aggregation;
using store::Collection;
using store::Document;
using store::Expected;
using store::Id;
using store::Query;
using store::Reader;
using store::Record;
using store::Returned;
using store::Update;
using store::Writer;

namespace {

/// Reads what `permit` permits; the store itself holds every record that comes back against its
/// handle.
template <class Base>
class GuardedReading : public Base {
  public:
    GuardedReading(const TenantGuard& guard, Base& inner) : guard_(guard), inner_(inner) {}

    Result<std::optional<Record>> find(const Collection& collection, const Id& id) override {
        ZONA_TRY_VOID(guard_.check(collection));
        return inner_.find(collection, id);
    }
    Result<std::optional<Record>> find_one(const Collection& collection,
                                           const Query& query) override {
        ZONA_TRY_VOID(guard_.check(collection));
        return inner_.find_one(collection, query);
    }
    Result<store::Page> find_page(const Collection& collection, const Query& query,
                                  const store::PageRequest& page) override {
        ZONA_TRY_VOID(guard_.check(collection));
        return inner_.find_page(collection, query, page);
    }
    Result<std::uint64_t> count(const Collection& collection, const Query& query) override {
        ZONA_TRY_VOID(guard_.check(collection));
        return inner_.count(collection, query);
    }
    Result<std::vector<store::Group>> aggregate(const Collection& collection,
                                                const Aggregation& aggregation) override {
        ZONA_TRY_VOID(guard_.check(collection));
        return inner_.aggregate(collection, aggregation);
    }
    Result<store::StorageUse> storage_use(const store::Scope& scope) override {
        ZONA_TRY_VOID(guard_.check(scope, "all collections"));
        return inner_.storage_use(scope);
    }

  protected:
    const TenantGuard& guard_;
    Base& inner_;
};

using GuardedReader = GuardedReading<Reader>;

class GuardedWriter final : public GuardedReading<Writer> {
  public:
    using GuardedReading<Writer>::GuardedReading;

    Result<Record> insert(const Collection& collection, const Id& id,
                          const Document& document) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.insert(collection, id, document);
    }
    Result<Record> upsert(const Collection& collection, const Id& id,
                          const Document& document) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.upsert(collection, id, document);
    }
    Result<void> restore(const Collection& collection, const Record& record) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.restore(collection, record);
    }
    Result<Record> replace(const Collection& collection, const Id& id, const Document& document,
                           Expected expected) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.replace(collection, id, document, expected);
    }
    Result<Record> modify(const Collection& collection, const Id& id, const Update& update,
                          Expected expected) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.modify(collection, id, update, expected);
    }
    Result<std::optional<Record>> find_and_modify(const Collection& collection, const Query& query,
                                                  const Update& update,
                                                  Returned returned) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.find_and_modify(collection, query, update, returned);
    }
    Result<std::uint64_t> update_many(const Collection& collection, const Query& query,
                                      const Update& update) override {
        ZONA_TRY_VOID(guard_.permit(Change::kWrite, collection));
        return inner_.update_many(collection, query, update);
    }
    Result<bool> remove(const Collection& collection, const Id& id, Expected expected) override {
        ZONA_TRY_VOID(guard_.permit(Change::kRemove, collection));
        return inner_.remove(collection, id, expected);
    }
    Result<std::uint64_t> remove_many(const Collection& collection, const Query& query) override {
        ZONA_TRY_VOID(guard_.permit(Change::kRemove, collection));
        return inner_.remove_many(collection, query);
    }
};

}  // namespace

TenantData::TenantData(store::Scope scope, std::shared_ptr<store::Database> database,
                       PermissionHook hook, core::Logger log, SealedFields fields)
    : TenantData(std::move(scope), std::make_shared<TenantDoor>(std::move(database)),
                 std::move(hook), std::move(log), std::move(fields)) {}

TenantData::TenantData(store::Scope scope, std::shared_ptr<TenantDoor> door, PermissionHook hook,
                       core::Logger log, SealedFields fields,
                       std::shared_ptr<const StorageQuota> quota,
                       std::shared_ptr<const TenantMeter> meter)
    : scope_(scope),
      door_(std::move(door)),
      guard_(std::make_shared<const TenantGuard>(std::move(scope), std::move(hook), std::move(log),
                                                 std::move(fields), std::move(quota),
                                                 std::move(meter))) {}

void TenantData::storage_use(store::Callback<store::StorageUse> done) const {
    read([scope = scope_](Reader& reader) { return reader.storage_use(scope); }, std::move(done));
}

TenantData TenantData::masked() const {
    TenantData out = *this;
    out.guard_ = guard_->showing(Secrets::kMasked);
    return out;
}

TenantData TenantData::without_quota() const {
    TenantData out = *this;
    out.guard_ = guard_->without_quota();
    return out;
}

void TenantData::reseal(const store::CollectionSpec& spec, store::PageRequest page,
                        Unsealed unsealed, store::Callback<Resealed> done) const {
    auto database = door_->enter();
    if (!database) return done(database.take_error());
    store::write(
        **database,
        [guard = guard_, collection = collection(spec), page = std::move(page),
         unsealed](Writer& writer) {
            return reseal_page(writer, guard->fields(), collection, page, unsealed);
        },
        leaving<Resealed>(*database, std::move(done)));
}

std::shared_ptr<const TenantGuard> TenantGuard::showing(Secrets secrets) const {
    auto out = std::make_shared<TenantGuard>(*this);
    out->fields_.secrets = secrets;
    return out;
}

std::shared_ptr<const TenantGuard> TenantGuard::without_quota() const {
    auto out = std::make_shared<TenantGuard>(*this);
    out->quota_ = nullptr;
    return out;
}

Result<std::shared_ptr<store::Database>> TenantDoor::enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return *closed_;
    ++inside_;
    return database_;
}

void TenantDoor::leave() {
    std::shared_ptr<store::Database> database;  // let go of after the lock
    const std::lock_guard lock(mutex_);
    --inside_;
    // Whoever waits for the last to leave lets go of it, before anything else.
    if (closed_ && inside_ == 0 && !awaited_) database = std::move(database_);
    changed_.notify_all();
}

void TenantDoor::shut(core::Error reason) {
    std::shared_ptr<store::Database> database;  // let go of after the lock
    const std::lock_guard lock(mutex_);
    closed_ = std::move(reason);
    if (inside_ == 0) database = std::move(database_);
}

void TenantDoor::close(core::Error reason) {
    std::shared_ptr<store::Database> database;  // let go of after the lock
    std::unique_lock lock(mutex_);
    closed_ = std::move(reason);
    awaited_ = true;
    changed_.wait(lock, [this] { return inside_ == 0; });
    database = std::move(database_);
}

Result<void> TenantGuard::check(const Collection& collection) const {
    return check(collection.scope(), collection.name());
}

Result<void> TenantGuard::check(const store::Scope& scope, std::string_view collection) const {
    if (scope == scope_) return {};
    log_.error(
        "a tenant's work asked for another tenant's documents",
        {{"tenant", scope_.code()}, {"asked_for", scope.code()}, {"collection", collection}});
    return core::Error(core::Code::kForbidden,
                       fmt::format("the collection {} is not of this tenant", collection));
}

/// What the tenant's documents take now; nothing: it does not matter.
Result<std::optional<store::StorageUse>> TenantGuard::use_of(Writer& writer) const {
    if (quota_ == nullptr || quota_->bytes() == 0) return std::nullopt;
    ZONA_TRY(const store::StorageUse use, writer.storage_use(scope_));
    return use;
}

Result<void> TenantGuard::check_room(Writer& writer,
                                     const std::optional<store::StorageUse>& before) const {
    if (!before) return {};
    ZONA_TRY(const store::StorageUse after, writer.storage_use(scope_));
    return quota_->check(*before, after);
}

Result<void> TenantGuard::permit(Change change, const Collection& collection) const {
    ZONA_TRY_VOID(check(collection));
    return hook_ ? hook_(change, collection) : Result<void>();
}

std::unique_ptr<Reader> TenantGuard::measure(Reader& reader) const {
    return meter_ ? meter_->queries.measure(reader) : nullptr;
}

std::unique_ptr<Writer> TenantGuard::measure(Writer& writer) const {
    return meter_ ? meter_->queries.measure(writer) : nullptr;
}

std::unique_ptr<Reader> TenantGuard::guard(Reader& reader) const {
    return std::make_unique<GuardedReader>(*this, reader);
}

std::unique_ptr<Writer> TenantGuard::guard(Writer& writer) const {
    return std::make_unique<GuardedWriter>(*this, writer);
}

}  // namespace zona::tenancy
