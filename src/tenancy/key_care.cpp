#include "tenancy/key_care.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "tenancy/encrypted_files.h"
#include "tenancy/tenants.h"
#include "vault/root_key.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using vault::KeyOwner;

namespace {

using FilesPtr = std::shared_ptr<EncryptedFiles>;

constexpr std::string_view kCore = "core";
/// About 4 MB of memory and some ten milliseconds; checkpoints wait so long.
constexpr std::size_t kPagesAtOnce = 1024;
constexpr std::size_t kDocumentsAtOnce = 100;

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

void KeyCare::rotate(std::string owner, store::Callback<std::vector<KeyOwner>> done) const {
    auto rotate_all = [wanted = std::move(owner),
                       log = log_](EncryptedFiles& files) -> Result<std::vector<KeyOwner>> {
        std::vector<std::string> names;
        for (KeyOwner& one : files.key_ring().owners()) {
            if (!one.erased_at) names.push_back(std::move(one.tenant));
        }
        if (!wanted.empty()) names = {wanted};
        std::vector<KeyOwner> out;
        for (const std::string& name : names) {
            ZONA_TRY(const vault::KeyId key, files.key_ring().rotate(name));
            log.info("an owner has a new key",
                     {{"owner", name}, {"key", fmt::format("{:08x}", std::to_underlying(key))}});
            ZONA_TRY(KeyOwner now, owner_in(files, name));
            out.push_back(std::move(now));
        }
        return out;
    };
    ask<std::vector<KeyOwner>>(*tenants_, std::move(rotate_all), std::move(done));
}

void KeyCare::begin_reencryption(std::string owner) const {
    auto told = [owner, log = log_](const Result<Reencrypted>& ended) {
        if (!ended)
            return log.report("not all is under the new key", ended.error(), {{"owner", owner}});
        log.info("all that is open is under the new key",
                 {{"owner", owner}, {"documents", ended->documents}});
    };
    reencrypt(std::move(owner), std::move(told));
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

/// One round over everything of an owner, step by step so that nothing else waits for long.
class KeyCare::Round : public std::enable_shared_from_this<Round> {
  public:
    Round(Tenants& tenants, std::string owner, store::Callback<Reencrypted> done)
        : tenants_(tenants), owner_(std::move(owner)), done_(std::move(done)) {}

    /// The tenant's data first, which opens its database.
    void begin() {
        if (owner_ == kCore) return pages();
        tenants_.data_of(owner_, [self = shared_from_this()](Result<TenantData> data) {
            if (!data) return self->done_(data.take_error());
            self->data_ = *std::move(data);
            self->pages();
        });
    }

  private:
    void pages() {
        tenants_.with_files([self = shared_from_this()](Result<FilesPtr> files) {
            if (!files) return self->done_(files.take_error());
            const auto is_done = (*files)->rekey(self->owner_, kPagesAtOnce);
            if (!is_done) return self->done_(is_done.error());
            ++self->out_.steps;
            if (!*is_done) return self->pages();
            self->fields();
        });
    }

    void fields() {
        const auto specs = tenant_collections();
        if (!data_ || collection_ == specs.size()) return done_(out_);
        data_->reseal(
            *specs.at(collection_), {.limit = kDocumentsAtOnce, .token = token_}, Unsealed::kRefuse,
            [self = shared_from_this()](Result<Resealed> page) {
                if (!page) return self->done_(page.take_error());
                self->out_.documents += page->changed;
                self->token_ = page->next;
                if (self->token_.empty()) ++self->collection_;
                // Not on the database's own thread, which has others to serve.
                self->tenants_.with_files([self](const Result<FilesPtr>&) { self->fields(); });
            });
    }

    Tenants& tenants_;
    const std::string owner_;
    store::Callback<Reencrypted> done_;
    std::optional<TenantData> data_;
    std::size_t collection_ = 0;
    std::string token_;
    Reencrypted out_;
};

void KeyCare::reencrypt(std::string owner, store::Callback<Reencrypted> done) const {
    std::make_shared<Round>(*tenants_, std::move(owner), std::move(done))->begin();
}

}  // namespace zona::tenancy
