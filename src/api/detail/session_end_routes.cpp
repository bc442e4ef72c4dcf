// Moving the end of a session, by its access token: in the path, as it was promised, and in a body.
#include <charconv>
#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "identity/access/permissions.h"
#include "identity/secret_text.h"
#include "identity/sessions/sessions.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using identity::Principal;
using net::Method;

namespace {

constexpr std::size_t kLongestToken = 8192;
/// Of numbers, milliseconds from here on: as seconds it is the year 5138.
constexpr std::int64_t kLeastMilliseconds = 100'000'000'000;

std::vector<AnswerSpec> end_answer() {
    return {{.description = "When the session ends now.",
             .shape = Shape::object(
                 {required("session", Shape::text("The session's id.")),
                  required("ended", Shape::boolean("It has ended: the moment has passed.")),
                  required("ends_at_latest",
                           Shape::text("When it ends whatever is done.").format(Format::kTime))}),
             .example = R"({"session": "0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f", "ended": false,
                 "ends_at_latest": "2026-01-31T18:00:00.000Z"})"}};
}

std::vector<ErrorSpec> end_errors() {
    return {{Code::kNotFound, "No live session has this token."},
            {Code::kAccessDenied,
             "It is neither the session of whoever asks, nor are they an "
             "administrator of its tenant."},
            {Code::kInvalidTenant, "The session is of a tenant that is not reached."}};
}

Operation move_end_by_path() {
    const auto parameter = [](const char* name, Shape shape) {
        return ParameterSpec{.name = name,
                             .shape = std::move(shape),
                             .place = Place::kPath,
                             .presence = Presence::kRequired};
    };
    return {
        .path = std::string(identity::kTokenPath) + "{accesstoken}/{exiprytime}/",
        .id = "updateUserSessionExpiretime",
        .tag = Tag::kIdentity,
        .reach = Reach::kEveryone,
        .summary = "Move the end of a session (as it was promised)",
        .description =
            "For programs that were made for this path; others use moveSessionEnd, for proxies "
            "and browsers keep what stands in a path. Zona's own logs and records do not. Whoever "
            "asks shows a key or token as always: the session's own, or one that may manage the "
            "sessions of its tenant.",
        .parameters = {parameter("accesstoken", Shape::text("The session's access token.")
                                                    .example("\"eyJhbGciOiJFZERTQSJ9.e30.c2ln\"")),
                       parameter("exiprytime",
                                 Shape::text("When it is to end: a time as RFC 3339 has it, or "
                                             "seconds or milliseconds since 1970. At the latest "
                                             "it ends when it would have anyway; a moment that has "
                                             "passed ends it.")
                                     .example("\"2026-01-31T18:00:00Z\""))},
        .answers = end_answer(),
        .errors = end_errors(),
        .changes_by_get = true};
}

Operation move_end() {
    const Shape body = Shape::object(
        {required("access_token",
                  Shape::text("The session's access token.").length(1, kLongestToken)),
         required("ends_at", Shape::text("When it is to end; sessions.absolute_lifetime after its "
                                         "beginning at the latest. A moment that has passed ends "
                                         "it.")
                                 .format(Format::kTime))});
    return {.method = Method::kPost,
            .path = "/api/v1/sessions/ends",
            .id = "moveSessionEnd",
            .tag = Tag::kIdentity,
            .access = Access::kAdmin,
            .reach = Reach::kEveryone,
            .summary = "Move the end of a session",
            .description =
                "By its access token: for the session itself, and for whoever may manage the "
                "sessions of its tenant.",
            .body = BodySpec{body,
                             {{"shorter", "Until the evening",
                               R"({"access_token": "eyJhbGciOiJFZERTQSJ9.e30.c2ln",
                                   "ends_at": "2026-01-31T18:00:00Z"})"}}},
            .answers = end_answer(),
            .errors = end_errors()};
}

Result<core::SystemTime> moment_in(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size()) {
        auto time = core::parse_rfc3339(text);
        if (time) return time;
        return time.take_error().context("exiprytime");
    }
    constexpr std::int64_t kMost =
        std::chrono::floor<std::chrono::milliseconds>(core::SystemTime::max().time_since_epoch())
            .count();
    const bool is_seconds = number < kLeastMilliseconds;
    if (number < 0 || (!is_seconds && number > kMost))
        return Error(Code::kInvalidArgument, "exiprytime is no moment that can be told");
    const std::int64_t milliseconds = is_seconds ? number * 1000 : number;
    return core::SystemTime(std::chrono::milliseconds(milliseconds));
}

class SessionEndRoutes {
  public:
    explicit SessionEndRoutes(const DaemonApiDeps& deps) : deps_(deps) {}

    Answer by_path(Call& call) const {
        ZONA_CO_TRY(const core::SystemTime end, moment_in(call.path("exiprytime")));
        co_return co_await move(call, call.path("accesstoken"), end);
    }

    Answer by_body(Call& call) const {
        const json::object& body = call.body().get_object();
        ZONA_CO_TRY(const core::SystemTime end,
                    core::parse_rfc3339(std::string_view(body.at("ends_at").get_string())));
        const std::string token(body.at("access_token").get_string());
        co_return co_await move(call, token, end);
    }

  private:
    Answer move(Call& call, const std::string& token, core::SystemTime end) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_.identity));
        const Result<Principal> whose = co_await sessions->async_verify(token);
        if (!whose && whose.error().code() == Code::kUnavailable) co_return whose.error();
        if (!whose) co_return Error(Code::kNotFound, "no live session has this access token");
        ZONA_CO_TRY_VOID(check(call.request(), *whose));
        auto begin = [&](process::Callback<identity::Session> done) {
            sessions->move_end(whose->tenant, whose->session, end, std::move(done));
        };
        ZONA_CO_TRY(const identity::Session moved,
                    co_await answer_of<identity::Session>(std::move(begin)));
        co_return net::Response::success(
            core::to_json(json::object{{"session", moved.id.to_string()},
                                       {"ended", moved.absolute_end <= deps_.clock.system()},
                                       {"ends_at_latest", core::to_rfc3339(moved.absolute_end)}}));
    }

    /// Whether it is their own session, or they may change those of its tenant.
    Result<void> check(const net::Request& request, const Principal& whose) const {
        const Principal* user = identity::user_of(request);
        if (user != nullptr && user->session == whose.session) return {};
        const std::string address = client_of(request).address;
        return identity::decide(
            subject_of(request), {identity::Resource::kSessions, identity::Action::kUpdate},
            {.tenant = whose.tenant}, {.time = deps_.clock.system(), .address = address});
    }

    const DaemonApiDeps& deps_;
};

}  // namespace

Result<void> add_session_end_routes(Service& service, const DaemonApiDeps* deps) {
    const auto routes = deps == nullptr ? nullptr : std::make_shared<const SessionEndRoutes>(*deps);
    using Member = Answer (SessionEndRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{move_end_by_path(), &SessionEndRoutes::by_path},
                                                 {move_end(), &SessionEndRoutes::by_body}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
