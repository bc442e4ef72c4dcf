#include "core/config.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/settings.h"

namespace zona::core {
namespace {

using namespace std::chrono_literals;

const SettingTable& table() {
    static const SettingTable settings({
        {.key = "profile",
         .type = SettingType::kChoice,
         .default_value = "production",
         .description = "x",
         .reload = ReloadMode::kHot,
         .choices = {"development", "production"}},
        {.key = "log.level",
         .type = SettingType::kChoice,
         .default_value = "info",
         .description = "x",
         .reload = ReloadMode::kHot,
         .choices = {"debug", "info", "warn"},
         .profile_defaults = {{"development", "debug"}}},
        {.key = "log.levels.*",
         .type = SettingType::kChoice,
         .description = "x",
         .reload = ReloadMode::kHot,
         .choices = {"debug", "info", "warn"}},
        {.key = "api.max_connections",
         .type = SettingType::kInteger,
         .default_value = "100",
         .description = "x",
         .least = 1,
         .most = 1000},
        {.key = "api.idle_timeout",
         .type = SettingType::kDuration,
         .default_value = "1m",
         .description = "x",
         .reload = ReloadMode::kHot},
        {.key = "api.body", .type = SettingType::kSize, .default_value = "1M", .description = "x"},
        {.key = "api.quiet",
         .type = SettingType::kBoolean,
         .default_value = "false",
         .description = "x"},
        {.key = "logs.dir",
         .type = SettingType::kPath,
         .default_value = "logs",
         .description = "x"},
        {.key = "auth.token",
         .type = SettingType::kSecret,
         .description = "x",
         .reload = ReloadMode::kHot},
    });
    return settings;
}

class ConfigTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "zona-config-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        home_ = name;
        inputs_.home = name;
    }
    void TearDown() override { std::filesystem::remove_all(home_); }

    void write(const std::string& name, std::string_view text) {
        std::ofstream(home_ / name, std::ios::binary) << text;
    }

    std::shared_ptr<const ConfigSnapshot> load() {
        Result<std::unique_ptr<Config>> config = Config::load(table(), inputs_);
        if (!config) {
            ADD_FAILURE() << config.error().message();
            return nullptr;
        }
        return (*config)->snapshot();
    }

    /// One line per mistake: "where|problem|hint", paths without the directory.
    std::string mistakes() {
        const Result<std::unique_ptr<Config>> config = Config::load(table(), inputs_);
        if (config) return "none";
        std::string all;
        for (const Detail& detail : config.error().details()) {
            all += detail.where + "|" + detail.problem + "|" + detail.hint + "\n";
        }
        for (std::size_t at = 0; (at = all.find(home_.string() + "/")) != std::string::npos;) {
            all.erase(at, home_.string().size() + 1);
        }
        return all;
    }

    const ConfigSnapshot::Item& item(const ConfigSnapshot& snapshot, const std::string& key) {
        return snapshot.items().at(key);
    }

    std::filesystem::path home_;
    ConfigInputs inputs_;
};

// ARCH-05
TEST_F(ConfigTest, LaterSourcesWin) {
    write("zona.toml",
          "profile = 'development'\n"
          "api.max_connections = 7\napi.idle_timeout = '5s'\napi.body = 2048\n"
          "[profiles.development]\napi.idle_timeout = '6s'\napi.body = '3K'\n"
          "[profiles.production]\napi.quiet = true\n");
    inputs_.environment = {{"ZONA_API_BODY", "4K"}, {"ZONA_API_QUIET", ""}};
    inputs_.flags = {{"api.max_connections", "9"}};
    const auto config = load();

    EXPECT_EQ(config->text("log.level"), "debug");
    EXPECT_EQ(item(*config, "log.level").source, ConfigSource::kProfile);
    EXPECT_EQ(config->duration("api.idle_timeout"), 6s);
    EXPECT_EQ(item(*config, "api.idle_timeout").source, ConfigSource::kFile);
    EXPECT_EQ(item(*config, "api.idle_timeout").line, 6);
    EXPECT_EQ(config->size("api.body"), ByteCount::kib(4));
    EXPECT_EQ(item(*config, "api.body").source, ConfigSource::kEnvironment);
    EXPECT_EQ(config->integer("api.max_connections"), 9);
    EXPECT_EQ(item(*config, "api.max_connections").source, ConfigSource::kFlag);
    EXPECT_EQ(config->boolean("api.quiet"), false);
    EXPECT_EQ(item(*config, "api.quiet").source, ConfigSource::kDefault);
    EXPECT_EQ(config->file(), (home_ / "zona.toml").string());
}

// ARCH-05
TEST_F(ConfigTest, TheEnvironmentMayChooseTheProfile) {
    write("zona.yaml",
          "profile: production\nprofiles:\n  development:\n    api:\n      quiet: true\n");
    EXPECT_FALSE(load()->boolean("api.quiet"));
    inputs_.environment = {{"ZONA_PROFILE", "development"}};
    EXPECT_TRUE(load()->boolean("api.quiet"));
    EXPECT_EQ(load()->text("log.level"), "debug");
}

TEST_F(ConfigTest, ReadsYamlLikeToml) {
    write("zona.yaml",
          "log:\n  level: warn\n  levels:\n    process: debug\n    process.capture: info\n"
          "api.max_connections: 5\napi:\n  idle_timeout: 250\n  quiet: true\n");
    const auto config = load();
    EXPECT_EQ(config->text("log.level"), "warn");
    EXPECT_EQ(
        config->family("log.levels"),
        (std::map<std::string, std::string>{{"process", "debug"}, {"process.capture", "info"}}));
    EXPECT_EQ(config->integer("api.max_connections"), 5);
    EXPECT_EQ(config->duration("api.idle_timeout"), 250ms);
    EXPECT_EQ(item(*config, "log.levels.process.capture").line, 5);
}

TEST_F(ConfigTest, WorksWithoutAFile) {
    inputs_.environment = {{"ZONA_LOG_LEVELS_PROCESS__SPAWN", "debug"},
                           {"ZONA_LOG_LEVELS_HTTP", "warn"}};
    const auto config = load();
    EXPECT_EQ(config->file(), "");
    EXPECT_EQ(config->text("log.level"), "info");
    EXPECT_EQ(config->text("logs.dir"), (home_ / "logs").string());
    EXPECT_EQ(config->family("log.levels"),
              (std::map<std::string, std::string>{{"http", "warn"}, {"process.spawn", "debug"}}));
}

// ARCH-02
TEST_F(ConfigTest, ReportsAllMistakesOfAllSourcesAtOnce) {
    write("zona.toml",
          "[api]\n"
          "max_connections = 0\n"
          "idle_timout = '5s'\n"
          "body = true\n"
          "quiet = 'yes'\n"
          "[log]\n"
          "level = 'wran'\n"
          "levels = 3\n"
          "[profiles.produktion]\n"
          "x = 1\n"
          "[profiles.development]\n"
          "profile = 'production'\n"
          "api.max_connections = 'many'\n"
          "[server]\n"
          "port = 1\n");
    inputs_.environment = {{"ZONA_API_BODY", "huge"}};
    inputs_.flags = {{"api.idle", "1"}, {"log.levels.A b", "info"}};
    EXPECT_EQ(
        mistakes(),
        "zona.toml:2|api.max_connections must be from 1 to 1000, not 0|\n"
        "zona.toml:3|unknown key \"api.idle_timout\"|did you mean 'api.idle_timeout'?\n"
        "zona.toml:4|api.body must be a size: bytes or a text such as \"64K\"|\n"
        "zona.toml:5|api.quiet must be true or false|\n"
        "zona.toml:7|log.level 'wran' is not one of debug, info, warn; did you mean 'warn'?|\n"
        "zona.toml:8|log.levels is a section, not a value|\n"
        "zona.toml:9|unknown profile \"produktion\"|did you mean 'production'?\n"
        "zona.toml:12|a profile may not choose the profile|\n"
        "zona.toml:13|api.max_connections must be a whole number|\n"
        "zona.toml:14|unknown key \"server\"|\n"
        "ZONA_API_BODY|api.body 'huge' is not a size; write bytes (65536) or a unit (64K, 100MB, "
        "1.5G)|\n"
        "--set|unknown key \"api.idle\"|did you mean 'api.idle_timeout'?\n"
        "--set|\"log.levels.A b\" names no member of log.levels.*|\n");
    const Result<std::unique_ptr<Config>> config = Config::load(table(), inputs_);
    EXPECT_EQ(config.error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(
        config.error().message().starts_with("13 mistakes in the configuration; the first: "));
}

// ARCH-02
TEST_F(ConfigTest, RefusesAFileThatCannotBeParsed) {
    write("zona.toml", "a = = 1\n");
    EXPECT_EQ(mistakes().substr(0, 16), "|zona.toml:1:5: ") << mistakes();
    write("zona.toml", "log.level = 'info'\nlog.level = 'warn'\n");
    EXPECT_EQ(mistakes().substr(0, 13), "|zona.toml:2:") << mistakes();
    std::filesystem::remove(home_ / "zona.toml");
    write("zona.yaml", "log:\n  level: info\n  level: warn\n");
    EXPECT_EQ(mistakes(), "|zona.yaml:3:3: the key 'level' stands twice in one map|\n");
    write("zona.yaml", "log.level: info\nlog:\n  level: warn\n");
    EXPECT_EQ(mistakes(), "zona.yaml:3|log.level is set on line 1 already|\n");
    write("zona.yaml", "- a\n");
    EXPECT_EQ(mistakes(), "zona.yaml|must hold keys and values|\n");
}

TEST_F(ConfigTest, RefusesTwoFilesInOneHome) {
    write("zona.toml", "");
    write("zona.yaml", "");
    EXPECT_EQ(mistakes(), "zona.yaml|zona.toml exists too|keep one of the two files\n");
}

TEST_F(ConfigTest, AFileThatWasAskedForMustExist) {
    inputs_.file = (home_ / "other.toml").string();
    const Result<std::unique_ptr<Config>> config = Config::load(table(), inputs_);
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(config.error().code(), Code::kNotFound);
    EXPECT_NE(config.error().message().find("other.toml: No such file"), std::string::npos);

    inputs_.file = home_.string();
    EXPECT_NE(mistakes().find("not a regular file"), std::string::npos) << mistakes();
    inputs_.file = (home_ / "zona.conf").string();
    write("zona.conf", "");
    EXPECT_EQ(mistakes(), "zona.conf|the file's name must end in .toml, .yaml or .yml|\n");
}

// SEC-27
TEST_F(ConfigTest, TakesSecretsFromOutsideOnly) {
    write("token", "hunter2\n");
    write("zona.toml", "auth.token = {file = 'token'}\n");
    EXPECT_EQ(load()->secret("auth.token").reveal(), "hunter2");
    write("zona.toml", "auth.token_file = 'token'\n");
    EXPECT_EQ(load()->secret("auth.token").reveal(), "hunter2");
    write("zona.toml", "auth.token = {env = 'MY_TOKEN'}\n");
    inputs_.environment = {{"MY_TOKEN", "from the environment"}};
    EXPECT_EQ(load()->secret("auth.token").reveal(), "from the environment");
    inputs_.environment = {{"MY_TOKEN", "x"}, {"ZONA_AUTH_TOKEN", "wins"}};
    EXPECT_EQ(load()->secret("auth.token").reveal(), "wins");
    inputs_.environment = {{"MY_TOKEN", "x"}, {"ZONA_AUTH_TOKEN_FILE", "token"}};
    EXPECT_EQ(load()->secret("auth.token").reveal(), "hunter2");
}

// SEC-27
TEST_F(ConfigTest, RefusesSecretsInTheFileAndOnTheCommandLine) {
    write("zona.toml", "auth.token = 'hunter2'\n");
    inputs_.flags = {{"auth.token", "hunter2"}};
    const std::string all = mistakes();
    EXPECT_NE(all.find("zona.toml:1|auth.token: a secret may not stand in the file itself"),
              std::string::npos);
    EXPECT_NE(all.find("--set auth.token|a secret on the command line is visible"),
              std::string::npos);
    EXPECT_EQ(all.find("hunter2"), std::string::npos) << all;
}

TEST_F(ConfigTest, SaysWhichSecretCannotBeHad) {
    write("zona.toml", "auth.token = {file = 'nowhere'}\n");
    EXPECT_EQ(mistakes(), "zona.toml:1|auth.token: read nowhere: No such file or directory|\n");
    write("zona.toml", "auth.token = {env = 'NOBODY'}\n");
    EXPECT_EQ(mistakes(), "zona.toml:1|auth.token: the variable \"NOBODY\" is not set|\n");
    for (const char* wrong :
         {"{}", "{file = 'a', env = 'b'}", "{path = 'a'}", "{file = 1}", "{file = ''}"}) {
        write("zona.toml", std::string("auth.token = ") + wrong + "\n");
        EXPECT_NE(mistakes().find("takes exactly one of"), std::string::npos) << wrong;
    }
}

TEST_F(ConfigTest, ReadsNoSecretOfAnInactiveProfile) {
    write("zona.toml", "[profiles.development]\nauth.token = {file = '/nonexistent/secret'}\n");
    EXPECT_TRUE(load()->secret("auth.token").empty());
}

// SEC-27
TEST_F(ConfigTest, ShowsSecretsMaskedAndWhereEachValueCameFrom) {
    write("token", "hunter2");
    write("zona.toml", "\nauth.token_file = 'token'\napi.idle_timeout = 90000\n");
    std::string all;
    for (const ConfigEntry& entry : load()->entries()) {
        all += entry.key + "=" + entry.value + " " + std::string(to_string(entry.source));
        if (entry.line > 0)
            all += " " + std::filesystem::path(entry.file).filename().string() + ":" +
                   std::to_string(entry.line);
        all += "\n";
    }
    EXPECT_EQ(all,
              "api.body=1M default\n"
              "api.idle_timeout=90s file zona.toml:3\n"
              "api.max_connections=100 default\n"
              "api.quiet=false default\n"
              "auth.token=*** file zona.toml:2\n"
              "log.level=info default\n"
              "logs.dir=" +
                  (home_ / "logs").string() +
                  " default\n"
                  "profile=production default\n");
}

TEST_F(ConfigTest, WarnsAboutVariablesThatLookMistyped) {
    inputs_.environment = {
        {"ZONA_LOG_LEVLE", "debug"}, {"ZONA_HOME", "/x"}, {"ZONA_AUTH_TOKEN_FILE", ""}};
    const auto config = load();
    ASSERT_EQ(config->warnings().size(), 1U);
    EXPECT_EQ(config->warnings()[0].where, "ZONA_LOG_LEVLE");
    EXPECT_EQ(config->warnings()[0].hint, "did you mean ZONA_LOG_LEVEL?");
}

// ARCH-05
TEST_F(ConfigTest, ReloadAppliesWhatIsSafeAndNamesWhatNeedsARestart) {
    write("zona.toml",
          "log.level = 'info'\napi.max_connections = 5\n[log.levels]\nhttp = 'warn'\n");
    const std::unique_ptr<Config> config = Config::load(table(), inputs_).value();
    const auto before = config->snapshot();
    write("zona.toml",
          "log.level = 'debug'\napi.max_connections = 6\n[log.levels]\nprocess = 'debug'\n");

    const ReloadReport report = config->reload().value();

    const std::vector<std::string> changed = {"api.max_connections", "log.level", "log.levels.http",
                                              "log.levels.process"};
    EXPECT_EQ(report.changed, changed);
    EXPECT_EQ(report.needs_restart, std::vector<std::string>{"api.max_connections"});
    const auto after = config->snapshot();
    EXPECT_EQ(after->text("log.level"), "debug");
    EXPECT_EQ(after->integer("api.max_connections"), 5);
    EXPECT_EQ(after->entries()[2].pending, "6");
    EXPECT_EQ(after->family("log.levels"),
              (std::map<std::string, std::string>{{"process", "debug"}}));
    EXPECT_EQ(before->text("log.level"), "info");

    write("zona.toml",
          "log.level = 'debug'\napi.max_connections = 5\n[log.levels]\nprocess = 'debug'\n");
    EXPECT_TRUE(config->reload().value().changed.empty());
    EXPECT_EQ(config->snapshot()->entries()[2].pending, std::nullopt);
}

// ARCH-05
TEST_F(ConfigTest, ReloadOfABrokenFileChangesNothing) {
    write("zona.toml", "log.level = 'warn'\n");
    const std::unique_ptr<Config> config = Config::load(table(), inputs_).value();
    const auto before = config->snapshot();
    write("zona.toml", "log.level = 'debug'\napi.max_connections = 'x'\n");

    const Result<ReloadReport> report = config->reload();

    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().details().size(), 1U);
    EXPECT_EQ(config->snapshot(), before);
}

TEST_F(ConfigTest, ReloadReadsChangedSecretsWithoutShowingThem) {
    write("token", "one");
    write("zona.toml", "auth.token_file = 'token'\n");
    const std::unique_ptr<Config> config = Config::load(table(), inputs_).value();
    EXPECT_TRUE(config->reload().value().changed.empty());
    write("token", "two");
    EXPECT_EQ(config->reload().value().changed, std::vector<std::string>{"auth.token"});
    EXPECT_EQ(config->snapshot()->secret("auth.token").reveal(), "two");
}

TEST_F(ConfigTest, AskingForTheWrongTypeIsAContractViolation) {
    const auto config = load();
    EXPECT_THROW(config->text("nothing"), std::invalid_argument);
    EXPECT_THROW(config->integer("log.level"), std::invalid_argument);
}

TEST_F(ConfigTest, DaemonSettingsHaveUsableDefaults) {
    const auto config = Config::load(daemon_settings(), inputs_).value();
    const Settings settings = Settings::from(*config->snapshot());
    EXPECT_EQ(settings.profile, "production");
    EXPECT_EQ(settings.log_level, LogLevel::kInfo);
    EXPECT_EQ(settings.log_file, (home_ / "logs/zonad.log").string());
    EXPECT_EQ(settings.supervisor.containment, "auto");
    EXPECT_EQ(settings.supervisor.shutdown_timeout, 30s);
    EXPECT_EQ(settings.disk_full_wait, 5s);
    EXPECT_EQ(settings.max_processes, 16384);
    EXPECT_EQ(settings.api.max_header_bytes, ByteCount::kib(16));
}

TEST_F(ConfigTest, DaemonSettingsAreReadByName) {
    write("zona.yaml",
          "supervisor:\n  containment: cgroup1\nlog:\n  levels: {http: warn}\n  file: ''\n");
    inputs_.environment = {{"ZONA_SUPERVISOR_SHUTDOWN_TIMEOUT", "2m"},
                           {"ZONA_PROFILE", "development"}};
    const auto config = Config::load(daemon_settings(), inputs_).value();
    const Settings settings = Settings::from(*config->snapshot());
    EXPECT_EQ(settings.supervisor.containment, "cgroup1");
    EXPECT_EQ(settings.supervisor.shutdown_timeout, 2min);
    EXPECT_EQ(settings.log_levels.at("http"), LogLevel::kWarn);
    EXPECT_EQ(settings.log_level, LogLevel::kDebug);
    EXPECT_EQ(settings.log_file, "");
    EXPECT_EQ(settings.api.drain_timeout, 1s);
}

TEST(RenderSettingsMarkdown, HasARowPerSettingAndTheProfiles) {
    const std::string text = render_settings_markdown(daemon_settings());
    for (const Setting& setting : daemon_settings().settings()) {
        EXPECT_NE(text.find("| `" + setting.key + "` | "), std::string::npos) << setting.key;
    }
    EXPECT_NE(text.find("| `api.drain_timeout` | duration, 0ms to 1h | `10s` | "
                        "`ZONA_API_DRAIN_TIMEOUT` | at once | "),
              std::string::npos);
    EXPECT_NE(text.find("| `development` | `log.level` | `debug` |"), std::string::npos);
}

}  // namespace
}  // namespace zona::core
