#include "process/app_spec.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/random.h"
#include "process/detail/app_spec_json.h"

namespace zona::process {
namespace {

using std::chrono::milliseconds;

AppSpec good() {
    AppSpec spec;
    spec.name = "api";
    spec.script = "api.js";
    spec.cwd = "/srv";
    return spec;
}

/// "WHERE PROBLEM" of each finding.
std::vector<std::string> findings(const AppSpec& spec, NameRule rule = NameRule::kNative) {
    const auto result = validate(spec, rule);
    std::vector<std::string> out;
    if (result.has_value()) return out;
    EXPECT_EQ(result.error().code(), core::Code::kInvalidArgument);
    for (const core::Detail& detail : result.error().details())
        out.push_back(detail.where + " " + detail.problem);
    return out;
}

using Lines = std::vector<std::string>;

TEST(AppSpecValidate, AcceptsTheDefaultsAndTheExtremes) {
    EXPECT_EQ(findings(good()), Lines{});
    AppSpec spec = good();
    spec.name = std::string(128, 'a');
    spec.env = {{"MULTI", "a\nb\tc"}, {"EMPTY", ""}, {"_x.y-z", std::string(131000, 'v')}};
    spec.args = {"", "a\nb", std::string(131071, 'x')};
    spec.instances = 10000;
    spec.max_restarts = 2147483647;
    spec.kill_timeout = std::chrono::hours(24);
    spec.nice = -20;
    spec.umask = 0777;
    spec.stop_exit_codes = {0, 255};
    spec.limits = {{"nofile", {1, 1}}, {"core", {}}, {"as", {5, std::nullopt}}};
    spec.out_file = "/dev/null";
    EXPECT_EQ(findings(spec), Lines{});
}

// PM-62
TEST(AppSpecValidate, RefusesNamesThatMislead) {
    const auto name = [](std::string text, NameRule rule) {
        AppSpec spec = good();
        spec.name = std::move(text);
        return findings(spec, rule);
    };
    for (const NameRule rule : {NameRule::kNative, NameRule::kForeign}) {
        EXPECT_EQ(name("", rule), Lines{"name is empty"});
        EXPECT_EQ(name("all", rule), Lines{"name \"all\" is the word for every process"});
        EXPECT_EQ(name("0017", rule),
                  Lines{"name \"0017\" is all digits and would be taken for an id"});
        EXPECT_EQ(name("../a", rule), Lines{"name \"../a\" has a \"..\" component"});
        EXPECT_EQ(name("a/..", rule), Lines{"name \"a/..\" has a \"..\" component"});
        EXPECT_EQ(name(std::string("a\0b", 3), rule),
                  Lines{"name \"a\\x00b\" holds a control character"});
        EXPECT_EQ(name("a\x1b[31m", rule), Lines{"name \"a\\x1b[31m\" holds a control character"});
        EXPECT_EQ(name("a\xff", rule), Lines{"name is not valid UTF-8"});
        EXPECT_EQ(name(std::string(129, 'a'), rule), Lines{"name has 129 bytes; the limit is 128"});
        EXPECT_EQ(name("a..b/c.d", rule), Lines{});
    }
    EXPECT_EQ(name("a:b", NameRule::kNative),
              Lines{"name \"a:b\" has characters that are not allowed"});
    EXPECT_EQ(name(" a", NameRule::kNative), Lines{"name \" a\" begins or ends with a space"});
    EXPECT_EQ(name("a:b ü", NameRule::kForeign), Lines{});
}

// PM-62
TEST(AppSpecValidate, RefusesPathsWithControlCharactersAndTraversal) {
    AppSpec spec = good();
    spec.cwd = "srv";
    spec.script = "a\nb";
    spec.interpreter = "no\tde";
    spec.out_file = "/var/log/../../etc/x";
    spec.error_file = "/var/log/";
    spec.user = "a:b";
    spec.group = "g\n";
    EXPECT_EQ(findings(spec), (Lines{"script \"a\\x0ab\" holds a control character",
                                     "interpreter \"no\\x09de\" holds a control character",
                                     "cwd \"srv\" is not an absolute path",
                                     "user \"a:b\" is neither a name nor a number",
                                     "group \"g\\x0a\" holds a control character",
                                     "out_file \"/var/log/../../etc/x\" has a \"..\" component",
                                     "error_file \"/var/log/\" is a directory"}));
    spec = good();
    spec.cwd = std::string("/a\0b", 4);
    spec.out_file = "/" + std::string(4095, 'a');
    EXPECT_EQ(findings(spec), (Lines{"cwd \"/a\\x00b\" holds a control character",
                                     "out_file has 4096 bytes; the limit is 4095"}));
}

// PM-62
TEST(AppSpecValidate, RefusesEnvironmentsTheKernelCannotCarry) {
    AppSpec spec = good();
    spec.env = {{"", "x"},       {"A=B", "x"},
                {"C\nD", "x"},   {"NUL", std::string("a\0b", 3)},
                {"RAW", "\xff"}, {"S", std::string(131072, 's')}};
    EXPECT_EQ(findings(spec),
              (Lines{"env. is empty", "env.A=B has a \"=\" in its name",
                     "env.C\\x0aD \"C\\x0aD\" holds a control character",
                     "env.NUL holds a NUL byte", "env.RAW is not valid UTF-8",
                     "env.S has 131074 bytes; Linux takes at most 131071 in one variable"}));
}

// PM-62
TEST(AppSpecValidate, RefusesArgumentListsOverTheLimits) {
    AppSpec spec = good();
    spec.args = {std::string(131072, 'x'), std::string("a\0b", 3)};
    EXPECT_EQ(findings(spec),
              (Lines{"args[0] has 131072 bytes; Linux takes at most 131071 in one argument",
                     "args[1] holds a NUL byte"}));
    spec.args.assign(9, std::string(131000, 'x'));
    EXPECT_EQ(findings(spec), Lines{"args has 1179009 bytes in all; the limit is 1048576"});
    spec.args.assign(65537, "");
    EXPECT_EQ(findings(spec), Lines{"args has 65537 arguments; the limit is 65536"});
    spec = good();
    for (int i = 0; i < 65537; ++i)
        spec.env[fmt::format("V{}", i)] = "";
    EXPECT_EQ(findings(spec), Lines{"env has 65537 variables; the limit is 65536"});
}

TEST(AppSpecValidate, NamesTheRangeOfEveryNumber) {
    AppSpec spec = good();
    spec.instances = 0;
    spec.umask = 01000;
    spec.nice = 20;
    spec.restart_delay = milliseconds(-1);
    spec.exp_backoff_restart_delay = std::chrono::hours(25);
    spec.max_restarts = -1;
    spec.kill_signal = 65;
    spec.stop_exit_codes = {256};
    spec.limits = {{"nofiles", {}}, {"core", {std::nullopt, 5}}, {"as", {0, 1ULL << 63U}}};
    EXPECT_EQ(
        findings(spec),
        (Lines{"instances is 0; the range is 1 to 10000", "umask is 1000; the range is 000 to 777",
               "nice is 20; the range is -20 to 19", "limits.as is over 9223372036854775807",
               "limits.core has a soft limit above the hard limit",
               "limits.nofiles is no resource limit of Linux",
               "restart_delay is -1 ms; the range is 0 to 86400000 ms (24 h)",
               "exp_backoff_restart_delay is 90000000 ms; the range is 0 to 86400000 ms (24 h)",
               "max_restarts is -1; the range is 0 to 2147483647",
               "kill_signal is 65; the range is 1 to 64",
               "stop_exit_codes[0] is 256; the range is 0 to 255"}));
}

// PM-62
TEST(PathSafeName, KeepsNamesInOneDirectory) {
    EXPECT_EQ(path_safe_name("a/b.c"), "a-b.c");
    EXPECT_EQ(path_safe_name("my_app 1"), "my-app-1");
    EXPECT_EQ(path_safe_name("обзор"), "----------");
    EXPECT_EQ(path_safe_name(".."), "-.");
    EXPECT_EQ(path_safe_name("../../x"), "-.-..-x");
    EXPECT_EQ(path_safe_name(""), "-");
}

TEST(ResolveInstances, CountsFromTheCpus) {
    EXPECT_EQ(resolve_instances(3, 8), 3);
    EXPECT_EQ(resolve_instances(0, 8), 8);
    EXPECT_EQ(resolve_instances(-3, 8), 5);
    EXPECT_EQ(resolve_instances(-8, 8), 1);
    EXPECT_EQ(resolve_instances(0, 0), 1);
    EXPECT_EQ(resolve_instances(std::numeric_limits<std::int64_t>::min(), 2), 1);
    EXPECT_EQ(resolve_instances(std::numeric_limits<std::int64_t>::max(), 2), 2147483647);
}

TEST(ResolvePath, IsLexical) {
    EXPECT_EQ(resolve_path("/srv/app", "a//b/./c"), "/srv/app/a/b/c");
    EXPECT_EQ(resolve_path("/srv/app", "../../../x"), "/x");
    EXPECT_EQ(resolve_path("/srv/app", "/etc/"), "/etc");
    EXPECT_EQ(resolve_path("/srv/app", "/.."), "/");
    EXPECT_EQ(resolve_path("/srv", ""), "/srv");
}

/// A valid spec in which every setting may differ from its default.
class RandomSpec {
  public:
    explicit RandomSpec(std::uint64_t seed) : random_(seed) {}

    AppSpec next() {
        AppSpec spec = good();
        spec.name = "n" + text();
        spec.namespace_ = "s" + text();
        spec.script = "s" + text();
        spec.args = texts();
        if (coin()) spec.interpreter = "i" + text();
        spec.interpreter_args = texts();
        spec.cwd = "/" + text();
        for (const std::string& value : texts())
            spec.env["K" + text()] = value + "\n\"\\\x01";
        spec.instances = number(1, 10000);
        if (coin()) spec.user = "u";
        if (coin()) spec.group = "1000";
        if (coin()) spec.umask = static_cast<unsigned>(number(0, 0777));
        if (coin()) spec.nice = number(-20, 19);
        for (const LimitName& row : limit_names()) {
            if (coin()) spec.limits[std::string(row.name)] = limit();
        }
        spec.autorestart = coin();
        spec.restart_delay = milliseconds(number(0, 86400000));
        spec.exp_backoff_restart_delay = milliseconds(number(0, 86400000));
        spec.max_restarts = number(0, 2147483647);
        spec.min_uptime = milliseconds(number(0, 86400000));
        spec.kill_timeout = milliseconds(number(0, 86400000));
        spec.kill_signal = number(1, 64);
        for (int i = number(0, 5); i > 0; --i)
            spec.stop_exit_codes.push_back(number(0, 255));
        if (coin()) spec.out_file = "/o" + text();
        if (coin()) spec.error_file = "/e" + text();
        spec.merge_logs = coin();
        spec.stdin_mode = coin() ? StdinMode::kPipe : StdinMode::kNull;
        return spec;
    }

  private:
    bool coin() { return random_.below(2) == 0; }
    int number(int least, int most) {
        return static_cast<int>(
            least + static_cast<std::int64_t>(
                        random_.below(static_cast<std::uint64_t>(std::int64_t{most} - least) + 1)));
    }
    std::string text() {
        static const std::vector<std::string> kParts = {"a",  "Z",  "0", " ",          ".", "-",
                                                        "\"", "\\", "ü", "\U0001F600", "{", ","};
        std::string out;
        for (int i = number(0, 8); i > 0; --i)
            out += kParts[random_.below(kParts.size())];
        return out;
    }
    std::vector<std::string> texts() {
        std::vector<std::string> out(random_.below(4));
        for (std::string& value : out)
            value = text();
        return out;
    }
    LimitPair limit() {
        LimitPair pair;
        if (coin()) pair.hard = random_.below(1ULL << 62U) + 1;
        if (pair.hard.has_value()) pair.soft = random_.below(*pair.hard);
        return pair;
    }

    core::SeededRandom random_;
};

TEST(AppSpecJson, RoundTripsEveryValidSpec) {
    RandomSpec specs(20240607);
    for (int i = 0; i < 300; ++i) {
        const AppSpec spec = specs.next();
        ASSERT_EQ(findings(spec, NameRule::kForeign), Lines{}) << i;

        const std::string text = core::to_json(detail::to_json(spec));
        const auto value = core::parse_json(text);
        ASSERT_TRUE(value.has_value()) << text;
        const auto again = detail::app_spec_from_json(*value);
        const auto direct = detail::app_spec_from_json(detail::to_json(spec));

        ASSERT_TRUE(again.has_value()) << text << again.error().message();
        ASSERT_TRUE(direct.has_value()) << text << direct.error().message();
        ASSERT_EQ(direct->spec, spec) << text;
        ASSERT_EQ(again->spec, spec) << text;
        ASSERT_EQ(again->warnings, Lines{});
    }
}

TEST(AppSpecJson, FillsInDefaultsAndLeavesOutWhatItDoesNotKnow) {
    const auto read = detail::app_spec_from_json(boost::json::parse(
        R"({"name": "api", "script": "api.js", "cwd": "/srv", "colour": "red"})"));

    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(read->spec, good());
    EXPECT_EQ(read->warnings,
              Lines{"app \"api\": \"/colour\" is not known to this version of zona, left out"});
}

TEST(AppSpecJson, RefusesWrongTypesAndInvalidSettings) {
    for (const char* text :
         {"[]", "{}", R"({"name": "a", "script": "a", "cwd": "/", "instances": "2"})",
          R"({"name": "a", "script": "a", "cwd": "/", "instances": 0})",
          R"({"name": "a", "script": "a", "cwd": "/", "instances": 4294967297})",
          R"({"name": "a", "script": "a", "cwd": "/", "args": "x"})",
          R"({"name": "a", "script": "a", "cwd": "/", "stop_exit_codes": [1.5]})",
          R"({"name": "a", "script": "a", "cwd": "/", "stop_exit_codes": 1})",
          R"({"name": "a", "script": "a", "cwd": "/", "limits": {"nofile": {"soft": 5}}})",
          R"({"name": "a", "script": "a", "cwd": "/", "limits": {"nofile": 5}})",
          R"({"name": "a", "script": "a", "cwd": "/", "stdin": "file"})",
          R"({"name": "all", "script": "a", "cwd": "/"})"}) {
        const auto read = detail::app_spec_from_json(boost::json::parse(text));
        ASSERT_FALSE(read.has_value()) << text;
        EXPECT_EQ(read.error().code(), core::Code::kInvalidArgument) << text;
    }
}

}  // namespace
}  // namespace zona::process
