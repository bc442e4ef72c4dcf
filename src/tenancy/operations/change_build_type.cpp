#include "tenancy/operations/change_build_type.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/fault.h"
#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/operations/document_copy.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

Result<std::vector<Tenant>> living(TenantRegistry& registry) {
    ZONA_TRY(auto all, detail::wait_for<std::vector<Tenant>>(
                           [&](auto done) { registry.list(std::move(done)); }));
    std::erase_if(all, [](const Tenant& tenant) { return tenant.erased_at.has_value(); });
    return all;
}

Result<void> check_work(const BuildTypeChange& change) {
    ZONA_TRY(const std::uint64_t begun, store::read_and_wait(change.core, [](store::Reader& r) {
                 return count_all(r, {&tenant_work_spec()}, store::Scope::core());
             }));
    if (begun == 0) return {};
    return Error(Code::kConflict, "a restore, move or erasure that was begun is not done")
        .detail({"tenancy.build_type", "",
                 "set it to what it was, restart zona once, and then change it"});
}

Result<void> name_place(const BuildTypeChange& change, const Tenant& tenant) {
    ZONA_TRY(const Tenant named, detail::wait_for<Tenant>([&](auto done) {
                 change.registry.set_database(tenant.code, change.place_of(tenant.code),
                                              std::move(done));
             }));
    return {};
}

/// With a database of its own it is where its record says, which nobody asks for before the end.
Result<std::uint64_t> copy(const BuildTypeChange& change, Tenant tenant) {
    const bool is_own = change.to == BuildType::kMssp;
    if (is_own) {
        ZONA_TRY_VOID(name_place(change, tenant));
        tenant.database = change.place_of(tenant.code);
    }
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    ZONA_TRY_VOID(change.separate.probe(tenant));
    ZONA_TRY(const auto own, change.separate.open_exact(tenant));
    ZONA_TRY(const auto shared, change.shared.open_exact(tenant));
    ZONA_TRY(const auto sums,
             copy_documents(is_own ? *shared : *own, is_own ? *own : *shared, tenant_collections(),
                            scope, [&](std::uint64_t) { return change.tell({}); }));
    std::uint64_t documents = 0;
    for (const CollectionSum& sum : sums)
        documents += sum.documents;
    return documents;
}

Result<void> remove_own(const BuildTypeChange& change, const Tenant& tenant) {
    if (is_mongo_host(tenant.database.host)) {
        ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
        ZONA_TRY(const auto own, change.separate.open_exact(tenant));
        ZONA_TRY_VOID(remove_all(*own, tenant_collections(), scope, {}));
    } else {
        Tenant unnamed = tenant;
        unnamed.database = {
            .host = std::string(kEmbedded), .name = {}, .username = {}, .password = {}};
        ZONA_TRY_VOID(remove_tree(change.separate.directory_of(unnamed)));
    }
    return name_place(change, tenant);
}

Result<void> remove_from_shared(const BuildTypeChange& change, const Tenant& tenant) {
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    ZONA_TRY(const auto shared, change.shared.open_exact(tenant));
    return remove_all(*shared, tenant_collections(), scope, {});
}

}  // namespace

Result<void> change_build_type(const BuildTypeChange& change) {
    ZONA_TRY_VOID(check_work(change));
    ZONA_TRY(const std::vector<Tenant> all, living(change.registry));
    std::uint64_t documents = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string& code = all[i].code;
        ZONA_TRY_VOID(
            change.tell(fmt::format("the build type is being changed to {}: tenant {} ({} "
                                    "of {})",
                                    to_string(change.to), code, i + 1, all.size())));
        auto copied = copy(change, all[i]);
        if (!copied) {
            return copied.take_error().context(
                fmt::format("the build type stays as it was, for what the tenant {} has cannot be "
                            "copied",
                            code));
        }
        documents += *copied;
        ZONA_FAULT("tenancy.build_type_copied");
    }
    ZONA_TRY_VOID(note_build_type(change.core, change.to));
    ZONA_FAULT("tenancy.build_type_noted");
    change.log.info(
        "the build type was changed",
        {{"build_type", to_string(change.to)}, {"tenants", all.size()}, {"documents", documents}});
    return {};
}

Result<void> remove_former(const BuildTypeChange& change,
                           const std::function<Result<void>()>& remove_shared) {
    const bool is_own = change.to == BuildType::kMssp;
    if (!is_own || !remove_shared) {
        ZONA_TRY(const std::vector<Tenant> all, living(change.registry));
        for (const Tenant& tenant : all) {
            auto removed = is_own ? remove_from_shared(change, tenant) : remove_own(change, tenant);
            if (!removed)
                return removed.take_error().context(fmt::format("tenant {}", tenant.code));
            ZONA_FAULT("tenancy.build_type_removed");
        }
    }
    if (is_own && remove_shared) ZONA_TRY_VOID(remove_shared());
    return forget_former_build_type(change.core);
}

}  // namespace zona::tenancy
