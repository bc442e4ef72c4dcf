// Erasing: nothing of what was stored is left, but that there was a tenant.
#include "audit/collections.h"
#include "core/fault.h"
#include "identity/users/users.h"
#include "store/blocking.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/whole_parts.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// A whole backup's copy of the ring forgets the tenant too: a restore knows by it that nobody has
/// lost the tenant's file.
Result<void> erase_copied_keys(const std::string& directory, const std::string& code,
                               vault::RootKeyProvider& root_keys,
                               const vault::KeyRing::Surroundings& surroundings) {
    const std::string file = directory + "/keys.json";
    ZONA_TRY(const auto there, os::stat_path(file));
    if (!there) return {};
    ZONA_TRY(const auto ring, vault::KeyRing::open(file, root_keys, surroundings));
    const auto erased = ring->erase(code);
    if (!erased && erased.error().code() != Code::kNotFound) return erased;
    return os::remove_file(file + ".previous");
}

/// Users, invitations and roles, which are in the core database.
Result<void> erase_identity(store::Database& core, const store::Scope& scope) {
    constexpr std::size_t kAtOnce = 256;
    for (;;) {
        ZONA_TRY(const std::uint64_t removed,
                 store::write_and_wait(core, [&](store::Writer& writer) {
                     return identity::remove_identity_of(writer, scope, kAtOnce);
                 }));
        if (removed == 0) return {};
    }
}

}  // namespace

Result<void> TenantOperations::erase(const std::string& code, Backups backups,
                                     const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(Tenant tenant, tenant_of(parts, code));
    if (tenant.code == kDefaultTenant) {
        return Error(Code::kConflict, "the default tenant is always there, and is not erased")
            .detail({"tenant", "", "what it has can be replaced by a restore"});
    }
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    Steps steps(tell, 3, stopping_);
    const BackupRecords records = works_of(parts);
    ZONA_TRY_VOID(end_move(parts, tenant.code));
    ZONA_TRY_VOID(records.begin({.tenant = tenant.code,
                                 .kind = TenantWork::Kind::kErase,
                                 .name = backups == Backups::kKeep ? "keep" : "",
                                 .instance = parts.instance}));
    ZONA_FAULT("tenancy.erase_begun");
    if (!tenant.erased_at) {
        auto inactive = detail::wait_for<Tenant>([&](auto done) {
            parts.registry->set_status(tenant.code, TenantStatus::kInactive, std::move(done));
        });
        if (!inactive) return inactive.take_error();
        tenant = *std::move(inactive);
        ZONA_TRY_VOID(wait_for_others(parts, tenant, steps));
    }
    parts.sessions->put(tenant);
    ZONA_TRY_VOID(parts.sessions->hold(
        tenant.code,
        Error(Code::kUnavailable, fmt::format("the tenant {} is being erased", tenant.code))));
    auto erased = erase_held(parts, tenant, backups, steps);
    parts.sessions->release(tenant);
    if (!erased) return erased;
    auto forgotten = detail::wait_for<Tenant>(
        [&](auto done) { parts.registry->forget(tenant.code, std::move(done)); });
    if (!forgotten) return forgotten.take_error();
    parts.sessions->put(*forgotten);
    ZONA_FAULT("tenancy.erase_forgotten");
    if (auto* file = dynamic_cast<store::SqliteDatabase*>(parts.core.get()))
        ZONA_TRY_VOID(file->scrub());
    return records.end(tenant.code);
}

/// Documents, then backups, then keys: as long as there is something to be read, it can be.
Result<void> TenantOperations::erase_held(const Tenants::Parts& parts, const Tenant& tenant,
                                          Backups backups, Steps& steps) {
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    Tenant unnamed = tenant;
    unnamed.database.name.clear();
    unnamed.database.host = kEmbedded;  // the registry may have forgotten it
    const std::string root = parts.databases->directory_of(unnamed);
    if (root.empty()) {
        ZONA_TRY(const auto database, parts.sessions->database(tenant.code, WhileHeld::kOpen));
        steps.begin("remove", 0, "documents");
        ZONA_TRY_VOID(remove_all(*database, tenant_collections(), scope,
                                 [&](std::uint64_t done) { return steps.at(done); }));
        if (auto* file = dynamic_cast<store::SqliteDatabase*>(database.get()))
            ZONA_TRY_VOID(file->scrub());
    } else {
        if (is_mongo_host(tenant.database.host)) {
            steps.begin("remove", 0, "documents");
            ZONA_TRY_VOID(remove_there(parts, tenant));
        }
        steps.begin("remove", 1, "files");
        parts.wait_until_closed(parts.databases->directory_of(tenant) + "/data.db");
        ZONA_TRY_VOID(remove_tree(root));
    }
    ZONA_FAULT("tenancy.erase_documents");
    ZONA_TRY_VOID(erase_identity(*parts.core, scope));
    ZONA_TRY_VOID(remove_all(*parts.core, audit::core_collections_of_tenants(), scope,
                             [](std::uint64_t) { return Result<void>(); }));
    if (backups == Backups::kKeep) return {};
    steps.begin("backups", 1, "files");
    ZONA_TRY_VOID(erase_backups(tenant.code));
    ZONA_FAULT("tenancy.erase_backups");
    steps.begin("keys", 1, "keys");
    return parts.files->erase_keys(tenant.code);
}

Result<void> TenantOperations::erase_backups(const std::string& code) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    const auto lock = log_turn();
    logged_.clear();
    const BackupRecords records(parts.core, deps_.clock);
    ZONA_TRY_VOID(note_removal(code, CopyEnd::kAtOnce));
    ZONA_TRY_VOID(remove_tree(path_of(code)));
    ZONA_TRY(const auto all, records.list(code));
    for (const BackupRecord& record : all)
        ZONA_TRY_VOID(records.remove(record.id));
    // Its part of whole backups.
    ZONA_TRY(const auto there, os::stat_path(path_of("_all")));
    if (!there) return {};
    ZONA_TRY(const auto wholes, os::list_directory(path_of("_all")));
    for (const std::string& whole : wholes) {
        // The image that all share holds this one's documents, too: the next whole backup begins a
        // new log.
        for (const std::string& name : {code, std::string(kSharedImage)}) {
            const std::string file = fmt::format("_all/{}/{}.zbk", whole, name);
            ZONA_TRY_VOID(note_removal(file, CopyEnd::kAtOnce));
            ZONA_TRY_VOID(note_removal(log_directory(file), CopyEnd::kAtOnce));
            const std::string image = path_of(file);
            ZONA_TRY_VOID(os::remove_file(image));
            ZONA_TRY_VOID(remove_tree(log_directory(image)));
        }
        const std::string directory = path_of("_all/" + whole);
        auto forgotten = erase_copied_keys(directory, code, parts.files->root_keys(),
                                           {.clock = deps_.clock, .random = deps_.random});
        if (!forgotten) {
            deps_.log.report("a backup's copy of the keys cannot be changed", forgotten.error(),
                             {{"directory", directory}});
        }
    }
    note_written();
    return {};
}

}  // namespace zona::tenancy
