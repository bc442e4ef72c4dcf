#include "api/pipeline.h"

#include <gtest/gtest.h>

#include "api/service.h"
#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "identity/access/roles.h"
#include "identity/caller.h"
#include "net/testing/ask_router.h"
#include "tenancy/limits/admission.h"

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
    }

    Code ask(std::vector<std::string> path, const std::string& tenant) {
        net::Request request;
        request.method = method_;
        request.method_name = net::to_string(method_);
        request.segments = std::move(path);
        request.tenant = tenant;
        if (may_)
            identity::set_caller(request, std::make_shared<const identity::Principal>(who_), may_);
        seen_ = 0;
        held_while_answering_ = 0;
        response_ = net::ask(service_.router(), request,
                             pipeline({}, {[this](std::string_view) { return served_; }, admission_,
                                           clock_, metrics_, log_.logger("security")}));
        EXPECT_TRUE(request.held.empty());
        return response_.failure ? response_.failure->error.code() : Code::kInternal;
    }

    void add(const char* path, const char* id, Reach reach,
             net::Method method = net::Method::kGet) {
        Operation operation{
            .method = method,
            .path = path,
            .id = id,
            .access = method == net::Method::kGet ? Access::kViewer : Access::kAdmin,
            .reach = reach,
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
    Service service_{"1"};
    Response response_;
    std::optional<core::Error> failure_;
    core::Result<void> served_;
    std::size_t held_while_answering_ = 0;
    int seen_ = 0;
    net::Method method_ = net::Method::kGet;
    identity::Principal who_;
    std::shared_ptr<const identity::Permissions> may_;  ///< null: no user asks
};

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
        method_ = net::Method::kGet;
        ask(walls, "acme");
        EXPECT_EQ(seen_, 1);
        method_ = net::Method::kPost;
        const Code refusal = ask(walls, "acme");
        EXPECT_EQ(seen_, may_make ? 1 : 0);
        if (!may_make) EXPECT_EQ(refusal, Code::kAccessDenied);
    }
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
