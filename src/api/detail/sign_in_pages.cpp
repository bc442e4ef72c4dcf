// Signing in with a browser: by name and password, and by an identity provider.
#include <functional>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/browser_session.h"
#include "api/detail/identity_routes.h"
#include "api/detail/page.h"
#include "core/text.h"
#include "core/uri.h"
#include "identity/federation/federation.h"
#include "identity/secret_text.h"
#include "net/guard_origin.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using identity::IdentityProvider;
using identity::ProviderAnswer;
using identity::ProviderSignIn;
using identity::SignedIn;
using identity::SignInBegun;
using net::Method;
using net::Response;

namespace {

constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kLongestAnswer = 4096;
constexpr int kSeeOther = 303;

ParameterSpec text_parameter(std::string name, const char* doc, const char* example,
                             Presence presence = Presence::kOptional,
                             std::size_t most = kLongestText) {
    return {.name = std::move(name),
            .shape = Shape::text(doc).length(0, most).example(example),
            .presence = presence};
}

ParameterSpec next_parameter() {
    return text_parameter("next", "Where to go afterwards: a path of this zona.", "\"/account\"");
}

std::vector<Field> credential_fields() {
    return {
        csrf_field(),
        required("tenant",
                 Shape::text("The code of the user's tenant; `core`: one of none.").length(1, 64)),
        required("name", Shape::text("Who signs in.").length(1, 128)),
        required("password", Shape::text("The password.").length(1, kLongestText)),
        optional("code", Shape::text("Of the second factor.").length(0, 64)),
        optional("next", Shape::text("Where to go afterwards.").length(0, kLongestText))};
}

std::vector<ErrorSpec> sign_in_errors() {
    return {{Code::kUnauthenticated, "Name, password or code is wrong."},
            {Code::kSecondFactor, "The password is right; the code is missing."},
            {Code::kCsrf, "The form was not given to this browser."}};
}

const char* const kCredentials = R"("csrf_token": "x", "tenant": "default", "name": "anna",
    "password": "tulip orbit kettle", "code": "")";

Operation show_sign_in() {
    Operation out = page_operation(Method::kGet, "/login", "getSignInPage", Access::kOpen);
    out.summary = "The page to sign in";
    out.description = "With the identity providers of a tenant, if one is named.";
    out.parameters = {text_parameter("tenant", "The tenant's code.", "\"default\""),
                      next_parameter()};
    out.answers = {page_answer("The form.")};
    return out;
}

Operation sign_in_by_page() {
    Operation out = page_operation(Method::kPost, "/login", "signInByPage", Access::kOpen);
    out.summary = "Sign in with a browser";
    out.description = "What the form of getSignInPage sends: begins a session in cookies.";
    out.body = BodySpec{Shape::object(credential_fields()),
                        {{"anna", "With a password", fmt::format("{{{}}}", kCredentials)}},
                        BodyForm::kForm};
    out.answers = {redirect_answer("A session has begun; or the password must be changed first.")};
    out.errors = sign_in_errors();
    out.errors.push_back({Code::kAccessDenied, "The password must be changed first."});
    out.errors.push_back({Code::kInvalidTenant, "The tenant is not served here."});
    out.errors.push_back({Code::kTenantInactive, "The tenant is not active."});
    return out;
}

Operation show_password() {
    Operation out =
        page_operation(Method::kGet, "/login/passwords", "getPasswordPage", Access::kOpen);
    out.summary = "The page to change one's password";
    out.description = "Where a sign-in leads to if the password must be changed first.";
    out.parameters = {text_parameter("tenant", "The tenant's code.", "\"default\""),
                      text_parameter("name", "Whose it is.", "\"anna\""), next_parameter()};
    out.answers = {page_answer("The form.")};
    return out;
}

Operation change_password_by_page() {
    std::vector<Field> fields = credential_fields();
    for (const char* name : {"new_password", "new_password_again"}) {
        fields.push_back(
            required(name, Shape::text("12 characters at least.").length(1, kLongestText)));
    }
    Operation out =
        page_operation(Method::kPost, "/login/passwords", "changePasswordByPage", Access::kOpen);
    out.summary = "Change one's password with a browser";
    out.description = "What the form of getPasswordPage sends.";
    out.body = BodySpec{Shape::object(std::move(fields)),
                        {{"anna", "Another one",
                          fmt::format(R"({{{}, "new_password": "meadow piston lantern",
                                          "new_password_again": "meadow piston lantern"}})",
                                      kCredentials)}},
                        BodyForm::kForm};
    out.answers = {page_answer("It holds from now on.")};
    out.errors = sign_in_errors();
    return out;
}

std::vector<ErrorSpec> provider_errors() {
    return {{Code::kNotFound, "There is no such provider, or it is switched off."},
            {Code::kUnavailable, "The provider cannot be reached, or says what it should not."},
            {Code::kTimeout, "The provider does not answer in time."}};
}

Operation begin_by_provider() {
    Operation out =
        page_operation(Method::kGet, "/login/providers", "beginSignInByPage", Access::kOpen);
    out.summary = "Go to an identity provider";
    out.description = "Where the buttons of getSignInPage lead. Good for ten minutes.";
    out.parameters = {
        text_parameter("tenant", "The tenant's code.", "\"default\"", Presence::kRequired),
        text_parameter("name", "The provider's name.", "\"corp\"", Presence::kRequired),
        next_parameter()};
    out.answers = {redirect_answer("At the provider.")};
    out.errors = provider_errors();
    return out;
}

Operation finish_by_provider() {
    Operation out = page_operation(Method::kGet, std::string(identity::kReturnPath),
                                   "finishSignInByPage", Access::kOpen);
    out.manner = Manner::kReturn;
    out.changes_by_get = true;
    out.summary = "Come back from an identity provider";
    out.description =
        "Where OpenID providers send browsers: `federation.redirect_uri` is its address.";
    out.parameters = {
        text_parameter("state", "As zona gave it.", "\"x\"", Presence::kRequired),
        text_parameter("code", "For zona.", "\"\"", Presence::kOptional, kLongestAnswer),
        text_parameter("iss", "Who sends back.", "\"\""),
        text_parameter("error", "Instead of a code.", "\"\"")};
    out.answers = {redirect_answer("A session has begun.")};
    out.errors = provider_errors();
    out.errors.push_back(
        {Code::kUnauthenticated, "It was not begun in this browser, is used, or a refusal."});
    out.errors.push_back({Code::kInvalidToken, "The provider's token is not good."});
    out.errors.push_back({Code::kAccessDenied, "The provider's user is none here."});
    out.errors.push_back({Code::kInvalidTenant, "The tenant is not served here."});
    out.errors.push_back({Code::kTenantInactive, "The tenant is not active."});
    return out;
}

std::string query_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    std::string out;
    for (const auto& [name, value] : fields)
        out += fmt::format("{}{}={}", out.empty() ? '?' : '&', name, core::percent_encoded(value));
    return out;
}

/// The form's GET, which names another tenant.
std::string tenant_form(const std::string& tenant, const std::string& next) {
    return fmt::format(
        "<h2>With your company's account</h2>\n<form method=\"get\" action=\"/login\">\n{}"
        "{}<button>Show its identity providers</button>\n</form>\n",
        hidden_field("next", next),
        text_field("Tenant", "tenant", tenant, "maxlength=\"64\" required"));
}

class SignInPages {
  public:
    explicit SignInPages(const DaemonApiDeps& deps) : deps_(deps.identity), random_(deps.random) {}

    Answer show(Call& call) const {
        SignInForm form{.next = local_path(call.text("next").value_or(""))};
        const std::string tenant = core::lower_ascii(call.text("tenant").value_or(""));
        if (!tenant.empty()) form.tenant = tenant;
        ZONA_CO_TRY(const std::string providers, co_await provider_links(tenant, form.next));
        co_return given(call, "Sign in", std::move(form), [&](const SignInForm& given) {
            return sign_in_form(given) + tenant_form(given.tenant, given.next) + providers;
        });
    }

    Answer sign_in(Call& call) const {
        ZONA_CO_TRY_VOID(check_visitor(call.request()));
        ZONA_CO_TRY(const SignedIn who, co_await check_credentials(call, deps_));
        const std::string next = local_path(text_of(call.body().get_object(), "next"));
        auto begun = co_await begin_browser_session(call, deps_, who, method_of(who), next);
        if (begun || !who.must_change_password) co_return begun;
        Response changes = Response::failed(begun.take_error(), kSeeOther);
        changes.headers.set("Location",
                            "/login/passwords" + query_of({{"tenant", shown_tenant(who.tenant)},
                                                           {"name", who.name},
                                                           {"next", next}}));
        co_return changes;
    }

    Answer show_password(Call& call) const {
        SignInForm form{.name = call.text("name").value_or(""),
                        .next = local_path(call.text("next").value_or(""))};
        if (const auto tenant = call.text("tenant")) form.tenant = *tenant;
        co_return given(call, "Change your password", std::move(form), password_form);
    }

    Answer change_password(Call& call) const {
        ZONA_CO_TRY_VOID(check_visitor(call.request()));
        const json::object& body = call.body().get_object();
        core::Secret wanted(text_of(body, "new_password"));
        if (!wanted.same_as(core::Secret(text_of(body, "new_password_again"))))
            co_return Error(Code::kInvalidArgument, "the two new passwords differ");
        auto begin = [this, shown = credentials_in(call),
                      wanted = std::move(wanted)](process::Callback<identity::User> done) mutable {
            deps_.users->change_password(std::move(shown), std::move(wanted), std::move(done));
        };
        ZONA_CO_TRY(const auto user, co_await answer_of<identity::User>(std::move(begin)));
        co_return page("Your password is changed",
                       paragraph("All sessions have ended. Sign in with the new one.") +
                           link_to("/login" + query_of({{"tenant", shown_tenant(user.tenant)},
                                                        {"next", text_of(body, "next")}}),
                                   "Sign in"));
    }

    Answer begin_by_provider(Call& call) const {
        ZONA_CO_TRY(std::string back, redirect_uri(call.request()));
        const std::string tenant = core::lower_ascii(*call.text("tenant"));
        auto begin = [&](process::Callback<SignInBegun> done) {
            deps_.federation->begin(tenant, *call.text("name"), std::move(back), std::move(done));
        };
        ZONA_CO_TRY(const auto begun, co_await answer_of<SignInBegun>(std::move(begin)));
        Response out = see_other(begun.url);
        keep_attempt(call.request(), out, {begun.attempt, call.text("next").value_or("")});
        co_return out;
    }

    Answer finish_by_provider(Call& call) const {
        const auto text = [&](const char* name) { return call.text(name).value_or(""); };
        BrowserAttempt kept = kept_attempt(call.request());
        ProviderAnswer answer{.attempt = std::move(kept.attempt),
                              .state = text("state"),
                              .code = core::Secret(text("code")),
                              .issuer = text("iss"),
                              .error = text("error"),
                              .address = client_of(call.request()).address};
        auto ask = [this,
                    answer = std::move(answer)](process::Callback<ProviderSignIn> done) mutable {
            deps_.federation->finish(std::move(answer), std::move(done));
        };
        ZONA_CO_TRY(const auto in, co_await answer_of<ProviderSignIn>(std::move(ask)));
        ZONA_CO_TRY(Response out, co_await begin_browser_session(
                                      call, deps_, in.who, "provider:" + in.provider, kept.next));
        forget_attempt(call.request(), out);
        co_return out;
    }

  private:
    /// A page with a form for this very browser.
    Response given(const Call& call, std::string_view title, SignInForm form,
                   const std::function<std::string(const SignInForm&)>& content) const {
        const Visitor visitor = Visitor::of(call.request(), random_);
        form.token = visitor.csrf_token();
        Response out = page(title, content(form));
        visitor.remember(call.request(), out);
        return out;
    }

    /// Links to the providers of a tenant; none for what is no tenant.
    asio::awaitable<Result<std::string>> provider_links(std::string tenant,
                                                        std::string next) const {
        using All = std::vector<IdentityProvider>;
        if (tenant.empty() || tenant == kNoTenant) co_return std::string();
        auto begin = [this, tenant](process::Callback<All> done) {
            deps_.providers->list(tenant, std::move(done));
        };
        const Result<All> all = co_await answer_of<All>(std::move(begin));
        if (!all && all.error().code() != Code::kInvalidArgument) co_return all.error();
        std::string out;
        for (const IdentityProvider& provider : all ? *all : All()) {
            if (!provider.enabled) continue;
            const std::string& name =
                provider.display_name.empty() ? provider.name : provider.display_name;
            out +=
                link_to("/login/providers" +
                            query_of({{"tenant", tenant}, {"name", provider.name}, {"next", next}}),
                        name);
        }
        co_return out;
    }

    /// Where the provider is to send this browser back to: the address that it has asked.
    Result<std::string> redirect_uri(const net::Request& request) const {
        const std::string& set = deps_.federation->redirect_uri();
        if (set.ends_with(identity::kReturnPath) && net::is_own_url(set, request)) return set;
        const std::string_view host = request.headers.find("Host").value_or("");
        const bool is_this_host = host.starts_with("127.0.0.1:") || host.starts_with("[::1]:");
        if (is_this_host && !request.over_tls)
            return fmt::format("http://{}{}", host, identity::kReturnPath);
        return Error(Code::kUnavailable,
                     fmt::format("identity providers cannot send browsers back here: the setting "
                                 "federation.redirect_uri is to be this zona's address with {}",
                                 identity::kReturnPath));
    }

    const IdentityDeps& deps_;
    core::Random& random_;
};

}  // namespace

Result<void> add_sign_in_pages(Service& service, const DaemonApiDeps* deps) {
    const auto routes = deps == nullptr ? nullptr : std::make_shared<const SignInPages>(*deps);
    using Member = Answer (SignInPages::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {show_sign_in(), &SignInPages::show},
        {sign_in_by_page(), &SignInPages::sign_in},
        {show_password(), &SignInPages::show_password},
        {change_password_by_page(), &SignInPages::change_password},
        {begin_by_provider(), &SignInPages::begin_by_provider},
        {finish_by_provider(), &SignInPages::finish_by_provider}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
