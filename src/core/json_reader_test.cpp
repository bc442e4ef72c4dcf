#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/json.h"

namespace zona::core {
namespace {

using namespace std::chrono_literals;

boost::json::value json(std::string_view text) {
    return parse_json(text).value();
}

TEST(JsonReader, ReadsTypedFields) {
    const boost::json::value value = json(R"({
        "name":"api","instances":3.0,"ratio":0.5,"on":true,"wait":"5s","grace":1600,"memory":"1G",
        "args":["-v",""],"env":{"A":"1","B":2,"C":true},"mode":"fork","nested":{"x":1},
        "apps":[{"n":"a"},{"n":"b"}],"gone":null})");
    const JsonReader reader(value);

    EXPECT_EQ(reader.require_string("name"), "api");
    EXPECT_EQ(reader.integer("instances", {1, 10}), 3);
    EXPECT_EQ(reader.number("ratio"), 0.5);
    EXPECT_EQ(reader.boolean("on"), true);
    EXPECT_EQ(reader.duration("wait"), 5s);
    EXPECT_EQ(reader.duration("grace"), 1600ms);
    EXPECT_EQ(reader.size("memory"), ByteCount::gib(1));
    EXPECT_EQ(reader.strings("args"), (std::vector<std::string>{"-v", ""}));
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(reader.string_map("env"), (Pairs{{"A", "1"}, {"B", "2"}, {"C", "true"}}));
    const std::vector<std::string> modes = {"fork", "cluster"};
    EXPECT_EQ(reader.choice("mode", modes), "fork");
    EXPECT_EQ(reader.object("nested")->integer("x"), 1);
    EXPECT_EQ(reader.objects("apps").at(1).string("n"), "b");
    EXPECT_EQ(reader.objects("apps").at(0).string("n"), "a");
    EXPECT_EQ(reader.string("gone"), std::nullopt);
    EXPECT_EQ(reader.string("absent"), std::nullopt);
    EXPECT_TRUE(reader.finish("body").has_value());
}

TEST(JsonReader, ReportsAllMistakesAtOnce) {
    const boost::json::value value = json(R"({
        "name":7,"instances":0,"on":"yes","wait":"soon","args":["a",1],"mode":"frok",
        "apps":[{"nmae":"x"},3],"intsances":1})");
    const JsonReader reader(value);
    reader.require_string("name");
    reader.require_string("script");
    reader.integer("instances", {1, 10});
    reader.boolean("on");
    reader.duration("wait");
    reader.strings("args");
    const std::vector<std::string> modes = {"fork", "cluster"};
    reader.choice("mode", modes);
    for (const JsonReader& app : reader.objects("apps"))
        app.string("name");
    reader.mistake("name", "is taken", "choose another");

    const Result<void> result = reader.finish("ecosystem.json");

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(result.error().message(),
              "ecosystem.json: 11 mistakes; the first: /name: must be a string, not a number");
    std::string all;
    for (const Detail& detail : result.error().details()) {
        all += detail.where + " " + detail.problem + " " + detail.hint + "\n";
    }
    EXPECT_EQ(
        all,
        "/name must be a string, not a number \n"
        "/script is required and may not be empty \n"
        "/instances must be from 1 to 10, not 0 \n"
        "/on must be true or false, not a string \n"
        "/wait not a duration; write milliseconds (1600) or a unit (250ms, 5s, 1m30s, 2h, 1d) \n"
        "/args/1 must be a string, not a number \n"
        "/mode 'frok' is not one of fork, cluster; did you mean 'fork'? \n"
        "/apps/1 must be an object, not a number \n"
        "/name is taken choose another\n"
        "/intsances unknown key did you mean 'instances'?\n"
        "/apps/0/nmae unknown key did you mean 'name'?\n");
}

TEST(JsonReader, OnlyListsUnknownKeysWhenTheCallerWarns) {
    const boost::json::value value = json(R"({"name":"a","extra":1})");
    const JsonReader reader(value);
    reader.string("name");
    EXPECT_TRUE(reader.finish("x", UnknownKeys::kWarn).has_value());
    ASSERT_EQ(reader.unknown_keys().size(), 1U);
    EXPECT_EQ(reader.unknown_keys()[0].where, "/extra");
}

TEST(JsonReader, RefusesARootThatIsNotAnObject) {
    const boost::json::value value = json("[1]");
    const JsonReader reader(value);
    EXPECT_EQ(reader.string("name"), std::nullopt);
    EXPECT_EQ(reader.finish("body").error().message(), "body: must be an object, not an array");
}

TEST(JsonReader, RefusesNumbersThatAreNotWhole) {
    const boost::json::value value = json(R"({"a":1.5,"b":1e300,"c":18446744073709551615})");
    const JsonReader reader(value);
    EXPECT_EQ(reader.integer("a"), std::nullopt);
    EXPECT_EQ(reader.integer("b"), std::nullopt);
    EXPECT_EQ(reader.integer("c"), std::nullopt);
    EXPECT_EQ(reader.finish("x").error().details().size(), 3U);
}

TEST(JsonReader, RemembersABoundedNumberOfMistakes) {
    std::string text = R"({"select":[)";
    for (int i = 0; i < 1000; ++i)
        text += "1,";
    text += R"(1], "unknown": 1})";
    const boost::json::value value = json(text);
    const JsonReader reader(value);

    (void)reader.strings("select");
    const auto finished = reader.finish("the request");

    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().details().size(), JsonReader::kMostMistakes);
    EXPECT_TRUE(finished.error().message().starts_with("the request: 100 mistakes or more; "));
}

TEST(JsonReader, RemembersABoundedNumberOfUnknownKeysAndCutsLongOnes) {
    std::string text = "{\"" + std::string(100'000, 'k') + "\": 1";
    for (int i = 0; i < 1000; ++i)
        text += ",\"k" + std::to_string(i) + "\": 1";
    const boost::json::value value = json(text + "}");
    const JsonReader reader(value);

    const auto finished = reader.finish("the request");

    ASSERT_FALSE(finished);
    ASSERT_EQ(finished.error().details().size(), JsonReader::kMostMistakes);
    EXPECT_LT(finished.error().details().front().where.size(), 300U);
}

}  // namespace
}  // namespace zona::core
