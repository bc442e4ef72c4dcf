#include "identity/users/invitations.h"

#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "identity/users/collections.h"
#include "identity/users/detail/new_user.h"
#include "identity/users/detail/sealed.h"
#include "identity/users/detail/users_body.h"
#include "store/counters.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using detail::TenantUsers;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kMostToken = 128;

Error no_good() {
    return {Code::kUnauthenticated,
            "the invitation is not good: it was used, taken back, or its time is over; ask for "
            "another"};
}

Result<Collection> invitations_of(const std::string& tenant) {
    ZONA_TRY(store::Scope scope, detail::scope_of(tenant));
    return Collection(invitations_spec(), std::move(scope));
}

Secret new_token(const std::string& tenant, core::Random& random) {
    std::array<std::byte, kTokenBytes> bytes{};
    random.fill(bytes);
    Secret out(fmt::format("{}{}.{}", kInvitationPrefix, tenant, crypto::base64url(bytes)));
    crypto::wipe(bytes);
    return out;
}

std::string hash_of(const Secret& token) {
    return crypto::base64url(crypto::sha256(token.reveal()));
}

/// The tenant whose code stands in a token. Errors: kUnauthenticated: it is none.
Result<std::string> tenant_in(const Secret& token) {
    std::string_view text = token.reveal();
    if (text.size() > kMostToken || !text.starts_with(kInvitationPrefix)) return no_good();
    text.remove_prefix(kInvitationPrefix.size());
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos) return no_good();
    const std::string tenant(text.substr(0, dot));
    if (!detail::scope_of(tenant)) return no_good();
    return tenant;
}

Result<Invitation> shown(const TenantUsers& users, const Record& record) {
    const detail::Sealed sealed(*users.sealer, invitations_spec(), record.id);
    ZONA_TRY(const Secret email, sealed.open(*record.document, "email"));
    return Invitation{
        .id = std::get<std::int64_t>(record.id),
        .tenant = users.tenant,
        .email = std::string(email.reveal()),
        .roles = detail::texts_in(*record.document, "roles"),
        .created_at = record.created,
        .expires_at = detail::time_in(*record.document, "expires").value_or(core::SystemTime())};
}

/// The invitation of a token. Errors: kUnauthenticated: there is none, or its time is over.
Result<Record> find_good(Reader& core, const std::string& tenant, const Secret& token,
                         core::SystemTime now) {
    ZONA_TRY(const Collection invitations, invitations_of(tenant));
    ZONA_TRY(std::optional<Record> found,
             core.find_one(invitations,
                           {.filter = store::Filter::eq("token_hash", json::value(hash_of(token))),
                            .sort = {}}));
    if (!found || detail::time_in(*found->document, "expires") <= now) return no_good();
    return *std::move(found);
}

}  // namespace

void Invitations::create(const Subject& by, NewInvitation wanted, store::Callback<Made> done) {
    if (wanted.valid_for <= std::chrono::seconds(0) || wanted.valid_for > kMaxInvitation) {
        return done(Error(Code::kInvalidArgument,
                          "an invitation is good for at most 30 days, and for some time"));
    }
    if (auto checked = detail::check_email(wanted.email); !checked)
        return done(checked.take_error());
    auto work = [body = body_, by, wanted = std::move(wanted)](Writer& core) -> Result<Made> {
        ZONA_TRY_VOID(Roles::check_grant(core, by, wanted.tenant, wanted.roles));
        ZONA_TRY(const TenantUsers users, body->of(wanted.tenant));
        ZONA_TRY(const Collection invitations, invitations_of(wanted.tenant));
        const core::SystemTime now = body->deps.clock.system();
        const Collection counters(store::counters_spec(), store::Scope::core());
        ZONA_TRY(const std::int64_t id,
                 store::next_number(core, counters, invitations_spec().name, now));
        Secret token = new_token(wanted.tenant, body->deps.random);
        json::object document{{"token_hash", hash_of(token)},
                              {"roles", detail::to_field(wanted.roles)},
                              {"expires", detail::to_field(now + wanted.valid_for)}};
        if (!wanted.email.empty()) {
            const detail::Sealed sealed(*users.sealer, invitations_spec(), id);
            ZONA_TRY(document["email"], sealed.seal("email", wanted.email));
        }
        ZONA_TRY(const Record stored, core.insert(invitations, id, document));
        ZONA_TRY(Invitation made, shown(users, stored));
        return Made{.invitation = std::move(made), .token = std::move(token)};
    };
    body_->with_core<Made>(std::move(done), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

void Invitations::list(const std::string& tenant, store::Callback<std::vector<Invitation>> done) {
    using All = std::vector<Invitation>;
    auto work = [body = body_, tenant](Reader& core) -> Result<All> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Collection invitations, invitations_of(tenant));
        All all;
        const auto keep = [&](const Record& record) -> Result<void> {
            ZONA_TRY(Invitation one, shown(users, record));
            all.push_back(std::move(one));
            return {};
        };
        ZONA_TRY_VOID(detail::for_each(core, invitations, keep));
        return all;
    };
    body_->with_core<All>(std::move(done), [&](store::Database& core, auto answer) {
        store::read(core, std::move(work), std::move(answer));
    });
}

void Invitations::remove(const Subject& by, const std::string& tenant, std::int64_t id,
                         store::Callback<Invitation> done) {
    auto work = [body = body_, by, tenant, id](Writer& core) -> Result<Invitation> {
        ZONA_TRY_VOID(check_tenant(by, tenant));
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Collection invitations, invitations_of(tenant));
        ZONA_TRY(const std::optional<Record> found, core.find(invitations, id));
        if (!found)
            return Error(Code::kNotFound,
                         fmt::format("there is no invitation {} in this tenant", id));
        ZONA_TRY(Invitation removed, shown(users, *found));
        ZONA_TRY_VOID(Roles::check_reach(core, by, tenant, removed.roles));
        ZONA_TRY([[maybe_unused]] const bool was_there, core.remove(invitations, id));
        return removed;
    };
    body_->with_core<Invitation>(std::move(done), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

void Invitations::accept(Acceptance taken, store::Callback<User> done) {
    auto tenant = tenant_in(taken.token);
    if (!tenant) return done(tenant.take_error());
    if (auto checked = detail::check_name(taken.name); !checked) return done(checked.take_error());
    const auto wanted = std::make_shared<const Acceptance>(std::move(taken));

    auto insert = [body = body_, wanted, code = *tenant](Writer& core,
                                                         const std::string& hash) -> Result<User> {
        ZONA_TRY(const Record record,
                 find_good(core, code, wanted->token, body->deps.clock.system()));
        ZONA_TRY(const TenantUsers users, body->of(code));
        ZONA_TRY(const Invitation invitation, shown(users, record));
        ZONA_TRY(const Collection invitations, invitations_of(code));
        ZONA_TRY([[maybe_unused]] const bool was_there,
                 core.remove(invitations, record.id, record.version));
        // Whoever made it was asked then whether they may.
        return detail::insert_user(core, users, super_admin(),
                                   {.tenant = code,
                                    .name = wanted->name,
                                    .email = invitation.email,
                                    .roles = invitation.roles},
                                   hash, body->rules().remembered, body->deps);
    };
    auto store_it = [body = body_, insert = std::move(insert),
                     done = std::move(done)](Result<std::string> hash) mutable {
        if (!hash) return done(hash.take_error());
        auto work = [insert, hash = *std::move(hash)](Writer& core) { return insert(core, hash); };
        body->with_core<User>(std::move(done), [&](store::Database& core, auto answer) {
            store::write(core, std::move(work), std::move(answer));
        });
    };
    auto compute = [body = body_, wanted, code = *tenant,
                    store_it = std::move(store_it)](Result<std::string> email) mutable {
        if (!email) return store_it(email.take_error());
        auto work = [body, wanted, code, email = *std::move(email)]() -> Result<std::string> {
            ZONA_TRY_VOID(body->check_new(wanted->password, code, wanted->name, email));
            return body->hash_new(wanted->password, {});
        };
        body->blocking<std::string>(std::move(work), std::move(store_it));
    };
    auto look = [body = body_, wanted, code = *tenant](Reader& core) -> Result<std::string> {
        ZONA_TRY(const Record record,
                 find_good(core, code, wanted->token, body->deps.clock.system()));
        ZONA_TRY(const TenantUsers users, body->of(code));
        ZONA_TRY(const Invitation invitation, shown(users, record));
        return invitation.email;
    };
    body_->with_core<std::string>(std::move(compute), [&](store::Database& core, auto answer) {
        store::read(core, std::move(look), std::move(answer));
    });
}

}  // namespace zona::identity
