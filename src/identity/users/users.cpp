#include "identity/users/users.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "identity/keys/key_store.h"
#include "identity/users/collections.h"
#include "identity/users/detail/new_user.h"
#include "identity/users/detail/users_body.h"
#include "store/counters.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using detail::TenantUsers;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

/// Documents of the core scope that are removed at one time.
Result<std::uint64_t> remove_some(Writer& writer, const store::Collection& collection,
                                  const store::Query& query, std::size_t most) {
    ZONA_TRY(const store::Page page,
             writer.find_page(collection, query,
                              {.limit = std::clamp<std::size_t>(most, 1, store::kMaxPageSize)}));
    for (const Record& record : page.records) {
        ZONA_TRY([[maybe_unused]] const bool was_there, writer.remove(collection, record.id));
    }
    return page.records.size();
}

/// Puts what is to change into `document`, but for a password.
Result<void> apply(Writer& core, const TenantUsers& users, const Subject& by,
                   const UserChange& change, core::Random& random, std::int64_t id,
                   json::object& document) {
    if (change.roles) {
        ZONA_TRY_VOID(Roles::check_grant(core, by, users.tenant, *change.roles));
        document["roles"] = detail::to_field(*change.roles);
    }
    if (change.status) document["status"] = to_string(*change.status);
    if (change.must_change_password)
        document["must_change_password"] = *change.must_change_password;
    if (change.email) return users.set_email(core, random, document, id, *change.email);
    return {};
}

}  // namespace

std::string_view to_string(UserStatus status) {
    return status == UserStatus::kActive ? "active" : "disabled";
}

Result<User> detail::insert_user(Writer& core, const TenantUsers& users, const Subject& by,
                                 const NewUser& wanted, const std::string& hash,
                                 std::size_t remembered, const UsersDeps& deps) {
    ZONA_TRY_VOID(Roles::check_grant(core, by, wanted.tenant, wanted.roles));
    ZONA_TRY(const std::optional<Record> other, users.by_name(core, wanted.name));
    if (other)
        return Error(Code::kConflict, fmt::format("there is a user {} already", wanted.name));
    const store::Collection counters(store::counters_spec(), store::Scope::core());
    ZONA_TRY(const std::int64_t id,
             store::next_number(core, counters, users_spec().name, deps.clock.system()));
    json::object document{{"name", wanted.name},
                          {"name_key", core::lower_ascii(wanted.name)},
                          {"roles", detail::to_field(wanted.roles)},
                          {"status", to_string(UserStatus::kActive)},
                          {"must_change_password", wanted.must_change_password},
                          {"failures", 0}};
    ZONA_TRY_VOID(users.set_email(core, deps.random, document, id, wanted.email));
    if (!hash.empty()) ZONA_TRY_VOID(users.set_password(document, nullptr, id, hash, remembered));
    ZONA_TRY(const Record stored, core.insert(users.collection, id, document));
    return users.shown(stored);
}

Users::Users(UsersDeps deps, PasswordRules rules)
    : body_(std::make_shared<Body>(std::move(deps), rules)) {}

void Users::set_rules(PasswordRules rules) {
    body_->set_rules(rules);
}

void Users::create(const Subject& by, NewUser wanted, store::Callback<User> done) {
    if (auto checked = detail::check_name(wanted.name); !checked) return done(checked.take_error());
    // Who may not reach the tenant does not find out what is wrong with a password either.
    if (auto checked = check_tenant(by, wanted.tenant); !checked) return done(checked.take_error());
    auto insert = [body = body_, by, wanted](const std::string& hash, store::Callback<User> then) {
        auto work = [body, by, wanted, hash](Writer& core) -> Result<User> {
            ZONA_TRY(const TenantUsers users, body->of(wanted.tenant));
            return detail::insert_user(core, users, by, wanted, hash, body->rules().remembered,
                                       body->deps);
        };
        body->with_core<User>(std::move(then), [&](store::Database& core, auto answer) {
            store::write(core, std::move(work), std::move(answer));
        });
    };
    if (!wanted.password) return insert("", std::move(done));
    auto hash = [body = body_, wanted]() -> Result<std::string> {
        ZONA_TRY_VOID(body->check_new(*wanted.password, wanted.tenant, wanted.name, wanted.email));
        return body->hash_new(*wanted.password, {});
    };
    auto go_on = [insert = std::move(insert),
                  done = std::move(done)](Result<std::string> made) mutable {
        if (!made) return done(made.take_error());
        insert(*made, std::move(done));
    };
    body_->blocking<std::string>(std::move(hash), std::move(go_on));
}

void Users::find(const std::string& tenant, std::int64_t id, store::Callback<User> done) {
    auto work = [body = body_, tenant, id](Reader& core) -> Result<User> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Record record, users.get(core, id));
        return users.shown(record);
    };
    body_->with_core<User>(std::move(done), [&](store::Database& core, auto answer) {
        store::read(core, std::move(work), std::move(answer));
    });
}

void Users::find_by_name(const std::string& tenant, std::string_view name,
                         store::Callback<std::optional<User>> done) {
    auto work = [body = body_, tenant,
                 name = std::string(name)](Reader& core) -> Result<std::optional<User>> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const std::optional<Record> record, users.by_name(core, name));
        if (!record) return std::nullopt;
        ZONA_TRY(User user, users.shown(*record));
        return std::optional(std::move(user));
    };
    body_->with_core<std::optional<User>>(std::move(done), [&](auto& core, auto answer) {
        store::read(core, std::move(work), std::move(answer));
    });
}

void Users::find_by_email(const std::string& tenant, std::string_view email,
                          store::Callback<std::optional<User>> done) {
    auto work = [body = body_, tenant,
                 email = std::string(email)](Reader& core) -> Result<std::optional<User>> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const std::optional<Record> record, users.by_email(core, email));
        if (!record) return std::nullopt;
        ZONA_TRY(User user, users.shown(*record));
        return std::optional(std::move(user));
    };
    body_->with_core<std::optional<User>>(std::move(done), [&](auto& core, auto answer) {
        store::read(core, std::move(work), std::move(answer));
    });
}

void Users::list(const std::string& tenant, store::PageRequest page, store::Callback<Page> done) {
    auto work = [body = body_, tenant, page = std::move(page)](Reader& core) -> Result<Page> {
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
        ZONA_TRY(store::Page found, core.find_page(users.collection, all, page));
        Page out{.users = {}, .next = std::move(found.next)};
        for (const Record& record : found.records) {
            ZONA_TRY(User user, users.shown(record));
            out.users.push_back(std::move(user));
        }
        return out;
    };
    body_->with_core<Page>(std::move(done), [&](store::Database& core, auto answer) {
        store::read(core, std::move(work), std::move(answer));
    });
}

void Users::change(const Subject& by, const std::string& tenant, std::int64_t id, UserChange change,
                   store::Callback<User> done) {
    if (auto checked = check_tenant(by, tenant); !checked) return done(checked.take_error());
    const bool ends_sessions = change.roles || change.status || change.password ||
                               change.must_change_password.value_or(false);
    auto store_it = [body = body_, by, tenant, id, change, ends_sessions](
                        const std::string& hash, store::Callback<User> then) {
        auto work = [body, by, tenant, id, change, hash](Writer& core) -> Result<User> {
            ZONA_TRY(const TenantUsers users, body->of(tenant));
            ZONA_TRY(const Record before, users.get(core, id));
            ZONA_TRY_VOID(
                Roles::check_reach(core, by, tenant, detail::texts_in(*before.document, "roles")));
            json::object document = *before.document;
            ZONA_TRY_VOID(apply(core, users, by, change, body->deps.random, id, document));
            if (!hash.empty()) {
                ZONA_TRY_VOID(
                    users.set_password(document, &before, id, hash, body->rules().remembered));
                document["failures"] = 0;
            }
            ZONA_TRY(const Record stored,
                     core.replace(users.collection, id, document, before.version));
            return users.shown(stored);
        };
        auto told = [body, ends_sessions, then = std::move(then)](Result<User> user) mutable {
            if (!user || !ends_sessions) return then(std::move(user));
            body->tell_changed(*std::move(user), std::move(then));
        };
        body->with_core<User>(std::move(told), [&](store::Database& core, auto answer) {
            store::write(core, std::move(work), std::move(answer));
        });
    };
    if (!change.password) return store_it("", std::move(done));
    body_->hash_for(
        body_, tenant, id, *change.password,
        [store_it = std::move(store_it), done = std::move(done)](Result<std::string> hash) mutable {
            if (!hash) return done(hash.take_error());
            store_it(*hash, std::move(done));
        });
}

/// Looks for the user, then checks and hashes where it keeps nobody waiting.
void Users::Body::hash_for(const std::shared_ptr<Body>& self, const std::string& tenant,
                           std::int64_t id, const Secret& password,
                           store::Callback<std::string> done) {
    struct Known {
        User user;
        std::vector<std::string> previous;
    };
    auto look = [self, tenant, id](Reader& core) -> Result<Known> {
        ZONA_TRY(const TenantUsers users, self->of(tenant));
        ZONA_TRY(const Record record, users.get(core, id));
        ZONA_TRY(User user, users.shown(record));
        ZONA_TRY(std::vector<std::string> previous, users.secrets(record, "previous_passwords"));
        return Known{.user = std::move(user), .previous = std::move(previous)};
    };
    auto hash = [self, password, done = std::move(done)](Result<Known> known) mutable {
        if (!known) return done(known.take_error());
        auto work = [self, password, known = *std::move(known)]() -> Result<std::string> {
            ZONA_TRY_VOID(
                self->check_new(password, known.user.tenant, known.user.name, known.user.email));
            return self->hash_new(password, known.previous);
        };
        self->blocking<std::string>(std::move(work), std::move(done));
    };
    self->with_core<Known>(std::move(hash), [&](store::Database& core, auto answer) {
        store::read(core, std::move(look), std::move(answer));
    });
}

void Users::remove(const Subject& by, const std::string& tenant, std::int64_t id,
                   store::Callback<User> done) {
    auto work = [body = body_, by, tenant, id](Writer& core) -> Result<User> {
        ZONA_TRY_VOID(check_tenant(by, tenant));
        ZONA_TRY(const TenantUsers users, body->of(tenant));
        ZONA_TRY(const Record record, users.get(core, id));
        ZONA_TRY_VOID(
            Roles::check_reach(core, by, tenant, detail::texts_in(*record.document, "roles")));
        ZONA_TRY([[maybe_unused]] const bool was_there, core.remove(users.collection, id));
        return users.shown(record);
    };
    auto told = [body = body_, done = std::move(done)](Result<User> user) mutable {
        if (!user) return done(user.take_error());
        body->tell_changed(*std::move(user), std::move(done));
    };
    body_->with_core<User>(std::move(told), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

Result<std::uint64_t> remove_identity_of(Writer& writer, const store::Scope& scope,
                                         std::size_t most) {
    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    for (const store::CollectionSpec* spec : user_collections_of_tenants()) {
        ZONA_TRY(const std::uint64_t removed,
                 remove_some(writer, store::Collection(*spec, scope), all, most));
        if (removed > 0) return removed;
    }
    const store::Collection failures(sign_in_failures_spec(), store::Scope::core());
    const store::Query of_tenant{.filter = store::Filter::eq("tenant", json::value(scope.code())),
                                 .sort = {}};
    ZONA_TRY(const std::uint64_t removed, remove_some(writer, failures, of_tenant, most));
    if (removed > 0) return removed;
    return remove_keys_of(writer, scope.code(), most);
}

Result<std::optional<UserNow>> Users::find_now(store::Reader& core, const UserKey& user) {
    ZONA_TRY(const auto users, detail::TenantUsers::of(user.tenant, nullptr));
    auto found = users.get(core, user.id);
    if (!found && found.error().code() == core::Code::kNotFound) return std::optional<UserNow>();
    if (!found) return found.take_error();
    ZONA_TRY(const detail::SessionFacts facts, users.session_facts(*found));
    if (facts.status != UserStatus::kActive || facts.must_change_password)
        return std::optional<UserNow>();
    return std::optional(facts.now);
}

}  // namespace zona::identity
