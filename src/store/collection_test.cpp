#include "store/collection.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>

namespace zona::store {
namespace {

using core::Code;
using testing::HasSubstr;

// TEN-04, TEN-05
TEST(Scope, IsATenantsCodeOrTheCore) {
    EXPECT_EQ(Scope::core().code(), "core");
    EXPECT_EQ(Scope::tenant("acme-2_x").value().code(), "acme-2_x");
    for (const std::string code :
         {"", "core", "Acme", "-a", "_a", "a.b", "a/b", "a b", "\u00e9", "a\n", "..", "'"})
        EXPECT_EQ(Scope::tenant(code).error().code(), Code::kInvalidArgument) << code;
    EXPECT_TRUE(Scope::tenant(std::string(64, 'a')).has_value());
    EXPECT_FALSE(Scope::tenant(std::string(65, 'a')).has_value());
    EXPECT_FALSE(Scope::tenant(std::string_view("a\0b", 3)).has_value());
    EXPECT_FALSE((std::is_default_constructible_v<Scope>));
    EXPECT_FALSE((std::is_constructible_v<Collection, const CollectionSpec&>));
}

TEST(Path, TakesKeysAsTheyAre) {
    EXPECT_EQ(Path("a.b").pointer(), "/a.b");
    EXPECT_EQ(Path({"a", "b/c"}).pointer(), "/a/b~1c");
    EXPECT_EQ(Path({"a", "b"}), Path({"a", "b"}));
}

std::string refusal(const CollectionSpec& spec) {
    const auto answer = validate(spec);
    return answer.has_value() ? "good" : answer.error().message();
}

// DATA-39, SEC-02
TEST(CollectionSpec, SearchIsOfTextsInClear) {
    const auto with_search = [](std::vector<Path> search) {
        return CollectionSpec{
            .name = "tasks",
            .fields = {{.path = "title"},
                       {.path = "count", .type = FieldType::kInteger},
                       {.path = {"access", "token"}, .protection = Protection::kEncrypted}},
            .search = std::move(search)};
    };
    EXPECT_EQ(refusal(with_search({"title", Path({"access", "name"})})), "good");
    EXPECT_THAT(refusal(with_search({Path({"access", "token"})})), HasSubstr("is encrypted"));
    EXPECT_THAT(refusal(with_search({Path({"access", "token", "a"})})), HasSubstr("is encrypted"));
    EXPECT_THAT(refusal(with_search({"access"})), HasSubstr("holds what is"));
    EXPECT_THAT(refusal(with_search({"count"})), HasSubstr("/count is a whole number"));
    EXPECT_THAT(refusal(with_search({"title", Path({"title", "de"})})),
                HasSubstr("lies in another"));
    EXPECT_THAT(refusal(with_search({Path(std::string("a\0", 2))})), HasSubstr("without NUL"));
    EXPECT_THAT(refusal(with_search(std::vector<Path>(9, "title"))), HasSubstr("more than 8"));
}

// DATA-40, SEC-02
TEST(CollectionSpec, IsRefusedWhenItMakesNoSense) {
    const IndexField status{"status", FieldType::kText};
    const auto with_index = [](IndexSpec index) {
        return CollectionSpec{.name = "tasks", .indexes = {std::move(index)}};
    };

    EXPECT_EQ(refusal({.name = "tasks"}), "good");
    EXPECT_THAT(refusal({.name = "Tasks"}), HasSubstr("Tasks: the name"));
    EXPECT_THAT(refusal({.name = "tasks\"; --"}), HasSubstr("the name"));
    EXPECT_THAT(refusal(with_index({.name = "By"})), HasSubstr("index By: the name"));
    EXPECT_THAT(refusal(with_index({.name = "u", .uniqueness = Uniqueness::kUnique})),
                HasSubstr("neither unique nor sparse"));
    EXPECT_THAT(refusal(with_index({.name = "u", .fields = {status, status}})),
                HasSubstr("/status stands in it twice"));
    EXPECT_THAT(refusal(with_index({.name = "u", .fields = {{"a", FieldType::kArray}}})),
                HasSubstr("no order"));
    EXPECT_THAT(refusal(with_index({.name = "u", .fields = std::vector<IndexField>(5, status)})),
                HasSubstr("more than 4 fields"));
    EXPECT_THAT(refusal({.name = "tasks", .indexes = {{.name = "a"}, {.name = "a"}}}),
                HasSubstr("declared twice"));
    EXPECT_THAT(refusal({.name = "tasks",
                         .indexes = {{.name = "a", .fields = {status}},
                                     {.name = "b", .fields = {{"status", FieldType::kInteger}}}}}),
                HasSubstr("/status has two types"));
    EXPECT_THAT(
        refusal(with_index({.name = "a", .fields = {status, {"Status", FieldType::kText}}})),
        HasSubstr("/Status and /status differ in case alone"));
    EXPECT_THAT(refusal(with_index({.name = "a", .fields = {{Path({}), FieldType::kText}}})),
                HasSubstr("one key"));
    EXPECT_THAT(refusal({.name = "tasks",
                         .fields = {{.path = "key", .protection = Protection::kEncrypted}},
                         .indexes = {{.name = "a", .fields = {{"key", FieldType::kText}}}}}),
                HasSubstr("/key is encrypted"));
    const FieldSpec secret{
        .path = "key", .type = FieldType::kObject, .protection = Protection::kEncrypted};
    EXPECT_THAT(refusal({.name = "tasks",
                         .fields = {secret},
                         .indexes = {{.name = "a", .fields = {{{"key", "a"}, FieldType::kText}}}}}),
                HasSubstr("/key/a is encrypted"));
    EXPECT_THAT(refusal({.name = "tasks", .fields = {{.path = {"key", "a"}}, secret}}),
                HasSubstr("/key/a lies in /key"));
    EXPECT_THAT(refusal({.name = "tasks", .version = 2}), HasSubstr("one migration for each"));
    const auto nothing = [](Document&) -> core::Result<void> { return {}; };
    EXPECT_THAT(refusal({.name = "tasks", .version = 2, .migrations = {{3, nothing}}}),
                HasSubstr("not in order"));
    EXPECT_EQ(refusal({.name = "tasks", .version = 2, .migrations = {{2, nothing}}}), "good");
}

}  // namespace
}  // namespace zona::store
