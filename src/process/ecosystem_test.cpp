#include "process/ecosystem.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <ostream>
#include <sstream>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "process/detail/app_spec_json.h"

namespace zona::process {
namespace {

using core::Code;
namespace json = boost::json;

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file.good()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

EcosystemInput input(std::string name, std::string content) {
    return {std::move(name),
            std::move(content),
            "/srv/app",
            4,
            {{"HOME", "/home/ann"}, {"TOKEN", "s3cret"}, {"AUTO", "false"}, {"BLANK", ""}}};
}

Ecosystem parsed(const std::string& name, const std::string& content) {
    auto result = parse_ecosystem(input(name, content));
    EXPECT_TRUE(result.has_value()) << result.error().message();
    return result.has_value() ? std::move(*result) : Ecosystem{{AppSpec{}}, {}, {}};
}

AppSpec app(const std::string& name, const std::string& content) {
    return parsed(name, content).apps.front();
}

/// One app of a PM2 file with these keys, in JSON5, `script` apart.
AppSpec pm2_app(const std::string& keys) {
    return app("a.json", "{apps: [{script: 'app.js', " + keys + "}]}");
}

core::Error failure(const std::string& name, const std::string& content) {
    auto result = parse_ecosystem(input(name, content));
    EXPECT_FALSE(result.has_value()) << content;
    return result.has_value() ? core::Error(Code::kInternal, "") : result.take_error();
}

std::vector<std::string> problems(const core::Error& error) {
    std::vector<std::string> lines;
    for (const core::Detail& detail : error.details()) {
        lines.push_back(fmt::format("{}: {}{}{}", detail.where, detail.problem,
                                    detail.hint.empty() ? "" : "; ", detail.hint));
    }
    return lines;
}

/// What a file came to, as the `.expected` files have it: warnings, apps without their defaults,
/// errors.
std::string outcome(const core::Result<Ecosystem>& result) {
    std::string out;
    if (!result.has_value()) {
        out = fmt::format("{}: {}\n", core::info(result.error().code()).name,
                          result.error().message());
        for (const std::string& line : problems(result.error()))
            out += "  " + line + "\n";
        return out;
    }
    out += result->rules == EcosystemRules::kNative ? "native\n" : "pm2\n";
    for (const std::string& warning : result->warnings)
        out += "warning: " + warning + "\n";
    const json::value defaults = detail::to_json(AppSpec{});
    for (const AppSpec& spec : result->apps) {
        out += "app\n";
        const json::value value = detail::to_json(spec);
        for (const auto& member : value.get_object()) {
            const json::value* usual = defaults.get_object().if_contains(member.key());
            if (usual != nullptr && *usual == member.value()) continue;
            out += fmt::format("    {}: {}\n", std::string_view(member.key()),
                               json::serialize(member.value()));
        }
    }
    return out;
}

class EcosystemFixture : public testing::TestWithParam<const char*> {};

// PM-62
TEST_P(EcosystemFixture, ComesToWhatIsExpected) {
    const std::string path = std::string(ZONA_SOURCE_DIR "/tests/fixtures/ecosystem/") + GetParam();

    const auto result = parse_ecosystem(input(GetParam(), read_text(path)));

    EXPECT_EQ(outcome(result), read_text(path + ".expected"));
}

INSTANTIATE_TEST_SUITE_P(
    Files, EcosystemFixture,
    testing::Values("bad.zona.yaml", "cluster.config.json", "duplicate.json", "duplicate.yaml",
                    "mixed.yaml", "package.json", "python.json", "services.toml", "zona.yaml"),
    [](const auto& test) {
        std::string name = test.param;
        std::ranges::replace_if(
            name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
        return name;
    });

TEST(EcosystemFormats, GiveTheSameAppFromTheSameSettings) {
    const AppSpec from_json =
        app("a.json", R"({"apps": [{"name": "x", "script": "a.js", "args": ["1", "b c"],
        "env": {"A": "1", "B": "true"}, "restart_delay": 50, "limits": {"nofile": "10:20"}}]})");
    const AppSpec from_yaml =
        app("a.yml",
            "apps:\n- name: x\n  script: a.js\n  args: [1, b c]\n"
            "  env: {A: 1, B: true}\n  restart_delay: 50ms\n  limits: {nofile: '10:20'}\n");
    const AppSpec from_toml = app("a.toml",
                                  "[[apps]]\nname = 'x'\nscript = 'a.js'\nargs = \"1 'b c'\"\n"
                                  "restart_delay = 50\nenv = {A = 1, B = true}\nlimits = {nofile = "
                                  "{soft = 10, hard = 20}}\n");

    EXPECT_EQ(from_json, from_yaml);
    EXPECT_EQ(from_json, from_toml);
    EXPECT_EQ(from_json.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", "true"}}));
    EXPECT_EQ(from_json.limits.at("nofile"), (LimitPair{10, 20}));
}

TEST(EcosystemFormats, FollowTheExtensionAndTakeJsonForAnyOther) {
    EXPECT_EQ(app("dir.yaml/apps", "{script: 'a.js'}").name, "a");
    EXPECT_EQ(app("x.conf", "[{script: 'a.js'}]").name, "a");
    EXPECT_EQ(app("x.yaml", "script: a.js").name, "a");
    EXPECT_EQ(app("x.toml", "script = 'a.js'").name, "a");
    EXPECT_EQ(app("x.json", "\xEF\xBB\xBF{script: 'a.js'}").name, "a");
}

TEST(EcosystemFormats, RefuseJavaScriptAndProcessComposeByName) {
    for (const char* name : {"ecosystem.config.js", "a.cjs", "a.mjs", "a.ts"}) {
        const core::Error error = failure(name, "module.exports = {apps: []}");
        EXPECT_EQ(error.code(), Code::kUnsupported) << name;
        EXPECT_NE(error.details().front().hint.find("JSON"), std::string::npos);
    }
    const core::Error compose = failure("p.yaml", "processes:\n  a:\n    command: b\n");
    EXPECT_EQ(compose.code(), Code::kUnsupported);
    EXPECT_EQ(compose.message(), "p.yaml is a process-compose file, which zona does not read yet");
}

TEST(EcosystemFormats, RefuseTooMuchAndWhatIsNotText) {
    const std::string big(kMaxEcosystemBytes.as_size() + 1, ' ');
    EXPECT_EQ(failure("a.json", big).code(), Code::kTooLarge);
    EXPECT_EQ(failure("a.json", "{script: '\xff'}").message(), "a.json is not UTF-8 text");
    EXPECT_EQ(failure("a.json", "").message(),
              "a.json:1:1: the text ends where a value is expected");
    EXPECT_EQ(failure("a.yaml", "").message(), "a.yaml:1:1: there are no apps in it");
    EXPECT_EQ(failure("a.toml", "").message(), "a.toml:1:1: there are no apps in it");
    EXPECT_EQ(failure("a.json", "{apps: []}").message(), "a.json:1:8: the list of apps is empty");
}

struct SyntaxCase {
    const char* name;
    const char* content;
    const char* message;
};

void PrintTo(const SyntaxCase& test, std::ostream* out) {
    *out << test.name << " " << test.content;
}

class EcosystemJsonSyntax : public testing::TestWithParam<SyntaxCase> {};

TEST_P(EcosystemJsonSyntax, ErrorSaysWhereAndWhat) {
    const core::Error error = failure(GetParam().name, GetParam().content);

    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_EQ(error.message(), GetParam().message);
    EXPECT_EQ(error.details().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Files, EcosystemJsonSyntax,
    testing::Values(
        SyntaxCase{"a.json", "{apps: [\n  {script: 'a.js'\n",
                   "a.json:3:1: the \"{\" of line 2 is not closed"},
        SyntaxCase{"a.json", "{script: 'a.js'} x",
                   "a.json:1:18: there is more text behind the value"},
        SyntaxCase{"a.json", "{script: 'a.js' name: 'x'}", "a.json:1:17: unexpected \"n\""},
        SyntaxCase{"a.json", "{script 'a.js'}", "a.json:1:9: no \":\" after the key \"script\""},
        SyntaxCase{"a.json", "{script: app}", "a.json:1:10: \"app\" is not a value"},
        SyntaxCase{"a.json", "{script: 'a.js\n'}", "a.json:1:10: text without a closing quote"},
        SyntaxCase{"a.json", "{memory: 512 * 1024}",
                   "a.json:1:14: unexpected \"*\": JavaScript expressions are not carried out"},
        SyntaxCase{"a.json", "{env: {...process.env}}",
                   "a.json:1:8: \"...\" is a JavaScript expression"},
        SyntaxCase{"a.json", "{cwd: `${root}/x`}",
                   "a.json:1:8: \"${\" in a template text is a JavaScript expression"},
        SyntaxCase{"a.json", "{n: 1.2.3}", "a.json:1:5: \"1.2.3\" is not a number"},
        SyntaxCase{"a.json", "{n: Infinity}", "a.json:1:5: Infinity is not a usable value"},
        SyntaxCase{"a.json", "{n: '\\ud800'}",
                   "a.json:1:6: \"\\u\" or \"\\x\" without the number of a character behind it"},
        SyntaxCase{"a.json", "/* x", "a.json:1:1: comment without an end"},
        SyntaxCase{"a.json", "{script: \x01}", "a.json:1:10: unexpected \"\\x01\""}));

TEST(EcosystemSyntax, OfYamlAndTomlIsToldWithItsPlace) {
    const std::vector<std::array<const char*, 3>> cases = {
        {"a.yaml", "a: b: c", "a.yaml:1:5"},
        {"a.yaml", "a: *b", "a.yaml:1:4"},
        {"a.yaml", "a: &x [*x]", "a.yaml:1:8"},
        {"a.yaml", "a: 1\n---\nb: 2", "a.yaml:2:1"},
        {"a.yaml", "? [a]\n: b", "a.yaml:1:3"},
        {"a.yaml", "a: !env B", "a.yaml:1:4"},
        {"a.yaml", "a: 1\na: 2", "a.yaml:2:1"},
        {"a.toml", "a = 1\na = 2", "a.toml:2:5"},
        {"dir: x/a.toml", "a = \n", "dir: x/a.toml:1:5"},
    };
    for (const auto& [name, content, place] : cases) {
        const core::Error error = failure(name, content);
        EXPECT_EQ(error.code(), Code::kInvalidArgument);
        ASSERT_EQ(error.details().size(), 1U) << content;
        EXPECT_EQ(error.details()[0].where, place) << content;
        EXPECT_EQ(error.message(), error.details()[0].where + ": " + error.details()[0].problem);
        EXPECT_FALSE(error.details()[0].problem.empty());
    }
}

TEST(EcosystemSyntaxLimits, BoundDepthAndSize) {
    const std::string deep = std::string(100, '[') + std::string(100, ']');
    EXPECT_EQ(failure("a.json", deep).message(), "a.json:1:65: nested more than 64 levels deep");
    EXPECT_EQ(failure("a.yaml", deep).message(), "a.yaml:1:65: more than 64 nested levels");
    EXPECT_NE(failure("a.toml", "a = " + deep).message().find("more than 64 nested levels"),
              std::string::npos);

    std::string bomb = "x-a: &a [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n";
    for (char c = 'b'; c < 'j'; ++c) {
        const char last = static_cast<char>(c - 1);
        bomb +=
            fmt::format("x-{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]\n", c, last);
    }
    EXPECT_NE(failure("a.yaml", bomb).message().find("more than 200000 values"), std::string::npos);
    std::string many = "[";
    for (int i = 0; i < 200'001; ++i)
        many += "0,";
    EXPECT_NE(failure("a.json", many + "]").message().find("more than 200000 values"),
              std::string::npos);
}

TEST(EcosystemJson5, TakesWhatJavaScriptTakesAsData) {
    const AppSpec spec = pm2_app(
        "/* a */ $schema: 'x', \"name\": \"it's\", // b\n"
        "args: [\"\\x41\\u0042\\u{1F600}\\ud83d\\ude00\", 'a\\\nb', `c\nd`, 0x10, 0b11, 0o17, +5, "
        "-0, .5, 1e3, "
        "1_000, null, undefined, true,], env: {a_$1: '\\t\\'\\\\', 2: 3,},");

    EXPECT_EQ(spec.name, "it's");
    EXPECT_EQ(spec.args,
              (std::vector<std::string>{"AB\U0001F600\U0001F600", "ab", "c\nd", "16", "3", "15",
                                        "5", "0", "0.5", "1000", "1000", "true"}));
    EXPECT_EQ(spec.env, (std::map<std::string, std::string>{{"a_$1", "\t'\\"}, {"2", "3"}}));
}

TEST(EcosystemYaml, MergesWithTheObjectsOwnKeysFirst) {
    const AppSpec spec = app("a.yaml",
                             "x-a: &a {name: a, namespace: n1, env: {A: 1}}\n"
                             "x-b: &b {namespace: n2, user: bob}\n"
                             "apps:\n- script: s.js\n  <<: [*a, *b]\n  name: own\n  '<<x': 1\n");

    EXPECT_EQ(spec.name, "own");
    EXPECT_EQ(spec.namespace_, "n1");
    EXPECT_EQ(spec.user, "bob");
    EXPECT_EQ(spec.env.at("A"), "1");
}

TEST(EcosystemYaml, ReadsPlainScalarsByTheCoreSchema) {
    const AppSpec spec = app(
        "a.yaml", "script: s.js\nargs: [007, '5', !!str 6, 1.10, +3, yes, 0x1F, 1e3, ~, -, .]\n");

    EXPECT_EQ(spec.args, (std::vector<std::string>{"007", "5", "6", "1.1", "3", "yes", "31", "1000",
                                                   "-", "."}));
}

}  // namespace
}  // namespace zona::process
