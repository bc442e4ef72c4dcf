// Moving: the same documents in another database, and the old one or the new one in use.
#include "core/fault.h"
#include "tenancy/detail/operation_parts.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// Copies while the tenant is served, the first one included; fewer when little is left to do.
constexpr std::size_t kMostPasses = 4;
constexpr std::uint64_t kLittle = 500;

bool is_same(const std::string& code, const DatabaseAddress& a, const DatabaseAddress& b) {
    if (a.host != b.host) return false;
    if (is_mongo_host(a.host)) return database_name(code, a) == database_name(code, b);
    return a.name == b.name;
}

Tenant at(Tenant tenant, const DatabaseAddress& address) {
    tenant.database = address;
    return tenant;
}

Error invalid(std::string_view field, std::string message, std::string hint) {
    return Error(Code::kInvalidArgument, std::move(message))
        .detail({std::string(field), "", std::move(hint)});
}

}  // namespace

/// What one move works with.
struct TenantOperations::Moving {
    const Tenants::Parts& parts;
    Tenant tenant;
    DatabaseAddress to;
    store::Scope scope;
    BackupRecords records;
    Steps& steps;
};

/// As it is recorded: with a name, and without what has no meaning there.
Result<DatabaseAddress> TenantOperations::target_of(const Tenant& tenant, DatabaseAddress to) {
    if (to.host.empty() && tenant.database.host != kEmbedded) {
        return invalid("to", "it is not said where the tenant is to be moved",
                       "name mongodb://HOST or embedded");
    }
    if (to.host.empty() || to.host == kEmbedded)
        return DatabaseAddress{.host = std::string(kEmbedded), .name = new_name()};
    if (!is_mongo_host(to.host)) {
        return invalid("to", "a tenant is moved to a kind of host that zona has no driver for",
                       "name mongodb://HOST or embedded");
    }
    to.name = database_name(tenant.code, to);
    const Tenant made = at(tenant, to);
    if (auto options = mongo_options_of(made, {}); !options) return options.take_error();
    if (is_same(tenant.code, tenant.database, to)) {
        return Error(Code::kConflict,
                     fmt::format("the tenant {} is in the database {} there already", tenant.code,
                                 to.name))
            .detail({"db_name", "", "name another database, or another host"});
    }
    return to;
}

Result<std::vector<CollectionSum>> TenantOperations::move(const MoveRequest& request,
                                                          const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const Tenant tenant, tenant_of(parts, request.tenant));
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    if (tenant.erased_at)
        return Error(Code::kConflict, fmt::format("the tenant {} was erased", tenant.code));
    if (parts.build_type == BuildType::kSingleTenant) {
        return Error(Code::kUnsupported,
                     fmt::format("the tenant {} has no database of its own that could be moved",
                                 tenant.code));
    }
    ZONA_TRY(DatabaseAddress to, target_of(tenant, request.to));
    if (to.host == kEmbedded && !parts.instance.empty()) {
        return invalid("to",
                       "other hosts serve the tenant too, and cannot reach a file of this one",
                       "name mongodb://HOST");
    }
    ZONA_TRY_VOID(check_left_to_us(parts, tenant));
    ZONA_TRY(store::Scope scope, scope_of(tenant.code));
    Steps steps(tell, 2, stopping_);
    Moving work{.parts = parts,
                .tenant = tenant,
                .to = std::move(to),
                .scope = std::move(scope),
                .records = works_of(parts),
                .steps = steps};
    auto copied = copy_and_switch(work);
    ZONA_FAULT("tenancy.move_switched");
    auto settled = settle_move(work, copied ? std::nullopt : std::optional(copied.error()));
    if (!copied) return copied;
    if (!settled) {
        // All is well with the tenant; what it had before is removed by the next start, or move.
        deps_.log.report("the database that a tenant was moved from stays", settled.error(),
                         {{"tenant", tenant.code}});
    }
    return copied;
}

BackupRecords TenantOperations::works_of(const Tenants::Parts& parts) const {
    return {parts.core, deps_.clock, &parts.files->core_fields()};
}

/// Serves the tenant from the new database, or leaves all as it was.
Result<std::vector<CollectionSum>> TenantOperations::copy_and_switch(Moving& work) {
    const std::string code = work.tenant.code;
    ZONA_TRY(auto to, begin_move(work));
    ZONA_TRY_VOID(wait_for_others(work.parts, work.tenant, work.steps));
    ZONA_TRY(auto from, exact_database(work.parts, work.tenant));
    ZONA_TRY(const std::uint64_t total, store::read_and_wait(*from, [&](store::Reader& r) {
                 return count_all(r, tenant_collections(), work.scope);
             }));
    work.steps.begin("copy", total, "documents");
    const DocumentProgress progress = [&](std::uint64_t done) { return work.steps.at(done); };
    for (std::size_t pass = 0; pass < kMostPasses; ++pass) {
        ZONA_TRY(const Followed done,
                 follow_documents(*from, *to, tenant_collections(), work.scope, progress));
        ZONA_FAULT("tenancy.move_followed");
        if (done.changed <= kLittle) break;
    }
    ZONA_TRY_VOID(work.parts.sessions->hold(code, being_done("moved", code)));
    work.steps.begin("verify", total, "documents");
    auto copied = copy_documents(*from, *to, tenant_collections(), work.scope, progress);
    ZONA_FAULT("tenancy.move_copied");
    if (!copied) return copied;
    from.reset();
    to.reset();
    ZONA_TRY_VOID(switch_to(work.parts, work.tenant, work.to));
    return copied;
}

/// Opens the new database, which has nothing of the tenant's but what an earlier try has left.
Result<std::shared_ptr<store::Database>> TenantOperations::begin_move(Moving& work) {
    const std::string& code = work.tenant.code;
    ZONA_TRY(const auto before, work.records.own(code, work.parts.instance));
    const bool goes_on = before && before->kind == TenantWork::Kind::kMove &&
                         is_mongo_host(work.to.host) && is_same(code, before->to, work.to);
    if (before && !goes_on) {
        if (before->kind == TenantWork::Kind::kErase)
            return Error(Code::kConflict, fmt::format("the tenant {} is being erased", code));
        ZONA_TRY_VOID(clean_up(work.parts, *before));
    }
    ZONA_TRY(auto to, work.parts.databases->open_exact(at(work.tenant, work.to)));
    if (!goes_on) {
        ZONA_TRY(const std::uint64_t there, store::read_and_wait(*to, [&](store::Reader& r) {
                     return count_all(r, tenant_collections(), work.scope);
                 }));
        if (there != 0) {
            return Error(Code::kConflict,
                         fmt::format("the database {} has {} documents of a tenant {} already",
                                     work.to.name, there, code))
                .detail({"db_name", "", "name an empty one, or remove them there"});
        }
    }
    ZONA_TRY_VOID(work.records.begin_anew({.tenant = code,
                                           .kind = TenantWork::Kind::kMove,
                                           .name = work.to.name,
                                           .from = work.tenant.database,
                                           .to = work.to,
                                           .instance = work.parts.instance}));
    ZONA_FAULT("tenancy.move_begun");
    return to;
}

/// After a move, or a try of one. A copy in MongoDB that is no worse than unfinished stays, so that
/// the same move goes on with it.
Result<void> TenantOperations::settle_move(Moving& work, const std::optional<Error>& failure) {
    ZONA_TRY(const auto present, work.records.under_way(work.tenant.code));
    // Another host's move to the same place is not this one's to clean up.
    const bool begun = present && present->instance == work.parts.instance &&
                       is_same(work.tenant.code, present->to, work.to);
    const bool goes_on =
        failure && failure->code() != Code::kConflict && is_mongo_host(work.to.host);
    if (begun && !goes_on) return clean_up(work.parts, *present);
    work.parts.sessions->release(work.tenant);
    return {};
}

/// Takes away what a move of before has left.
Result<void> TenantOperations::end_move(const Tenants::Parts& parts, const std::string& code) {
    ZONA_TRY(const auto before, works_of(parts).under_way(code));
    const bool is_ours =
        before && before->kind == TenantWork::Kind::kMove && before->instance == parts.instance;
    return is_ours ? clean_up(parts, *before) : Result<void>();
}

Result<void> TenantOperations::switch_to(const Tenants::Parts& parts, Tenant& tenant,
                                         const DatabaseAddress& address) {
    auto switched = detail::wait_for<Tenant>(
        [&](auto done) { parts.registry->set_database(tenant.code, address, std::move(done)); });
    if (!switched) return switched.take_error();
    tenant = *std::move(switched);
    return {};
}

/// Takes away every database of the tenant but the one that its record names.
Result<void> TenantOperations::clean_up(const Tenants::Parts& parts, const TenantWork& work) {
    ZONA_TRY(const Tenant tenant, tenant_of(parts, work.tenant));
    auto cleaned = remove_others(parts, tenant);
    for (const DatabaseAddress& address : {work.from, work.to}) {
        const bool is_other =
            is_mongo_host(address.host) && !is_same(tenant.code, address, tenant.database);
        if (cleaned && is_other) cleaned = remove_there(parts, at(tenant, address));
    }
    if (cleaned) cleaned = works_of(parts).end(tenant.code);
    parts.sessions->release(tenant);
    return cleaned;
}

/// The documents of a tenant in a database of MongoDB that it does not use any more.
Result<void> TenantOperations::remove_there(const Tenants::Parts& parts, const Tenant& tenant) {
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    ZONA_TRY(const auto database, parts.databases->open_exact(tenant));
    return remove_all(*database, tenant_collections(), scope, {});
}

Result<void> TenantOperations::remove_others(const Tenants::Parts& parts, const Tenant& tenant) {
    Tenant unnamed = tenant;
    unnamed.database.host = kEmbedded;
    unnamed.database.name.clear();
    const std::string present = parts.databases->directory_of(tenant);
    const std::string root = parts.databases->directory_of(unnamed);
    ZONA_TRY(const auto there, root.empty() ? std::nullopt : os::stat_path(root));
    if (!there) return {};
    // Whichever was in use is let go of; the right one is opened when somebody asks.
    ZONA_TRY_VOID(parts.sessions->hold(tenant.code, being_done("changed", tenant.code)));
    ZONA_TRY(const auto names, os::list_directory(root));
    for (const std::string& name : names) {
        const std::string path = root + "/" + name;
        const bool file = name.starts_with("data.db");
        if (path == present || (present == root && file)) continue;
        parts.wait_until_closed(file ? path : path + "/data.db");
        ZONA_TRY_VOID(remove_tree(path));
    }
    ZONA_FAULT("tenancy.old_removed");
    return {};
}

/// Whether it is to go there, as far as can be seen from its record.
bool TenantOperations::is_to_move(const Tenant& tenant, const DatabaseAddress& to) {
    return !tenant.erased_at && tenant.database.host != to.host;
}

Result<BuildTypeRecord> TenantOperations::ask_for(BuildType type) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    if (!parts.instance.empty()) {
        return Error(Code::kUnsupported,
                     "several hosts have one core database, and the build type is changed by the "
                     "start of one alone")
            .detail({"build_type", "", "zona tenant export-data takes documents elsewhere"});
    }
    return ask_for_build_type(*parts.core, type);
}

Result<MigrationReport> TenantOperations::migrate(const DatabaseAddress& to,
                                                  const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    if (parts.build_type == BuildType::kSingleTenant) {
        return Error(Code::kUnsupported,
                     "all tenants have one database here, and no command moves that")
            .detail({"", "",
                     "zona tenant backup of each, another mongo.uri, a restart, then zona tenant "
                     "restore of each: docs/guides/moving-to-mongodb.md"});
    }
    auto all = detail::wait_for<std::vector<Tenant>>(
        [&](auto done) { parts.registry->list(std::move(done)); });
    if (!all) return all.take_error();
    std::erase_if(*all, [](const Tenant& tenant) { return tenant.erased_at.has_value(); });
    // A host that is not there is told once, and no tenant waits for it.
    if (!to.host.empty() && !all->empty())
        ZONA_TRY_VOID(parts.databases->probe(at(all->front(), to)));
    MigrationReport report;
    for (std::size_t i = 0; i < all->size(); ++i) {
        const Tenant& tenant = (*all)[i];
        DatabaseAddress target = to.host.empty() ? parts.placement->address_of(tenant.code) : to;
        if (!is_to_move(tenant, target)) {
            ++report.there;
            continue;
        }
        const auto tell_of_one = [&](core::Progress progress) {
            progress.step = fmt::format("{}: {}", tenant.code, progress.step);
            progress.number = i + 1;
            progress.steps = all->size();
            tell(progress);
        };
        const core::ProgressSink told(tell_of_one, tell.stop_token());
        auto moved = move({.tenant = tenant.code, .to = std::move(target)}, told);
        if (!moved && moved.error().code() == Code::kCancelled) return moved.take_error();
        if (!moved) {
            report.findings.push_back({.where = tenant.code, .what = moved.error().message()});
            continue;
        }
        std::uint64_t documents = 0;
        for (const CollectionSum& sum : *moved)
            documents += sum.documents;
        report.moved.push_back({.tenant = tenant.code, .documents = documents});
    }
    return report;
}

}  // namespace zona::tenancy
