#include "net/detail/target.h"

#include <gtest/gtest.h>

namespace zona::net::detail {
namespace {

core::Result<Request> parse(std::string_view target, Method method = Method::kGet) {
    Request request;
    request.method = method;
    request.target = target;
    ZONA_TRY_VOID(parse_target(request));
    return request;
}

TEST(Target, DecodesThePathBySegments) {
    const auto request = parse("/a%20b/c%2Fd/%C3%A4/+");

    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->path, "/a b/c/d/ä/+");
    EXPECT_EQ(request->segments, (std::vector<std::string>{"a b", "c/d", "ä", "+"}));
}

TEST(Target, KeepsRepeatedAndEmptyQueryParameters) {
    const auto request = parse("/x?select=a&select=b+c&flag&empty=&&e%3Dq=%26");

    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->query,
              (std::vector<Parameter>{
                  {"select", "a"}, {"select", "b c"}, {"flag", ""}, {"empty", ""}, {"e=q", "&"}}));
    EXPECT_EQ(request->query_values("select"), (std::vector<std::string_view>{"a", "b c"}));
    EXPECT_EQ(request->query_value("nothing"), std::nullopt);
}

TEST(Target, TakesAbsoluteForm) {
    EXPECT_EQ(parse("http://host:80/a?b=c")->path, "/a");
    EXPECT_EQ(parse("HTTPS://host")->path, "/");
    EXPECT_EQ(parse("*", Method::kOptions)->path, "*");
}

// HTTP-04
TEST(Target, RefusesWhatHasNoOneMeaning) {
    for (const std::string_view target : {"",
                                          "a",
                                          "*",
                                          "http://",
                                          "http:///a",
                                          "http://host?a",
                                          "ftp://host/a",
                                          "//\x01",
                                          "/a b",
                                          "/a\x80",
                                          "/%",
                                          "/%4",
                                          "/%4g",
                                          "/%00",
                                          "/%1f",
                                          "/%7f",
                                          "/%ff",
                                          "/%c3",
                                          "/a/..",
                                          "/./a",
                                          "/%2e%2e/a",
                                          "http://u@host/a",
                                          "/a/%2E",
                                          "/a#b",
                                          "/a?b#c",
                                          "/a?%",
                                          "/a?b=%0a",
                                          "/a?%fe=1"}) {
        const auto request = parse(target);
        ASSERT_FALSE(request.has_value()) << target;
        EXPECT_EQ(request.error().code(), core::Code::kInvalidArgument);
        EXPECT_EQ(request.error().details().size(), 1U);
    }
}

TEST(Target, LimitsTheNumberOfQueryParameters) {
    std::string target = "/?a";
    for (std::size_t i = 1; i < kMaxQueryParameters; ++i)
        target += "&a";

    EXPECT_TRUE(parse(target).has_value());
    EXPECT_FALSE(parse(target + "&a").has_value());
}

}  // namespace
}  // namespace zona::net::detail
