#include "api/pipeline.h"

#include <gtest/gtest.h>

#include "api/pipeline/csrf.h"
#include "api/service.h"
#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "identity/access/roles.h"
#include "identity/caller.h"
#include "net/testing/ask_router.h"
#include "store/testing/memory_database.h"
#include "tenancy/core_collections.h"
#include "tenancy/limits/admission.h"
#include "tenancy/limits/licensing.h"
#include "tenancy/testing/license_issuer.h"

namespace zona::api {
namespace {

using core::Code;
using net::Response;

/// A service with an operation of each reach, behind the pipeline; `seen_` counts what got through.
class PipelineTest : public testing::Test {
  protected:
    PipelineTest() {
        add("/api/v1/walls", "listWalls", Reach::kInstallation);
        add("/api/v1/tenants/{code}/walls", "listWallsOfATenant", Reach::kTenant);
        add("/api/v1/tenants/{code}/walls", "makeWallOfATenant", Reach::kTenant,
            net::Method::kPost);
        add("/api/v1/weather", "getWeather", Reach::kEveryone);
        add("/api/v1/tenants/{code}/walls", "paintWalls", Reach::kTenant, net::Method::kPut);
        add("/api/v1/tenants/{code}/walls", "clearWalls", Reach::kTenant, net::Method::kDelete);
        add("/api/v1/tenants/{code}/pictures", "exportPictures", Reach::kTenant, net::Method::kGet,
            tenancy::Feature::kAuditExport);
    }

    Code ask(std::vector<std::string> path, const std::string& tenant,
             net::Method method = net::Method::kGet) {
        net::Request request;
        request.method = method;
        request.method_name = to_string(method);
        request.segments = std::move(path);
        request.tenant = tenant;
        request.token = token_;
        request.body = body_;
        for (const net::Parameter& field : fields_)
            request.headers.add(field.name, field.value);
        request.methods = shown_.bits();
        if (may_) {
            identity::set_caller(request, std::make_shared<const identity::Principal>(who_), may_);
        } else {
            request.permissions =
                (tenant.empty() ? identity::super_admin() : identity::admin_of(tenant)).permissions;
        }
        seen_ = 0;
        held_while_answering_ = 0;
        response_ = net::ask(
            service_.router(), request,
            pipeline({}, {[this](std::string_view) { return served_; }, admission_, licensing_,
                          clock_, metrics_, log_.logger("security"), methods_, closed_}));
        EXPECT_TRUE(request.held.empty());
        return response_.failure ? response_.failure->error.code() : Code::kInternal;
    }

    void add(const char* path, const char* id, Reach reach, net::Method method = net::Method::kGet,
             std::optional<tenancy::Feature> feature = {}, std::optional<Access> access = {}) {
        Operation operation{
            .method = method,
            .path = path,
            .id = id,
            .tag = Tag::kTenants,
            .access =
                access.value_or(method == net::Method::kGet ? Access::kViewer : Access::kAdmin),
            .reach = reach,
            .feature = feature,
            .summary = "Look at walls",
            .description = "Looks.",
            .answers = {{.description = "What there is.", .shape = Shape::object({})}}};
        if (reach == Reach::kTenant) {
            operation.parameters = {{.name = "code",
                                     .shape = Shape::text("Whose."),
                                     .place = Place::kPath,
                                     .presence = Presence::kRequired}};
            operation.errors = {{Code::kSessionError, "No database."}};
        }
        ASSERT_TRUE(service_.add(std::move(operation), [this](Call& call) {
            ++seen_;
            held_while_answering_ = call.request().held.size();
            return answer();
        }));
    }
    net::asio::awaitable<core::Result<Response>> answer() {
        if (failure_) co_return *failure_;
        co_return Response::success("{}");
    }

    core::FakeClock clock_;
    core::MetricRegistry metrics_;
    tenancy::Admission admission_{{}, clock_, metrics_};
    core::MemoryLog log_;
    tenancy::LicenseIssuer issuer_;
    tenancy::Licensing licensing_{
        {.keys = issuer_.keys(), .file = "/nowhere", .warn_days = {}},
        {.clock = clock_, .log = log_.logger("license"), .metrics = metrics_}};
    identity::MethodPolicies methods_;
    OperationNames closed_;
    identity::Methods shown_ = identity::Method::kKey;  ///< unless a user asks
    Service service_{"1"};
    Response response_;
    std::optional<core::Error> failure_;
    core::Result<void> served_;
    std::size_t held_while_answering_ = 0;
    int seen_ = 0;
    std::string token_;                   ///< by which it is known who asks
    std::vector<net::Parameter> fields_;  ///< of the head
    std::string body_;
    identity::Principal who_;
    std::shared_ptr<const identity::Permissions> may_;  ///< of a user; null: a key
};

/// Whether requests by a session's cookie come through.
class CsrfTest : public PipelineTest {
  protected:
    CsrfTest() { token_ = "zona_session_" + std::string(86, 'A') + ".acme"; }

    bool passes(std::vector<net::Parameter> fields, net::Method method = net::Method::kPut) {
        fields_ = std::move(fields);
        fields_.push_back({"Host", "zona.example"});
        const Code code = ask(path_, "acme", method);
        // The operation itself takes no form.
        EXPECT_TRUE(seen_ == 1 || code == Code::kCsrf || code == Code::kUnsupportedMedia)
            << core::info(code).name;
        return code != Code::kCsrf;
    }
    net::Parameter shown(const std::string& cookie) { return {"X-CSRF-Token", csrf_token(cookie)}; }

    std::vector<std::string> path_ = {"api", "v1", "tenants", "acme", "walls"};
};

// SEC-13
TEST_F(CsrfTest, ChangesByACookieShowItsToken) {
    EXPECT_FALSE(passes({}));
    EXPECT_EQ(response_.status, 403);
    EXPECT_FALSE(passes({{"X-CSRF-Token", ""}}));
    EXPECT_FALSE(passes({{"X-CSRF-Token", token_}}));
    EXPECT_FALSE(passes({shown(token_ + "x")}));
    EXPECT_FALSE(passes({}, net::Method::kDelete));
    EXPECT_TRUE(passes({shown(token_)}));
    EXPECT_TRUE(passes({shown(token_), {"Origin", "https://zona.example"}}));
    EXPECT_TRUE(passes({shown(token_), {"Referer", "https://zona.example/account"}}));
    EXPECT_TRUE(passes({}, net::Method::kGet));
}

// SEC-13
TEST_F(CsrfTest, AFormShowsItInAField) {
    const net::Parameter type{"Content-Type", "application/x-www-form-urlencoded"};
    body_ = "id=1&csrf_token=" + csrf_token(token_);
    EXPECT_TRUE(passes({type}));
    EXPECT_FALSE(passes({{"Content-Type", "text/plain"}}));
    EXPECT_FALSE(passes({type, shown("another")})) << "the header decides";
    body_ = "csrf_token=another&csrf_token=" + csrf_token(token_);
    EXPECT_FALSE(passes({type}));
}

// SEC-13
TEST_F(CsrfTest, PagesOfOtherSitesAreRefusedWhateverTheyShow) {
    for (const char* origin : {"https://evil.example", "null", "https://zona.example.evil.example",
                               "https://zona.example:4443", ""}) {
        EXPECT_FALSE(passes({shown(token_), {"Origin", origin}})) << origin;
        EXPECT_FALSE(passes({shown(token_), {"Origin", origin}}, net::Method::kGet)) << origin;
    }
    for (const char* page : {"https://evil.example/", "https://evil.example/zona.example", "x",
                             "https://zona.example@evil.example/", ""})
        EXPECT_FALSE(passes({shown(token_), {"Referer", page}})) << page;
    EXPECT_TRUE(passes({{"Referer", "https://evil.example/"}}, net::Method::kGet))
        << "a link may lead here";
}

// SEC-13
TEST_F(CsrfTest, AWebSocketByACookieHasTheOwnOrigin) {
    const net::Parameter upgrade{"Upgrade", "websocket"};
    const net::Parameter connection{"Connection", "Upgrade"};
    EXPECT_FALSE(passes({upgrade, connection}, net::Method::kGet));
    EXPECT_FALSE(
        passes({upgrade, connection, {"Origin", "https://evil.example"}}, net::Method::kGet));
    EXPECT_TRUE(
        passes({upgrade, connection, {"Origin", "https://zona.example"}}, net::Method::kGet));
}

// SEC-31
TEST_F(CsrfTest, KeysAndTokensAreAskedForNothing) {
    for (const char* token : {"", "eyJhbGciOiJFZERTQSJ9.e30.c2ln"}) {
        token_ = token;
        EXPECT_TRUE(passes({}));
        EXPECT_TRUE(
            passes({{"Origin", "https://evil.example"}, {"Referer", "https://evil.example/"}}));
    }
}

// LIC-06, LIC-07, LIC-10, LIC-11
TEST_F(PipelineTest, ALicenceTurnsFeaturesOffAndOnceItHasExpiredChanges) {
    const std::vector<std::string> acme = {"api", "v1", "tenants", "acme", "walls"};
    const std::vector<std::string> globex = {"api", "v1", "tenants", "globex", "walls"};
    const std::vector<std::string> pictures = {"api", "v1", "tenants", "acme", "pictures"};
    const auto asked = [&](const std::vector<std::string>& path,
                           net::Method method = net::Method::kGet) {
        const Code code = ask(path, "", method);
        return seen_ == 1 ? Code::kInternal : code;
    };
    constexpr Code kServed = Code::kInternal;
    EXPECT_EQ(asked(pictures), kServed) << "without a licence all is on";

    licensing_.start(std::make_shared<store::MemoryDatabase>(
        tenancy::core_collections(), core::Secret(std::string(32, 'k')), clock_));
    const auto install = [&](const boost::json::object& claims) {
        const auto installed = licensing_.install(issuer_.issue(claims));
        ASSERT_TRUE(installed.has_value()) << installed.error().message();
    };
    const std::string soon = core::to_rfc3339(clock_.system() + std::chrono::hours(1));
    install({{"compliance_features", {{"audit_export", false}}}});
    EXPECT_EQ(asked(pictures), Code::kLicense);
    EXPECT_EQ(asked(acme), kServed);
    EXPECT_EQ(asked(acme, net::Method::kPut), kServed);
    install({{"issued_at", "1970-01-01T00:00:01Z"}, {"not_before", "1970-01-01T00:00:00Z"}});
    EXPECT_EQ(asked(pictures), kServed) << "turned on again";

    install({{"type", "trial"}, {"tenants", {"acme"}}, {"expires_at", soon}});
    clock_.advance(std::chrono::hours(1));
    EXPECT_EQ(asked(acme, net::Method::kPut), Code::kLicense);
    EXPECT_EQ(asked(globex, net::Method::kPut), kServed) << "is under another one";
    EXPECT_EQ(asked(acme), kServed) << "is still read";
    EXPECT_EQ(asked(pictures), kServed) << "and exported";
    EXPECT_EQ(asked(acme, net::Method::kDelete), kServed) << "and taken away";
}

// AUTH-12, HTTP-03, HTTP-09
TEST_F(PipelineTest, OfManyReasonsTheFirstOfTheStepsDecides) {
    const std::vector<std::string> own = {"api", "v1", "tenants", "acme", "pictures"};
    const std::vector<std::string> other = {"api", "v1", "tenants", "globex", "pictures"};
    licensing_.start(std::make_shared<store::MemoryDatabase>(
        tenancy::core_collections(), core::Secret(std::string(32, 'k')), clock_));
    const auto install = [&](const boost::json::object& claims) {
        const auto installed = licensing_.install(issuer_.issue(claims));
        ASSERT_TRUE(installed.has_value()) << installed.error().message();
    };
    install({{"compliance_features", {{"audit_export", false}}}});
    admission_.set_options({.waiting = 0, .refusal_pause = std::chrono::milliseconds(0)});
    admission_.set_quota("acme", {.requests_per_second = 1});
    who_ = {.kind = identity::Principal::Kind::kUser, .name = "anna", .tenant = "acme"};
    may_ = std::make_shared<const identity::Permissions>();
    served_ = core::Error(Code::kTenantInactive, "no");

    EXPECT_EQ(ask(other, "acme"), Code::kInvalidTenant);
    EXPECT_EQ(ask(own, "acme"), Code::kTenantInactive);
    served_ = {};
    EXPECT_EQ(ask(own, "acme"), Code::kAccessDenied);
    may_ = std::make_shared<const identity::Permissions>(
        identity::find_built_in("admin")->permissions);
    EXPECT_EQ(ask(own, "acme"), Code::kLicense);
    install({{"issued_at", "1970-01-01T00:00:01Z"}, {"not_before", "1970-01-01T00:00:00Z"}});
    ask(own, "acme");
    EXPECT_EQ(seen_, 1);
    EXPECT_EQ(ask(own, "acme"), Code::kTooManyRequests);
    EXPECT_EQ(seen_, 0);
}

// HTTP-09
TEST_F(PipelineTest, EachStepCanBeAskedAlone) {
    const auto alone = [&](net::Middleware step, const char* tenant) {
        net::Request request;
        request.method = net::Method::kPut;
        request.method_name = "PUT";
        request.segments = {"api", "v1", "tenants", "globex", "walls"};
        request.tenant = tenant;
        request.permissions = identity::admin_of("acme").permissions;
        std::vector<net::Middleware> one;
        one.push_back(std::move(step));
        seen_ = 0;
        response_ = net::ask(service_.router(), request, std::move(one));
        return seen_ == 1 ? Code::kInternal : response_.failure->error.code();
    };
    const TenantCheck inactive = [](std::string_view) {
        return core::Result<void>(core::Error(Code::kTenantInactive, "no"));
    };
    constexpr Code kServed = Code::kInternal;
    EXPECT_EQ(alone(resolve_tenant(), "acme"), Code::kInvalidTenant);
    EXPECT_EQ(alone(resolve_tenant(), "globex"), kServed);
    EXPECT_EQ(alone(select_session(inactive), "globex"), Code::kTenantInactive);
    EXPECT_EQ(alone(select_session(inactive), ""), kServed);
    EXPECT_EQ(alone(authorise(clock_, log_.logger("security"), metrics_), "acme"),
              Code::kInvalidTenant);
    EXPECT_EQ(alone(check_license(licensing_), "acme"), kServed);
    admission_.set_options({.waiting = 0, .refusal_pause = std::chrono::milliseconds(0)});
    admission_.set_quota("acme", {.requests_per_second = 1});
    EXPECT_EQ(alone(admit_tenant(admission_), "acme"), kServed);
    EXPECT_EQ(alone(admit_tenant(admission_), "acme"), Code::kTooManyRequests);
    EXPECT_EQ(alone(admit_tenant(admission_), "globex"), kServed);
}

// TEN-15, TEN-16
TEST_F(PipelineTest, WhoIsBoundToATenantReachesThatOneAndWhatIsOfNobody) {
    EXPECT_EQ(ask({"api", "v1", "walls"}, "acme"), Code::kAccessDenied);
    EXPECT_EQ(ask({"api", "v1", "tenants", "globex", "walls"}, "acme"), Code::kInvalidTenant);
    EXPECT_EQ(ask({"api", "v1", "tenants", "nobody", "walls"}, "acme"), Code::kInvalidTenant);
    EXPECT_EQ(seen_, 0);
    ask({"api", "v1", "tenants", "Acme", "walls"}, "acme");
    EXPECT_EQ(seen_, 1);
    ask({"api", "v1", "weather"}, "acme");
    EXPECT_EQ(seen_, 1);
    for (const char* tenant : {"acme", "globex"}) {
        ask({"api", "v1", "tenants", tenant, "walls"}, "");
        EXPECT_EQ(seen_, 1) << "who is bound to none reaches all";
    }
}

// AUTH-10, AUTH-39, AUTH-41, TEN-16
TEST_F(PipelineTest, AUserReachesWhatTheirRolesAllow) {
    const auto as = [&](const char* tenant, const char* role) {
        who_ = {.kind = identity::Principal::Kind::kUser,
                .name = "anna",
                .tenant = tenant,
                .user_id = 7,
                .roles = {role}};
        may_ = std::make_shared<const identity::Permissions>(
            identity::find_built_in(role)->permissions);
    };
    const std::vector<std::string> own = {"api", "v1", "tenants", "acme", "walls"};
    const std::vector<std::string> other = {"api", "v1", "tenants", "globex", "walls"};
    const std::vector<std::string> all = {"api", "v1", "walls"};
    as("acme", "admin");
    ask(own, "acme");
    EXPECT_EQ(seen_, 1);
    EXPECT_EQ(ask(other, "acme"), Code::kInvalidTenant);
    EXPECT_EQ(ask(all, "acme"), Code::kAccessDenied);
    as("acme", "user");
    EXPECT_EQ(ask(own, "acme"), Code::kAccessDenied);
    EXPECT_EQ(seen_, 0);
    EXPECT_TRUE(log_.has("\"principal\":\"user anna of acme\""));
    ask({"api", "v1", "weather"}, "acme");
    EXPECT_EQ(seen_, 1) << "of nobody";
    as("", "super_admin");
    for (const auto& path : {own, other, all}) {
        ask(path, "");
        EXPECT_EQ(seen_, 1);
    }
    EXPECT_TRUE(metrics_.render_prometheus().contains("zona_authorization_violations_total{"));
}

// AUTH-34
TEST_F(PipelineTest, ARoleMayReadAPathAndNotChangeIt) {
    const std::vector<std::string> walls = {"api", "v1", "tenants", "acme", "walls"};
    who_ = {.kind = identity::Principal::Kind::kUser, .name = "anna", .tenant = "acme"};
    for (const bool may_make : {false, true}) {
        identity::Permissions may;
        may.always.add({identity::Resource::kTenantSettings, identity::Action::kRead},
                       identity::Extent::kAll);
        if (may_make)
            may.always.add({identity::Resource::kTenantSettings, identity::Action::kCreate},
                           identity::Extent::kAll);
        may_ = std::make_shared<const identity::Permissions>(may);
        ask(walls, "acme");
        EXPECT_EQ(seen_, 1);
        const Code refusal = ask(walls, "acme", net::Method::kPost);
        EXPECT_EQ(seen_, may_make ? 1 : 0);
        if (!may_make) EXPECT_EQ(refusal, Code::kAccessDenied);
    }
}

// AUTH-31
TEST_F(PipelineTest, TwoMethodsAreAskedForBeforeRightsAndAfterTheTenant) {
    const std::vector<std::string> acme = {"api", "v1", "tenants", "acme", "walls"};
    methods_.set("acme", identity::RequiredMethods::parse("certificate+key").value());
    EXPECT_EQ(ask(acme, "acme"), Code::kUnauthenticated);
    EXPECT_TRUE(response_.headers.has("WWW-Authenticate"));
    EXPECT_EQ(seen_, 0);
    ask({"api", "v1", "weather"}, "acme");
    EXPECT_EQ(seen_, 1) << "what is about who asks";
    served_ = core::Error(Code::kTenantInactive, "no");
    EXPECT_EQ(ask(acme, "acme"), Code::kTenantInactive);
    served_ = {};
    EXPECT_EQ(ask({"api", "v1", "tenants", "globex", "walls"}, "acme"), Code::kInvalidTenant);
    shown_.add(identity::Method::kCertificate);
    ask(acme, "acme");
    EXPECT_EQ(seen_, 1);
    shown_ = identity::Method::kKey;
    ask(acme, "");
    EXPECT_EQ(seen_, 1) << "who is of no tenant";

    who_ = {.kind = identity::Principal::Kind::kUser, .name = "anna", .tenant = "acme"};
    may_ = identity::admin_of("acme").permissions;
    methods_.set("acme", identity::RequiredMethods::parse("token+second_factor").value());
    EXPECT_EQ(ask(acme, "acme"), Code::kUnauthenticated);
    who_.second_factor = true;
    ask(acme, "acme");
    EXPECT_EQ(seen_, 1);
}

// AUTH-13
TEST_F(PipelineTest, AClosedRouteIsForWhoIsKnown) {
    add("/api/v1/pages", "getPages", Reach::kEveryone, net::Method::kGet, {}, Access::kOpen);
    add("/api/v1/notes", "getNotes", Reach::kEveryone, net::Method::kGet, {}, Access::kOpen);
    EXPECT_EQ(open_operations(service_), (std::vector<std::string>{"getPages", "getNotes"}));
    EXPECT_EQ(parse_closed_routes("listWalls", service_).error().code(), Code::kInvalidArgument);
    closed_ = parse_closed_routes(" getPages, ", service_).value();

    shown_ = {};
    EXPECT_EQ(ask({"api", "v1", "pages"}, ""), Code::kUnauthenticated);
    EXPECT_EQ(seen_, 0);
    ask({"api", "v1", "notes"}, "");
    EXPECT_EQ(seen_, 1);
    shown_ = identity::Method::kKey;
    ask({"api", "v1", "pages"}, "acme");
    EXPECT_EQ(seen_, 1);
}

// TEN-40, AUTH-12
TEST_F(PipelineTest, ARequestOfATenantHasItsPlaceUntilItIsAnswered) {
    admission_.set_quota("acme", {.concurrency = 1});
    for (int i = 0; i < 3; ++i) {
        ask({"api", "v1", "tenants", "acme", "walls"}, "acme");
        EXPECT_EQ(seen_, 1);
        EXPECT_EQ(held_while_answering_, 1U);
        EXPECT_TRUE(admission_.usage().empty());
    }
    ask({"api", "v1", "tenants", "globex", "walls"}, "acme");
    EXPECT_EQ(metrics_
                  .counter("zona_tenant_requests_total", "Requests by keys of tenants.",
                           {{"tenant", "acme"}, {"outcome", "admitted"}})
                  .value(),
              3U)
        << "what is refused before takes no place";
}

// AUTH-07, AUTH-08, AUTH-09, AUTH-12
TEST_F(PipelineTest, TheTenantOfWhoAsksIsLookedAtBeforeTheirRoles) {
    who_ = {.kind = identity::Principal::Kind::kUser, .name = "anna", .tenant = "acme"};
    may_ = std::make_shared<const identity::Permissions>();
    const std::vector<std::string> own = {"api", "v1", "tenants", "acme", "walls"};
    for (const Code code : {Code::kInvalidTenant, Code::kTenantInactive, Code::kSessionError}) {
        served_ = core::Error(code, "no");
        EXPECT_EQ(ask(own, "acme"), code);
        EXPECT_EQ(response_.headers.has("Retry-After"), code == Code::kSessionError);
        EXPECT_EQ(ask({"api", "v1", "tenants", "globex", "walls"}, "acme"), Code::kInvalidTenant);
    }
    served_ = {};
    EXPECT_EQ(ask(own, "acme"), Code::kAccessDenied);
    served_ = core::Error(Code::kTenantInactive, "no");
    may_ = nullptr;
    ask(own, "");
    EXPECT_EQ(seen_, 1) << "who is bound to none may mend it";
}

// AUTH-09
TEST_F(PipelineTest, ATenantWithoutADatabaseSaysWhenToComeAgain) {
    failure_ = core::Error(Code::kSessionError, "the tenant acme has no session");
    EXPECT_EQ(ask({"api", "v1", "tenants", "acme", "walls"}, ""), Code::kSessionError);
    EXPECT_EQ(response_.headers.find("Retry-After"), "5");
    failure_ = core::Error(Code::kNotFound, "no wall");
    ask({"api", "v1", "tenants", "acme", "walls"}, "");
    EXPECT_FALSE(response_.headers.has("Retry-After"));
}

}  // namespace
}  // namespace zona::api
