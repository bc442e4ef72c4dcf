#include "tenancy/keys/key_care.h"

#include <utility>

#include <fmt/format.h>

#include "tenancy/keys/encrypted_files.h"
#include "tenancy/tenants.h"
#include "vault/root_key.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using vault::KeyOwner;

namespace {

using FilesPtr = std::shared_ptr<EncryptedFiles>;

Result<KeyOwner> owner_in(EncryptedFiles& files, std::string_view owner) {
    for (KeyOwner& one : files.key_ring().owners()) {
        if (one.tenant == owner) return std::move(one);
    }
    return Error(Code::kNotFound, fmt::format("'{}' has no keys", owner));
}

KeyReport report_of(EncryptedFiles& files) {
    KeyReport out{.root = files.key_ring().root(),
                  .provider = files.root_keys().name(),
                  .problem = {},
                  .owners = files.key_ring().owners()};
    if (auto checked = files.root_keys().check(out.root); !checked)
        out.problem = checked.take_error();
    return out;
}

/// Calls `work(EncryptedFiles&) -> Result<T>` and gives its answer.
template <class T, class Work>
void ask(Tenants& tenants, Work work, store::Callback<T> done) {
    tenants.with_files(
        [work = std::move(work), done = std::move(done)](Result<FilesPtr> files) mutable {
            if (!files) return done(files.take_error());
            done(work(**files));
        });
}

}  // namespace

void KeyCare::report(store::Callback<KeyReport> done) const {
    ask<KeyReport>(
        *tenants_, [](EncryptedFiles& files) { return Result<KeyReport>(report_of(files)); },
        std::move(done));
}

void KeyCare::rewrap(store::Callback<KeyReport> done) const {
    ask<KeyReport>(
        *tenants_,
        [log = log_](EncryptedFiles& files) -> Result<KeyReport> {
            ZONA_TRY_VOID(files.key_ring().rotate_root(files.root_keys()));
            KeyReport report = report_of(files);
            log.info("all keys are wrapped anew",
                     {{"root_key", report.root}, {"provider", report.provider}});
            return report;
        },
        std::move(done));
}

void KeyCare::revoke(std::string tenant, store::Callback<KeyOwner> done) const {
    const auto scope = scope_of(tenant);
    if (!scope) return done(scope.error());
    auto forget = [tenants = tenants_, code = scope->code(), log = log_,
                   done = std::move(done)](Result<Tenant> stopped) mutable {
        if (!stopped) return done(stopped.take_error());
        ask<KeyOwner>(
            *tenants,
            [code, log](EncryptedFiles& files) -> Result<KeyOwner> {
                ZONA_TRY_VOID(owner_in(files, code));
                ZONA_TRY_VOID(files.key_ring().erase(code));
                log.warn("the keys of a tenant were revoked: its data cannot be read any more",
                         {{"tenant", code}});
                return owner_in(files, code);
            },
            std::move(done));
    };
    // First it is served no more, so that nobody reads while the keys go.
    tenants_->set_status(scope->code(), TenantStatus::kInactive, std::move(forget));
}

}  // namespace zona::tenancy
