#include "tenancy/operations/share_core.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "audit/collections.h"
#include "core/fault.h"
#include "identity/users/collections.h"
#include "os/fd.h"
#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/shared_ring.h"
#include "tenancy/operations/document_copy.h"
#include "tenancy/tenant_registry.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// Names of tenants in one message.
constexpr std::size_t kMostNamed = 10;
constexpr std::size_t kMostRing = std::size_t{64} << 20U;

Specs copied_specs() {
    Specs specs = core_collections();
    std::erase(specs, &key_ring_spec());
    return specs;
}

Error elsewhere(const CoreSharing& sharing, std::string_view why) {
    return Error(Code::kConflict,
                 fmt::format("the core database of this home cannot be put into {} at {}: {}",
                             sharing.core.database, sharing.core.uri, why))
        .detail({"tenancy.core_host", "",
                 "leave the setting out, or name a database that is empty "
                 "(docs/guides/several-hosts.md)"});
}

/// The tenants whose data would stay behind.
Result<void> check_tenants(const std::shared_ptr<store::Database>& file, const CoreSharing& sharing,
                           const vault::FieldSealer& sealer) {
    ZONA_TRY(const auto shared, os::stat_path(sharing.directory + "/tenants/shared.db"));
    if (sharing.build_type == BuildType::kSingleTenant && shared)
        return elsewhere(sharing, "the documents of its tenants are in the file shared.db");
    if (sharing.build_type == BuildType::kSingleTenant) return {};
    TenantRegistry registry(file, sharing.clock, &sealer);
    auto all =
        detail::wait_for<std::vector<Tenant>>([&](auto done) { registry.list(std::move(done)); });
    if (!all) return all.take_error();
    std::vector<std::string> left;
    for (const Tenant& tenant : *all) {
        if (!tenant.erased_at && !is_mongo_host(tenant.database.host)) left.push_back(tenant.code);
    }
    if (left.empty()) return {};
    const bool too_many = left.size() > kMostNamed;
    if (too_many) left.resize(kMostNamed);
    return Error(Code::kConflict,
                 fmt::format("the databases of these tenants are files of this host's, which "
                             "`zona store migrate --to mongodb://...` moves, without "
                             "tenancy.core_host: {}{}",
                             fmt::join(left, ", "), too_many ? ", ..." : ""))
        .detail(
            {"tenancy.core_host", "", "leave it out until then (docs/guides/several-hosts.md)"});
}

Result<void> check_work(store::Database& file, const CoreSharing& sharing) {
    ZONA_TRY(const std::uint64_t begun, store::read_and_wait(file, [](store::Reader& r) {
                 return count_all(r, {&tenant_work_spec()}, store::Scope::core());
             }));
    if (begun == 0) return {};
    return elsewhere(
        sharing, "a restore, move or erasure that was begun is not done; start without it once");
}

/// What stands in the database that is to become the core.
enum class There : std::uint8_t {
    kNothing,
    kBegun,  ///< by this host
    kDone,   ///< by this host: others may have changed it since
};

Result<There> look_at(store::Database& target, const CoreSharing& sharing) {
    ZONA_TRY(const RingClaim claim, look_for_claim(target));
    if (!claim.begun_by.empty() && claim.begun_by != sharing.instance)
        return elsewhere(sharing, "that of another home is there, or was begun");
    if (!claim.begun_by.empty()) return claim.has_ring ? There::kDone : There::kBegun;
    ZONA_TRY(const std::uint64_t documents, store::read_and_wait(target, [](store::Reader& r) {
                 return count_all(r, core_collections(), store::Scope::core());
             }));
    if (documents > 0) return elsewhere(sharing, "another installation's core database is there");
    return There::kNothing;
}

/// Who finds it there has all that the ring's keys are for.
Result<void> put_ring(const std::string& text, const std::shared_ptr<store::Database>& target) {
    const auto shared = ring_in(target);
    ZONA_TRY_VOID(shared->replace(0, text, vault::RingStorage::Previous::kKept));
    ZONA_TRY(const auto there, shared->read());
    if (there && there->text == text) return {};
    return Error(Code::kConflict, "the key ring in the core database is not the one put there");
}

/// Users, invitations and roles of tenants and what is kept of their records, in their scopes.
Result<void> copy_of_tenants(const std::shared_ptr<store::Database>& file, store::Database& target,
                             const CoreSharing& sharing, const vault::FieldSealer& sealer) {
    TenantRegistry registry(file, sharing.clock, &sealer);
    ZONA_TRY(const auto all, detail::wait_for<std::vector<Tenant>>(
                                 [&](auto done) { registry.list(std::move(done)); }));
    Specs specs = identity::user_collections_of_tenants();
    std::ranges::copy(audit::core_collections_of_tenants(), std::back_inserter(specs));
    for (const Tenant& tenant : all) {
        ZONA_TRY(const store::Scope scope, store::Scope::tenant(tenant.code));
        ZONA_TRY(const auto copied, copy_documents(*file, target, specs, scope, {}));
    }
    return {};
}

Result<void> put(EncryptedFiles& files, const CoreSharing& sharing) {
    ZONA_TRY(const auto file,
             files.open_database(sharing.directory + "/core.db", kCoreOwner, core_collections()));
    store::MongoOptions options = sharing.core;
    options.collections = core_collections();
    options.read_preference = store::ReadPreference::kPrimary;
    ZONA_TRY(const std::shared_ptr<store::Database> target,
             store::open_mongo(options, sharing.clock, sharing.log));
    ZONA_TRY(const There there, look_at(*target, sharing));
    if (there == There::kDone) return {};
    ZONA_TRY_VOID(check_tenants(file, sharing, files.core_fields()));
    ZONA_TRY_VOID(check_work(*file, sharing));
    if (there == There::kNothing) ZONA_TRY_VOID(claim_ring(*target, sharing.instance));
    ZONA_FAULT("tenancy.core_claimed");
    ZONA_TRY(const auto copied,
             copy_documents(*file, *target, copied_specs(), store::Scope::core(), {}));
    ZONA_TRY_VOID(copy_of_tenants(file, *target, sharing, files.core_fields()));
    ZONA_FAULT("tenancy.core_copied");
    ZONA_TRY(const std::string ring, os::read_file(files.ring(), kMostRing));
    ZONA_TRY_VOID(put_ring(ring, target));
    std::uint64_t documents = 0;
    for (const CollectionSum& sum : copied)
        documents += sum.documents;
    sharing.log.info("the core database was put into MongoDB",
                     {{"database", sharing.core.database}, {"documents", documents}});
    return {};
}

}  // namespace

Result<void> share_core(EncryptedFiles& files, const CoreSharing& sharing) {
    ZONA_TRY_VOID(put(files, sharing));
    ZONA_FAULT("tenancy.core_shared");
    return put_core_aside(sharing.directory);
}

/// The file itself first: it is what the next start asks for, and it opens with the ring alone.
Result<void> put_core_aside(const std::string& directory) {
    constexpr std::array kNames = {"core.db", "core.db-wal", "keys.json", "keys.json.previous"};
    for (const char* name : kNames) {
        const std::string file = fmt::format("{}/{}", directory, name);
        ZONA_TRY(const auto there, os::stat_path(file));
        if (there) ZONA_TRY_VOID(os::rename_file(file, file + ".shared"));
        ZONA_FAULT("tenancy.core_aside");
    }
    return {};
}

}  // namespace zona::tenancy
