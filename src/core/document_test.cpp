#include "core/document.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/text.h"

namespace zona::core {
namespace {

std::string toml(std::string_view text) {
    const Result<Document> document = parse_document(text, DocumentFormat::kToml, "f");
    return document ? to_json(document->value()) : document.error().message();
}

std::string yaml(std::string_view text) {
    const Result<Document> document = parse_document(text, DocumentFormat::kYaml, "f");
    return document ? to_json(document->value()) : document.error().message();
}

TEST(DocumentFormat, FollowsTheExtension) {
    EXPECT_EQ(document_format("/a.b/zona.TOML"), DocumentFormat::kToml);
    EXPECT_EQ(document_format("x.yml"), DocumentFormat::kYaml);
    EXPECT_EQ(document_format("x.json"), DocumentFormat::kJson);
    EXPECT_EQ(document_format("x.js"), std::nullopt);
    EXPECT_EQ(document_format("toml"), std::nullopt);
}

TEST(ParseDocument, GivesTheSameTreeForAllFormats) {
    const std::string expected =
        R"({"name":"api","on":true,"wait":1.5,"n":[1,-2],"env":{"A":"1"}})";
    EXPECT_EQ(toml("name = 'api'\non = true\nwait = 1.5\nn = [1, -2]\n[env]\nA = \"1\"\n").size(),
              expected.size());
    EXPECT_EQ(yaml("name: api\non: true\nwait: 1.5\nn: [1, -2]\nenv:\n  A: '1'\n"), expected);
    const Result<Document> json = parse_document(
        "{\"name\":\"api\",\"on\":true, // yes\n\"wait\":1.5,\"n\":[1,-2,],\"env\":{\"A\":\"1\"}}",
        DocumentFormat::kJson, "f");
    EXPECT_EQ(to_json(json->value()), expected);
}

TEST(ParseDocument, KnowsTheLineOfEveryValue) {
    const char* texts[] = {"{\n\"a\": {\n\"b\": [1,\n2]},\n\"c/d\": 3}",
                           "a:\n  x: 0\n  b:\n    - 1\n    - 2\nc/d: 3\n",
                           "\n[a]\nb = [1,\n2]\n['c/d']\n"};
    const DocumentFormat formats[] = {DocumentFormat::kJson, DocumentFormat::kYaml,
                                      DocumentFormat::kToml};
    const int expected[3][4] = {{2, 3, 4, 5}, {1, 3, 5, 6}, {2, 3, 4, 5}};
    for (std::size_t i = 0; i < 3; ++i) {
        const Document document = parse_document(texts[i], formats[i], "f").value();
        EXPECT_EQ(document.position("/a").line, expected[i][0]) << i;
        EXPECT_EQ(document.position("/a/b").line, expected[i][1]) << i;
        EXPECT_EQ(document.position("/a/b/1").line, expected[i][2]) << i;
        EXPECT_EQ(document.position("/c~1d").line, expected[i][3]) << i;
        EXPECT_EQ(document.position("/a/b/7/x").line, expected[i][1]) << i;
        EXPECT_EQ(document.where("/a/b"), "f:" + std::to_string(expected[i][1]));
        EXPECT_EQ(document.position("").line, 1);
    }
}

TEST(ParseDocument, LocatesTheMistakesOfAReader) {
    const Document document =
        parse_document("apps:\n  - name: a\n  - nmae: b\n", DocumentFormat::kYaml, "eco.yaml")
            .value();
    const JsonReader reader(document.value());
    for (const JsonReader& app : reader.objects("apps"))
        app.string("name");
    const Error located = document.locate(reader.finish("eco.yaml").error());
    ASSERT_EQ(located.details().size(), 1U);
    EXPECT_EQ(located.details()[0].where, "eco.yaml:3 /apps/1/nmae");
    EXPECT_EQ(located.details()[0].hint, "did you mean 'name'?");
}

TEST(ParseDocument, NamesFileLineAndColumnOfASyntaxError) {
    EXPECT_TRUE(toml("a = 1\nb = = 2\n").starts_with("f:2:")) << toml("a = 1\nb = = 2\n");
    EXPECT_TRUE(yaml("a: 1\nb: [1\n").starts_with("f:")) << yaml("a: 1\nb: [1\n");
    EXPECT_TRUE(yaml("a: 1\n\tb: 2\n").starts_with("f:2:")) << yaml("a: 1\n\tb: 2\n");
    EXPECT_EQ(parse_document("{\n\"a\": x}", DocumentFormat::kJson, "f").error().message(),
              "f:2:6: not valid JSON (syntax error)");
}

TEST(ParseDocument, RefusesKeysGivenTwice) {
    EXPECT_TRUE(toml("a = 1\na = 2\n").starts_with("f:2:")) << toml("a = 1\na = 2\n");
    EXPECT_EQ(yaml("a: 1\nb: 2\na: 3\n"), "f:3:1: the key 'a' stands twice in one map");
    EXPECT_EQ(yaml("x:\n  a: 1\n  'a': 3\n"), "f:3:3: the key 'a' stands twice in one map");
    EXPECT_EQ(yaml("x: {a: 1}\ny: {a: 1}\n"), R"({"x":{"a":1},"y":{"a":1}})");
}

TEST(ParseDocument, RefusesBytesThatAreNoText) {
    EXPECT_EQ(yaml(std::string_view("a: 1\nb: \0\n", 10)), "f:2: a NUL byte");
    EXPECT_EQ(toml("a = 1\n# \xFF\n"), "f:2: bytes that are not UTF-8");
    EXPECT_EQ(toml("\xEF\xBB\xBF"
                   "a = 1\n"),
              R"({"a":1})");
}

TEST(ParseDocument, TakesAnEmptyFileAsAnEmptyObject) {
    EXPECT_EQ(toml(""), "{}");
    EXPECT_EQ(yaml(" \n"), "{}");
    EXPECT_EQ(yaml("# nothing\n"), "{}");
    EXPECT_TRUE(parse_document("\n", DocumentFormat::kJson, "f").has_value());
}

TEST(YamlDocument, ResolvesPlainScalarsByTheCoreSchema) {
    EXPECT_EQ(yaml("[null, ~, , true, False, yes, on, 12, -3, +4, 0x1F, 0o17, 1.5, .5, 1e3, '12', "
                   "\"true\"]"),
              R"([null,null,null,true,false,"yes","on",12,-3,4,31,15,1.5,0.5,1000.0,"12","true"])");
    EXPECT_EQ(
        yaml("[0755, 007, 1.2.3, 12:30, 1_000, .inf, .nan, 99999999999999999999, -, !!str 12, 0]"),
        R"(["0755","007","1.2.3","12:30","1_000",".inf",".nan",1e+20,"-","12",0])");
    EXPECT_EQ(yaml("a: |\n  x\n  y\n"), R"({"a":"x\ny\n"})");
}

TEST(YamlDocument, ExpandsAliasesAndMerges) {
    EXPECT_EQ(yaml("base: &b {x: 1, y: 2}\nother: *b\nmine:\n  <<: *b\n  y: 3\n"),
              R"({"base":{"x":1,"y":2},"other":{"x":1,"y":2},"mine":{"y":3,"x":1}})");
    EXPECT_EQ(yaml("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc:\n  <<: [*a, *b]\n"),
              R"({"a":{"x":1},"b":{"x":2,"z":3},"c":{"x":1,"z":3}})");
    EXPECT_EQ(yaml("a: &s text\nb: *s\n"), R"({"a":"text","b":"text"})");
    EXPECT_EQ(yaml("a: &a 1\nb:\n  <<: *a\n"), "f:3:3: << takes a map or a list of maps");
    EXPECT_EQ(yaml("'<<': 1\n"), R"({"<<":1})");
}

TEST(YamlDocument, RefusesWhatAJsonTreeCannotShow) {
    EXPECT_EQ(yaml("a: 1\n---\nb: 2\n"), "f:2:1: a second document in one file");
    EXPECT_EQ(yaml("? [a]\n: 1\n"), "f:1:3: a key must be a scalar");
    EXPECT_EQ(yaml("a: !!binary aGk=\n"), "f:1:4: tags are not supported");
    EXPECT_EQ(yaml("a: !mine {}\n"), "f:1:4: tags are not supported");
    EXPECT_EQ(yaml("a: &a [*a]\n"), "f:1:8: an alias inside of what it stands for");
    EXPECT_NE(yaml("a: *nobody\n").find("f:1:"), std::string::npos);
}

TEST(YamlDocument, TellsAProblemInWholeCharacters) {
    const std::string told = yaml("a: \"\\\xD0\xA1\"\n");  // its first byte is no character
    EXPECT_TRUE(told.starts_with("f:1:")) << told;
    EXPECT_TRUE(is_valid_utf8(told)) << told;
}

TEST(YamlDocument, StopsAtItsLimits) {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j)
            bomb += last + ",";
        bomb += "]\n";
    }
    DocumentLimits few;
    few.max_values = 1000;
    const Result<Document> exploded = parse_document(bomb, DocumentFormat::kYaml, "f", few);
    ASSERT_FALSE(exploded.has_value());
    EXPECT_NE(exploded.error().message().find("more than 1000 values"), std::string::npos);

    std::string tower = "a0: &a0 []\n";
    for (int i = 1; i < 100; ++i) {
        tower += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
                 std::to_string(i - 1) + "]\n";
    }
    EXPECT_NE(yaml(tower).find("more than 32 nested levels"), std::string::npos) << yaml(tower);
    const std::string deep = std::string(300, '[') + std::string(300, ']');
    EXPECT_EQ(yaml(deep), "f:1:33: more than 32 nested levels");
    EXPECT_FALSE(parse_document(std::string(2'000, '['), DocumentFormat::kYaml, "f").has_value());
    EXPECT_NE(yaml(std::string(2'000'000, ' ')).find("the limit is 1.0 MB"), std::string::npos);
}

TEST(TomlDocument, ReadsDatesAsText) {
    EXPECT_EQ(toml("a = 2026-01-02T03:04:05Z\nb = 2026-01-02\nc = 03:04:05\n"),
              R"({"a":"2026-01-02T03:04:05Z","b":"2026-01-02","c":"03:04:05"})");
    EXPECT_EQ(toml("a = nan\n"), "f:1:1: the number is not finite");
}

TEST(TomlDocument, TakesAnyLetterBehindALineContinuationAndNoneInABareKey) {
    EXPECT_EQ(toml("a = \"\"\"x\\\n  \u00e9\u3042\"\"\"\n'\u00fc' = 1\n# \u00e9\n"),
              "{\"a\":\"x\u00e9\u3042\",\"\u00fc\":1}");
    EXPECT_TRUE(toml("\u00e9 = 1\n").starts_with("f:1:")) << toml("\u00e9 = 1\n");
    EXPECT_TRUE(toml("a = \u0313 1\n").starts_with("f:1:")) << toml("a = \u0313 1\n");
}

TEST(TomlDocument, RefusesWhatTheParserOnlyAsserts) {
    for (const char* text : {"[.a", "[.a]", "[[.]]", "a = ", "a", "[", "[[", "[a.]", "a. = 1",
                             ". = 1", "a = .", "= 1"}) {
        EXPECT_TRUE(toml(text).starts_with("f:1:")) << text << " gave " << toml(text);
    }
}

TEST(TomlDocument, RefusesDepthBeforeItCanHurt) {
    const auto dots = [](std::size_t count) {
        std::string key = "a";
        for (std::size_t i = 0; i < count; ++i)
            key += ".a";
        return key;
    };
    EXPECT_EQ(toml(dots(31) + " = 1").find("nested"), std::string::npos);
    EXPECT_NE(toml(dots(32) + " = 1").find("more than 32 nested levels"), std::string::npos);
    const std::string deep = dots(200'000);
    for (const std::string& text :
         {deep + " = 1", "[" + deep + "]", "[[" + deep + "]]", "x = {" + deep + " = 1}",
          "x = {k = \"\"\"y\"\"\"\", " + deep + " = 1}", "x = {k = '''y'''''," + deep + "=1}",
          "x = \"\\\\\"\n" + deep + " = 1", "# \"\n" + deep + " = 1", "x = '\\'\n" + deep + "=1",
          std::string(100'000, '['), "x = " + std::string(100'000, '['),
          "x = " + std::string(50'000, '{')}) {
        EXPECT_NE(toml(text).find("more than 32 nested levels"), std::string::npos)
            << text.substr(0, 40);
    }
}

}  // namespace
}  // namespace zona::core
