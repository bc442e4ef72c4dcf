#include "tenancy/detail/purge.h"

#include <algorithm>

#include <fmt/format.h>

#include "audit/collections.h"
#include "audit/retention.h"
#include "jobs/collections.h"
#include "store/blocking.h"
#include "tenancy/compliance.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"

namespace zona::tenancy::detail {

using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::CollectionSpec;
using store::Record;
using store::Writer;

namespace {

/// Between two transactions.
constexpr std::chrono::milliseconds kBreath(2);

/// The oldest that are kept no more, of one transaction.
Result<std::uint64_t> remove_some(Writer& writer, const Collection& collection,
                                  core::SystemTime before) {
    const store::Query oldest{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    ZONA_TRY(const store::Page page,
             writer.find_page(collection, oldest, {.limit = kPurgedAtOnce}));
    std::uint64_t removed = 0;
    for (const Record& record : page.records) {
        if (record.created > before) break;
        ZONA_TRY(const bool was_there, writer.remove(collection, record.id, record.version));
        if (was_there) ++removed;
    }
    return removed;
}

/// Puts on record what the transaction has removed.
Result<void> note(Writer& writer, const Collection& from, std::uint64_t removed,
                  const audit::Recorder& recorder) {
    return audit::append(writer, from.scope(),
                         audit::purged_entry(recorder.begin(), from.spec().name, removed));
}

Result<void> purge_core(const jobs::Context& context, Tenants& tenants, audit::Recorder& recorder) {
    const auto core = tenants.core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    const auto write = [&core](auto body) { return store::write_and_wait(*core, std::move(body)); };
    const Removed told = [&](Writer& writer, const Collection& from, std::uint64_t removed) {
        auto admitted = context.fence().check(writer);
        return admitted ? note(writer, from, removed, recorder) : admitted;
    };
    const store::Scope scope = store::Scope::core();
    for (const CollectionSpec* spec : core_collections())
        ZONA_TRY_VOID(purge_collection(context, Collection(*spec, scope), told, write));
    return {};
}

Result<void> purge_tenant(const jobs::Context& context, Tenants& tenants, audit::Recorder& recorder,
                          const std::string& code) {
    ZONA_TRY(const TenantData found,
             wait_for<TenantData>([&](auto done) { tenants.data_of(code, std::move(done)); }));
    // What over a quota is wanted most.
    const TenantData data = found.without_quota();
    const auto write = [&data](auto body) {
        return wait_for<std::uint64_t>(
            [&](auto done) { data.write(std::move(body), std::move(done)); });
    };
    const Removed told = [&](Writer& writer, const Collection& from, std::uint64_t removed) {
        auto admitted = context.fence().admit(writer, data.collection(jobs::job_fences_spec()));
        return admitted ? note(writer, from, removed, recorder) : admitted;
    };
    ZONA_TRY(const Tenant tenant,
             wait_for<Tenant>([&](auto done) { tenants.find(code, std::move(done)); }));
    ZONA_TRY(const Compliance wanted, Compliance::parse(*tenant.compliance_settings));
    const auto record = audit::tenant_collections();
    for (const CollectionSpec* spec : tenant_collections()) {
        // Nothing is taken out of a record; what leaves it is archived (audit_retention.h).
        if (std::ranges::find(record, spec) != record.end()) continue;
        ZONA_TRY_VOID(
            purge_collection(context, data.collection(*spec), told, write, wanted.keeps(*spec)));
    }
    return {};
}

}  // namespace

Result<void> purge_collection(const jobs::Context& context, const Collection& collection,
                              const Removed& told, const WriteAndWait& write,
                              std::optional<std::chrono::seconds> own) {
    const CollectionSpec& spec = collection.spec();
    if (!own && spec.retention) own = spec.retention->keep;
    if (!own) return {};
    if (spec.indexes.empty() || !spec.indexes.front().fields.empty()) {
        return Error(Code::kInvalidArgument,
                     fmt::format("the collection {} is to be purged: its first index must be one "
                                 "without fields, which is in the order of age",
                                 spec.name));
    }
    const core::SystemTime before = context.clock().system() - *own;
    while (true) {
        ZONA_TRY_VOID(context.go_on());
        ZONA_TRY(const std::uint64_t removed, write([&](Writer& writer) -> Result<std::uint64_t> {
                     ZONA_TRY(const std::uint64_t some, remove_some(writer, collection, before));
                     // Nothing is written where nothing is to be removed.
                     if (some > 0) ZONA_TRY_VOID(told(writer, collection, some));
                     return some;
                 }));
        context.count("documents", static_cast<std::int64_t>(removed));
        if (removed < kPurgedAtOnce) return {};
        ZONA_TRY_VOID(context.rest(kBreath));
    }
}

Result<void> purge_all(const jobs::Context& context, Tenants& tenants, audit::Recorder& recorder) {
    ZONA_TRY(std::vector<std::string> parts, tenants.active());
    // No tenant can be called so.
    parts.insert(parts.begin(), std::string(kCoreOwner));
    return jobs::for_each_part(context, parts, [&](const std::string& part) {
        auto done = part == kCoreOwner ? purge_core(context, tenants, recorder)
                                       : purge_tenant(context, tenants, recorder, part);
        auto scope = part == kCoreOwner ? Result<store::Scope>(store::Scope::core())
                                        : store::Scope::tenant(part);
        if (scope) recorder.appended(*scope);
        if (!done && done.error().code() != Code::kCancelled)
            recorder.record(
                part, audit::failed_entry(recorder.begin(), audit::kPurgeAction, done.error()));
        return done;
    });
}

}  // namespace zona::tenancy::detail
