#include "api/pages.h"

#include <gtest/gtest.h>

#include "api/detail/browser_session.h"
#include "api/detail/page.h"
#include "api/pipeline/csrf.h"

namespace zona::api {
namespace {

using core::Code;
using core::Error;
using net::Response;

// SEC-13
TEST(LocalPath, LeadsNowhereElse) {
    for (const char* path : {"/", "/account", "/api/v1/processes?select=a", "/a%2F%2Fb#c"})
        EXPECT_EQ(local_path(path), path);
    for (const std::string& path :
         {std::string(), std::string("account"), std::string("//evil.example"),
          std::string("///evil.example"), std::string("/\\evil.example"),
          std::string("\\\\evil.example"), std::string("https://evil.example/"),
          std::string("javascript:alert(1)"), std::string("/\t/evil.example"),
          std::string("/\r\nSet-Cookie: a=b"), std::string("/a|b"), std::string("/a;b"),
          "/" + std::string(600, 'a'), std::string("/\xc3\xb6")})
        EXPECT_EQ(local_path(path), "/account") << path;
}

// SEC-11
TEST(Page, TextsInItAreInert) {
    const std::string markup = R"("><script>alert(1)</script>&)";
    const Response response = page(markup, paragraph(markup) + link_to("/login?" + markup, markup) +
                                               hidden_field("next", markup) +
                                               sign_in_form({.tenant = markup,
                                                             .name = markup,
                                                             .next = markup,
                                                             .token = markup,
                                                             .problem = markup}));
    EXPECT_EQ(response.body.find("<script"), std::string::npos);
    EXPECT_EQ(response.body.find(markup), std::string::npos);
    EXPECT_NE(response.body.find("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"),
              std::string::npos);
}

// SEC-11, SEC-21
TEST(Page, RunsNothingAndStandsInNoFrame) {
    const Response response = page("Sign in", "");
    const std::string policy(response.headers.find("Content-Security-Policy").value());
    EXPECT_TRUE(policy.starts_with("default-src 'none'; style-src 'sha256-")) << policy;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(policy.find("script-src"), std::string::npos);
    EXPECT_EQ(response.headers.find("Cache-Control"), "no-store, no-transform");
}

/// Errors of the page at `route`, as a browser sees them.
class PageErrorTest : public testing::Test {
  protected:
    PageErrorTest() {
        request_.method = net::Method::kPost;
        request_.route = "/login";
        request_.path = "/login";
        request_.headers.add("Accept", "text/html,*/*;q=0.8");
        request_.headers.add("Content-Type", "application/x-www-form-urlencoded");
        request_.headers.add("Cookie", "zona_visitor=" + visitor_);
        request_.body = "tenant=acme&name=%3Cb%3Eanna&password=secret&next=%2F%2Fevil.example";
    }
    std::optional<Response> shown(Code code, int status) {
        return page_error(request_, Error(code, "<i>wrong</i>"), status);
    }

    net::Request request_;
    const std::string visitor_ = std::string(43, 'A');
};

// SEC-11, SEC-13
TEST_F(PageErrorTest, FormComesBackWithWhatIsWrongAndWithoutThePassword) {
    const auto response = shown(Code::kUnauthenticated, 401);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 401);
    EXPECT_NE(response->body.find("&lt;i&gt;wrong"), std::string::npos);
    EXPECT_NE(response->body.find("&lt;b&gt;anna"), std::string::npos);
    EXPECT_NE(response->body.find(csrf_token(visitor_)), std::string::npos);
    EXPECT_EQ(response->body.find("secret"), std::string::npos);
    EXPECT_EQ(response->body.find("evil.example"), std::string::npos);
    request_.route = "/login/passwords";
    EXPECT_NE(shown(Code::kInvalidArgument, 400)->body.find("new_password"), std::string::npos);
}

// SEC-13
TEST_F(PageErrorTest, FormOfAnotherBrowserIsNotShownAgain) {
    const auto forged = shown(Code::kCsrf, 403);
    ASSERT_TRUE(forged);
    EXPECT_EQ(forged->status, 403);
    EXPECT_EQ(forged->body.find("<form"), std::string::npos);
    request_.headers.remove("Cookie");
    EXPECT_EQ(shown(Code::kUnauthenticated, 401)->body.find("<form"), std::string::npos);
}

TEST_F(PageErrorTest, PagesOfASessionLeadToTheSignInAndBack) {
    request_.method = net::Method::kGet;
    request_.route = request_.path = "/account";
    const auto response = shown(Code::kUnknownToken, 401);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 303);
    EXPECT_EQ(response->headers.find("Location"), "/login?next=%2Faccount");
    EXPECT_EQ(shown(Code::kConflict, 409)->status, 409);
    EXPECT_EQ(shown(Code::kAccessDenied, 303)->body, "");
}

// HTTP-22
TEST_F(PageErrorTest, ProgramsAndOtherPathsKeepTheEnvelope) {
    request_.route = "/api/v1/sessions";
    EXPECT_FALSE(shown(Code::kUnauthenticated, 401));
    request_.route = "/loginx";
    EXPECT_FALSE(shown(Code::kUnauthenticated, 401));
    request_.route = "/login";
    request_.headers.set("Accept", "*/*");
    EXPECT_FALSE(shown(Code::kUnauthenticated, 401));
}

std::optional<Code> refusal_of(const net::Request& request) {
    const auto checked = check_visitor(request);
    return checked ? std::nullopt : std::optional(checked.error().code());
}

// SEC-13
TEST(Visitor, FormsBelongToTheBrowserThatWasGivenThem) {
    core::SeededRandom random(1);
    net::Request request;
    const Visitor first = Visitor::of(request, random);
    Response response;
    first.remember(request, response);
    const std::string given(response.headers.find("Set-Cookie").value_or(""));
    ASSERT_TRUE(given.starts_with("zona_visitor=")) << given;
    request.headers.add("Cookie", given.substr(0, given.find(';')));
    request.headers.add("X-CSRF-Token", first.csrf_token());
    EXPECT_TRUE(check_visitor(request));
    EXPECT_EQ(Visitor::of(request, random).csrf_token(), first.csrf_token());

    net::Request another;
    const Visitor second = Visitor::of(another, random);
    EXPECT_NE(second.csrf_token(), first.csrf_token());
    request.headers.set("X-CSRF-Token", second.csrf_token());
    EXPECT_EQ(refusal_of(request), Code::kCsrf);
    another.headers.add("X-CSRF-Token", csrf_token(""));
    EXPECT_EQ(refusal_of(another), Code::kCsrf);
    another.headers.add("Cookie", "zona_visitor=");
    EXPECT_EQ(refusal_of(another), Code::kCsrf);
}

// SEC-13
TEST(BrowserAttempt, IsKeptWithWhereItLeads) {
    net::Request request;
    Response response;
    keep_attempt(request, response, {core::Secret("zenc1.x"), "/a?b=c"});
    const std::string given(response.headers.find("Set-Cookie").value());
    EXPECT_NE(given.find("Max-Age=600"), std::string::npos);
    request.headers.add("Cookie", given.substr(0, given.find(';')));
    EXPECT_EQ(kept_attempt(request).attempt.reveal(), "zenc1.x");
    EXPECT_EQ(kept_attempt(request).next, "/a?b=c");
    request.headers.set("Cookie", "zona_attempt=zenc1.x|//evil.example");
    EXPECT_EQ(kept_attempt(request).next, "/account");
    request.headers.remove("Cookie");
    EXPECT_TRUE(kept_attempt(request).attempt.empty());
}

}  // namespace
}  // namespace zona::api
