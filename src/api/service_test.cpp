#include "api/service.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/json.h"
#include "net/testing/ask_router.h"

namespace zona::api {
namespace {

namespace asio = boost::asio;
using core::Code;
using core::Result;
using net::Response;

asio::awaitable<Result<Response>> ready(Result<Response> response) {
    co_return response;
}

/// Asks the service as the server does, the router included.
Response ask(const Service& service, net::Request& request) {
    return net::ask(service.router(), request);
}

net::Request request_of(net::Method method, std::string path, std::string body = {}) {
    net::Request request;
    request.method = method;
    request.method_name = std::string(to_string(method));
    request.path = path;
    for (std::size_t at = 1; at != 0 && at <= path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        request.segments.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    return request;
}

Operation paint() {
    return {
        .method = net::Method::kPost,
        .path = "/api/v1/walls/{id}",
        .id = "paintWall",
        .access = Access::kAdmin,
        .summary = "Paint a wall",
        .description = "Paints it.",
        .parameters = {{.name = "id",
                        .shape = Shape::text("Which."),
                        .place = Place::kPath,
                        .presence = Presence::kRequired},
                       {.name = "coats",
                        .shape = Shape::integer("How often.").range(1, 3).default_value("2")},
                       {.name = "dry", .shape = Shape::boolean("Wait for it.")},
                       {.name = "tool", .shape = Shape::text("With."), .repeat = Repeat::kMany}},
        .body = BodySpec{Shape::object({required("colour", Shape::text("Which."))}), {}},
        .answers = {{.description = "Done.",
                     .shape = Shape::object({required("coats", Shape::integer("How many."))})}},
        .errors = {{Code::kNotFound, "There is no such wall."}}};
}

class ServiceTest : public testing::Test {
  protected:
    void add(std::function<Result<Response>(Call&)> handler) {
        ASSERT_TRUE(service_
                        .add(paint(), [handler = std::move(handler)](
                                          Call& call) { return ready(handler(call)); })
                        .has_value());
    }
    Response post(std::string body, std::vector<net::Parameter> query = {}) {
        net::Request request = request_of(net::Method::kPost, "/api/v1/walls/3", std::move(body));
        request.query = std::move(query);
        return ask(service_, request);
    }
    static std::string problems(const Response& response) {
        std::string out;
        if (!response.failure) return "no failure: " + response.body;
        for (const core::Detail& d : response.failure->error.details())
            out += d.where + " " + d.problem + (d.hint.empty() ? "" : "; " + d.hint) + "\n";
        return out;
    }

    Service service_{"1"};
};

TEST_F(ServiceTest, GivesTheHandlerValuesThatFit) {
    std::string seen;
    add([&](Call& call) {
        seen = call.path("id") + " " + std::to_string(call.integer("coats").value()) + " " +
               (call.flag("dry") ? "dry" : "wet") + " " +
               std::to_string(call.texts("tool").size()) + " " +
               std::string(call.body().at("colour").as_string());
        return Response::success(R"({"coats":1})");
    });

    EXPECT_EQ(post(R"({"colour":"red"})").status, 200);
    EXPECT_EQ(seen, "3 2 wet 0 red");
    EXPECT_EQ(post(R"({"colour":"red"})",
                   {{"coats", "3"}, {"dry", ""}, {"tool", "brush"}, {"tool", "roller"}})
                  .status,
              200);
    EXPECT_EQ(seen, "3 3 dry 2 red");
}

// HTTP-04
TEST_F(ServiceTest, RefusesAWrongRequestBeforeTheHandlerSeesIt) {
    bool called = false;
    add([&](Call&) {
        called = true;
        return Response::success("{}");
    });

    EXPECT_EQ(problems(post(R"({"color":"red"})")),
              "/colour is required\n/color unknown key; did you mean 'colour'?\n");
    EXPECT_EQ(problems(post("")), "/colour is required\n");
    EXPECT_FALSE(called);
}

TEST_F(ServiceTest, NamesEveryMistakeOfTheQuery) {
    add([](Call&) { return Response::success(R"({"coats":1})"); });

    EXPECT_EQ(problems(post(R"({"colour":"red"})",
                            {{"coats", "9"}, {"dry", "maybe"}, {"coats", "1"}, {"tol", "brush"}})),
              "coats '9' is not a number from 1 to 3\n"
              "coats is given more than once; give it once\n"
              "dry 'maybe' is neither true nor false\n"
              "tol unknown query parameter; did you mean 'tool'?\n");
}

#ifndef NDEBUG
TEST_F(ServiceTest, AnswersAnAnswerThatIsNotAsDeclaredWithInternal) {
    for (const std::string data : {R"({"coats":"two"})", R"({"coats":1,"more":2})", "{}", "[]"}) {
        Service service("1");
        ASSERT_TRUE(service.add(paint(), [data](Call&) { return ready(Response::success(data)); })
                        .has_value());
        net::Request request =
            request_of(net::Method::kPost, "/api/v1/walls/3", R"({"colour":"red"})");

        const Response response = ask(service, request);

        ASSERT_TRUE(response.failure.has_value()) << data;
        EXPECT_EQ(response.failure->error.code(), Code::kInternal);
        EXPECT_NE(response.failure->error.message().find("paintWall"), std::string::npos);
    }
}

TEST_F(ServiceTest, AnswersACodeOrStatusThatIsNotDeclaredWithInternal) {
    Result<Response> answer = Response::success(R"({"coats":1})", {}, 201);
    add([&](Call&) { return std::move(answer); });

    EXPECT_EQ(post(R"({"colour":"red"})").failure->error.code(), Code::kInternal);
    answer = core::Error(Code::kConflict, "wet");
    EXPECT_EQ(post(R"({"colour":"red"})").failure->error.code(), Code::kInternal);
    answer = core::Error(Code::kNotFound, "no wall");
    EXPECT_EQ(post(R"({"colour":"red"})").failure->error.code(), Code::kNotFound);
}
#endif

// HTTP-19
TEST_F(ServiceTest, NamesTheKnownVersionsToWhoAsksForAnother) {
    net::Request other = request_of(net::Method::kGet, "/api/v2/walls");
    const Response response = ask(service_, other);
    EXPECT_EQ(response.status, 404);
    ASSERT_TRUE(response.failure.has_value());
    EXPECT_EQ(response.failure->error.message(),
              "there is no version v2 of the API; there is: v1 (/api/v1/...)");
    net::Request request = request_of(net::Method::kGet, "/api/v1/nothing");
    EXPECT_EQ(ask(service_, request).failure->error.message(), "there is no GET /api/v1/nothing");
}

TEST_F(ServiceTest, RefusesTwoOperationsOfOneNameOrRoute) {
    add([](Call&) { return Response::success("{}"); });
    Operation again = paint();
    again.path = "/api/v1/other";

    EXPECT_EQ(service_.add(again, {}).error().code(), Code::kConflict);
    again.path = "/api/v1/walls/{id}";
    again.id = "paintAgain";
    EXPECT_EQ(service_.add(again, {}).error().code(), Code::kConflict);
    EXPECT_EQ(service_.operations().size(), 1U);
}

}  // namespace
}  // namespace zona::api
