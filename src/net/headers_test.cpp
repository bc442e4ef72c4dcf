#include "net/headers.h"

#include <gtest/gtest.h>

namespace zona::net {
namespace {

TEST(Headers, FindsWithoutCaseAndKeepsOrder) {
    Headers headers;
    headers.add("Content-Type", "a");
    headers.add("X-One", "1");
    headers.add("x-one", "2");

    EXPECT_EQ(headers.find("content-type"), "a");
    EXPECT_EQ(headers.find_all("X-ONE"), (std::vector<std::string_view>{"1", "2"}));
    EXPECT_EQ(headers.find("X-On"), std::nullopt);
    EXPECT_EQ(headers.at(2).name, "x-one");
    EXPECT_EQ(headers.size(), 3U);
}

TEST(Headers, SetReplacesAllOfAName) {
    Headers headers;
    headers.add("A", "1");
    headers.add("B", "2");
    headers.add("a", "3");

    headers.set("A", "4");

    EXPECT_EQ(headers.find_all("a"), (std::vector<std::string_view>{"4"}));
    EXPECT_EQ(headers.at(0).name, "B");
    EXPECT_EQ(headers.remove("nothing"), 0U);
}

TEST(Headers, ClearForgetsEverything) {
    Headers headers;
    headers.add("A", "1");

    headers.clear();
    headers.add("B", "");

    EXPECT_FALSE(headers.has("A"));
    EXPECT_EQ(headers.find("b"), "");
}

TEST(Headers, ListHasLooksAtWholeElements) {
    EXPECT_TRUE(list_has("close", "close"));
    EXPECT_TRUE(list_has("Upgrade, CLOSE ,x", "close"));
    EXPECT_FALSE(list_has("closed, un-close", "close"));
    EXPECT_FALSE(list_has("", "close"));
}

}  // namespace
}  // namespace zona::net
