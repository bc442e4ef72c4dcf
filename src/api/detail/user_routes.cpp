#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/users/users.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Result;
using identity::User;
using net::Method;
using net::Response;

namespace {

constexpr const char* kUserPath = "/api/v1/tenants/{code}/users/{id}";
constexpr std::int64_t kMostPage = 200;

Shape status_shape() {
    return Shape::text("A disabled user does not get in.").choices({"active", "disabled"});
}

Shape password_shape(std::string doc) {
    return Shape::text(std::move(doc)).length(1, 1024).example("\"tulip orbit kettle\"");
}

Shape email_shape() {
    return Shape::text("An e-mail address; may be empty.").length(0, 254);
}

Shape time_shape(std::string doc) {
    return Shape::text(std::move(doc)).format(Format::kTime).nullable();
}

Shape user_shape() {
    return Shape::object(
        {required("id", Shape::integer("A number, never reused in any tenant.")),
         required("tenant", Shape::text("The code of its tenant; `core`: of none.")),
         required("name", Shape::text("What it signs in with.")), required("email", email_shape()),
         required("roles", roles_shape("What it may do; none: nothing.")),
         required("status", status_shape()),
         required("has_password", Shape::boolean("Else nobody signs in with one.")),
         required("must_change_password", Shape::boolean("Before it may do anything else.")),
         required("has_second_factor", Shape::boolean("A code is asked for.")),
         required("failures", Shape::integer("Refused tries since the last sign-in.")),
         required("last_failure_at", time_shape("When the last one was.")),
         required("last_sign_in_at", time_shape("When it has signed in last.")),
         required("created_at", Shape::text("When it was made.").format(Format::kTime)),
         required("updated_at", Shape::text("When it was changed.").format(Format::kTime))},
        "Somebody who signs in. No password and no hash of one is ever shown.");
}

const char* const kUserExample = R"({"id": 1, "tenant": "default", "name": "anna",
    "email": "anna@acme.example", "roles": ["creator"], "status": "active", "has_password": true,
    "must_change_password": false, "has_second_factor": false, "failures": 0,
    "last_failure_at": null, "last_sign_in_at": null, "created_at": "2026-01-31T12:00:00.000Z",
    "updated_at": "2026-01-31T12:00:00.000Z"})";

ParameterSpec id_parameter() {
    return {.name = "id",
            .shape = Shape::integer("The user's number.").range(1, INT64_MAX).example("1"),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

AnswerSpec one_user(std::string description, int status = 200) {
    return {.status = status,
            .description = std::move(description),
            .shape = Shape::component("User"),
            .example = kUserExample};
}

Operation list_users() {
    return {.path = "/api/v1/tenants/{code}/users",
            .id = "listUsers",
            .tag = Tag::kIdentity,
            .reach = Reach::kTenant,
            .permission = identity::Permission{identity::Resource::kUsers, identity::Action::kRead},
            .summary = "List the users of a tenant",
            .description = "Page by page, in the order of their making.",
            .parameters = {tenant_parameter(),
                           {.name = "limit",
                            .shape = Shape::integer("How many at most.")
                                         .range(1, kMostPage)
                                         .default_value("50")
                                         .example("50")},
                           {.name = "token",
                            .shape = Shape::text("`next` of the page before.").example("\"\"")},
                           {.name = "name",
                            .shape = Shape::text("Only the one of this name, whatever its case.")
                                         .example("\"\"")}},
            .answers =
                {{.description = "A page.",
                  .shape = Shape::object(
                      {required("users", Shape::array("Some of them.", Shape::component("User"))),
                       required("next", Shape::text("Of the next page; empty: none."))}),
                  .example = std::string(R"({"users": [)") + kUserExample + R"(], "next": ""})"}},
            .errors = identity_errors()};
}

Operation create_user() {
    const Shape body = Shape::object(
        {required("name", Shape::text("1 to 128 letters, digits and any of `._@+-`, the first a "
                                      "letter or digit.")
                              .length(1, 128)
                              .example("\"anna\"")),
         optional("email", email_shape()),
         optional("password",
                  password_shape("12 characters at least, and not easily guessed; without one "
                                 "nobody signs in with a password.")),
         optional("must_change_password", Shape::boolean("At the first sign-in.")),
         optional("roles", roles_shape("What it may do; none: nothing."))});
    return {
        .method = Method::kPost,
        .path = "/api/v1/tenants/{code}/users",
        .id = "createUser",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kUsers, identity::Action::kCreate},
        .summary = "Make a user",
        .description = "Nobody gives roles that allow more than their own.",
        .parameters = {tenant_parameter()},
        .body = BodySpec{body,
                         {{"anna", "Somebody who makes utilities",
                           R"({"name": "anna", "email": "anna@acme.example",
                                   "password": "tulip orbit kettle", "roles": ["creator"]})"}}},
        .answers = {one_user("It can sign in from now on.", 201)},
        .errors = identity_errors()};
}

Operation get_user() {
    return {.path = kUserPath,
            .id = "getUser",
            .tag = Tag::kIdentity,
            .reach = Reach::kTenant,
            .permission = identity::Permission{identity::Resource::kUsers, identity::Action::kRead},
            .summary = "Show one user",
            .description = "The user with this number.",
            .parameters = {tenant_parameter(), id_parameter()},
            .answers = {one_user("The user.")},
            .errors = identity_errors()};
}

Operation update_user() {
    const Shape body = Shape::object(
        {optional("email", email_shape()), optional("status", status_shape()),
         optional("password", password_shape("A new one, for somebody who has forgotten it.")),
         optional("must_change_password", Shape::boolean("At the next sign-in.")),
         optional("roles", roles_shape("All of them."))},
        "What is to change; what is left out stays as it is.");
    return {
        .method = Method::kPatch,
        .path = kUserPath,
        .id = "updateUser",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kUsers, identity::Action::kUpdate},
        .summary = "Change a user",
        .description =
            "Another status, roles or password, or that it must be changed, end the user's "
            "sessions before the answer.",
        .parameters = {tenant_parameter(), id_parameter()},
        .body = BodySpec{body, {{"roles", "Other roles", R"({"roles": ["user"]})"}}},
        .answers = {one_user("The user as it is now.")},
        .errors = identity_errors()};
}

Operation remove_user() {
    return {
        .method = Method::kDelete,
        .path = kUserPath,
        .id = "removeUser",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kUsers, identity::Action::kDelete},
        .summary = "Remove a user",
        .description = "For good. What it owns stays.",
        .parameters = {tenant_parameter(), id_parameter()},
        .answers = {one_user("The user as it was.")},
        .errors = identity_errors()};
}

Operation remove_second_factor() {
    return {
        .method = Method::kDelete,
        .path = "/api/v1/tenants/{code}/users/{id}/second-factor",
        .id = "removeSecondFactor",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kUsers, identity::Action::kUpdate},
        .summary = "Take the second factor of a user away",
        .description = "For somebody who has lost authenticator and recovery codes.",
        .parameters = {tenant_parameter(), id_parameter()},
        .answers = {one_user("The user as it is now.")},
        .errors = identity_errors()};
}

json::value time_or_null(const std::optional<core::SystemTime>& time) {
    return time ? json::value(core::to_rfc3339(*time)) : json::value(nullptr);
}

json::object shown(const User& user) {
    return {{"id", user.id},
            {"tenant", shown_tenant(user.tenant)},
            {"name", user.name},
            {"email", user.email},
            {"roles", json::array(user.roles.begin(), user.roles.end())},
            {"status", identity::to_string(user.status)},
            {"has_password", user.has_password},
            {"must_change_password", user.must_change_password},
            {"has_second_factor", user.has_second_factor},
            {"failures", user.failures},
            {"last_failure_at", time_or_null(user.last_failure_at)},
            {"last_sign_in_at", time_or_null(user.last_sign_in_at)},
            {"created_at", core::to_rfc3339(user.created_at)},
            {"updated_at", core::to_rfc3339(user.updated_at)}};
}

/// A field that is there and is not null.
const json::value* given(const json::object& body, std::string_view key) {
    const json::value* value = body.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::string> text_in(const json::object& body, std::string_view key) {
    const json::value* value = given(body, key);
    if (value == nullptr) return std::nullopt;
    return std::string(value->get_string());
}

class UserRoutes {
  public:
    UserRoutes(identity::Users& users, tenancy::Tenants& tenants)
        : users_(users), tenants_(tenants) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        if (const auto name = call.text("name"); name && !name->empty())
            co_return co_await by_name(tenant, *name);
        store::PageRequest page{.limit = static_cast<std::size_t>(*call.integer("limit")),
                                .token = call.text("token").value_or("")};
        auto begin = [this, tenant, page](process::Callback<identity::Users::Page> done) {
            users_.list(tenant, page, std::move(done));
        };
        ZONA_CO_TRY(const auto found, co_await answer_of<identity::Users::Page>(std::move(begin)));
        json::array users;
        for (const User& user : found.users)
            users.push_back(shown(user));
        const json::value data = {{"users", std::move(users)}, {"next", found.next}};
        co_return Response::success(core::to_json(data));
    }

    Answer create(Call& call) const {
        const json::object& body = call.body().get_object();
        identity::NewUser wanted{.tenant = {}, .name = std::string(body.at("name").get_string())};
        ZONA_CO_TRY(wanted.tenant, co_await tenant_in(call, tenants_));
        wanted.email = text_in(body, "email").value_or("");
        if (auto password = text_in(body, "password"))
            wanted.password = core::Secret(*std::move(password));
        if (const json::value* must = given(body, "must_change_password"))
            wanted.must_change_password = must->get_bool();
        if (const json::value* roles = given(body, "roles")) wanted.roles = texts_of(*roles);
        auto begin = [this, by = subject_of(call.request()),
                      wanted = std::move(wanted)](process::Callback<User> done) mutable {
            users_.create(by, std::move(wanted), std::move(done));
        };
        ZONA_CO_TRY(const User made, co_await answer_of<User>(std::move(begin)));
        co_return Response::success(core::to_json(shown(made)), {}, 201);
    }

    Answer get(Call& call) const {
        ZONA_CO_TRY(const Named named, co_await name_of(call));
        auto begin = [this, named](process::Callback<User> done) {
            users_.find(named.tenant, named.id, std::move(done));
        };
        co_return answered(co_await answer_of<User>(std::move(begin)));
    }

    Answer update(Call& call) const {
        ZONA_CO_TRY(const Named named, co_await name_of(call));
        const json::object& body = call.body().get_object();
        identity::UserChange change{.email = text_in(body, "email")};
        if (const auto status = text_in(body, "status")) {
            change.status = *status == "active" ? identity::UserStatus::kActive
                                                : identity::UserStatus::kDisabled;
        }
        if (auto password = text_in(body, "password"))
            change.password = core::Secret(*std::move(password));
        if (const json::value* must = given(body, "must_change_password"))
            change.must_change_password = must->get_bool();
        if (const json::value* roles = given(body, "roles")) change.roles = texts_of(*roles);
        auto begin = [this, by = subject_of(call.request()), named,
                      change = std::move(change)](process::Callback<User> done) mutable {
            users_.change(by, named.tenant, named.id, std::move(change), std::move(done));
        };
        co_return answered(co_await answer_of<User>(std::move(begin)));
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const Named named, co_await name_of(call));
        auto begin = [this, by = subject_of(call.request()), named](process::Callback<User> done) {
            users_.remove(by, named.tenant, named.id, std::move(done));
        };
        co_return answered(co_await answer_of<User>(std::move(begin)));
    }

    Answer remove_second_factor(Call& call) const {
        ZONA_CO_TRY(const Named named, co_await name_of(call));
        auto begin = [this, by = subject_of(call.request()), named](process::Callback<User> done) {
            users_.remove_second_factor(by, named.tenant, named.id, std::move(done));
        };
        co_return answered(co_await answer_of<User>(std::move(begin)));
    }

  private:
    struct Named {
        std::string tenant;
        std::int64_t id = 0;
    };

    Answer by_name(std::string tenant, std::string name) const {
        using Found = std::optional<User>;
        auto begin = [this, tenant, name](process::Callback<Found> done) {
            users_.find_by_name(tenant, name, std::move(done));
        };
        ZONA_CO_TRY(const Found found, co_await answer_of<Found>(std::move(begin)));
        json::array users;
        if (found) users.push_back(shown(*found));
        const json::value data = {{"users", std::move(users)}, {"next", ""}};
        co_return Response::success(core::to_json(data));
    }

    asio::awaitable<Result<Named>> name_of(const Call& call) const {
        ZONA_CO_TRY(std::string tenant, co_await tenant_in(call, tenants_));
        const auto id = core::parse_integer(call.path("id"));
        // What is no number is nobody's.
        co_return Named{.tenant = std::move(tenant), .id = id ? *id : 0};
    }

    static Result<Response> answered(const Result<User>& user) {
        if (!user) return user.error();
        return Response::success(core::to_json(shown(*user)));
    }

    identity::Users& users_;
    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_user_routes(Service& service, const IdentityDeps* deps,
                             tenancy::Tenants* tenants) {
    service.name("User", user_shape());
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const UserRoutes>(*deps->users, *tenants);
    using Member = Answer (UserRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {list_users(), &UserRoutes::list},
        {create_user(), &UserRoutes::create},
        {get_user(), &UserRoutes::get},
        {update_user(), &UserRoutes::update},
        {remove_second_factor(), &UserRoutes::remove_second_factor},
        {remove_user(), &UserRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
