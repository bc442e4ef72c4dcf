// The start of Tenants that changes the build type.
#include <utility>
#include <vector>

#include "os/fd.h"
#include "tenancy/detail/tenants_files.h"
#include "tenancy/operations/change_build_type.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// One that nobody has open.
Result<void> remove_database(const std::string& file) {
    for (const char* end : {"", "-wal", "-shm"})
        ZONA_TRY_VOID(os::remove_file(file + end));
    return {};
}

}  // namespace

Result<void> Tenants::settle_type(store::Database& core, TenantRegistry& registry,
                                  const std::string& folder) {
    ZONA_TRY(const BuildTypeRecord record, settle_build_type(core, options_.build_type));
    if (record.type == options_.build_type && !record.before) return {};
    if (is_shared())
        return Error(Code::kUnsupported,
                     "the build type is not changed where several hosts have one core database");
    return change_type(core, registry, folder, record);
}

/// With databases of its own, which are closed when it returns.
Result<void> Tenants::change_type(store::Database& core, TenantRegistry& registry,
                                  const std::string& folder, const BuildTypeRecord& record) {
    const auto files = files_->files();
    const auto separate = separate_databases(
        folder,
        [&](const auto& path, std::string_view code) {
            return files->open_database(path, code, tenant_collections());
        },
        {.probe = store::probe_mongo,
         .open = [this](const auto& options) { return open_exact_mongo(options); },
         .defaults = options_.mongo});
    const std::string file = folder + "/shared.db";
    const bool is_file = options_.mongo.uri.empty();
    const auto with_shared = [&](std::shared_ptr<store::Database> database, auto use) {
        const auto shared = shared_database(std::move(database));
        return use({.core = core,
                    .registry = registry,
                    .separate = *separate,
                    .shared = *shared,
                    .to = options_.build_type,
                    .place_of = [this](const std::string& code) { return place_of(code); },
                    .tell = [this](const std::string& step) { return tell(step); },
                    .log = deps_.log});
    };
    const auto open_shared = [&] {
        return is_file ? files->open_database(file, kCoreOwner, tenant_collections())
                       : open_exact_mongo(options_.mongo);
    };
    if (record.type != options_.build_type) {
        ZONA_TRY(auto shared, open_shared());
        ZONA_TRY_VOID(with_shared(std::move(shared), [](const BuildTypeChange& change) {
            return change_build_type(change);
        }));
    }
    std::shared_ptr<store::Database> shared;
    std::function<Result<void>()> remove_file;
    if (is_file) {
        remove_file = [&] { return remove_database(file); };
    } else {
        ZONA_TRY(shared, open_shared());
    }
    auto removed = with_shared(std::move(shared), [&](const BuildTypeChange& change) {
        return remove_former(change, remove_file);
    });
    if (!removed) deps_.log.report("what the former build type has left stays", removed.error());
    return {};
}

Result<std::shared_ptr<store::Database>> Tenants::open_exact_mongo(
    store::MongoOptions options) const {
    options.collections = tenant_collections();
    options.read_preference = store::ReadPreference::kPrimary;
    return store::open_mongo(options, deps_.clock, deps_.log);
}

/// Whoever waits for open() is told that it takes long, and how far it is.
Result<void> Tenants::tell(const std::string& step) {
    if (stopping_) return Error(Code::kCancelled, "zona is stopping");
    if (step.empty()) return {};
    std::vector<std::move_only_function<void()>> waiting;
    {
        const std::lock_guard lock(mutex_);
        phase_ = Phase::kFailed;
        problem_ = step;
        waiting = std::exchange(waiting_, {});
        settled_.notify_all();
    }
    for (auto& ask : waiting)
        ask();
    return {};
}

}  // namespace zona::tenancy
