// Letting in whom an identity provider vouches for.
#include <algorithm>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/users/collections.h"
#include "identity/users/detail/networks.h"
#include "identity/users/detail/new_user.h"
#include "identity/users/detail/users_body.h"
#include "net/network.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using detail::TenantUsers;
using store::Record;
using store::Writer;

namespace {

/// What is there to be let in, and whether its roles were others before.
struct LetIn {
    User user;
    bool has_other_roles = false;
    bool from_new_place = false;
};

/// One sign-in within its transaction.
class ExternalSignIn {
  public:
    ExternalSignIn(const UsersDeps& deps, const TenantUsers& users, const ExternalUser& who,
                   Writer& core)
        : deps_(deps), users_(users), who_(who), core_(core) {}

    Result<LetIn> run() {
        ZONA_TRY_VOID(use_up());
        ZONA_TRY(key_, users_.external_key(core_, deps_.random, who_.issuer, who_.subject));
        ZONA_TRY_VOID(choose_roles());
        ZONA_TRY(std::optional<Record> found, users_.by_external(core_, key_));
        if (!found) {
            ZONA_TRY(found, find_to_link());
        }
        if (!found) {
            ZONA_TRY(found, make());
        }
        return let_in(*found);
    }

  private:
    /// An answer lets in once, on whatever instance.
    Result<void> use_up() {
        const store::Collection used(used_sign_ins_spec(), store::Scope::core());
        const std::string id = crypto::base64url(crypto::sha256(who_.used));
        ZONA_TRY(const auto found, core_.find(used, id));
        if (found) {
            return Error(Code::kUnauthenticated,
                         "this answer of the identity provider was used before: sign in anew");
        }
        ZONA_TRY(const Record stored, core_.insert(used, id, {{"tenant", users_.tenant}}));
        return {};
    }

    /// Of what the provider says, what there is here.
    Result<void> choose_roles() {
        if (!who_.roles) return {};
        for (const std::string& role : *who_.roles) {
            if (detail::holds(roles_, role)) continue;
            const std::string one[] = {role};
            auto granted = Roles::check_grant(core_, super_admin(), users_.tenant, one);
            const bool is_none = !granted && (granted.error().code() == Code::kNotFound ||
                                              granted.error().code() == Code::kInvalidArgument);
            if (!granted && !is_none) return granted;
            if (is_none) {
                deps_.log.warn(
                    "an identity provider gives a role that there is not",
                    {{"tenant", users_.tenant}, {"provider", who_.provider}, {"role", role}});
            } else if (roles_.size() < kMaxRolesOfUser) {
                roles_.push_back(role);
            }
        }
        std::ranges::sort(roles_);
        return {};
    }

    /// A user of this name who is nobody else's. Errors: kAccessDenied.
    Result<std::optional<Record>> find_to_link() {
        ZONA_TRY(std::optional<Record> named, users_.by_name(core_, who_.name));
        if (!named && who_.may_create) return std::optional<Record>();
        if (!named) {
            return Error(Code::kAccessDenied,
                         fmt::format("the identity provider knows '{}', this tenant does not: an "
                                     "administrator has to make that user first",
                                     who_.name));
        }
        if (named->document->contains("external_key")) {
            return Error(Code::kAccessDenied,
                         fmt::format("the user {} belongs to another account of an identity "
                                     "provider",
                                     who_.name));
        }
        if (who_.may_create && named->document->contains("password")) {
            return Error(Code::kAccessDenied,
                         fmt::format("the user {} signs in with a password here, and is not "
                                     "taken for whom the identity provider means",
                                     who_.name));
        }
        return named;
    }

    Result<std::optional<Record>> make() {
        NewUser wanted{.tenant = users_.tenant, .name = who_.name, .roles = roles_};
        if (detail::check_email(who_.email)) {
            ZONA_TRY(const auto other, users_.by_email(core_, who_.email));
            if (!other) wanted.email = who_.email;
        }
        ZONA_TRY(const User made,
                 detail::insert_user(core_, users_, super_admin(), wanted, "", 0, deps_));
        ZONA_TRY(Record record, users_.get(core_, made.id));
        return std::optional(std::move(record));
    }

    Result<LetIn> let_in(const Record& record) {
        json::object document = *record.document;
        if (detail::text_in(document, "status") != "active")
            return Error(Code::kUnauthenticated, "this user is disabled here");
        LetIn out;
        if (who_.roles) {
            std::vector<std::string> before = detail::texts_in(document, "roles");
            std::ranges::sort(before);
            out.has_other_roles = before != roles_;
            document["roles"] = detail::to_field(roles_);
        }
        document["external_key"] = key_;
        document["identity_provider"] = who_.provider;
        document["failures"] = 0;
        document["last_sign_in"] = detail::to_field(deps_.clock.system());
        if (!who_.address.empty())
            out.from_new_place = detail::note_network(document, net::client_network(who_.address));
        ZONA_TRY(const Record stored,
                 core_.replace(users_.collection, record.id, document, record.version));
        ZONA_TRY(out.user, users_.shown(stored));
        return out;
    }

    const UsersDeps& deps_;
    const TenantUsers& users_;
    const ExternalUser& who_;
    Writer& core_;
    std::string key_;
    std::vector<std::string> roles_;
};

}  // namespace

void Users::sign_in_external(ExternalUser who, store::Callback<SignedIn> done) {
    if (auto checked = detail::check_name(who.name); !checked)
        return done(checked.take_error().context("the name that the identity provider gives"));
    auto shown = std::make_shared<const ExternalUser>(std::move(who));
    auto work = [body = body_, shown](Writer& core) -> Result<LetIn> {
        ZONA_TRY(const TenantUsers users, body->of(shown->tenant));
        return ExternalSignIn(body->deps, users, *shown, core).run();
    };
    auto answer = [body = body_, shown, done = std::move(done)](Result<LetIn> in) mutable {
        if (!in) {
            body->deps.metrics
                .counter("zona_sign_in_failures_total",
                         "Tries to sign in that were refused, by reason.",
                         {{"reason", "identity_provider"}})
                .add();
            body->deps.log.warn("a sign-in by an identity provider was refused",
                                {{"tenant", shown->tenant},
                                 {"provider", shown->provider},
                                 {"address", shown->address}});
            return done(in.take_error());
        }
        body->deps.log.info("signed in", {{"tenant", in->user.tenant},
                                          {"user", in->user.id},
                                          {"address", shown->address},
                                          {"provider", shown->provider}});
        SignedIn out{.tenant = in->user.tenant,
                     .user_id = in->user.id,
                     .name = in->user.name,
                     .roles = in->user.roles,
                     .from_new_place = in->from_new_place};
        if (!in->has_other_roles) return done(std::move(out));
        body->tell_changed(
            in->user, [out = std::move(out), done = std::move(done)](Result<User> told) mutable {
                if (!told) return done(told.take_error());
                done(std::move(out));
            });
    };
    body_->with_core<LetIn>(std::move(answer), [&](store::Database& core, auto then) {
        store::write(core, std::move(work), std::move(then));
    });
}

}  // namespace zona::identity
