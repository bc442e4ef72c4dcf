#include "net/router.h"

#include <gtest/gtest.h>

#include "net/detail/target.h"
#include "net/testing/ask_router.h"

namespace zona::net {
namespace {

Request make_request(Method method, std::string target) {
    Request request;
    request.method = method;
    request.method_name = to_string(method);
    request.target = std::move(target);
    const auto parsed = detail::parse_target(request);
    EXPECT_TRUE(parsed.has_value()) << request.target;
    return request;
}

/// A router whose routes answer with their own label and parameters.
class RouterTest : public testing::Test {
  protected:
    void add(Method method, std::string_view pattern, std::string label,
             RouteOptions options = {}) {
        const core::Result<void> added =
            router_.add(method, pattern, labelled(std::move(label)), std::move(options));
        ASSERT_TRUE(added.has_value()) << added.error().message();
    }

    /// "label name=value ..." of the route that answers, or "status CODE".
    std::string route(Method method, std::string target) {
        Request request = make_request(method, std::move(target));
        return route(request);
    }
    std::string route(Request& request) {
        const Response response = ask(router_, request);
        if (response.failure.has_value()) {
            return std::to_string(response.status) + " " +
                   std::string(core::info(response.failure->error.code()).name);
        }
        return response.body;
    }

    static Handler labelled(std::string label) {
        return [label = std::move(label)](Request& request) { return answer(label, request); };
    }
    static asio::awaitable<core::Result<Response>> answer(const std::string& label,
                                                          Request& request) {
        std::string text = label;
        for (const Parameter& parameter : request.parameters) {
            text += " " + parameter.name + "=" + parameter.value;
        }
        co_return Response::text(std::move(text), "text/plain");
    }

    Router router_;
};

// HTTP-11
TEST_F(RouterTest, PrefersLiteralThenExpressionThenParameterThenRest) {
    add(Method::kGet, "/p/{rest...}", "rest");
    add(Method::kGet, "/p/{name}", "parameter");
    add(Method::kGet, "/p/{id:[0-9]+}", "expression");
    add(Method::kGet, "/p/new", "literal");

    EXPECT_EQ(route(Method::kGet, "/p/new"), "literal");
    EXPECT_EQ(route(Method::kGet, "/p/12"), "expression id=12");
    EXPECT_EQ(route(Method::kGet, "/p/12a"), "parameter name=12a");
    EXPECT_EQ(route(Method::kGet, "/p/a/b"), "rest rest=a/b");
}

// HTTP-11
TEST_F(RouterTest, GoesBackWhenALiteralBeginningLeadsNowhere) {
    add(Method::kGet, "/a/b/c", "literal");
    add(Method::kGet, "/a/{x}/d", "parameter");
    add(Method::kGet, "/{all...}", "all");

    EXPECT_EQ(route(Method::kGet, "/a/b/c"), "literal");
    EXPECT_EQ(route(Method::kGet, "/a/b/d"), "parameter x=b");
    EXPECT_EQ(route(Method::kGet, "/a/b/e"), "all all=a/b/e");
    EXPECT_EQ(route(Method::kGet, "/"), "all all=");
}

TEST_F(RouterTest, NamesParametersByTheRouteThatMatched) {
    add(Method::kGet, "/t/{tenant}", "one");
    add(Method::kGet, "/t/{id}/users/{user}", "two");

    EXPECT_EQ(route(Method::kGet, "/t/x"), "one tenant=x");
    EXPECT_EQ(route(Method::kGet, "/t/x/users/y"), "two id=x user=y");
}

// HTTP-11
TEST_F(RouterTest, DecodesParametersAfterSplittingThePath) {
    add(Method::kGet, "/f/{name}", "file");
    add(Method::kGet, "/g/{rest...}", "rest");

    EXPECT_EQ(route(Method::kGet, "/f/a%2Fb%20c"), "file name=a/b c");
    EXPECT_EQ(route(Method::kGet, "/%66/x"), "file name=x");
    EXPECT_EQ(route(Method::kGet, "/f/a+b"), "file name=a+b");
    EXPECT_EQ(route(Method::kGet, "/g/x/"), "rest rest=x/");
    EXPECT_EQ(route(Method::kGet, "/f/a/b"), "404 NOT_FOUND");
    EXPECT_EQ(route(Method::kGet, "/f/"), "404 NOT_FOUND") << "a parameter is not empty";
    EXPECT_EQ(route(Method::kGet, "/f"), "404 NOT_FOUND");
}

TEST_F(RouterTest, ExpressionsMatchWholeSegmentsOfBoundedLength) {
    add(Method::kGet, "/v/{version:v[0-9]{1,3}|latest}", "version");
    add(Method::kGet, "/w/{word:(a+)+}", "word");

    EXPECT_EQ(route(Method::kGet, "/v/v12"), "version version=v12");
    EXPECT_EQ(route(Method::kGet, "/v/latest"), "version version=latest");
    EXPECT_EQ(route(Method::kGet, "/v/v1234"), "404 NOT_FOUND");
    EXPECT_EQ(route(Method::kGet, "/v/xv1"), "404 NOT_FOUND");
    EXPECT_EQ(route(Method::kGet, "/w/" + std::string(256, 'a')).substr(0, 9), "word word");
    EXPECT_EQ(route(Method::kGet, "/w/" + std::string(257, 'a')), "404 NOT_FOUND");
}

// HTTP-11
TEST_F(RouterTest, ChoosesByConditions) {
    RouteOptions ndjson;
    ndjson.conditions.push_back(Condition::accepts("application/x-ndjson"));
    RouteOptions beta;
    beta.conditions.push_back(Condition::header("X-Beta", "yes"));
    beta.conditions.push_back(
        Condition::holds([](const Request& r) { return r.query_value("n") == "1"; }));
    add(Method::kGet, "/logs", "json");
    add(Method::kGet, "/logs", "beta", beta);
    add(Method::kGet, "/logs", "ndjson", ndjson);

    Request plain = make_request(Method::kGet, "/logs");
    plain.headers.add("Accept", "application/json");
    Request lines = make_request(Method::kGet, "/logs");
    lines.headers.add("Accept", "text/html;q=0.5, application/x-ndjson");
    Request beta_lines = make_request(Method::kGet, "/logs?n=1");
    beta_lines.headers.add("x-beta", "yes");

    EXPECT_EQ(route(plain), "json");
    EXPECT_EQ(route(lines), "ndjson");
    EXPECT_EQ(route(beta_lines), "beta");
}

TEST_F(RouterTest, ReadsAcceptByClosenessAndRefusal) {
    RouteOptions json;
    json.conditions.push_back(Condition::accepts("application/json"));
    add(Method::kGet, "/x", "json", json);
    const auto with = [&](std::string_view accept) {
        Request request = make_request(Method::kGet, "/x");
        request.headers.add("Accept", accept);
        return route(request);
    };

    for (const std::string_view taken :
         {"*/*", "application/*", "APPLICATION/JSON", "application/json;q=0.1",
          "text/html,*/*;q=0.1", "*/*;q=0, application/json"}) {
        EXPECT_EQ(with(taken), "json") << taken;
    }
    for (const std::string_view refused :
         {"text/html", "application/json;q=0", "*/*, application/json;q=0.0", "application", ""}) {
        EXPECT_EQ(with(refused), "406 INVALID_ARGUMENT") << refused;
    }
    EXPECT_EQ(route(Method::kGet, "/x"), "json") << "no Accept takes everything";
}

// HTTP-02
TEST_F(RouterTest, TellsAnUnknownPathFromAWrongMethod) {
    add(Method::kGet, "/a", "get");
    add(Method::kPost, "/a", "post");
    add(Method::kDelete, "/{any}", "delete");

    Request wrong = make_request(Method::kPut, "/a");
    const Response refused = ask(router_, wrong);

    EXPECT_EQ(refused.status, 405);
    EXPECT_EQ(refused.headers.find("Allow"), "GET, HEAD, POST, DELETE, OPTIONS");
    EXPECT_EQ(wrong.route, "") << "no handler ran";
    EXPECT_EQ(route(Method::kGet, "/b/c"), "404 NOT_FOUND");
}

TEST_F(RouterTest, AnswersHeadByGetAndOptionsByItself) {
    add(Method::kGet, "/a", "get");

    Request options = make_request(Method::kOptions, "/a");
    const Response allowed = ask(router_, options);

    EXPECT_EQ(route(Method::kHead, "/a"), "get");
    EXPECT_EQ(allowed.status, 204);
    EXPECT_EQ(allowed.headers.find("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(route(Method::kOptions, "/b"), "404 NOT_FOUND");
}

TEST_F(RouterTest, PrefersAHeadRouteToGet) {
    add(Method::kGet, "/a", "get");
    add(Method::kHead, "/a", "head");

    EXPECT_EQ(route(Method::kHead, "/a"), "head");
}

// HTTP-04
TEST_F(RouterTest, ChecksTheBodysTypeBeforeTheHandler) {
    add(Method::kPost, "/json", "json");
    add(Method::kGet, "/none", "none");
    RouteOptions any;
    any.body = BodyKind::kAny;
    add(Method::kPost, "/any", "any", any);
    const auto with = [&](Method method, std::string target, std::string_view type) {
        Request request = make_request(method, std::move(target));
        request.body = "{}";
        if (!type.empty()) request.headers.add("Content-Type", type);
        return route(request);
    };

    EXPECT_EQ(with(Method::kPost, "/json", "application/json"), "json");
    EXPECT_EQ(with(Method::kPost, "/json", "Application/JSON; charset=utf-8"), "json");
    EXPECT_EQ(with(Method::kPost, "/json", "text/plain"), "415 UNSUPPORTED_MEDIA");
    EXPECT_EQ(with(Method::kPost, "/json", ""), "415 UNSUPPORTED_MEDIA");
    EXPECT_EQ(with(Method::kPost, "/any", "text/plain"), "any");
    EXPECT_EQ(with(Method::kGet, "/none", "application/json"), "400 INVALID_ARGUMENT");
    EXPECT_EQ(route(Method::kPost, "/json"), "json") << "no body is the handler's matter";
}

TEST_F(RouterTest, RefusesPatternsThatCannotBeRead) {
    for (const std::string_view pattern : {"", "a", "/{", "/{}", "/a{b}", "/{a}b", "/{a-b}",
                                           "/{a}/{a}", "/{a...}/b", "/{a:}", "/{a:[}", "/{a:(}"}) {
        const auto added = router_.add(Method::kGet, pattern, labelled("x"));
        ASSERT_FALSE(added.has_value()) << pattern;
        EXPECT_EQ(added.error().code(), core::Code::kInvalidArgument);
        EXPECT_TRUE(added.error().message().contains("route pattern")) << added.error().message();
    }
    EXPECT_TRUE(router_.routes().empty());
}

TEST_F(RouterTest, RefusesTheSameRouteTwice) {
    add(Method::kGet, "/a/{x}", "one");

    const auto again = router_.add(Method::kGet, "/a/{y}", labelled("two"));

    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code(), core::Code::kConflict);
}

TEST_F(RouterTest, KnowsTheLimitsOfARouteFromTheHead) {
    RouteOptions options;
    options.limits.body = core::ByteCount(7);
    options.limits.time = std::chrono::seconds(3);
    add(Method::kPost, "/a/{id}", "a", options);

    Request known = make_request(Method::kPost, "/a/1");
    Request unknown = make_request(Method::kPost, "/b");
    const RequestLimits found = router_.match(known);
    const RequestLimits none = router_.match(unknown);

    EXPECT_EQ(found.body, core::ByteCount(7));
    EXPECT_EQ(found.time, std::chrono::seconds(3));
    EXPECT_FALSE(none.body.has_value());
}

TEST_F(RouterTest, ListsItsRoutes) {
    add(Method::kPost, "/b", "1");
    add(Method::kGet, "/b", "2");
    add(Method::kGet, "/a/{id:[0-9]+}/{rest...}", "3");

    const std::vector<RouteInfo> routes = router_.routes();

    ASSERT_EQ(routes.size(), 3U);
    EXPECT_EQ(routes[0].pattern, "/a/{id:[0-9]+}/{rest...}");
    EXPECT_EQ(routes[1].method, Method::kGet);
    EXPECT_EQ(routes[2].method, Method::kPost);
}

// HTTP-19
TEST_F(RouterTest, TheFallbackExplainsPathsThatNoPatternMatches) {
    add(Method::kGet, "/api/v1/ping", "ping");
    router_.set_fallback([](const Request& request) -> std::optional<core::Error> {
        if (request.segments.front() != "api") return std::nullopt;
        return core::Error(core::Code::kNotFound, "there is only v1");
    });
    Request versioned = make_request(Method::kGet, "/api/v2/ping");
    Request other = make_request(Method::kGet, "/x");

    const Response explained = ask(router_, versioned);
    const Response plain = ask(router_, other);

    EXPECT_EQ(explained.status, 404);
    EXPECT_EQ(explained.failure->error.message(), "there is only v1");
    EXPECT_EQ(plain.failure->error.message(), "there is no GET /x");
    EXPECT_EQ(route(Method::kPost, "/api/v1/ping"), "405 METHOD_NOT_ALLOWED");
}

// HTTP-04
TEST_F(RouterTest, ABodyThatTwoReadersCouldReadDifferentlyIsRefused) {
    add(Method::kPost, "/json", "json");
    const auto with = [this](std::string_view name, std::string_view value) {
        Request request = make_request(Method::kPost, "/json");
        request.body = "{}";
        request.headers.add("Content-Type", "application/json");
        request.headers.add(name, value);
        return route(request);
    };

    EXPECT_EQ(with("Content-Type", "text/plain"), "415 UNSUPPORTED_MEDIA");
    EXPECT_EQ(with("Content-Encoding", "gzip"), "415 UNSUPPORTED_MEDIA");
    EXPECT_EQ(with("Content-Encoding", "identity"), "json");
}

}  // namespace
}  // namespace zona::net
