#include "core/log.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/id.h"
#include "core/json.h"
#include "core/testing/memory_log.h"

namespace zona::core {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        lines.push_back(line);
    return lines;
}

class LogFile : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "zona-log-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::filesystem::path directory_;
    FakeClock clock_;
};

// OBS-15
TEST(Logger, WritesOneJsonObjectPerLine) {
    MemoryLog log;
    using ProcessNumber = StrongId<struct ProcessNumberTag, std::int64_t>;
    log.logger("process").info("started", {{"pm_id", ProcessNumber(3)},
                                           {"ratio", 0.5},
                                           {"name", "my \"app\""},
                                           {"ok", true},
                                           {"after_ms", 40ms},
                                           {"token", Secret("hunter2")}});
    ASSERT_EQ(log.lines().size(), 1U);
    EXPECT_EQ(
        log.lines()[0],
        R"({"time":"2026-01-01T00:00:00.000Z","level":"info","category":"process",)"
        R"("message":"started","pm_id":3,"ratio":0.5,"name":"my \"app\"","ok":true,"after_ms":40,"token":"***"})");
}

// OBS-15
TEST(Logger, WritesValidJsonForAnyBytes) {
    MemoryLog log;
    log.logger("a\"b").warn("two\nlines \xFF\x00 \x1b[31m", {{"k\n\xFE", "v\r\n\xFF"}});
    ASSERT_EQ(log.lines().size(), 1U);
    EXPECT_EQ(log.lines()[0].find('\n'), std::string::npos);
    EXPECT_EQ(log.lines()[0].find('\x1b'), std::string::npos);
    const Result<boost::json::value> line = parse_json(log.lines()[0]);
    ASSERT_TRUE(line.has_value()) << log.lines()[0];
    EXPECT_EQ(line->at("message").as_string(), "two\nlines \xEF\xBF\xBD");
}

// OBS-15
TEST(Logger, CarriesTheCorrelationIdOnEveryLineOfAChild) {
    MemoryLog log;
    const Logger parent = log.logger();
    {
        std::string id = "abc-123";
        const Logger child = parent.with("correlation_id", id);
        id = "overwritten";
        child.info("one");
        child.with("pm_id", 7).info("two");
    }
    parent.info("three");

    EXPECT_NE(log.lines()[0].find(R"("correlation_id":"abc-123"})"), std::string::npos);
    EXPECT_NE(log.lines()[1].find(R"("correlation_id":"abc-123","pm_id":7})"), std::string::npos);
    EXPECT_EQ(log.lines()[2].find("correlation_id"), std::string::npos);
}

TEST(Logger, KeepsOneFieldPerKeyTheLast) {
    MemoryLog log;
    log.logger().with("id", 1).with("id", 2).with("x", 1).info(
        "m", {{"x", 2}, {"x", 3}, {"level", "mine"}});
    ASSERT_TRUE(parse_json(log.lines()[0]).has_value()) << log.lines()[0];
    EXPECT_NE(log.lines()[0].find(R"("id":2,"x":3,"level_":"mine"})"), std::string::npos)
        << log.lines()[0];
}

// HTTP-15
TEST(Logger, ReportsAnErrorAtTheLevelOfItsCode) {
    MemoryLog log;
    log.logger().report("start failed", Error::from_errno(ENOSPC, "write"), {{"pm_id", 1}});
    log.logger().report("bad request", Error(Code::kInvalidArgument, "no name"));
    log.logger().report("bug", Error(Code::kInternal, "impossible"));
    EXPECT_TRUE(log.has(
        R"("level":"warn","category":"test","message":"start failed","pm_id":1,)"
        R"("error":"write: No space left on device","code":"RESOURCE_EXHAUSTED","errno":28)"));
    EXPECT_TRUE(log.has(R"("level":"info","category":"test","message":"bad request")"));
    EXPECT_TRUE(log.has(R"("level":"error","category":"test","message":"bug")"));
    EXPECT_TRUE(log.has("log_test.cpp:"));
}

TEST(Logger, WritesNothingWhenMadeWithoutALogging) {
    const Logger none;
    EXPECT_FALSE(none.enabled(LogLevel::kFatal));
    none.error("x");
    none.with("k", 1).error("x");
}

// OBS-19
TEST(LoggingLevels, ChangeWhileLoggersAreInUse) {
    MemoryLog log;
    log.logging().set_default_level(LogLevel::kInfo);
    const Logger process = log.logger("process");
    const Logger http = log.logger("http");

    process.debug("hidden");
    ASSERT_TRUE(log.logging().set_level("process", LogLevel::kDebug).has_value());
    process.debug("seen");
    http.debug("hidden too");
    ASSERT_TRUE(log.logging().set_level("process", std::nullopt).has_value());
    process.debug("hidden again");
    log.logging().set_default_level(LogLevel::kOff);
    process.fatal("not even this");

    ASSERT_EQ(log.lines().size(), 1U);
    EXPECT_TRUE(log.has("\"seen\""));
}

// OBS-19
TEST(LoggingLevels, GoFromACategoryToThoseBelowIt) {
    MemoryLog log;
    Logging& logging = log.logging();
    logging.set_default_level(LogLevel::kWarn);
    ASSERT_TRUE(logging.set_level("process", LogLevel::kDebug).has_value());
    ASSERT_TRUE(logging.set_level("process.capture", LogLevel::kError).has_value());

    EXPECT_TRUE(logging.logger("process.spawn").enabled(LogLevel::kDebug));
    EXPECT_FALSE(logging.logger("process.capture.raw").enabled(LogLevel::kWarn));
    EXPECT_FALSE(logging.logger("processes").enabled(LogLevel::kInfo));
    const std::map<std::string, LogLevel> levels = logging.levels();
    EXPECT_EQ(levels.at("default"), LogLevel::kWarn);
    EXPECT_EQ(levels.at("process"), LogLevel::kDebug);
    EXPECT_EQ(levels.at("process.capture.raw"), LogLevel::kError);
}

TEST(LoggingLevels, AreReplacedTogetherOrNotAtAll) {
    MemoryLog log;
    Logging& logging = log.logging();
    ASSERT_TRUE(logging.set_level("old", LogLevel::kDebug).has_value());
    ASSERT_TRUE(logging.set_levels(LogLevel::kWarn, {{"http", LogLevel::kTrace}}).has_value());
    EXPECT_FALSE(
        logging
            .set_levels(LogLevel::kTrace, {{"process", LogLevel::kTrace}, {"A", LogLevel::kTrace}})
            .has_value());
    EXPECT_TRUE(logging.logger("http").enabled(LogLevel::kTrace));
    EXPECT_FALSE(logging.logger("old").enabled(LogLevel::kInfo));
    EXPECT_FALSE(logging.logger("process").enabled(LogLevel::kInfo));
}

TEST(LoggingLevels, RefuseNamesThatNoCategoryHas) {
    MemoryLog log;
    for (const char* name : {"", "default", "a b", "A", "a\n"}) {
        EXPECT_FALSE(log.logging().set_level(name, LogLevel::kInfo).has_value()) << name;
    }
    for (int i = 0; i < 256; ++i) {
        ASSERT_TRUE(log.logging().set_level("c" + std::to_string(i), LogLevel::kInfo).has_value());
    }
    EXPECT_EQ(log.logging().set_level("one.more", LogLevel::kInfo).error().code(),
              Code::kTooManyRequests);
    EXPECT_TRUE(log.logging().set_level("c0", LogLevel::kWarn).has_value());
}

TEST(Logging, CountsLinesThatASinkCannotTakeAndSaysSoLater) {
    MemoryLog log;
    log.refuse(2);
    log.logger().info("lost one");
    log.logger().info("lost two");
    log.logger().info("three");

    EXPECT_EQ(log.logging().lost_lines(), 2U);
    ASSERT_EQ(log.lines().size(), 2U);
    EXPECT_NE(log.lines()[0].find(R"("message":"log lines were lost","lost_lines":2)"),
              std::string::npos);
    EXPECT_NE(log.lines()[1].find("three"), std::string::npos);
}

TEST(Logging, IsUsableFromManyThreads) {
    MemoryLog log;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&log, t] {
            const Logger logger = log.logger("t" + std::to_string(t % 2)).with("thread", t);
            for (int i = 0; i < 50; ++i) {
                logger.info("x", {{"i", i}});
                if (i % 10 == 0) log.logging().set_default_level(LogLevel::kInfo);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(log.lines().size(), 200U);
}

TEST_F(LogFile, AppendsWholeLinesAndReopensByName) {
    const std::filesystem::path path = directory_ / "zonad.log";
    std::ofstream(path) << "{\"old\":1}\n";
    Logging logging(clock_);
    logging.add_sink(make_file_sink(path.string()).value());
    const Logger log = logging.logger("x");

    log.info("one");
    log.info(std::string(100'000, 'y'));
    std::filesystem::rename(path, directory_ / "zonad.log.1");
    log.info("still in the old file");
    ASSERT_TRUE(logging.reopen().has_value());
    log.info("in the new file");

    EXPECT_EQ(lines_of(directory_ / "zonad.log.1").size(), 4U);
    ASSERT_EQ(lines_of(path).size(), 1U);
    EXPECT_NE(lines_of(path)[0].find("in the new file"), std::string::npos);
    for (const std::string& line : lines_of(directory_ / "zonad.log.1")) {
        EXPECT_TRUE(parse_json(line).has_value());
    }
}

TEST_F(LogFile, KeepsTheOldFileWhenReopeningFails) {
    const std::filesystem::path path = directory_ / "sub" / "zonad.log";
    std::filesystem::create_directory(directory_ / "sub");
    Logging logging(clock_);
    logging.add_sink(make_file_sink(path.string()).value());
    std::filesystem::rename(directory_ / "sub", directory_ / "moved");

    const Result<void> result = logging.reopen();
    logging.logger("x").info("kept");

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), Code::kNotFound);
    EXPECT_EQ(lines_of(directory_ / "moved" / "zonad.log").size(), 1U);
}

// SEC-24
TEST_F(LogFile, OfSomeCategoriesHasTheirLinesAlone) {
    const std::filesystem::path path = directory_ / "security.log";
    {
        Logging logging(clock_);
        logging.add_sink(make_category_sink(make_file_sink(path.string()).value(), {"security"}));
        logging.logger("security").info("one");
        logging.logger("http").info(R"(a text with "category":"security")",
                                    {{"x", R"("category":"security")"}});
        logging.logger("security.firewall").info("two");
        logging.logger("securitysomething").info("three");
        LogBatch batch(logging.logger("security"));
        batch.log(LogLevel::kInfo, "four");
        batch.log(LogLevel::kInfo, "five");
        batch.flush();
        EXPECT_EQ(logging.lost_lines(), 0U);
    }

    std::vector<std::string> texts;
    for (const std::string& line : lines_of(path))
        texts.emplace_back(parse_json(line)->as_object().at("message").as_string());
    EXPECT_EQ(texts, (std::vector<std::string>{"one", "two", "four", "five"}));
}

TEST_F(LogFile, NamesThePathThatCannotBeOpened) {
    const Result<std::unique_ptr<LogSink>> sink =
        make_file_sink((directory_ / "no" / "x.log").string());
    ASSERT_FALSE(sink.has_value());
    EXPECT_NE(sink.error().message().find("/no/x.log: No such file"), std::string::npos);
}

TEST_F(LogFile, CountsLinesOnAFullDisk) {
    Logging logging(clock_);
    logging.add_sink(make_file_sink("/dev/full").value());
    logging.logger("x").info("does not fit");
    logging.logger("x").info("nor this");
    EXPECT_EQ(logging.lost_lines(), 2U);
}

TEST(LogBatch, WritesItsLinesTogetherAndInOrder) {
    MemoryLog log;
    {
        LogBatch batch(log.logger("batch").with("id", 7));
        EXPECT_TRUE(batch.empty());
        batch.log(LogLevel::kInfo, "one");
        batch.log(LogLevel::kWarn, "two", {{"k", 1}});
        EXPECT_FALSE(batch.empty());
        EXPECT_TRUE(log.lines().empty());
        batch.flush();
        EXPECT_TRUE(batch.empty());
        ASSERT_EQ(log.lines().size(), 2U);
        EXPECT_TRUE(log.lines()[0].contains(R"("message":"one","id":7})"));
        EXPECT_TRUE(log.lines()[1].contains(R"("message":"two","id":7,"k":1})"));
        batch.log(LogLevel::kInfo, "at the end");
    }
    EXPECT_TRUE(log.has("at the end"));
}

TEST(LogBatch, KeepsNoMoreThanItMay) {
    MemoryLog log;
    LogBatch batch(log.logger());
    const std::string kilobyte(1024, 'x');
    while (log.lines().empty())
        batch.log(LogLevel::kInfo, kilobyte);
    EXPECT_LE(log.lines().size(), 64U);
    EXPECT_TRUE(batch.empty());
}

TEST(LogBatch, CountsItsLostLinesOneByOne) {
    MemoryLog log;
    log.refuse(1);
    LogBatch batch(log.logger());
    for (int i = 0; i < 3; ++i)
        batch.log(LogLevel::kInfo, "lost");
    batch.flush();
    EXPECT_EQ(log.logging().lost_lines(), 3U);
    log.logging().set_default_level(LogLevel::kOff);
    batch.log(LogLevel::kInfo, "not wanted");
    EXPECT_TRUE(batch.empty());
}

TEST(LogLevel, NamesReadBack) {
    for (const LogLevel level :
         {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError,
          LogLevel::kFatal, LogLevel::kOff}) {
        EXPECT_EQ(parse_log_level(to_string(level)), level);
    }
    EXPECT_EQ(parse_log_level("WARNING"), LogLevel::kWarn);
    EXPECT_EQ(parse_log_level("loud"), std::nullopt);
}

// SEC-27
TEST(Secret, ShowsItselfOnlyWhenAsked) {
    Secret secret("hunter2");
    EXPECT_EQ(fmt::format("{}", secret), "***");
    EXPECT_EQ(secret.reveal(), "hunter2");
    EXPECT_TRUE(secret.same_as(Secret("hunter2")));
    EXPECT_FALSE(secret.same_as(Secret("hunter3")));
    EXPECT_FALSE(secret.same_as(Secret("hunter")));

    Secret moved = std::move(secret);
    EXPECT_EQ(moved.reveal(), "hunter2");
    moved = Secret("another");
    EXPECT_EQ(moved.reveal(), "another");
}

}  // namespace
}  // namespace zona::core
