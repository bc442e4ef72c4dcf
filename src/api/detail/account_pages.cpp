// Who one is, one's own sessions, and signing out, with a browser.
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/detail/await.h"
#include "api/detail/browser_session.h"
#include "api/detail/identity_routes.h"
#include "api/detail/page.h"
#include "api/pipeline/csrf.h"
#include "core/markup.h"
#include "core/time_format.h"
#include "identity/sessions/sessions.h"

namespace zona::api {

using core::Code;
using core::Error;
using core::escaped_markup;
using core::Result;
using identity::Session;
using identity::SessionSelection;
using net::Method;
using net::Response;

namespace {

std::vector<ErrorSpec> session_errors() {
    return {{Code::kConflict, "A key has no session."}};
}

Operation show_account() {
    Operation out = page_operation(Method::kGet, "/account", "getAccountPage", Access::kViewer);
    out.summary = "The page of one's own sessions";
    out.description = "Says who one is, and lists where one is signed in.";
    out.answers = {page_answer("The sessions.")};
    out.errors = session_errors();
    return out;
}

Operation end_by_page() {
    Operation out =
        page_operation(Method::kPost, "/account/sessions", "endSessionByPage", Access::kAdmin);
    out.summary = "End a session of one's own with a browser";
    out.description = "What the buttons of getAccountPage send.";
    out.body =
        BodySpec{Shape::object({csrf_field(),
                                required("id", Shape::text("The session's id.").length(1, 64))}),
                 {{"other", "Another one",
                   R"({"csrf_token": "x", "id": "0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f"})"}},
                 BodyForm::kForm};
    out.answers = {redirect_answer("It has ended.")};
    out.errors = session_errors();
    return out;
}

Operation show_sign_out() {
    Operation out = page_operation(Method::kGet, "/logout", "getSignOutPage", Access::kViewer);
    out.summary = "The page to sign out";
    out.description = "Asks once more, for a link to it may stand anywhere.";
    out.answers = {page_answer("The button.")};
    return out;
}

Operation sign_out_by_page() {
    Operation out = page_operation(Method::kPost, "/logout", "signOutByPage", Access::kAdmin);
    out.summary = "Sign out with a browser";
    out.description = "Ends the session, and takes its cookies back.";
    out.body = BodySpec{Shape::object({csrf_field()}),
                        {{"now", "The session of the request", R"({"csrf_token": "x"})"}},
                        BodyForm::kForm};
    out.answers = {redirect_answer("It has ended.")};
    out.errors = session_errors();
    return out;
}

/// A button that sends a form of its own.
std::string button(std::string_view action, std::string_view fields, std::string_view text) {
    return fmt::format("<form method=\"post\" action=\"{}\">{}<button>{}</button></form>\n", action,
                       fields, escaped_markup(text));
}

std::string token_field(const net::Request& request) {
    return hidden_field(kCsrfField, csrf_token(request.token));
}

std::string row_of(const Session& session, bool is_this, const std::string& token) {
    const std::string id = session.id.to_string();
    const std::string cells[] = {core::to_rfc3339(session.made),
                                 core::to_rfc3339(session.last_used), session.client.address,
                                 session.client.user_agent, session.method};
    std::string out = "<tr>";
    for (const std::string& cell : cells)
        out += fmt::format("<td>{}</td>", escaped_markup(cell));
    return out + fmt::format("<td>{}{}</td></tr>\n",
                             button("/account/sessions", token + hidden_field("id", id), "End"),
                             is_this ? "this one" : "");
}

class AccountPages {
  public:
    explicit AccountPages(const IdentityDeps& deps) : deps_(deps) {}

    Answer show(Call& call) const {
        const net::Request& request = call.request();
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        ZONA_CO_TRY(const auto* user, user_with_session(request));
        using All = std::vector<Session>;
        auto begin = [&](process::Callback<All> done) {
            sessions->list({.tenant = user->tenant, .user = user->user_id, .session = {}},
                           std::move(done));
        };
        ZONA_CO_TRY(const All all, co_await answer_of<All>(std::move(begin)));
        const std::string token = token_field(request);
        std::string content = paragraph(fmt::format(
            "You are {} of {}. Roles: {}.", user->name, shown_tenant(user->tenant),
            user->roles.empty() ? "none" : fmt::format("{}", fmt::join(user->roles, ", "))));
        content += button("/logout", token, "Sign out");
        content +=
            "<h2>Where you are signed in</h2>\n<table><tr><th>Since</th><th>Last used</th>"
            "<th>From</th><th>By</th><th>How</th><th></th></tr>\n";
        for (const Session& session : all)
            content += row_of(session, session.id == user->session, token);
        co_return page("Your account", content + "</table>\n");
    }

    Answer end(Call& call) const {
        ZONA_CO_TRY(const auto* user, user_with_session(call.request()));
        const auto id = core::Uuid::parse(text_of(call.body().get_object(), "id"));
        if (!id) co_return Error(Code::kInvalidArgument, "this is no session's id");
        if (*id == user->session) co_return co_await sign_out(call);
        ZONA_CO_TRY_VOID(co_await end(*user, *id));
        co_return see_other("/account");
    }

    Answer show_sign_out(Call& call) const {
        co_return page("Sign out", button("/logout", token_field(call.request()), "Sign out"));
    }

    Answer sign_out(Call& call) const {
        ZONA_CO_TRY(const auto* user, user_with_session(call.request()));
        ZONA_CO_TRY_VOID(co_await end(*user, user->session));
        Response out = see_other("/login");
        forget_session(call.request(), out);
        co_return out;
    }

  private:
    /// Of the user's own.
    net::asio::awaitable<Result<void>> end(const identity::Principal& user, core::Uuid id) const {
        ZONA_CO_TRY(const auto sessions, open_sessions(deps_));
        auto begin = [&](process::Callback<std::size_t> done) {
            sessions->end({.tenant = user.tenant, .user = user.user_id, .session = id},
                          "signed out", std::move(done));
        };
        ZONA_CO_TRY(const std::size_t ended, co_await answer_of<std::size_t>(std::move(begin)));
        static_cast<void>(ended);  // one that is over already is what was wanted
        co_return Result<void>();
    }

    const IdentityDeps& deps_;
};

}  // namespace

Result<void> add_account_pages(Service& service, const DaemonApiDeps* deps) {
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const AccountPages>(deps->identity);
    using Member = Answer (AccountPages::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {show_account(), &AccountPages::show},
        {end_by_page(), static_cast<Member>(&AccountPages::end)},
        {show_sign_out(), &AccountPages::show_sign_out},
        {sign_out_by_page(), &AccountPages::sign_out}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
