#include "store/update.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

namespace zona::store {
namespace {

namespace json = boost::json;

json::object parsed(std::string_view text) {
    return json::parse(text).as_object();
}

json::object after(std::string_view before, const Update& update) {
    json::object document = parsed(before);
    EXPECT_TRUE(update.apply(document).has_value());
    return document;
}

TEST(Update, SetsAndUnsetsFieldsOfNestedObjects) {
    EXPECT_EQ(after(R"({"a":1})", Update().set({"b", "c"}, 2).unset("a")),
              parsed(R"({"b":{"c":2}})"));
    EXPECT_EQ(after(R"({"a":1})", Update().unset({"b", "c"}).unset({"a", "c"})),
              parsed(R"({"a":1})"));
    EXPECT_EQ(after("{}", Update().set("a.b", 1)), parsed(R"({"a.b":1})"));
}

TEST(Update, AddsNumbersAndKeepsWholeOnesWhole) {
    EXPECT_EQ(after(R"({"a":1})", Update().inc("a", 2).inc("b", -1)), parsed(R"({"a":3,"b":-1})"));
    EXPECT_EQ(after(R"({"a":1})", Update().inc("a", 0.5)), parsed(R"({"a":1.5})"));
}

TEST(Update, ChangesArrays) {
    EXPECT_EQ(after(R"({"a":[1]})", Update().push("a", 2).push("b", 3)),
              parsed(R"({"a":[1,2],"b":[3]})"));
    EXPECT_EQ(after(R"({"a":[1,2,3]})", Update().push("a", 4, 2)), parsed(R"({"a":[3,4]})"));
    EXPECT_EQ(after(R"({"a":[1]})", Update().push("a", 4, 0)), parsed(R"({"a":[]})"));
    EXPECT_EQ(after(R"({"a":[1]})", Update().add_to_set("a", 1.0).add_to_set("a", 2)),
              parsed(R"({"a":[1,2]})"));
    EXPECT_EQ(after(R"({"a":[1,{"x":1,"y":2},1]})",
                    Update().pull("a", 1).pull("a", parsed(R"({"y":2,"x":1})")).pull("b", 1)),
              parsed(R"({"a":[]})"));
}

TEST(Update, ChangesNothingWhenOneStepIsRefused) {
    const auto refused = [](const Update& update) {
        const json::object before = parsed(R"({"text":"x","most":9223372036854775807,"a":[1]})");
        json::object document = before;
        const auto answer = update.apply(document);
        return !answer.has_value() && answer.error().code() == core::Code::kInvalidArgument &&
               document == before;
    };
    Update many;
    for (std::size_t i = 0; i <= kMaxUpdateSteps; ++i)
        many.set("b", 1);

    EXPECT_TRUE(refused(Update().set("b", 1).inc("text", 1)));
    EXPECT_TRUE(refused(Update().inc("most", 1)));
    EXPECT_TRUE(refused(Update().inc("b", "1")));
    EXPECT_TRUE(refused(Update().inc("b", 1e308).inc("b", 1e308)));
    EXPECT_TRUE(refused(Update().push("text", 1)));
    EXPECT_TRUE(refused(Update().pull("text", 1)));
    EXPECT_TRUE(refused(Update().set({"text", "x"}, 1)));
    EXPECT_TRUE(refused(Update().set({"a", "0"}, 1)));
    EXPECT_TRUE(refused(many));
}

}  // namespace
}  // namespace zona::store
