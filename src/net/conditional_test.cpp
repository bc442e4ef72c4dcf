#include "net/conditional.h"

#include <string>

#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

class ConditionalTest : public MiddlewareTest {
  protected:
    ConditionalTest() { request_.method = Method::kGet; }
    std::string tag() {
        return std::string(run(conditional()).headers.find("ETag").value_or("(none)"));
    }
    int status_with(std::string_view if_none_match) {
        request_.headers.set("If-None-Match", if_none_match);
        return run(conditional()).status;
    }
};

TEST_F(ConditionalTest, EqualBodiesHaveEqualTags) {
    const std::string one = tag();
    EXPECT_EQ(tag(), one);
    EXPECT_EQ(one.size(), 34U);
    EXPECT_TRUE(one.starts_with('"') && one.ends_with('"'));

    answer_ = [] { return Response::success("2"); };
    EXPECT_NE(tag(), one);
}

TEST_F(ConditionalTest, AKnownTagGets304WithoutTheBody) {
    answer_ = [] {
        Response response = Response::success("1");
        response.headers.add("Link", "</next>; rel=next");
        return response;
    };
    const std::string known = tag();
    request_.headers.add("If-None-Match", known);

    const Response response = run(conditional());

    EXPECT_EQ(response.status, 304);
    EXPECT_TRUE(response.body.empty());
    EXPECT_EQ(response.headers.find("ETag"), known);
    EXPECT_EQ(response.headers.find("Link"), "</next>; rel=next");
    EXPECT_FALSE(response.headers.has("Content-Type"));
}

TEST_F(ConditionalTest, ReadsTheWholeList) {
    const std::string known = tag();
    for (const std::string& list : {std::string("*"), "\"x\", " + known, "W/" + known,
                                    "\"a,b\" ,W/\"\"," + known + ", \"y\"", ", ," + known}) {
        EXPECT_EQ(status_with(list), 304) << list;
    }
    for (const std::string& list : {std::string(), std::string("\"x\""), known.substr(1, 32),
                                    "w/" + known, "\"x\" y " + known, "\"" + known,
                                    known.substr(0, 33), std::string("W/"), std::string("\"*\"")}) {
        EXPECT_EQ(status_with(list), 200) << list;
    }
}

TEST_F(ConditionalTest, ALaterLineCountsToo) {
    const std::string known = tag();
    request_.headers.add("If-None-Match", "\"x\"");
    request_.headers.add("If-None-Match", known);

    EXPECT_EQ(run(conditional()).status, 304);
}

TEST_F(ConditionalTest, HeadIsLikeGet) {
    const std::string known = tag();
    request_.method = Method::kHead;

    EXPECT_EQ(tag(), known);
    EXPECT_EQ(status_with(known), 304);
}

TEST_F(ConditionalTest, OtherMethodsAndStatusesHaveNoTag) {
    for (const Method method : {Method::kPost, Method::kPut, Method::kPatch, Method::kDelete}) {
        request_.method = method;
        EXPECT_EQ(tag(), "(none)");
        EXPECT_EQ(status_with("*"), 200);
    }
    request_.method = Method::kGet;
    for (const int status : {201, 404, 500}) {
        answer_ = [status] { return Response::json("{}", status); };
        EXPECT_EQ(tag(), "(none)") << status;
        EXPECT_EQ(status_with("*"), status);
    }
}

TEST_F(ConditionalTest, OnlyJsonOfABoundedSizeGetsATag) {
    answer_ = [] { return Response::text("x 1\n", "text/plain"); };
    EXPECT_EQ(tag(), "(none)");
    answer_ = [] { return Response::text("{}", "application/problem+json; charset=utf-8"); };
    EXPECT_NE(tag(), "(none)");
    answer_ = [] { return Response::json(std::string(kMostTagged.as_size(), '1')); };
    EXPECT_NE(tag(), "(none)");
    answer_ = [] { return Response::json(std::string(kMostTagged.as_size() + 1, '1')); };
    EXPECT_EQ(tag(), "(none)");
}

// CACHE-03
TEST_F(ConditionalTest, WhatMayBeKeptHasATagWhateverItIs) {
    answer_ = [] {
        Response out = Response::text(std::string(kMostTagged.as_size() + 1, 'x'), "text/html");
        return kept_by_anybody(std::move(out));
    };
    EXPECT_NE(tag(), "(none)");
    answer_ = [] {
        Response out = Response::text("x", "text/html");
        out.headers.add("Cache-Control", "no-store, no-transform");
        return out;
    };
    EXPECT_EQ(tag(), "(none)");
}

TEST_F(ConditionalTest, TheHandlersOwnTagIsKeptAndCompared) {
    answer_ = [] {
        Response response = Response::text("page", "text/html");
        response.headers.add("ETag", "\"v1\"");
        return response;
    };

    EXPECT_EQ(tag(), "\"v1\"");
    EXPECT_EQ(status_with("\"v1\""), 304);
    EXPECT_EQ(status_with("\"v2\""), 200);
}

}  // namespace
}  // namespace zona::net
