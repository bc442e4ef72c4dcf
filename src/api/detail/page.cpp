#include "api/detail/page.h"

#include <utility>

#include <fmt/format.h>

#include "api/detail/browser_session.h"
#include "api/detail/html.h"
#include "api/detail/identity_routes.h"
#include "api/detail/pmdaemon_routes.h"
#include "api/pages.h"
#include "api/pipeline/csrf.h"
#include "core/markup.h"
#include "core/uri.h"
#include "net/form.h"
#include "net/middleware.h"

namespace zona::api {

using core::Code;
using core::escaped_markup;
using net::Request;
using net::Response;

namespace {

constexpr int kSeeOther = 303;
constexpr int kUnauthorized = 401;

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
label { display: block; margin: .8rem 0; max-width: 22rem; }
input { display: block; box-sizing: border-box; width: 100%; font: inherit; padding: .4rem; }
button, .button { font: inherit; padding: .4rem 1rem; }
.button { display: inline-block; border: 1px solid; border-radius: 4px; text-decoration: none; }
.problem { border-left: 4px solid #b00020; padding-left: .8rem; }
.small { opacity: .7; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8888;
         overflow-wrap: anywhere; }
)";

const std::string& policy() {
    static const std::string kPolicy = fmt::format(
        "default-src 'none'; style-src {}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
        detail::hash_source(kStyle));
    return kPolicy;
}

/// Who it is, by name and password; they are asked for together with what hangs on them, so that
/// nobody has to keep a password between two pages.
std::string who_fields(const SignInForm& form) {
    const bool is_known = !form.name.empty();
    return hidden_field(kCsrfField, form.token) + hidden_field("next", form.next) +
           text_field("Tenant", "tenant", form.tenant,
                      "autocomplete=\"organization\" maxlength=\"64\" required") +
           text_field("Name", "name", form.name,
                      fmt::format("autocomplete=\"username\" maxlength=\"128\" required{}",
                                  is_known ? "" : " autofocus")) +
           text_field("Password", "password", "",
                      fmt::format("type=\"password\" autocomplete=\"current-password\" "
                                  "maxlength=\"1024\" required{}",
                                  is_known ? " autofocus" : "")) +
           text_field("Code of the second factor, if you have one", "code", "",
                      "autocomplete=\"one-time-code\" maxlength=\"64\"");
}

std::string problem_of(const SignInForm& form) {
    return form.problem.empty() ? std::string() : paragraph(form.problem, "problem");
}

/// What a form was sent with; nullopt: it cannot be shown again.
std::optional<SignInForm> sent_form(const Request& request, std::string problem) {
    const auto visitor = Visitor::known(request);
    const auto name = net::form_value(request, "name");
    if (!visitor || !name) return std::nullopt;
    return SignInForm{.tenant = net::form_value(request, "tenant").value_or(""),
                      .name = *name,
                      .next = local_path(net::form_value(request, "next").value_or("")),
                      .token = visitor->csrf_token(),
                      .problem = std::move(problem)};
}

bool is_page(const Request& request) {
    if (request.route == kProviderAnswersPath) return true;
    for (const std::string_view path : {"/login", "/logout", "/account"}) {
        const bool is_below =
            request.route.starts_with(path) &&
            (request.route.size() == path.size() || request.route[path.size()] == '/');
        if (is_below) return true;
    }
    return false;
}

/// To the sign-in, and back to a page that was asked for.
Response to_sign_in(const Request& request) {
    const bool asks = request.method == net::Method::kGet;
    Response out = see_other(
        asks ? fmt::format("/login?next={}", core::percent_encoded(local_path(request.path)))
             : "/login");
    forget_session(request, out);
    return out;
}

}  // namespace

Response page(std::string_view title, std::string_view content, int status) {
    Response out = Response::text(
        fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                    "<title>{0} - zona</title>\n<style>{1}</style></head>\n"
                    "<body><main><h1>{0}</h1>\n{2}</main></body></html>\n",
                    escaped_markup(title), kStyle, content),
        "text/html; charset=utf-8");
    out.status = status;
    out.headers.set("Content-Security-Policy", policy());
    // Without a referrer browsers send forms with `Origin: null`.
    out.headers.set("Referrer-Policy", "same-origin");
    // What is compressed tells by its length whether words of the address stand in the token, too.
    out.headers.set("Cache-Control", "no-store, no-transform");
    out.headers.set("Vary", "Accept");
    return out;
}

std::string hidden_field(std::string_view name, std::string_view value) {
    return fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", name,
                       escaped_markup(value));
}

std::string text_field(std::string_view label, std::string_view name, std::string_view value,
                       std::string_view more) {
    return fmt::format("<label>{}<input name=\"{}\" value=\"{}\" {}></label>\n",
                       escaped_markup(label), name, escaped_markup(value), more);
}

std::string paragraph(std::string_view text, std::string_view kind) {
    return kind.empty() ? fmt::format("<p>{}</p>\n", escaped_markup(text))
                        : fmt::format("<p class=\"{}\">{}</p>\n", kind, escaped_markup(text));
}

std::string link_to(std::string_view path, std::string_view text) {
    return fmt::format("<p><a class=\"button\" href=\"{}\">{}</a></p>\n", escaped_markup(path),
                       escaped_markup(text));
}

std::string sign_in_form(const SignInForm& form) {
    return fmt::format(
        "{}<form method=\"post\" action=\"/login\">\n{}<button>Sign in</button>\n</form>\n",
        problem_of(form), who_fields(form));
}

std::string password_form(const SignInForm& form) {
    constexpr std::string_view kNew =
        "type=\"password\" autocomplete=\"new-password\" maxlength=\"1024\" required";
    return fmt::format(
        "{}<form method=\"post\" action=\"/login/passwords\">\n{}{}{}<button>Change it</button>\n"
        "</form>\n",
        problem_of(form), who_fields(form),
        text_field("New password: 12 characters at least", "new_password", "", kNew),
        text_field("New password again", "new_password_again", "", kNew));
}

Operation page_operation(net::Method method, std::string path, std::string id, Access access) {
    return {.method = method,
            .path = std::move(path),
            .id = std::move(id),
            .tag = Tag::kPages,
            .access = access,
            .reach = Reach::kEveryone};
}

AnswerSpec page_answer(std::string description) {
    return {.description = std::move(description),
            .shape = Shape::text("A page."),
            .media_type = "text/html",
            .example = "<!doctype html>"};
}

AnswerSpec redirect_answer(std::string description) {
    return {.status = kSeeOther,
            .description = std::move(description),
            .shape = Shape::any("Nothing."),
            .media_type = ""};
}

Field csrf_field() {
    return optional(
        std::string(kCsrfField),
        Shape::text("As the page has it; or in the header X-CSRF-Token.").length(0, 64));
}

std::optional<Response> page_error(const Request& request, const core::Error& shown, int status) {
    if (!is_page(request) || !pmdaemon::wants_page(request)) return std::nullopt;
    if (status == kSeeOther) {
        Response out;
        out.status = status;
        return out;
    }
    const bool is_before_session =
        request.route.starts_with("/login") || request.route == kProviderAnswersPath;
    if (status == kUnauthorized && !is_before_session) return to_sign_in(request);
    const bool is_sent = request.method == net::Method::kPost && shown.code() != Code::kCsrf;
    if (const auto form = is_sent ? sent_form(request, shown.message()) : std::nullopt) {
        if (request.route == "/login") return page("Sign in", sign_in_form(*form), status);
        if (request.route == "/login/passwords")
            return page("Change your password", password_form(*form), status);
    }
    return page(
        "That did not work",
        paragraph(shown.message(), "problem") +
            (is_before_session ? link_to("/login", "Sign in") : link_to("/account", "Back")) +
            paragraph("In zona's log this is " + request.correlation_id + ".", "small"),
        status);
}

}  // namespace zona::api
