#include "core/setting.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace zona::core {
namespace {

using namespace std::chrono_literals;

std::string problem(const Setting& setting, std::string_view text) {
    const Result<SettingValue> value = parse_setting(setting, text);
    return value ? "accepted" : value.error().message();
}

TEST(ParseSetting, ReadsEveryType) {
    EXPECT_EQ(std::get<bool>(*parse_setting({"a", SettingType::kBoolean}, "true")), true);
    EXPECT_EQ(std::get<std::int64_t>(*parse_setting({"a", SettingType::kInteger}, "42")), 42);
    EXPECT_EQ(
        std::get<std::chrono::milliseconds>(*parse_setting({"a", SettingType::kDuration}, "5s")),
        5s);
    EXPECT_EQ(std::get<ByteCount>(*parse_setting({"a", SettingType::kSize}, "64K")),
              ByteCount::kib(64));
    EXPECT_EQ(std::get<std::string>(*parse_setting({"a", SettingType::kPath}, "x/y")), "x/y");
    EXPECT_EQ(std::get<Secret>(*parse_setting({"a", SettingType::kSecret}, "s")).reveal(), "s");
}

TEST(ParseSetting, SaysWhatWouldBeRight) {
    const Setting number{.key = "n", .type = SettingType::kInteger, .least = 1, .most = 10};
    EXPECT_EQ(problem(number, "0"), "must be from 1 to 10, not 0");
    EXPECT_EQ(problem(number, "x"), "'x' is not a whole number of at most 64 bits");
    const Setting duration{.key = "d", .type = SettingType::kDuration, .least = 10, .most = 60'000};
    EXPECT_EQ(problem(duration, "2m"), "must be from 10ms to 1m, not 2m");
    const Setting size{.key = "s", .type = SettingType::kSize, .least = 1024};
    EXPECT_EQ(problem(size, "7"), "must be at least 1K, not 7B");
    const Setting choice{.key = "c", .type = SettingType::kChoice, .choices = {"auto", "sweep"}};
    EXPECT_EQ(problem(choice, "swep"), "'swep' is not one of auto, sweep; did you mean 'sweep'?");
    EXPECT_EQ(problem({"t", SettingType::kText}, "a\nb"), "may not have control characters");
    EXPECT_EQ(problem({"b", SettingType::kBoolean}, "yes"), "must be true or false, not 'yes'");
    EXPECT_EQ(problem(number, "\x1b[2J\xFF"),
              "'?[2J\xEF\xBF\xBD' is not a whole number of at most 64 bits");
}

TEST(Setting, NamesItsVariable) {
    EXPECT_EQ((Setting{.key = "api.idle_timeout"}).environment_name(), "ZONA_API_IDLE_TIMEOUT");
    EXPECT_EQ((Setting{.key = "log.levels.*"}).environment_name(), "ZONA_LOG_LEVELS_");
}

TEST(SettingTable, FindsKeysSectionsAndNearMisses) {
    const SettingTable table({{.key = "log.level", .description = "x"},
                              {.key = "log.levels.*", .description = "x"},
                              {.key = "api.idle_timeout", .description = "x"}});
    EXPECT_EQ(table.find("log.level")->key, "log.level");
    EXPECT_EQ(table.find("log.levels.process.spawn")->key, "log.levels.*");
    EXPECT_EQ(table.find("log.levels."), nullptr);
    EXPECT_EQ(table.find("log"), nullptr);
    EXPECT_TRUE(table.is_section("log"));
    EXPECT_TRUE(table.is_section("log.levels"));
    EXPECT_FALSE(table.is_section("log.level"));
    EXPECT_FALSE(table.is_section("ap"));
    EXPECT_EQ(table.nearest_key("api.idle_timout"), "api.idle_timeout");
    EXPECT_EQ(table.nearest_key("idle_timeout"), "api.idle_timeout");
    EXPECT_EQ(table.nearest_key("frobnicate"), std::nullopt);
}

TEST(SettingTable, RefusesATableThatIsWrongInItself) {
    const auto make = [](std::vector<Setting> settings) {
        SettingTable table(std::move(settings));
    };
    EXPECT_THROW(make({{.key = "a", .description = "x"}, {.key = "a", .description = "x"}}),
                 std::invalid_argument);
    EXPECT_THROW(make({{.key = "a.b", .description = "x"}, {.key = "a_b", .description = "x"}}),
                 std::invalid_argument);
    EXPECT_THROW(make({{.key = "a",
                        .type = SettingType::kInteger,
                        .default_value = "x",
                        .description = "x"}}),
                 std::invalid_argument);
    EXPECT_THROW(make({{.key = "a", .description = "x", .profile_defaults = {{"p", "1"}}}}),
                 std::invalid_argument);
    EXPECT_THROW(make({{.key = "a"}}), std::invalid_argument);
}

}  // namespace
}  // namespace zona::core
