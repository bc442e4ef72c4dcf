// Signing in and out, tokens, sessions, and who one is.
#include <charconv>
#include <optional>
#include <utility>

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/browser_session.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/sessions/sessions.h"
#include "identity/users/users.h"
#include "net/conditional.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using identity::Session;
using identity::Sessions;
using identity::SignedIn;
using identity::Tokens;
using net::Method;
using net::Response;

namespace {

constexpr std::size_t kLongestText = 1024;

Shape session_shape() {
    return Shape::object(
        {required("id", Shape::text("Its id, also in the token's claim `sid`.")),
         required("tenant", Shape::text("The user's tenant; `core`: none.")),
         required("user_id", Shape::integer("The user's number.")),
         required("name", Shape::text("The user's name.")),
         required("roles", roles_shape("What the user may do.")),
         required("method", Shape::text("How the user was known: `password`, `password+code`.")),
         required("address", Shape::text("Where it began.")),
         required("user_agent", Shape::text("By which program.")),
         required("created_at", Shape::text("When it began.").format(Format::kTime)),
         required("last_used_at", Shape::text("A while ago, at most.").format(Format::kTime)),
         required("ends_at", Shape::text("When it ends if nobody uses it.").format(Format::kTime)),
         required("ends_at_latest",
                  Shape::text("When it ends whatever is done.").format(Format::kTime))},
        "What stands behind the tokens of one sign-in.");
}

const char* const kSessionExample = R"({"id": "0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f",
    "tenant": "default", "user_id": 1, "name": "anna", "roles": ["admin"], "method": "password",
    "address": "192.0.2.1", "user_agent": "curl/7.88.1", "created_at": "2026-01-31T12:00:00.000Z",
    "last_used_at": "2026-01-31T12:00:00.000Z", "ends_at": "2026-01-31T12:30:00.000Z",
    "ends_at_latest": "2026-02-01T00:00:00.000Z"})";

}  // namespace

AnswerSpec tokens_answer(const char* description) {
    const Shape shape = Shape::object(
        {required("access_token", Shape::text("For `Authorization: Bearer TOKEN`.")),
         required("token_type", Shape::text("`Bearer`.")),
         required("expires_at", Shape::text("Until when it is good.").format(Format::kTime)),
         required("refresh_token", Shape::text("Gives other ones, once.")),
         required("refresh_expires_at",
                  Shape::text("Until when that is good.").format(Format::kTime)),
         required("session", Shape::component("Session", "What they are of."))});
    return {.status = 201,
            .description = description,
            .shape = shape,
            .example = std::string(R"({"access_token": "eyJhbGciOiJFZERTQSJ9.e30.c2ln",
                "token_type": "Bearer", "expires_at": "2026-01-31T12:15:00.000Z",
                "refresh_token": "zona_refresh_AAAA",
                "refresh_expires_at": "2026-02-01T12:00:00.000Z", "session": )") +
                       kSessionExample + "}"};
}

namespace {

Shape tenant_of_user_shape() {
    return Shape::text("The code of the user's tenant; `core`: one of none.")
        .length(1, 64)
        .default_value("\"core\"")
        .example("\"default\"");
}

Operation sign_in() {
    const Shape body = Shape::object(
        {optional("tenant", tenant_of_user_shape()),
         required("name", Shape::text("Who signs in.").length(1, 128).example("\"anna\"")),
         required("password", Shape::text("The password.").length(1, kLongestText)),
         optional("code", Shape::text("Of the authenticator, or a recovery code; only for those "
                                      "who have a second factor.")
                              .length(0, 64))});
    return {
        .method = Method::kPost,
        .path = "/api/v1/sessions",
        .id = "signIn",
        .tag = Tag::kIdentity,
        .access = Access::kOpen,
        .reach = Reach::kEveryone,
        .summary = "Sign in",
        .description =
            "Gives tokens for name and password. Guessing is slowed, by name and by address.",
        .body = BodySpec{body,
                         {{"anna", "With a password",
                           R"({"tenant": "default", "name": "anna",
                                   "password": "tulip orbit kettle"})"}}},
        .answers = {tokens_answer("A session has begun.")},
        .errors = {{Code::kUnauthenticated, "Name, password or code is wrong."},
                   {Code::kSecondFactor, "The password is right; the code is missing."},
                   {Code::kAccessDenied, "The password must be changed first (changePassword)."},
                   {Code::kInvalidTenant, "The tenant is not served here."},
                   {Code::kTenantInactive, "The tenant is not active."}}};
}

Operation renew() {
    const Shape body = Shape::object({required(
        "refresh_token", Shape::text("As the last answer gave it.").length(1, kLongestText))});
    return {
        .method = Method::kPost,
        .path = "/api/v1/sessions/renewals",
        .id = "renewSession",
        .tag = Tag::kIdentity,
        .access = Access::kOpen,
        .reach = Reach::kEveryone,
        .summary = "Get new tokens",
        .description =
            "The refresh token is used up. Shown again it ends the session, for then "
            "somebody else has it too.",
        .body =
            BodySpec{body,
                     {{"renew", "With the last one", R"({"refresh_token": "zona_refresh_AAAA"})"}}},
        .answers = {tokens_answer("The session goes on.")},
        .errors = {{Code::kInvalidToken, "This is no refresh token."},
                   {Code::kUnknownToken, "Its session has ended, or it was used before."},
                   {Code::kTokenExpired, "Its time is over."},
                   {Code::kInvalidTenant, "The tenant is not served here."},
                   {Code::kTenantInactive, "The tenant is not active; the token stays good."}}};
}

Operation change_password() {
    const Shape body = Shape::object(
        {optional("tenant", tenant_of_user_shape()),
         required("name", Shape::text("Whose it is.").length(1, 128)),
         required("password", Shape::text("The present one.").length(1, kLongestText)),
         optional("code", Shape::text("Of the second factor.").length(0, 64)),
         required("new_password", Shape::text("12 characters at least, and not easily guessed.")
                                      .length(1, kLongestText))});
    return {.method = Method::kPost,
            .path = "/api/v1/passwords",
            .id = "changePassword",
            .tag = Tag::kIdentity,
            .access = Access::kOpen,
            .reach = Reach::kEveryone,
            .summary = "Change one's own password",
            .description =
                "Shows what signIn asks for, so it needs no session; all sessions of the user "
                "end.",
            .body = BodySpec{body,
                             {{"anna", "Another one",
                               R"({"tenant": "default", "name": "anna",
                                   "password": "tulip orbit kettle",
                                   "new_password": "meadow piston lantern"})"}}},
            .answers = {{.description = "It holds from now on.",
                         .shape = Shape::object({required("name", Shape::text("Whose it is."))}),
                         .example = R"({"name": "anna"})"}},
            .errors = {{Code::kUnauthenticated, "Name, password or code is wrong."},
                       {Code::kSecondFactor, "The password is right; the code is missing."}}};
}

Shape current_session_shape() {
    return Shape::object({required("id", Shape::text("Its id.")),
                          required("user_id", Shape::integer("The user's number.")),
                          required("name", Shape::text("The user's name.")),
                          required("roles", roles_shape("What the user may do."))},
                         "The session of the user who asks.");
}

Operation who_am_i() {
    return {.path = "/api/v1/whoami",
            .id = "whoAmI",
            .tag = Tag::kIdentity,
            .reach = Reach::kEveryone,
            .summary = "Say who asks",
            .description = "The user, key or local user that this request is made as.",
            .answers = {{.description = "Who it is.",
                         .shape = Shape::object(
                             {required("principal", Shape::text("As logs name them.")),
                              required("tenant", Shape::text("The only one that is reached; "
                                                             "`core`: all of zona.")),
                              required("may_change", Shape::boolean("Whether it is not a viewer.")),
                              required("session", current_session_shape().nullable())}),
                         .example = R"({"principal": "user anna of default", "tenant": "default",
                             "may_change": false, "session": {"id":
                             "0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f", "user_id": 1, "name": "anna",
                             "roles": ["admin"]}})"}}};
}

ParameterSpec session_id_parameter() {
    return {.name = "id",
            .shape = Shape::text("The session's id; `current`: the one of this request.")
                         .length(1, 64)
                         .example("\"current\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

Operation end_session() {
    return {.method = Method::kDelete,
            .path = "/api/v1/sessions/{id}",
            .id = "endSession",
            .tag = Tag::kIdentity,
            .access = Access::kAdmin,
            .reach = Reach::kEveryone,
            .summary = "Sign out",
            .description =
                "Ends a session of one's own; its tokens are good for nothing within a "
                "second, everywhere.",
            .parameters = {session_id_parameter()},
            .answers = {{.description = "How many have ended.",
                         .shape = Shape::object({required("ended", Shape::integer("0 or 1."))}),
                         .example = R"({"ended": 1})"}},
            .errors = {{Code::kConflict, "A key has no session."}}};
}

Operation list_own_sessions() {
    return {.path = "/api/v1/sessions",
            .id = "listOwnSessions",
            .tag = Tag::kIdentity,
            .reach = Reach::kEveryone,
            .summary = "List one's own sessions",
            .description = "Those of the user who asks that are not over, the oldest first.",
            .answers = {{.description = "The sessions.",
                         .shape = Shape::array("By age.", Shape::component("Session")),
                         .example = std::string("[") + kSessionExample + "]"}},
            .errors = {{Code::kConflict, "A key has no session."}}};
}

Operation list_sessions() {
    return {
        .path = "/api/v1/tenants/{code}/sessions",
        .id = "listSessions",
        .tag = Tag::kIdentity,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kSessions, identity::Action::kRead},
        .summary = "List the sessions of a tenant",
        .description = "Those that are not over, the oldest first, a thousand at most.",
        .parameters = {tenant_parameter()},
        .answers = {{.description = "The sessions.",
                     .shape = Shape::array("By age.", Shape::component("Session")),
                     .example = std::string("[") + kSessionExample + "]"}},
        .errors = identity_errors()};
}

Operation end_sessions() {
    return {
        .method = Method::kDelete,
        .path = "/api/v1/tenants/{code}/sessions",
        .id = "endSessions",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission =
            identity::Permission{identity::Resource::kSessions, identity::Action::kDelete},
        .summary = "End sessions of a tenant",
        .description =
            "All of it, of one user, or one; they are refused everywhere within a "
            "second.",
        .parameters = {tenant_parameter(),
                       {.name = "user",
                        .shape =
                            Shape::integer("Those of this user.").range(1, INT64_MAX).example("1")},
                       {.name = "id",
                        .shape = Shape::text("This one.")
                                     .length(1, 64)
                                     .example("\"0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f\"")}},
        .answers = {{.description = "How many have ended.",
                     .shape = Shape::object({required("ended", Shape::integer("How many."))}),
                     .example = R"({"ended": 3})"}},
        .errors = identity_errors()};
}

Operation key_set() {
    return {
        .path = "/.well-known/jwks.json",
        .id = "getKeySet",
        .tag = Tag::kIdentity,
        .access = Access::kOpen,
        .reach = Reach::kEveryone,
        .summary = "Show the keys that tokens are signed with",
        .description =
            "The public parts, as RFC 7517 has them: for gateways that look at "
            "tokens too. A token is good here only with its session.",
        .answers = {{.description = "The set.",
                     .shape = Shape::object({required(
                         "keys", Shape::array("The one that signs first.", Shape::any("A JWK.")))}),
                     .envelope = Envelope::kNo,
                     .example = R"({"keys": []})"}}};
}

json::object shown(const Session& session) {
    return {{"id", session.id.to_string()},
            {"tenant", shown_tenant(session.user.tenant)},
            {"user_id", session.user.id},
            {"name", session.name},
            {"roles", json::array(session.roles.begin(), session.roles.end())},
            {"method", session.method},
            {"address", session.client.address},
            {"user_agent", session.client.user_agent},
            {"created_at", core::to_rfc3339(session.made)},
            {"last_used_at", core::to_rfc3339(session.last_used)},
            {"ends_at", core::to_rfc3339(session.end())},
            {"ends_at_latest", core::to_rfc3339(session.absolute_end)}};
}

/// Tokens stand in no json::value, which would leave them in freed memory.
Response shown(const Tokens& tokens) {
    std::string data = "{\"access_token\":";
    core::append_json_string(data, tokens.access.reveal());
    data += ",\"token_type\":\"Bearer\",\"expires_at\":";
    core::append_json_string(data, core::to_rfc3339(tokens.access_end));
    data += ",\"refresh_token\":";
    core::append_json_string(data, tokens.refresh.reveal());
    data += ",\"refresh_expires_at\":";
    core::append_json_string(data, core::to_rfc3339(tokens.refresh_end));
    data += ",\"session\":" + core::to_json(shown(tokens.session)) + "}";
    return Response::success(data, {}, 201);
}

/// For the record and the logs; it may do nothing more by that.
void note_user(net::Request& request, const Session& session) {
    static const auto kNothing = std::make_shared<const identity::Permissions>();
    identity::Principal who{.kind = identity::Principal::Kind::kUser,
                            .name = session.name,
                            .tenant = session.user.tenant,
                            .user_id = session.user.id,
                            .session = session.id,
                            .roles = session.roles};
    identity::set_caller(request, std::make_shared<const identity::Principal>(std::move(who)),
                         kNothing);
}

}  // namespace

identity::Client client_of(const net::Request& request) {
    const auto* remote = std::get_if<net::TcpPeer>(&request.peer);
    return {.address = remote == nullptr ? std::string() : remote->address,
            .user_agent = std::string(request.headers.find("User-Agent").value_or(""))};
}

Result<std::shared_ptr<Sessions>> open_sessions(const IdentityDeps& deps) {
    auto sessions = deps.sessions();
    if (sessions == nullptr)
        return Error(Code::kUnavailable,
                     "the database of users is not open yet; try again in a moment");
    return sessions;
}

namespace {

/// Whether they may have a session; a new place is told. What it is to begin with.
Result<identity::NewSession> session_for(Call& call, const IdentityDeps& deps, const SignedIn& who,
                                         std::string method) {
    if (who.from_new_place) deps.came_from_new_place(call.request(), who);
    if (who.must_change_password) {
        return Error(Code::kAccessDenied, "the password must be changed before anything else")
            .detail({"", "", "by `zona passwd`, or POST /api/v1/passwords"});
    }
    return identity::NewSession{.user = {.tenant = who.tenant, .id = who.user_id},
                                .method = std::move(method),
                                .client = client_of(call.request())};
}

}  // namespace

Result<const identity::Principal*> user_with_session(const net::Request& request) {
    if (const identity::Principal* user = identity::user_of(request)) return user;
    return Error(Code::kConflict, "who asks has no session: it is no user's token");
}

Answer begin_session(Call& call, const IdentityDeps& deps, SignedIn who, std::string method) {
    ZONA_CO_TRY(const auto sessions, open_sessions(deps));
    ZONA_CO_TRY(auto wanted, session_for(call, deps, who, std::move(method)));
    auto start = [&sessions, wanted = std::move(wanted)](process::Callback<Tokens> done) mutable {
        sessions->begin(std::move(wanted), std::move(done));
    };
    ZONA_CO_TRY(const Tokens tokens, co_await answer_of<Tokens>(std::move(start)));
    note_user(call.request(), tokens.session);
    co_return shown(tokens);
}

Answer begin_browser_session(Call& call, const IdentityDeps& deps, SignedIn who, std::string method,
                             std::string next) {
    using identity::BrowserSession;
    ZONA_CO_TRY(const auto sessions, open_sessions(deps));
    ZONA_CO_TRY(auto wanted, session_for(call, deps, who, std::move(method)));
    auto start = [&sessions,
                  wanted = std::move(wanted)](process::Callback<BrowserSession> done) mutable {
        sessions->begin_in_browser(std::move(wanted), std::move(done));
    };
    ZONA_CO_TRY(const auto begun, co_await answer_of<BrowserSession>(std::move(start)));
    note_user(call.request(), begun.session);
    co_return in_cookies(call.request(), begun.cookie, next);
}

identity::Credentials credentials_in(Call& call) {
    const json::object& body = call.body().get_object();
    std::string tenant = core::lower_ascii(text_of(body, "tenant"));
    if (tenant == kNoTenant) tenant.clear();
    call.claim(tenant, text_of(body, "name"));
    return {.tenant = std::move(tenant),
            .name = text_of(body, "name"),
            .password = core::Secret(text_of(body, "password")),
            .code = core::Secret(text_of(body, "code")),
            .address = client_of(call.request()).address};
}

asio::awaitable<Result<SignedIn>> check_credentials(Call& call, const IdentityDeps& deps) {
    ZONA_CO_TRY_VOID(open_sessions(deps));
    auto begin = [&deps, shown = credentials_in(call)](process::Callback<SignedIn> done) mutable {
        deps.users->sign_in(std::move(shown), std::move(done));
    };
    co_return co_await answer_of<SignedIn>(std::move(begin));
}

std::string method_of(const SignedIn& who) {
    return who.with_second_factor ? "password+code" : "password";
}

namespace {

class SessionRoutes {
  public:
    SessionRoutes(const IdentityDeps& deps, tenancy::Tenants& tenants)
        : deps_(deps), tenants_(tenants) {}

    Answer begin(Call& call) const {
        ZONA_CO_TRY(const SignedIn who, co_await check_credentials(call, deps_));
        co_return co_await begin_session(call, deps_, who, method_of(who));
    }

    Answer renew(Call& call) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        core::Secret token(text_of(call.body().get_object(), "refresh_token"));
        auto begin = [&sessions, token = std::move(token),
                      client = client_of(call.request())](process::Callback<Tokens> done) mutable {
            sessions->refresh(std::move(token), std::move(client), std::move(done));
        };
        ZONA_CO_TRY(const Tokens tokens, co_await answer_of<Tokens>(std::move(begin)));
        note_user(call.request(), tokens.session);
        co_return shown(tokens);
    }

    Answer change_password(Call& call) const {
        core::Secret wanted(text_of(call.body().get_object(), "new_password"));
        auto begin = [this, shown = credentials_in(call),
                      wanted = std::move(wanted)](process::Callback<identity::User> done) mutable {
            deps_.users->change_password(std::move(shown), std::move(wanted), std::move(done));
        };
        ZONA_CO_TRY(const auto user, co_await answer_of<identity::User>(std::move(begin)));
        co_return Response::success(core::to_json(json::object{{"name", user.name}}));
    }

    Answer who(Call& call) const {
        const net::Request& request = call.request();
        json::object data = {{"principal", request.principal},
                             {"tenant", shown_tenant(request.tenant)},
                             {"may_change", request.may_change},
                             {"session", nullptr}};
        if (const identity::Principal* user = identity::user_of(request)) {
            data["session"] = {{"id", user->session.to_string()},
                               {"user_id", user->user_id},
                               {"name", user->name},
                               {"roles", json::array(user->roles.begin(), user->roles.end())}};
        }
        co_return Response::success(core::to_json(data));
    }

    Answer end_own(Call& call) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        ZONA_CO_TRY(const auto* user, user_with_session(call.request()));
        identity::SessionSelection which{
            .tenant = user->tenant, .user = user->user_id, .session = user->session};
        if (call.path("id") != "current") {
            ZONA_CO_TRY(which.session, id_in(call.path("id")));
        }
        co_return co_await end(sessions, std::move(which), "signed out");
    }

    Answer list(Call& call) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        identity::SessionSelection which{.tenant = tenant, .user = {}, .session = {}};
        co_return co_await list(sessions, std::move(which));
    }

    Answer list_own(Call& call) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        ZONA_CO_TRY(const auto* user, user_with_session(call.request()));
        identity::SessionSelection which{
            .tenant = user->tenant, .user = user->user_id, .session = {}};
        co_return co_await list(sessions, std::move(which));
    }

    Answer end_some(Call& call) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        identity::SessionSelection which{.tenant = {}, .user = call.integer("user"), .session = {}};
        ZONA_CO_TRY(which.tenant, co_await tenant_in(call, tenants_));
        if (const auto id = call.text("id")) {
            ZONA_CO_TRY(which.session, id_in(*id));
        }
        co_return co_await end(sessions, std::move(which), "ended by " + call.request().principal);
    }

    Answer key_set(Call&) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        auto begin = [&sessions](process::Callback<std::string> done) {
            sessions->keys()->key_set(std::move(done));
        };
        ZONA_CO_TRY(std::string set, co_await answer_of<std::string>(std::move(begin)));
        co_return net::kept_by_anybody(Response::json(std::move(set)));
    }

  private:
    using Open = std::shared_ptr<Sessions>;

    static Result<std::optional<core::Uuid>> id_in(const std::string& text) {
        const auto id = core::Uuid::parse(text);
        if (!id) return Error(Code::kInvalidArgument, "this is no session's id");
        return std::optional(*id);
    }

    static Answer list(Open sessions, identity::SessionSelection which) {
        using All = std::vector<Session>;
        auto begin = [&](process::Callback<All> done) {
            sessions->list(std::move(which), std::move(done));
        };
        ZONA_CO_TRY(const All all, co_await answer_of<All>(std::move(begin)));
        json::array data;
        for (const Session& one : all)
            data.push_back(shown(one));
        co_return Response::success(core::to_json(data));
    }

    static Answer end(Open sessions, identity::SessionSelection which, std::string reason) {
        auto begin = [&](process::Callback<std::size_t> done) {
            sessions->end(std::move(which), std::move(reason), std::move(done));
        };
        ZONA_CO_TRY(const std::size_t ended, co_await answer_of<std::size_t>(std::move(begin)));
        co_return Response::success(core::to_json(json::object{{"ended", ended}}));
    }

    const IdentityDeps& deps_;
    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_session_routes(Service& service, const IdentityDeps* deps,
                                tenancy::Tenants* tenants) {
    service.name("Session", session_shape());
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const SessionRoutes>(*deps, *tenants);
    using Member = Answer (SessionRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {sign_in(), &SessionRoutes::begin},
        {renew(), &SessionRoutes::renew},
        {end_session(), &SessionRoutes::end_own},
        {list_sessions(), static_cast<Member>(&SessionRoutes::list)},
        {list_own_sessions(), &SessionRoutes::list_own},
        {end_sessions(), &SessionRoutes::end_some},
        {change_password(), &SessionRoutes::change_password},
        {who_am_i(), &SessionRoutes::who},
        {key_set(), &SessionRoutes::key_set}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
