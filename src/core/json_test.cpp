#include "core/json.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/random.h"

namespace zona::core {
namespace {

std::string problem(std::string_view text, const JsonLimits& limits = {}) {
    const Result<boost::json::value> value = parse_json(text, limits);
    return value ? "accepted" : value.error().message();
}

TEST(ParseJson, ReadsAllKinds) {
    const boost::json::value value =
        parse_json(
            R"({"a":[1,-2,18446744073709551615,1.5,1e2],"b":{"c":null,"d":true},"e":"x\u00e9\n"})")
            .value();
    EXPECT_EQ(to_json(value),
              R"({"a":[1,-2,18446744073709551615,1.5,100.0],"b":{"c":null,"d":true},"e":"xé\n"})");
    EXPECT_TRUE(parse_json(" 7 \n").value().is_int64());
}

TEST(ParseJson, ReadsDoublesExactly) {
    for (const char* text : {"0.1", "5.777777777777779e+92", "2.2250738585072014e-308",
                             "-1.7976931348623157e+308", "123456789012345.67", "5e-324"}) {
        EXPECT_EQ(parse_json(text).value().as_double(), std::strtod(text, nullptr)) << text;
        EXPECT_EQ(to_json(parse_json(text).value()), text);
    }
}

TEST(ParseJson, ReadsWhatWasWrittenToTheLastBit) {
    SeededRandom random(7);
    for (int i = 0; i < 20'000; ++i) {
        const auto number = std::bit_cast<double>(random.next());
        if (!std::isfinite(number)) continue;
        const boost::json::value value = {{"at", {number, 1}}};
        const std::string text = to_json(value);
        EXPECT_EQ(parse_written_json(text).value(), value) << text;
        EXPECT_EQ(parse_written_json(boost::json::serialize(value)).value(), value) << text;
        EXPECT_EQ(parse_json(text).value(), value) << text;
    }
}

TEST(ParseJson, ReadsWhatWasWrittenAndNothingElse) {
    EXPECT_EQ(
        parse_written_json(R"({"a":[{},[],null,true,"x\u00e9",18446744073709551615]})").value(),
        parse_json(R"({"a":[{},[],null,true,"xé",18446744073709551615]})").value());
    for (const char* text : {"", "{", "{} {}", "1 2", "[1,]", "nul", "[1e999]"})
        EXPECT_EQ(parse_written_json(text).error().code(), Code::kInvalidArgument) << text;
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(parse_written_json(nested(256)).has_value());
    EXPECT_FALSE(parse_written_json(nested(257)).has_value());
}

TEST(ParseJson, NamesLineAndColumnOfASyntaxError) {
    EXPECT_TRUE(problem("{\n  \"a\": tru\n}").starts_with("2:8: not valid JSON"))
        << problem("{\n  \"a\": tru\n}");
    EXPECT_EQ(problem("{\"a\":1"), "1:7: the text ends before the value does");
    EXPECT_EQ(problem(""), "1:1: the text ends before the value does");
    EXPECT_EQ(problem("{}\n x"), "2:2: something stands behind the value");
    EXPECT_EQ(problem("1 2"), "1:3: something stands behind the value");
}

TEST(ParseJson, RefusesAKeyGivenTwice) {
    EXPECT_NE(problem("{\"a\":1,\n\"a\":2}").find("2:"), std::string::npos);
    EXPECT_NE(problem(R"({"a":1,"a":2})").find("the key 'a' stands twice"), std::string::npos);
    EXPECT_NE(problem(R"({"x":{"a":1,"\u0061":2}})").find("twice"), std::string::npos);
    EXPECT_EQ(problem(R"({"a":{"a":1},"b":[{"a":1},{"a":1}]})"), "accepted");
}

TEST(ParseJson, KeepsItsLimits) {
    JsonLimits limits;
    EXPECT_EQ(problem(std::string(64, '[') + std::string(64, ']')), "accepted");
    EXPECT_NE(
        problem(std::string(65, '[') + std::string(65, ']')).find("more than 64 nested levels"),
        std::string::npos);
    EXPECT_NE(problem(std::string(200'000, '[')).find("nested levels"), std::string::npos);
    limits.max_bytes = ByteCount(10);
    EXPECT_EQ(problem("\"12345678\"", limits), "accepted");
    EXPECT_EQ(parse_json("\"123456789\"", limits).error().code(), Code::kTooLarge);
}

TEST(ParseJson, RefusesWhatCannotBeHeld) {
    EXPECT_NE(problem("1e999"), "accepted");
    EXPECT_NE(problem("\"\xFF\""), "accepted");
    EXPECT_NE(problem("\"\\ud800\""), "accepted");
    EXPECT_NE(problem("\"a\nb\""), "accepted");
    EXPECT_NE(problem("[1,]"), "accepted");
    EXPECT_NE(problem("{} // x"), "accepted");
    EXPECT_NE(problem("NaN"), "accepted");
    EXPECT_NE(problem("{'a':1}"), "accepted");
}

TEST(ParseJson, TakesCommentsAndTrailingCommasWhenLenient) {
    const JsonLimits lenient{.syntax = JsonSyntax::kLenient};
    EXPECT_EQ(
        to_json(parse_json("// top\n{\"a\": [1, 2,], /* b */ \"c\": 3,}\n// end", lenient).value()),
        R"({"a":[1,2],"c":3})");
    EXPECT_NE(problem("{\"a\":1} x", lenient), "accepted");
}

TEST(ToJson, WritesValidTextForAnyBytes) {
    boost::json::object object;
    object["s"] = "\xFF\"\\\n\t\x01\x7F";
    object["n"] = std::numeric_limits<double>::quiet_NaN();
    object["d"] = 0.1;
    object["i"] = 3.0;
    EXPECT_EQ(
        to_json(object),
        "{\"s\":\"\xEF\xBF\xBD\\\"\\\\\\n\\t\\u0001\\u007f\",\"n\":null,\"d\":0.1,\"i\":3.0}");
    EXPECT_TRUE(parse_json(to_json(object)).has_value());
}

TEST(ToJson, IndentsByTwo) {
    const boost::json::value value = parse_json(R"({"a":[1,{}],"b":[]})").value();
    EXPECT_EQ(to_json(value, JsonLayout::kIndented),
              "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

TEST(PointerTo, EscapesTildeAndSlash) {
    EXPECT_EQ(pointer_to("/apps/0", "a/b~c"), "/apps/0/a~1b~0c");
    EXPECT_EQ(pointer_to("", ""), "/");
}

}  // namespace
}  // namespace zona::core
