#include "tenancy/audit_books.h"

#include <utility>

#include "jobs/collections.h"
#include "store/blocking.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/sealed_fields.h"
#include "vault/field_sealer.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::Scope;

namespace {

constexpr const char* kLease = "audit";

Error not_open() {
    return {Code::kUnavailable, "the core database is not open"};
}

/// How the flagged fields of the core database are sealed.
SealedFields core_fields(const std::shared_ptr<EncryptedFiles>& files, const core::Logger& log) {
    return {.sealer = {files, &files->core_fields()}, .log = log};
}

/// The core database as it is to be used, or why it cannot be.
struct CoreParts {
    std::shared_ptr<store::Database> database;
    SealedFields fields;
};
Result<CoreParts> core_parts(Tenants& tenants, const core::Logger& log) {
    CoreParts out{.database = tenants.core(), .fields = {}};
    const auto files = tenants.files();
    if (!out.database || !files) return not_open();
    out.fields = core_fields(files, log);
    return out;
}

Result<bool> true_after(Result<void> done) {
    if (!done) return done.take_error();
    return true;
}

}  // namespace

/// Who is not served is told apart from a database that cannot be had now: nobody waits for him.
Result<TenantData> AuditBooks::data_of(const Scope& scope) {
    auto found = detail::wait_for<TenantData>(
        [&](auto done) { tenants_.data_of(scope.code(), std::move(done)); });
    if (found) return found->without_quota();
    Error error = found.take_error();
    if (error.code() == Code::kInvalidTenant) return std::move(error).recode(Code::kTenantInactive);
    return error;
}

Result<void> AuditBooks::read(const Scope& scope, const ReadBody& body) {
    if (scope == Scope::core()) {
        ZONA_TRY(const CoreParts core, core_parts(tenants_, log_));
        const auto done =
            store::read_and_wait(*core.database, [&](store::Reader& reader) -> Result<bool> {
                return true_after(body(*open_fields(reader, core.fields)));
            });
        return done ? Result<void>() : Result<void>(done.error());
    }
    ZONA_TRY(const TenantData data, data_of(scope));
    const auto done = detail::wait_for<bool>([&](auto answer) {
        data.read([&body](store::Reader& reader) { return true_after(body(reader)); },
                  std::move(answer));
    });
    return done ? Result<void>() : Result<void>(done.error());
}

Result<void> AuditBooks::write(const Scope& scope, const WriteBody& body) {
    if (scope == Scope::core()) {
        ZONA_TRY(const CoreParts core, core_parts(tenants_, log_));
        const auto done =
            store::write_and_wait(*core.database, [&](store::Writer& writer) -> Result<bool> {
                return true_after(body(*open_fields(writer, core.fields)));
            });
        return done ? Result<void>() : Result<void>(done.error());
    }
    ZONA_TRY(const TenantData data, data_of(scope));
    const auto done = detail::wait_for<bool>([&](auto answer) {
        data.write([&body](store::Writer& writer) { return true_after(body(writer)); },
                   std::move(answer));
    });
    return done ? Result<void>() : Result<void>(done.error());
}

Result<std::vector<Scope>> AuditBooks::scopes() {
    ZONA_TRY(const std::vector<std::string> codes, tenants_.active());
    std::vector<Scope> out = {Scope::core()};
    for (const std::string& code : codes) {
        ZONA_TRY(Scope scope, Scope::tenant(code));
        out.push_back(std::move(scope));
    }
    return out;
}

audit::SpoolSeal spool_seal(Tenants& tenants, std::string spool) {
    const auto with = [&tenants, spool = std::move(spool)](std::int64_t number,
                                                           auto use) -> Result<std::string> {
        const auto files = tenants.files();
        if (!files) return not_open();
        const std::string field = std::to_string(number);
        return use(
            files->core_fields(),
            vault::FieldPlace{.collection = "audit_spool", .document = spool, .field = field});
    };
    return {.seal =
                [with](std::int64_t number, const std::string& text) {
                    return with(number, [&](const auto& sealer, const auto& place) {
                        return sealer.seal(place, text);
                    });
                },
            .open =
                [with](std::int64_t number, const std::string& sealed) {
                    return with(number,
                                [&](const auto& sealer, const auto& place) -> Result<std::string> {
                                    ZONA_TRY(const core::Secret text, sealer.open(place, sealed));
                                    return std::string(text.reveal());
                                });
                }};
}

AuditTurn::AuditTurn(Tenants& tenants, const core::Clock& clock, core::Random& random,
                     std::string instance)
    : tenants_(tenants),
      clock_(clock),
      holder_{.instance = std::move(instance), .life = core::Uuid::v4(random).to_string()},
      line_(core::Uuid::v4(random).to_string()) {}

Result<std::optional<audit::Permit>> AuditTurn::operator()() {
    if (!tenants_.is_shared()) return std::optional<audit::Permit>(audit::Permit());
    const auto core = tenants_.core();
    if (!core) return not_open();
    const std::scoped_lock lock(mutex_);
    const auto now = clock_.steady();
    // Without a beat in time somebody else may have taken it.
    if (fence_ && now - beat_at_ >= jobs::kLeaseTime) fence_.reset();
    if (!fence_ || now - beat_at_ >= jobs::kBeatTime) {
        std::optional<jobs::Fence> fence;
        auto looked = store::write_and_wait(*core, [&](store::Writer& writer) -> Result<bool> {
            ZONA_TRY(fence, look(writer));
            return true;
        });
        fence_ = looked ? std::move(fence) : std::nullopt;
        if (!looked && looked.error().code() != Code::kConflict) return looked.take_error();
        // What was asked before the answer counts from before it.
        beat_at_ = now;
    }
    if (!fence_) return std::optional<audit::Permit>();
    return std::optional<audit::Permit>(
        [fence = *fence_](store::Writer& writer, const Scope& scope) -> Result<void> {
            if (scope == Scope::core()) return fence.check(writer);
            return fence.admit(writer, store::Collection(jobs::job_fences_spec(), scope));
        });
}

/// The lease kept or taken; none: it is another's.
Result<std::optional<jobs::Fence>> AuditTurn::look(store::Writer& core) {
    if (fence_) {
        ZONA_TRY(const jobs::LeaseState state, jobs::beat_lease(core, kLease, *fence_));
        return fence_;
    }
    ZONA_TRY(const jobs::LeaseState state, jobs::find_lease(core, kLease));
    const auto now = clock_.steady();
    const bool has_moved = !seen_ || seen_->fence != state.fence || seen_->beat != state.beat;
    if (has_moved) seen_ = Seen{.fence = state.fence, .beat = state.beat, .at = now};
    const bool is_abandoned = !has_moved && now - seen_->at >= jobs::kLeaseTime;
    if (!state.is_free() && state.holder.instance != holder_.instance && !is_abandoned)
        return std::nullopt;
    ZONA_TRY(jobs::Fence taken, jobs::take_lease(core, kLease, holder_, line_));
    return taken;
}

}  // namespace zona::tenancy
