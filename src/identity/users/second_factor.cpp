// Enrolling and taking away the second factor.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "identity/users/collections.h"
#include "identity/users/detail/users_body.h"
#include "identity/users/totp.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using detail::TenantUsers;
using store::Record;
using store::Writer;

void Users::begin_second_factor(const std::string& tenant, std::int64_t id,
                                store::Callback<Enrolment> done) {
    auto work = [body = body_, tenant, id](Writer& core) -> Result<Enrolment> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Record record, users.get(core, id));
        json::object document = *record.document;
        if (document.contains("totp"))
            return Error(Code::kConflict, "this user has a second factor already");
        Secret secret = new_totp_secret(body->deps.random);
        ZONA_TRY_VOID(users.set_secret(document, id, "totp_begun", secret.reveal()));
        ZONA_TRY(const Record stored, core.replace(users.collection, id, document, record.version));
        const std::string name = detail::text_in(document, "name");
        const std::string account = tenant.empty() ? name : fmt::format("{} ({})", name, tenant);
        Secret uri = totp_uri(secret, "zona", account);
        return Enrolment{.secret = std::move(secret), .uri = std::move(uri)};
    };
    body_->with_core<Enrolment>(std::move(done), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

void Users::confirm_second_factor(const std::string& tenant, std::int64_t id, Secret code,
                                  store::Callback<std::vector<Secret>> done) {
    using Codes = std::vector<Secret>;
    auto work = [body = body_, tenant, id, code = std::move(code)](Writer& core) -> Result<Codes> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Record record, users.get(core, id));
        ZONA_TRY(const Secret begun, users.secret(record, "totp_begun"));
        if (begun.empty())
            return Error(Code::kConflict, "no second factor was begun for this user");
        const auto step = match_totp(begun, code.reveal(), body->deps.clock.system(), 0);
        if (!step) {
            return Error(Code::kUnauthenticated,
                         "the code is wrong: take the one that the authenticator shows now, and "
                         "look whether the clocks are right");
        }
        Codes codes;
        std::vector<std::string> hashes;
        for (std::size_t i = 0; i < kRecoveryCodes; ++i) {
            codes.push_back(new_recovery_code(body->deps.random));
            hashes.push_back(recovery_hash(codes.back().reveal()).value());
        }
        json::object document = *record.document;
        ZONA_TRY_VOID(users.set_secret(document, id, "totp", begun.reveal()));
        document.erase("totp_begun");
        document["totp_step"] = *step;
        document["recovery_codes"] = detail::to_field(hashes);
        ZONA_TRY(const Record stored, core.replace(users.collection, id, document, record.version));
        return codes;
    };
    body_->with_core<Codes>(std::move(done), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

void Users::remove_second_factor(const Subject& by, const std::string& tenant, std::int64_t id,
                                 store::Callback<User> done) {
    auto work = [body = body_, by, tenant, id](Writer& core) -> Result<User> {
        ZONA_TRY_VOID(check_tenant(by, tenant));
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Record record, users.get(core, id));
        json::object document = *record.document;
        ZONA_TRY_VOID(Roles::check_reach(core, by, tenant, detail::texts_in(document, "roles")));
        for (const char* field : {"totp", "totp_begun", "totp_step", "recovery_codes"})
            document.erase(field);
        ZONA_TRY(const Record stored, core.replace(users.collection, id, document, record.version));
        return users.shown(stored);
    };
    body_->with_core<User>(std::move(done), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

}  // namespace zona::identity
