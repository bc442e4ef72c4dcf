#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "process/ecosystem.h"

namespace zona::process {
namespace {

using core::Code;
using std::chrono::milliseconds;

EcosystemInput input(std::string name, std::string content) {
    return {std::move(name),
            std::move(content),
            "/srv/app",
            4,
            {{"HOME", "/home/ann"}, {"TOKEN", "s3cret"}, {"BLANK", ""}}};
}

/// One app with these keys beside its script, by PM2's rules.
core::Result<Ecosystem> pm2(const std::string& keys) {
    return parse_ecosystem(input("pm2.json", "{script: 'app.js', " + keys + "}"));
}

/// The same by the native rules.
core::Result<Ecosystem> native(const std::string& keys) {
    return parse_ecosystem(input("zona.json", "{script: 'app.js', " + keys + "}"));
}

AppSpec pm2_app(const std::string& keys) {
    auto result = pm2(keys);
    EXPECT_TRUE(result.has_value()) << keys << ": " << result.error().message();
    return result.has_value() ? result->apps.front() : AppSpec{};
}

AppSpec native_app(const std::string& keys) {
    auto result = native(keys);
    EXPECT_TRUE(result.has_value()) << keys << ": " << result.error().message();
    return result.has_value() ? result->apps.front() : AppSpec{};
}

/// "PROBLEM; HINT" of the only error.
std::string only_problem(core::Result<Ecosystem> result) {
    if (result.has_value()) return "no error";
    const std::vector<core::Detail>& details = result.error().details();
    if (details.size() != 1) return fmt::format("{} errors", details.size());
    return details[0].problem + (details[0].hint.empty() ? "" : "; " + details[0].hint);
}

std::vector<std::string> warnings(const std::string& keys) {
    auto result = pm2(keys);
    EXPECT_TRUE(result.has_value()) << keys << ": " << result.error().message();
    return result.has_value() ? result->warnings : std::vector<std::string>();
}

TEST(EcosystemInstances, AreCountedAsPm2Counts) {
    EXPECT_EQ(pm2_app("instances: 3").instances, 3);
    EXPECT_EQ(pm2_app("instances: 'max'").instances, 4);
    EXPECT_EQ(pm2_app("instances: 0").instances, 4);
    EXPECT_EQ(pm2_app("instances: -1").instances, 3);
    EXPECT_EQ(pm2_app("instances: -9").instances, 1);
    EXPECT_EQ(pm2_app("instances: '2,'").instances, 2);
    EXPECT_EQ(pm2_app("instances: null").instances, 1);
    EXPECT_EQ(native_app("instances: '5'").instances, 5);
    EXPECT_EQ(native_app("instances: 'max'").instances, 4);
    EXPECT_EQ(only_problem(native("instances: '2,'")),
              "\"instances\" is \"2,\"; a whole number or \"max\" is expected");
    EXPECT_EQ(only_problem(pm2("instances: 'many'")),
              "\"instances\" is \"many\"; a whole number or \"max\" is expected");
    EXPECT_EQ(only_problem(pm2("instances: 10001")),
              "\"instances\" is 10001; the range is 1 to 10000");
    EXPECT_EQ(only_problem(pm2("instances: 1.5")),
              "\"instances\" is 1.5; a whole number is expected");
    EXPECT_EQ(only_problem(pm2("instances: 99999999999999")),
              "\"instances\" is 2147483647; the range is 1 to 10000");
}

TEST(EcosystemArguments, AreSplitAtBlanksWithQuotes) {
    const std::string keys = R"(args: "--port=80 'a b' --name=\"c d\" \"\" e\\ f \\d it's")";
    EXPECT_EQ(pm2_app(keys).args, (std::vector<std::string>{"--port=80", "a b", "--name=c d", "",
                                                            "e f", "\\d", "it's"}));
    EXPECT_EQ(only_problem(native(keys)),
              "\"args\" has a quote that is not closed; close it, or write a list");
    EXPECT_EQ(native_app("args: 5").args, std::vector<std::string>{"5"});
    EXPECT_EQ(native_app("args: ['a b', 5, true, null, 1.5]").args,
              (std::vector<std::string>{"a b", "5", "true", "1.5"}));
    EXPECT_EQ(only_problem(native("args: ['a', {}]")),
              "\"args[1]\" is an object; a string is expected");
    EXPECT_EQ(only_problem(native("args: {}")),
              "\"args\" is an object; a string or a list is expected");
}

TEST(EcosystemEnvironment, BecomesTexts) {
    const AppSpec spec =
        pm2_app("env: {A: 1, B: false, C: 'x\\ny', D: null, E: {a: [1, 'b', {}], c: null}, F: ''}");
    EXPECT_EQ(spec.env, (std::map<std::string, std::string>{{"A", "1"},
                                                            {"B", "false"},
                                                            {"C", "x\ny"},
                                                            {"E", R"({"a":[1,"b",{}],"c":null})"},
                                                            {"F", ""}}));
    EXPECT_EQ(only_problem(native("env: {E: {}}")), "\"env.E\" is an object; a variable is a text");
    EXPECT_EQ(only_problem(pm2("env: 'A=1'")),
              "\"env\" is a string; an object of NAME: value is expected");
}

TEST(EcosystemDurations, AreMillisecondsOrTexts) {
    EXPECT_EQ(pm2_app("restart_delay: 250").restart_delay, milliseconds(250));
    EXPECT_EQ(pm2_app("restart_delay: '250'").restart_delay, milliseconds(250));
    EXPECT_EQ(pm2_app("min_uptime: '1h'").min_uptime, milliseconds(3600000));
    EXPECT_EQ(native_app("kill_timeout: '1.5s'").kill_timeout, milliseconds(1500));
    EXPECT_EQ(only_problem(pm2("kill_timeout: 'soon'")),
              "\"kill_timeout\" is \"soon\"; milliseconds or a text like \"5s\" or \"1m30s\" is "
              "expected");
    EXPECT_EQ(
        only_problem(pm2("kill_timeout: -1")),
        "\"kill_timeout\" is -1; milliseconds or a text like \"5s\" or \"1m30s\" is expected");
    EXPECT_EQ(only_problem(pm2("kill_timeout: '25h'")),
              "\"kill_timeout\" is 90000000 ms; the range is 0 to 86400000 ms (24 h)");
}

TEST(EcosystemPaths, StartFromTheAppsDirectory) {
    const AppSpec spec =
        pm2_app("cwd: './server/', out_file: 'logs/../out.log', error_file: '../logs/err.log'");
    EXPECT_EQ(spec.cwd, "/srv/app/server");
    EXPECT_EQ(spec.out_file, "/srv/app/server/out.log");
    EXPECT_EQ(spec.error_file, "/srv/app/logs/err.log");
    EXPECT_EQ(pm2_app("cwd: '~/x', interpreter: '~/bin/node'").cwd, "/home/ann/x");
    EXPECT_EQ(pm2_app("interpreter: '~/bin/node'").interpreter, "/home/ann/bin/node");
    EXPECT_EQ(pm2_app("out_file: 'NULL'").out_file, "/dev/null");

    EcosystemInput no_home = input("a.json", "{script: '~/a.js'}");
    no_home.environment.clear();
    EXPECT_EQ(only_problem(parse_ecosystem(no_home)),
              "\"script\" begins with ~, and HOME is not set; write the whole path");
}

// PM-62
TEST(EcosystemPaths, OfLogsMayNotTraverse) {
    for (const char* path :
         {"../x.log", "../../etc/passwd", "logs/../../../x", "/var/log/../../etc/passwd"}) {
        for (const auto& result : {pm2(fmt::format("out_file: '{}'", path)),
                                   native(fmt::format("out_file: '{}'", path))}) {
            ASSERT_FALSE(result.has_value()) << path;
            EXPECT_NE(result.error().message().find("leads out of its directory"),
                      std::string::npos)
                << path;
        }
    }
    EXPECT_EQ(pm2_app("out_file: '/var/log/x.log'").out_file, "/var/log/x.log");
    EXPECT_EQ(only_problem(pm2("out_file: 'logs/'")),
              "\"out_file\" is \"logs/\", a directory; name a file");
}

TEST(EcosystemNames, ComeFromTheScriptUnlessGiven) {
    const auto name = [](const std::string& file, const std::string& script) {
        auto result = parse_ecosystem(input(file, "{script: \"" + script + "\"}"));
        return result.has_value() ? result->apps.front().name : result.error().message();
    };
    EXPECT_EQ(name("a.json", "./src/api.server.js"), "api.server");
    EXPECT_EQ(name("a.json", ".hidden"), ".hidden");
    EXPECT_EQ(name("a.json", "npm run start"), "npm");
    EXPECT_EQ(name("a.json", "/opt/my tools/run.sh"), "run");
    EXPECT_EQ(name("a.json", "my+app.js"), "my+app");
    EXPECT_EQ(name("zona.json", "my+app.js"), "my-app");
    EXPECT_EQ(name("a.json", "/opt/dir/"), "app");
    EXPECT_EQ(name("a.json", "7.py"),
              "a.json:1:10: \"name\": \"7\" is all digits and would be taken for an id");
}

// PM-62
TEST(EcosystemNames, AreCheckedAgainstTraversalAndControlCharacters) {
    for (const char* keys :
         {"name: '../x'", "name: 'a/..'", "name: 'a/../b'", "name: 'a\\nb'", "name: 'a\\u0000'",
          "namespace: '..'", "namespace: 'a\\tb'", "cwd: '/a\\nb'", "user: 'a\\nb'"}) {
        const auto result = pm2(keys);
        ASSERT_FALSE(result.has_value()) << keys;
        EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
    }
    EXPECT_EQ(pm2_app("name: 'a:b +ü'").name, "a:b +ü");
    EXPECT_FALSE(native("name: 'a:b'").has_value());
    EXPECT_EQ(native_app("name: '@org/app.v2 x'").name, "@org/app.v2 x");
}

TEST(EcosystemNames, AreUniqueInTheirNamespace) {
    const std::string same = "[{script: 'a.js', name: 'x'}, {script: 'b.js', name: 'x'}]";
    const std::string apart =
        "[{script: 'a.js', name: 'x'}, {script: 'b.js', name: 'x', namespace: 'n'}]";

    EXPECT_EQ(only_problem(parse_ecosystem(input("a.json", same))),
              "a second app \"x\" in namespace \"default\", the first is at a.json:1:25; give each "
              "app its own name");
    EXPECT_EQ(parse_ecosystem(input("a.json", apart))->apps.size(), 2U);
}

TEST(EcosystemKeys, AreUnknownWithTheNearestName) {
    EXPECT_EQ(
        warnings("max_restart: 3"),
        std::vector<std::string>{
            "pm2.json:1:20: unknown key \"max_restart\", ignored; did you mean \"max_restarts\"?"});
    EXPECT_EQ(only_problem(native("max_restart: 3")),
              "unknown key \"max_restart\"; did you mean \"max_restarts\"?");
    EXPECT_EQ(only_problem(native("zzz: 3")), "unknown key \"zzz\"");
    EXPECT_EQ(native_app("'x-note': 3, $schema: ''").name, "app");
}

TEST(EcosystemKeys, OfALaterVersionWarnOnceOrAreRefused) {
    const auto twice = parse_ecosystem(
        input("a.json", "[{script: 'a', watch: true}, {script: 'b', watch: ['x']}]"));
    EXPECT_EQ(twice->warnings,
              std::vector<std::string>{"a.json:1:16: \"watch\" is not supported yet, ignored"});
    EXPECT_EQ(warnings("env_production: {A: 1}").size(), 1U);
    EXPECT_EQ(warnings("maxMemoryRestart: '1G'").size(), 1U);
    EXPECT_EQ(warnings("treekill: false").size(), 1U);
    EXPECT_EQ(warnings("watch: false, exec_mode: 'fork', time: false, treekill: true, vizion: "
                       "false, pmx: true"),
              std::vector<std::string>{});
    EXPECT_EQ(only_problem(native("watch: false")), "\"watch\" is not supported yet");
    EXPECT_EQ(only_problem(native("port: 80")), "\"port\" is not supported yet; set PORT in env");
    for (const std::string_view key : later_ecosystem_keys()) {
        EXPECT_EQ(warnings(fmt::format("{}: 'x'", key)).size(), 1U) << key;
    }
}

TEST(EcosystemKeys, HaveAliasesOfWhichOneMayBeGiven) {
    for (const KeyInfo& key : ecosystem_keys()) {
        for (const std::string_view alias : key.aliases) {
            const std::string value = key.type == "boolean" ? "true" : "'a.js'";
            const std::string other =
                key.name == "script" ? "name: 'app'" : "script: 'app.js', name: 'app'";
            const auto by_name = parse_ecosystem(
                input("zona.json", fmt::format("{{{}, {}: {}}}", other, key.name, value)));
            const auto by_alias = parse_ecosystem(
                input("zona.json", fmt::format("{{{}, {}: {}}}", other, alias, value)));
            ASSERT_TRUE(by_name.has_value()) << key.name;
            ASSERT_TRUE(by_alias.has_value()) << alias;
            EXPECT_EQ(by_name->apps, by_alias->apps) << alias;
        }
    }
    EXPECT_EQ(only_problem(native("out: 'a', output: 'b'")),
              "\"out\" and \"output\" are two names of one key; keep one of them");
    EXPECT_EQ(warnings("out: 'a', out_file: 'b'").size(), 1U);
    EXPECT_EQ(pm2_app("out: 'a', out_file: 'b'").out_file, "/srv/app/b");
    EXPECT_EQ(pm2_app("out_file: 'b', out: 'a'").out_file, "/srv/app/b");
    EXPECT_EQ(pm2_app("killTimeout: 7").kill_timeout, milliseconds(7));
    EXPECT_EQ(only_problem(native("killTimeout: 7")),
              "unknown key \"killTimeout\"; did you mean \"kill_timeout\"?");
}

TEST(EcosystemKeys, AbsentByNullAndInPm2ByAnEmptyText) {
    EXPECT_EQ(native_app("name: null, cwd: null, user: null, max_restarts: null").name, "app");
    EXPECT_EQ(pm2_app("name: '', cwd: '', user: '', interpreter: ''").cwd, "/srv/app");
    EXPECT_EQ(only_problem(native("user: ''")), "\"user\" is empty");
}

TEST(EcosystemValues, OfTheLessCommonKeys) {
    EXPECT_EQ(native_app("umask: '022'").umask, 022U);
    EXPECT_EQ(native_app("umask: '0o7'").umask, 07U);
    EXPECT_FALSE(native("umask: '8'").has_value());
    EXPECT_FALSE(native("umask: '1000'").has_value());
    EXPECT_EQ(native_app("nice: -20").nice, -20);
    EXPECT_EQ(native_app("kill_signal: 'TERM'").kill_signal, SIGTERM);
    EXPECT_EQ(native_app("kill_signal: 9").kill_signal, SIGKILL);
    EXPECT_EQ(native_app("user: 1000, group: 33").user, "1000");
    EXPECT_EQ(native_app("stop_exit_codes: 3").stop_exit_codes, std::vector<int>{3});
    EXPECT_EQ(native_app("stdin: 'pipe'").stdin_mode, StdinMode::kPipe);
    EXPECT_EQ(native_app("autorestart: 'false'").autorestart, false);
    const auto limits =
        native_app("limits: {nofile: '10:unlimited', core: -1, as: '1G', cpu: {soft: 1, hard: 2}}")
            .limits;
    EXPECT_EQ(limits.at("nofile"), (LimitPair{10, std::nullopt}));
    EXPECT_EQ(limits.at("core"), LimitPair{});
    EXPECT_EQ(limits.at("as"), (LimitPair{1U << 30U, 1U << 30U}));
    EXPECT_EQ(limits.at("cpu"), (LimitPair{1, 2}));
    EXPECT_FALSE(native("limits: {cpu: {soft: 1}}").has_value());
    EXPECT_FALSE(native("limits: [1]").has_value());
}

TEST(EcosystemInterpolation, IsForNativeFilesOnly) {
    EXPECT_EQ(pm2_app("args: ['${TOKEN}', '$$']").args,
              (std::vector<std::string>{"${TOKEN}", "$$"}));
    EXPECT_EQ(native_app("args: ['${TOKEN}-${TOKEN}', '$$', '$HOME', '${NO:-d:-e}', '${BLANK:-f}', "
                         "'a${BLANK}b']")
                  .args,
              (std::vector<std::string>{"s3cret-s3cret", "$", "$HOME", "d:-e", "f", "ab"}));
    EXPECT_EQ(only_problem(native("args: ['${NO}']")),
              "the text needs the variable NO, which is not set; set it where you call zona, or "
              "write ${NO:-default}");
    EXPECT_EQ(only_problem(native("name: '${NO}'")),
              "the text needs the variable NO, which is not set; set it where you call zona, or "
              "write ${NO:-default}");
    EXPECT_EQ(
        only_problem(native("args: ['${NO']")),
        "the text has a \"${\" that is not closed; close it with }, or write $$ for a dollar sign");
    EXPECT_EQ(only_problem(native("args: ['${A B}']")),
              "the text has \"${A B}\", which is no variable; write ${NAME} or ${NAME:-default}, "
              "or $$ for a dollar sign");
    EXPECT_EQ(only_problem(native("args: ['${A:-${B}}']")).find("the text has \"${A:-${B}\""), 0U);
}

// PM-62
TEST(EcosystemInterpolation, PutsNoValueIntoAMessage) {
    for (const char* keys :
         {"restart_delay: '${TOKEN}'", "instances: '${TOKEN}'", "kill_signal: '${TOKEN}'",
          "autorestart: '${TOKEN}'", "stdin: '${TOKEN}'", "umask: '${TOKEN}'"}) {
        const std::string problem = only_problem(native(keys));
        EXPECT_EQ(problem.find("s3cret"), std::string::npos) << problem;
        EXPECT_NE(problem.find("is the text put in for a variable"), std::string::npos) << problem;
    }
}

// PM-62
TEST(EcosystemInterpolation, HidesTheValuesThatValidationFindsWrong) {
    for (const char* keys : {"user: '${TOKEN}:x'", "name: '${TOKEN}:x'", "cwd: '${TOKEN}\\n'",
                             "kill_timeout: '${DAYS}'", "nice: '${DAYS}'",
                             "out_file: '../../${TOKEN}'", "error_file: '${TOKEN}/'"}) {
        EcosystemInput file = input("zona.json", "{script: 'app.js', " + std::string(keys) + "}");
        file.environment["DAYS"] = "987654321";
        const std::string problem = only_problem(parse_ecosystem(file));
        EXPECT_EQ(problem.find("s3cret"), std::string::npos) << problem;
        EXPECT_EQ(problem.find("987654321"), std::string::npos) << problem;
    }
}

TEST(EcosystemInterpolation, IsBoundedInSize) {
    EcosystemInput file = input("zona.json", "{script: 'a', args: ['");
    file.environment["BIG"] = std::string(100'000, 'x');
    for (int i = 0; i < 200; ++i)
        file.content += "${BIG}";
    file.content += "']}";

    EXPECT_EQ(only_problem(parse_ecosystem(file)),
              "the text is over 10485760 bytes once its variables are put in");
}

TEST(EcosystemNative, KnowsOnlyItsOwnTop) {
    EXPECT_EQ(parse_ecosystem(input("a.yaml", "zona: 1\napps: [{script: a}]"))->rules,
              EcosystemRules::kNative);
    EXPECT_EQ(parse_ecosystem(input("a.yaml", "zona: 1\nscript: a"))->apps.front().name, "a");
    EXPECT_EQ(parse_ecosystem(input("dir/zona.prod.yaml", "[{script: a}]"))->rules,
              EcosystemRules::kNative);
    EXPECT_EQ(parse_ecosystem(input("zona/a.yaml", "[{script: a}]"))->rules, EcosystemRules::kPm2);
    EXPECT_EQ(only_problem(parse_ecosystem(input("a.yaml", "zona: 2\nscript: a"))),
              "\"zona\" is the version of the file's format, and only 1 is known; write zona: 1, "
              "or upgrade zona");
    EXPECT_FALSE(parse_ecosystem(input("zona.yaml", "apps: [{script: a}]\nother: 1")).has_value());
    EXPECT_FALSE(parse_ecosystem(input("zona.yaml", "pm2: [{script: a}]")).has_value());
}

TEST(EcosystemErrors, AreListedUpToALimit) {
    std::string many = "[";
    for (int i = 0; i < 300; ++i)
        many += "{},";

    const auto result = parse_ecosystem(input("a.json", many + "]"));

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().details().size(), 101U);
    EXPECT_EQ(result.error().details().back().problem, "200 more errors are not listed");
    EXPECT_EQ(result.error().message(),
              "a.json has 300 errors; the first is a.json:1:2: an app has no \"script\"");
}

core::Result<Ecosystem> request(const std::string& apps) {
    return parse_apps(input("", apps));
}

// PM-62
TEST(ParseApps, IsStrictAndTellsPlacesInTheRequest) {
    const auto result =
        request(R"([{"script": "a.js"}, {"script": "b.js", "nam": "b", "env": {"A=B": "1"},
        "args": [[]], "limits": {"x": 1}}])");

    ASSERT_FALSE(result.has_value());
    std::vector<std::string> places;
    for (const core::Detail& detail : result.error().details())
        places.push_back(detail.where);
    EXPECT_EQ(places, (std::vector<std::string>{"apps[1].nam", "apps[1].args[0]", "apps[1].env.A=B",
                                                "apps[1].limits.x"}));
    EXPECT_FALSE(request(R"({"script": "a.js", "watch": true})").has_value());
    EXPECT_FALSE(request(R"({"script": "a.js", "name": "a:b"})").has_value());
    EXPECT_FALSE(request(R"({"script": "a.js", "script": "b.js"})").has_value());
    EXPECT_FALSE(request("[]").has_value());
    EXPECT_FALSE(request("5").has_value());
    EXPECT_FALSE(request("[").has_value());
}

TEST(ParseApps, TakesOneAppOrAListWithoutInterpolation) {
    const auto one = request(R"({"script": "a.js", "args": ["${TOKEN}"], "cwd": "x"})");

    ASSERT_TRUE(one.has_value()) << one.error().message();
    EXPECT_EQ(one->apps.front().args, std::vector<std::string>{"${TOKEN}"});
    EXPECT_EQ(one->apps.front().cwd, "/srv/app/x");
    EXPECT_EQ(request(R"([{"script": "a"}, {"script": "b"}])")->apps.size(), 2U);
}

TEST(EcosystemKeyTable, DefaultsAreThoseOfTheSpec) {
    const AppSpec without = native_app("name: 'a'");
    for (const KeyInfo& key : ecosystem_keys()) {
        if (key.default_value.empty() || key.name == "name") continue;
        EXPECT_EQ(native_app(fmt::format("name: 'a', {}: {}", key.name, key.default_value)),
                  without)
            << key.name;
    }
}

std::string document_row(const KeyInfo& key) {
    std::vector<std::string> aliases;
    for (const std::string_view alias : key.aliases)
        aliases.push_back(fmt::format("`{}`", alias));
    return fmt::format("| `{}` | {} | {} | {} | {} |", key.name, key.type,
                       key.default_value.empty() ? "" : fmt::format("`{}`", key.default_value),
                       fmt::join(aliases, " "), key.meaning);
}

TEST(EcosystemKeyTable, IsTheOneOfTheDocument) {
    std::ifstream file(ZONA_SOURCE_DIR "/docs/ecosystem.md");
    std::vector<std::string> found;
    std::string all;
    for (std::string line; std::getline(file, line);) {
        all += line + "\n";
        if (line.starts_with("| `") && std::ranges::count(line, '|') >= 6) found.push_back(line);
    }
    std::vector<std::string> expected;
    for (const KeyInfo& key : ecosystem_keys())
        expected.push_back(document_row(key));

    EXPECT_EQ(found, expected) << fmt::format("{}", fmt::join(expected, "\n"));
    for (const std::string_view key : later_ecosystem_keys()) {
        EXPECT_NE(all.find(fmt::format("`{}`", key)), std::string::npos) << key;
    }
}

}  // namespace
}  // namespace zona::process
