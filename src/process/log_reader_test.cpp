#include "process/log_reader.h"

#include <array>
#include <atomic>
#include <fstream>

#include <sys/stat.h>

#include "core/testing/fake_clock.h"
#include "process/log_index.h"
#include "process/testing/capture_home.h"

namespace zona::process {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kAll = std::size_t{1} << 30U;

/// Log files with indexes, written as the capture writes them, at times that the test chooses.
class LogReaderFiles : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "zona-reader-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string path(std::string_view name) const { return fmt::format("{}/{}", directory_, name); }
    LogSource source(std::uint32_t pm_id, LogStream stream, std::string_view name) const {
        return {.pm_id = pm_id,
                .name = "app",
                .instance = 0,
                .stream = stream,
                .path = path(name),
                .index_path = log_index_path(directory_, path(name))};
    }
    LogSource out(std::string_view name) const { return source(0, LogStream::kOut, name); }

    /// One block of bytes, at the present time.
    void write(std::string_view name, std::string_view bytes) {
        std::ofstream(path(name), std::ios::app) << "";
        const auto stat = os::stat_path(path(name)).value().value();
        LogIndexWriter index(log_index_path(directory_, path(name)));
        ASSERT_TRUE(index.begin(stat.inode, stat.size));
        ASSERT_TRUE(index.note(stat.size, clock_.steady(), clock_.system()));
        std::ofstream(path(name), std::ios::app) << bytes;
    }
    void write_untimed(std::string_view name, std::string_view bytes) const {
        std::ofstream(path(name), std::ios::app) << bytes;
    }
    core::SystemTime at(int after) const { return begin_ + seconds(after); }

    core::FakeClock clock_;
    const core::SystemTime begin_ = clock_.system();
    std::string directory_;
};

/// "0:text 1:text", with "~" after partial and "+" after split lines.
std::string shown(const std::vector<LogLine>& lines) {
    std::string text;
    for (const LogLine& line : lines) {
        if (!text.empty()) text += ' ';
        text += fmt::format("{}:{}{}{}", line.source, line.text, line.partial ? "~" : "",
                            line.split ? "+" : "");
    }
    return text;
}

std::string rest_of(LogReader& reader) {
    std::vector<LogLine> all;
    for (;;) {
        auto lines = reader.next(kAll);
        if (!lines) return lines.error().message();
        if (lines->empty()) return shown(all);
        for (LogLine& line : *lines)
            all.push_back(std::move(line));
    }
}

TEST_F(LogReaderFiles, GivesTheLinesOfSeveralFilesInTheOrderOfTheirTimes) {
    write("a", "a1\na2\n");
    clock_.advance(seconds(1));
    write("b", "b1\n");
    clock_.advance(seconds(1));
    write("a", "a3\n");
    write("b", "b2\n");
    LogReader reader({out("a"), out("b")}, Follow::kNo);

    const auto lines = reader.next(kAll).value();

    EXPECT_EQ(shown(lines), "0:a1 0:a2 1:b1 0:a3 1:b2");
    EXPECT_EQ(lines[0].time, at(0));
    EXPECT_EQ(lines[2].time, at(1));
    EXPECT_EQ(lines[4].time, at(2));
    EXPECT_TRUE(reader.next(kAll).value().empty());
}

TEST_F(LogReaderFiles, GivesTheTimeOfTheBlockThatALineBeginsIn) {
    write("a", "one\ntw");
    clock_.advance(seconds(1));
    write("a", "o\nthree\n");
    LogReader reader({out("a")}, Follow::kNo);

    const auto lines = reader.next(kAll).value();

    EXPECT_EQ(shown(lines), "0:one 0:two 0:three");
    EXPECT_EQ(lines[1].time, at(0));
    EXPECT_EQ(lines[2].time, at(1));
}

TEST_F(LogReaderFiles, LinesWithoutATimeComeFirst) {
    write("a", "a1\n");
    write_untimed("b", "b1\nb2\n");
    clock_.advance(seconds(1));
    write("b", "b3\n");
    LogReader reader({out("a"), out("b")}, Follow::kNo);

    const auto lines = reader.next(kAll).value();

    EXPECT_EQ(shown(lines), "1:b1 1:b2 0:a1 1:b3");
    EXPECT_EQ(lines[0].time, std::nullopt);
}

TEST_F(LogReaderFiles, AnIndexOfAnotherFileGivesNoTimes) {
    write("a", "old\n");
    std::filesystem::rename(path("a"), path("a.1"));
    write_untimed("a", "new\n");
    LogReader reader({out("a")}, Follow::kNo);

    const auto lines = reader.next(kAll).value();

    EXPECT_EQ(shown(lines), "0:new");
    EXPECT_EQ(lines[0].time, std::nullopt);
}

TEST_F(LogReaderFiles, OrderWithinAFileSurvivesAClockThatIsSetBack) {
    write("a", "a1\n");
    clock_.advance(seconds(1));
    clock_.set_system(begin_ - seconds(3600));
    write("a", "a2\n");
    write("b", "b1\n");
    LogReader reader({out("a"), out("b")}, Follow::kNo);

    EXPECT_EQ(rest_of(reader), "1:b1 0:a1 0:a2");
}

TEST_F(LogReaderFiles, TailTakesTheLastLinesOfEachProcessFromBothItsStreams) {
    for (int i = 0; i < 5; ++i) {
        write("0.out", fmt::format("o{}\n", i));
        if (i % 2 == 0) write("0.err", fmt::format("e{}\n", i));
        write("1.out", fmt::format("p{}\n", i));
        clock_.advance(seconds(1));
    }
    LogReader reader({source(0, LogStream::kOut, "0.out"), source(0, LogStream::kErr, "0.err"),
                      source(1, LogStream::kOut, "1.out"), source(1, LogStream::kErr, "1.err")},
                     Follow::kNo);

    ASSERT_TRUE(reader.seek_tail(3));
    EXPECT_EQ(rest_of(reader), "2:p2 0:o3 2:p3 0:o4 1:e4 2:p4");

    ASSERT_TRUE(reader.seek_tail(0));
    EXPECT_EQ(rest_of(reader), "");
    ASSERT_TRUE(reader.seek_tail(100));
    EXPECT_EQ(reader.next(kAll).value().size(), 13U);
}

TEST_F(LogReaderFiles, TailOfALargeFileReadsItsEnd) {
    write("a", numbered_lines("n", 0, 5000, 100));
    LogReader reader({out("a")}, Follow::kNo);

    ASSERT_TRUE(reader.seek_tail(1500));
    const auto lines = reader.next(kAll).value();

    ASSERT_EQ(lines.size(), 1500U);
    EXPECT_TRUE(lines.front().text.starts_with("n-00003500 "));
    EXPECT_TRUE(lines.back().text.starts_with("n-00004999 "));
}

TEST_F(LogReaderFiles, TailCountsAnUnfinishedLineOnlyWhenItIsGiven) {
    write("a", "one\ntwo\nthr");
    LogReader reader({out("a")}, Follow::kNo);
    LogReader follower({out("a")}, Follow::kYes);

    ASSERT_TRUE(reader.seek_tail(2));
    ASSERT_TRUE(follower.seek_tail(2));

    EXPECT_EQ(rest_of(reader), "0:two 0:thr~");
    EXPECT_EQ(rest_of(follower), "0:one 0:two");
    write("a", "ee\n");
    EXPECT_EQ(rest_of(follower), "0:three");
    ASSERT_TRUE(follower.seek_tail(0));
    write("a", "four\n");
    EXPECT_EQ(rest_of(follower), "0:four");
}

TEST_F(LogReaderFiles, SinceBeginsAtTheFirstBlockNotBefore) {
    write("a", "a1\n");
    write("b", "b1\n");
    clock_.advance(seconds(10));
    write("a", "a2\nbeginning ");
    clock_.advance(seconds(10));
    write("a", "of a3\na4\n");
    LogReader reader({out("a"), out("b"), out("none")}, Follow::kNo);

    ASSERT_TRUE(reader.seek_since(at(5)));
    EXPECT_EQ(rest_of(reader), "0:a2 0:beginning of a3 0:a4");
    ASSERT_TRUE(reader.seek_since(at(20)));
    EXPECT_EQ(rest_of(reader), "0:beginning of a3 0:a4");
    ASSERT_TRUE(reader.seek_since(at(21)));
    EXPECT_EQ(rest_of(reader), "");
    ASSERT_TRUE(reader.seek_since(at(-1)));
    EXPECT_EQ(rest_of(reader), "0:a1 1:b1 0:a2 0:beginning of a3 0:a4");
}

TEST_F(LogReaderFiles, EndsWhereTheFileEndedUnlessItFollows) {
    write("a", "one\n");
    LogReader reader({out("a")}, Follow::kNo);
    LogReader follower({out("a")}, Follow::kYes);
    ASSERT_TRUE(reader.seek_tail(10));
    ASSERT_TRUE(follower.seek_tail(10));

    write("a", "two\n");

    EXPECT_EQ(rest_of(reader), "0:one");
    EXPECT_EQ(rest_of(follower), "0:one 0:two");
}

TEST_F(LogReaderFiles, HoldsAnUnfinishedLineBackWhileFollowing) {
    write("a", "one\nt");
    LogReader follower({out("a")}, Follow::kYes);
    EXPECT_EQ(rest_of(follower), "0:one");

    write("a", "w");
    EXPECT_EQ(rest_of(follower), "");
    clock_.advance(seconds(1));
    write("a", "o\nthree\n");

    const auto lines = follower.next(kAll).value();
    EXPECT_EQ(shown(lines), "0:two 0:three");
    EXPECT_EQ(lines[0].time, at(0));
    EXPECT_EQ(lines[1].time, at(1));
}

TEST_F(LogReaderFiles, SplitsLongLinesBetweenCharacters) {
    const std::string line = std::string(LogReader::kMostLine - 1, 'x') + "\xc3\xa4" + "rest";
    write("a", line + "\nnext\n" + std::string(LogReader::kMostLine, 'y') + "\n");
    LogReader reader({out("a")}, Follow::kNo);

    const auto lines = reader.next(kAll).value();

    ASSERT_EQ(lines.size(), 4U);
    EXPECT_TRUE(lines[0].split);
    EXPECT_EQ(lines[0].text.size(), LogReader::kMostLine - 1);
    EXPECT_EQ(lines[1].text, "\xc3\xa4rest");
    EXPECT_FALSE(lines[1].split);
    EXPECT_EQ(lines[2].text, "next");
    EXPECT_EQ(lines[3].text.size(), LogReader::kMostLine);
    EXPECT_FALSE(lines[3].split);
}

TEST_F(LogReaderFiles, GivesAboutAsManyBytesAsAskedFor) {
    write("a", numbered_lines("n", 0, 1000, 100));
    LogReader reader({out("a")}, Follow::kNo);

    EXPECT_EQ(reader.next(1).value().size(), 1U);
    const auto some = reader.next(10'000).value();
    EXPECT_GT(some.size(), 10U);
    EXPECT_LT(some.size(), 101U);
}

TEST_F(LogReaderFiles, SourcesOfOneFileAreReadOnce) {
    write("a", "one\n");
    LogReader reader({source(0, LogStream::kOut, "a"), source(0, LogStream::kErr, "a"),
                      source(1, LogStream::kOut, "a")},
                     Follow::kNo);

    ASSERT_TRUE(reader.seek_tail(10));

    EXPECT_EQ(rest_of(reader), "0:one");
}

TEST_F(LogReaderFiles, AFileThatComesLaterIsReadFromItsBeginning) {
    LogReader follower({out("a")}, Follow::kYes);
    ASSERT_TRUE(follower.seek_tail(10));
    EXPECT_EQ(rest_of(follower), "");

    write("a", "one\n");

    EXPECT_EQ(rest_of(follower), "0:one");
}

TEST_F(LogReaderFiles, FollowsFromTheOldFileIntoTheOneThatTookItsName) {
    write("a", "one\n");
    LogReader follower({out("a")}, Follow::kYes);
    EXPECT_EQ(rest_of(follower), "0:one");

    write("a", "two\nunfini");
    std::filesystem::rename(path("a"), path("a.1"));
    write("a", "three\n");

    EXPECT_EQ(rest_of(follower), "0:two 0:unfini~ 0:three");
}

TEST_F(LogReaderFiles, BeginsAnewInAShortenedFile) {
    write("a", "one\ntwo\n");
    LogReader follower({out("a")}, Follow::kYes);
    EXPECT_EQ(rest_of(follower), "0:one 0:two");

    std::filesystem::resize_file(path("a"), 0);
    write("a", "new\n");

    EXPECT_EQ(rest_of(follower), "0:new");
}

TEST_F(LogReaderFiles, AnUnreadableFileIsReportedOnceAndTheOthersGoOn) {
    write("a", "one\n");
    std::filesystem::create_directory(path("d"));
    LogReader reader({out("d"), out("a")}, Follow::kNo);

    const auto failed = reader.next(kAll);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find(path("d")), std::string::npos)
        << failed.error().message();
    EXPECT_EQ(rest_of(reader), "1:one");
}

TEST_F(LogReaderFiles, ManyFilesAreNotHeldOpen) {
    std::vector<LogSource> sources;
    for (std::size_t i = 0; i <= LogReader::kMostOpen; ++i) {
        write_untimed(fmt::format("{}", i), "one\ntwo\n");
        sources.push_back(
            source(static_cast<std::uint32_t>(i), LogStream::kOut, fmt::format("{}", i)));
    }
    LogReader follower(std::move(sources), Follow::kYes);
    const auto open = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = open();
    ASSERT_TRUE(follower.seek_tail(1));

    EXPECT_EQ(follower.next(kAll).value().size(), LogReader::kMostOpen + 1);
    EXPECT_TRUE(follower.next(kAll).value().empty());
    EXPECT_EQ(open(), before);
    write("7", "three\n");
    EXPECT_EQ(rest_of(follower), "7:three");
}

using LogReaderCursor = LogReaderFiles;

TEST_F(LogReaderCursor, ResumesExactlyBehindEveryLine) {
    for (int i = 0; i < 10; ++i) {
        write("a", fmt::format("a{}\n", i));
        write("b", fmt::format("b{}\nbb{}\n", i, i));
        clock_.advance(seconds(1));
    }
    LogReader whole({out("a"), out("b")}, Follow::kYes);
    const std::string expected = rest_of(whole);

    std::string got;
    std::string cursor = LogReader({out("a"), out("b")}, Follow::kYes).cursor();
    for (;;) {
        LogReader reader({out("a"), out("b")}, Follow::kYes);
        ASSERT_TRUE(reader.seek(cursor)) << cursor;
        const auto lines = reader.next(1).value();
        if (lines.empty()) break;
        got += (got.empty() ? "" : " ") + shown(lines);
        cursor = reader.cursor();
    }
    EXPECT_EQ(got, expected);

    LogReader later({out("b"), out("a")}, Follow::kYes);
    ASSERT_TRUE(later.seek(cursor));
    write("a", "more\n");
    EXPECT_EQ(rest_of(later), "1:more");
}

TEST_F(LogReaderCursor, BeginsAtTheBeginningOfWhatItCannotPlace) {
    write("replaced", "1\n2\n");
    write("shortened", "1\n2\n");
    write("rewritten", "1\n2\n");
    write("same", "1\n2\n");
    const std::vector<LogSource> sources = {out("replaced"), out("shortened"), out("rewritten"),
                                            out("same"), out("new")};
    LogReader reader(sources, Follow::kYes);
    ASSERT_EQ(rest_of(reader), "0:1 0:2 1:1 1:2 2:1 2:2 3:1 3:2");
    const std::string cursor = reader.cursor();

    std::filesystem::rename(path("replaced"), path("x"));
    write_untimed("replaced", "1\n2\n3\n");
    std::filesystem::resize_file(path("shortened"), 2);
    std::filesystem::resize_file(path("rewritten"), 0);
    write_untimed("rewritten", "other\n");
    write_untimed("same", "3\n");
    write_untimed("new", "1\n");
    LogReader resumed(sources, Follow::kNo);
    ASSERT_TRUE(resumed.seek(cursor));

    const std::string rest = rest_of(resumed);
    for (const auto* expected : {"0:1 0:2 0:3", "1:1", "2:other", "3:3", "4:1"})
        EXPECT_NE(rest.find(expected), std::string::npos) << expected << " in " << rest;
    EXPECT_EQ(rest.find("1:2"), std::string::npos);
    EXPECT_EQ(rest.find("3:2"), std::string::npos);
}

TEST_F(LogReaderCursor, RefusesAnyOtherTextAndStaysWhereItIs) {
    write("a", "one\ntwo\n");
    LogReader reader({out("a")}, Follow::kNo);
    ASSERT_EQ(reader.next(1).value().size(), 1U);
    std::string changed = reader.cursor();
    changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';

    for (const std::string& bad :
         {std::string(), std::string("A"), std::string("not a cursor!"), std::string(500, 'A'),
          changed, reader.cursor().substr(0, 20), reader.cursor() + "AAAA"}) {
        const auto sought = reader.seek(bad);
        ASSERT_FALSE(sought) << bad;
        EXPECT_EQ(sought.error().code(), core::Code::kInvalidArgument);
    }
    EXPECT_EQ(rest_of(reader), "0:two");
}

/// What the API does: follow a live process, break off, resume elsewhere.
using LogReaderLive = CaptureHome;

// PM-19
TEST_F(LogReaderLive, FollowingAndResumingGivesEachLineOnce) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    const LogSource out{.path = path("out"), .index_path = capture_->index_path(path("out"))};
    const LogSource err{.stream = LogStream::kErr,
                        .path = path("err"),
                        .index_path = capture_->index_path(path("err"))};
    std::atomic<bool> woken = false;
    const std::array<std::uint32_t, 1> slots = {0};
    Subscription wake = capture_->subscribe(slots, [&] { woken = true; });
    constexpr int kLines = 4000;
    WriterProcess a(child.out.get(), numbered_lines("o", 0, kLines, 50), 333);
    WriterProcess b(child.err.get(), numbered_lines("e", 0, kLines, 50), 50);

    std::string got;
    std::string cursor = LogReader({out, err}, Follow::kYes).cursor();
    core::SystemTime last_time{};
    while (got.size() < 2UL * kLines * 50) {
        LogReader reader({out, err}, Follow::kYes);
        ASSERT_TRUE(reader.seek(cursor));
        for (int reads = 0; reads < 5 && got.size() < 2UL * kLines * 50; ++reads) {
            wake.rearm();
            const auto lines = reader.next(10'000).value();
            if (lines.empty()) {
                ASSERT_TRUE(eventually([&] { return woken.exchange(false); }));
            }
            for (const LogLine& line : lines) {
                got += line.text + "\n";
                ASSERT_TRUE(line.time);
                last_time = *line.time;
            }
        }
        cursor = reader.cursor();
    }

    EXPECT_EQ(check_numbered(got, "o", 0, kLines, 50), "");
    EXPECT_EQ(check_numbered(got, "e", 0, kLines, 50), "");
    EXPECT_GT(last_time.time_since_epoch().count(), 0);
}

}  // namespace
}  // namespace zona::process
