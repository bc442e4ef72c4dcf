#include "api/shape.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/json.h"

namespace zona::api {
namespace {

namespace json = boost::json;

json::value parsed(std::string_view text) {
    return core::parse_json(text, {.max_depth = 200}).value();
}

/// "WHERE PROBLEM; HINT" of each mistake.
std::vector<std::string> mistakes(std::string_view text, const Shape& shape,
                                  const Components& components = {}) {
    std::vector<std::string> out;
    for (const core::Detail& detail : mistakes_of(parsed(text), shape, components))
        out.push_back(detail.where + " " + detail.problem +
                      (detail.hint.empty() ? "" : "; " + detail.hint));
    return out;
}

using Strings = std::vector<std::string>;

Shape person() {
    return Shape::object({required("name", Shape::text("Its name.").length(1, 5)),
                          optional("age", Shape::integer("Its age.").range(0, 150)),
                          sometimes("tags", Shape::array("Words.", Shape::text("One."))),
                          optional("kind", Shape::text("Which.").choices({"cat", "dog"}))});
}

TEST(ShapeCheck, TakesWhatFits) {
    EXPECT_EQ(mistakes(R"({"name": "ann", "age": 3.0, "tags": [], "kind": "cat"})", person()),
              Strings());
    EXPECT_EQ(mistakes(R"({"name": "ann", "age": null})", person()), Strings());
}

// HTTP-04, PM-62
TEST(ShapeCheck, NamesEveryMistakeAtOnceUnknownFieldsLast) {
    EXPECT_EQ(mistakes(R"({"nme": 1, "age": 151, "tags": ["a", 2], "kind": "dgo"})", person()),
              (Strings{"/name is required", "/age must be from 0 to 150, not 151",
                       "/tags/1 must be a string, not a number",
                       "/kind 'dgo' is not one of cat, dog; did you mean 'dog'?",
                       "/nme unknown key; did you mean 'name'?"}));
}

// HTTP-04
TEST(ShapeCheck, SaysWhatTakesAKeyThatIsLookedForHere) {
    const Shape shape = person().elsewhere("nam", "POST /names takes it");
    EXPECT_EQ(mistakes(R"({"name": "ann", "nam": 1})", shape),
              Strings{"/nam unknown key; POST /names takes it"});
    EXPECT_EQ(mistakes(R"({"name": "ann", "nme": 1})", shape),
              Strings{"/nme unknown key; did you mean 'name'?"});
}

TEST(ShapeCheck, TellsWhatAWrongTypeShouldHaveBeen) {
    EXPECT_EQ(mistakes("[]", person()), Strings{" must be an object, not an array"});
    EXPECT_EQ(mistakes(R"({"name": null, "tags": null})", person()),
              (Strings{"/name must be a string, not null",
                       "/tags must be an array of strings, not null"}));
    EXPECT_EQ(mistakes("1.5", Shape::integer("")),
              Strings{" must be a whole number of at most 64 bits, not a number"});
}

TEST(ShapeCheck, CountsCharactersNotBytes) {
    EXPECT_EQ(mistakes(R"({"name": "äöüßé"})", person()), Strings());
    EXPECT_EQ(mistakes(R"({"name": "abcdef"})", person()),
              Strings{"/name must have at most 5 characters, not 6"});
    EXPECT_EQ(mistakes(R"({"name": ""})", person()), Strings{"/name may not be empty"});
}

TEST(ShapeCheck, KnowsTheFormatsOfTexts) {
    const Shape time = Shape::text("").format(Format::kTime);
    const Shape uuid = Shape::text("").format(Format::kUuid);
    const Shape duration = Shape::text("").format(Format::kDuration);

    EXPECT_EQ(mistakes(R"("2026-01-31T12:00:00.000Z")", time), Strings());
    EXPECT_EQ(mistakes(R"("yesterday")", time).size(), 1U);
    EXPECT_EQ(mistakes(R"("0192f3c4-7d1e-7a52-9c0b-3f6d2b8e4a10")", uuid), Strings());
    EXPECT_EQ(mistakes(R"("0192f3c4-7d1e-7a52-9c0b-3f6d2b8e4a1g")", uuid).size(), 1U);
    EXPECT_EQ(mistakes(R"("1m30s")", duration), Strings());
    EXPECT_EQ(mistakes(R"("soon")", duration).size(), 1U);
    EXPECT_EQ(mistakes(R"("+2")", Shape::text("").pattern("[+-]?[0-9]+")), Strings());
    EXPECT_EQ(mistakes(R"("two")", Shape::text("").pattern("[+-]?[0-9]+")).size(), 1U);
    EXPECT_EQ(mistakes('"' + std::string(300, '1') + '"', Shape::text("").pattern("1*")).size(),
              1U);
}

TEST(ShapeCheck, ReportsTheAlternativeOfTheSameKind) {
    const Shape shape =
        Shape::one_of("", {Shape::integer("").range(1, 9), Shape::text("").choices({"max"})});

    EXPECT_EQ(mistakes("3", shape), Strings());
    EXPECT_EQ(mistakes(R"("max")", shape), Strings());
    EXPECT_EQ(mistakes("10", shape), Strings{" must be from 1 to 9, not 10"});
    EXPECT_EQ(mistakes("true", shape),
              Strings{" must be a whole number of at most 64 bits or a string, not a boolean"});
}

TEST(ShapeCheck, FollowsComponentsAndRefusesUnknownOnes) {
    const Components components = {{"Person", person()}};
    const Shape map = Shape::map("", Shape::component("Person").nullable());

    EXPECT_EQ(mistakes(R"({"a": {"name": "x"}, "b": null})", map, components), Strings());
    EXPECT_EQ(mistakes(R"({"a": {}})", map, components), Strings{"/a/name is required"});
    EXPECT_THROW(mistakes("{}", Shape::component("Nobody")), std::logic_error);
}

TEST(ShapeCheck, GivesTheShapesOwnHintWhereItKnowsNoBetter) {
    const Shape shape = Shape::array("", Shape::text("")).at_least(1).hint("give \"all\"");

    EXPECT_EQ(mistakes("[]", shape), Strings{" may not be empty; give \"all\""});
}

TEST(ShapeCheck, StopsAtAHundredMistakes) {
    json::object many;
    for (int i = 0; i < 5000; ++i)
        many[std::to_string(i)] = 0;

    EXPECT_EQ(mistakes_of(many, person(), {}).size(), 100U);
}

TEST(ShapeCheck, LeavesToTheReaderWhatIsTheReaders) {
    EXPECT_EQ(mistakes(R"({"name": 1})", person().checked_by_reader()), Strings());
}

TEST(ShapeSchema, IsJsonSchemaForRequests) {
    const std::string schema = core::to_json(schema_of(person(), Direction::kRequest));

    EXPECT_EQ(
        schema,
        R"({"type":"object","required":["name"],"properties":{)"
        R"("name":{"description":"Its name.","type":"string","minLength":1,"maxLength":5},)"
        R"("age":{"description":"Its age.","type":["integer","null"],"minimum":0,"maximum":150},)"
        R"("tags":{"description":"Words.","type":"array","items":{"description":"One.","type":"string"}},)"
        R"("kind":{"description":"Which.","type":["string","null"],"enum":["cat","dog",null]}},)"
        R"("additionalProperties":false})");
}

TEST(ShapeSchema, LeavesAnswersOpenForNewFields) {
    EXPECT_FALSE(
        schema_of(person(), Direction::kAnswer).as_object().contains("additionalProperties"));
}

TEST(ShapeSchema, RefersToComponents) {
    EXPECT_EQ(core::to_json(schema_of(Shape::component("Exit", "The end."), Direction::kAnswer)),
              R"({"description":"The end.","$ref":"#/components/schemas/Exit"})");
    EXPECT_EQ(core::to_json(schema_of(Shape::component("Exit").nullable(), Direction::kAnswer)),
              R"({"anyOf":[{"$ref":"#/components/schemas/Exit"},{"type":"null"}]})");
}

}  // namespace
}  // namespace zona::api
