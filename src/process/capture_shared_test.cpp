#include <algorithm>
#include <fstream>

#include "process/testing/capture_home.h"

namespace zona::process {
namespace {

/// Files with several writers.
using CaptureShared = CaptureHome;

// PM-19, PM-24
TEST_F(CaptureShared, TwoFastWritersNeverShareALine) {
    start();
    ASSERT_TRUE(attach(0, "all", "err0"));
    ASSERT_TRUE(attach(1, "all", "err1"));
    constexpr int kLines = 20000;
    const ChildStreams a = streams(0);
    const ChildStreams b = streams(1);

    // Pieces that end anywhere in a line.
    WriterProcess first(a.out.get(), numbered_lines("a", 0, kLines, 100), 777);
    WriterProcess second(b.out.get(), numbered_lines("b", 0, kLines, 73), 4096);
    EXPECT_EQ(first.wait(), 0);
    EXPECT_EQ(second.wait(), 0);
    capture_->drain(0, Final::kYes);
    const LogPositions end = capture_->drain(1, Final::kYes);

    EXPECT_EQ(end.out, 173U * kLines);
    const std::string all = text("all");
    EXPECT_EQ(check_numbered(all, "a", 0, kLines, 100), "");
    EXPECT_EQ(check_numbered(all, "b", 0, kLines, 73), "");
    EXPECT_EQ(std::ranges::count(all, '\n'), 2 * kLines);
}

// PM-19, REL-20
TEST_F(CaptureShared, LinesStayWholeWhenTheProcessIsKilledAgainAndAgain) {
    for (const auto* fifo : {"0.out", "0.err", "1.out"})
        ASSERT_TRUE(os::make_fifo(path("run/fifo/") + fifo));
    const os::UniqueFd out = os::open_file(path("run/fifo/0.out"), O_RDWR).value();
    const os::UniqueFd err = os::open_file(path("run/fifo/0.err"), O_RDWR).value();
    const os::UniqueFd other = os::open_file(path("run/fifo/1.out"), O_RDWR).value();
    constexpr int kLines = 20000;
    WriterProcess a(out.get(), numbered_lines("a", 0, kLines, 100), 3000);
    WriterProcess b(err.get(), numbered_lines("b", 0, kLines, 100), 777);
    WriterProcess c(other.get(), numbered_lines("c", 0, kLines, 100), 65536);
    constexpr unsigned kKills = 25;
    const auto attach_all = [&] { return attach(0, "all", "all") && attach(1, "all", "err1"); };

    for (unsigned kill = 1; kill <= kKills; ++kill) {
        const pid_t daemon = ::fork();
        if (daemon == 0) {
            start();
            if (!attach_all()) ::_exit(1);
            for (;;)
                ::pause();
        }
        eventually([&] { return size("all") >= 300U * kLines / (kKills + 2) * kill; });
        ::kill(daemon, SIGKILL);
        ::waitpid(daemon, nullptr, 0);
    }
    start();
    ASSERT_TRUE(attach_all());
    EXPECT_EQ(a.wait() + b.wait() + c.wait(), 0);

    // What another's unfinished line holds back follows when that line is complete.
    ASSERT_TRUE(eventually([&] {
        capture_->drain(1, Final::kYes);
        return capture_->drain(0, Final::kYes).out >= 300U * kLines;
    }));
    const std::string all = text("all");
    for (const auto* prefix : {"a", "b", "c"})
        EXPECT_EQ(check_numbered(all, prefix, 0, kLines, 100), "");
    EXPECT_EQ(std::ranges::count(all, '\n'), 3 * kLines);
}

// REL-20
TEST_F(CaptureShared, ALineCutByAKillIsCompletedBeforeAnotherWritersLine) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "all", "err0"));
    ASSERT_TRUE(attach(1, "all", "err1"));
    const ChildStreams first = streams(0);
    const ChildStreams second = streams(1);
    put(second.out, "begin\n");
    ASSERT_TRUE(eventually([&] { return text("all") == "begin\n"; }));
    capture_.reset();

    // As the kill of a splice leaves it: a part in the file, the rest in the FIFO.
    std::ofstream(path("all"), std::ios::app) << "half of ";
    put(second.out, "a line\n");
    put(first.out, "another\n");
    start();
    ASSERT_TRUE(attach(0, "all", "err0"));
    capture_->drain(0, Final::kYes);
    ASSERT_TRUE(attach(1, "all", "err1"));

    EXPECT_TRUE(eventually([&] { return text("all") == "begin\nhalf of a line\nanother\n"; }))
        << text("all");
}

TEST_F(CaptureShared, AnUnfinishedLineWaitsForItsEnd) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "all", "all"));
    const ChildStreams child = streams(0);

    put(child.out, "one ");
    capture_->drain(0, Final::kNo);
    put(child.err, "err\n");
    ASSERT_TRUE(eventually([&] { return text("all") == "err\n"; }));
    put(child.out, "line\nand a");
    ASSERT_TRUE(eventually([&] { return text("all") == "err\none line\n"; }));
    put(child.out, "nother\n");

    EXPECT_TRUE(eventually([&] { return text("all") == "err\none line\nand another\n"; }));
}

TEST_F(CaptureShared, AnUnfinishedLineIsWrittenAfterItsWait) {
    options_.partial_line_wait = std::chrono::milliseconds(20);
    start();
    ASSERT_TRUE(attach(0, "all", "all"));
    const ChildStreams child = streams(0);

    put(child.out, "Password: ");
    ASSERT_TRUE(eventually([&] { return text("all") == "Password: "; }));
    put(child.out, "***\n");

    EXPECT_TRUE(eventually([&] { return text("all") == "Password: ***\n"; }));
}

TEST_F(CaptureShared, AnUnfinishedLineIsWrittenWhenItsProcessHasEnded) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "all", "all"));
    put(streams(0).out, "one\nlast words");

    EXPECT_EQ(capture_->drain(0, Final::kNo).out, 4U);
    EXPECT_EQ(capture_->drain(0, Final::kYes).out, 14U);
    put(streams(0).err, "next\n");
    EXPECT_EQ(capture_->drain(0, Final::kNo).out, 19U);
}

TEST_F(CaptureShared, ALineLongerThanTheFifoStaysWhole) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "all", "all"));
    const ChildStreams child = streams(0);
    const std::string longest(5UL << 20U, 'L');
    const std::string others = numbered_lines("o", 0, 5000, 50);

    WriterProcess a(child.out.get(), longest + "\n");
    ASSERT_TRUE(eventually([&] { return size("all") > 0; }));
    WriterProcess b(child.err.get(), others);
    EXPECT_EQ(a.wait(), 0);
    EXPECT_EQ(b.wait(), 0);

    ASSERT_TRUE(eventually(
        [&] { return capture_->drain(0, Final::kNo).out == longest.size() + 1 + others.size(); }));
    const std::string all = text("all");
    EXPECT_NE(all.find(longest + "\n"), std::string::npos);
    EXPECT_EQ(check_numbered(all, "o", 0, 5000, 50), "");
}

TEST_F(CaptureShared, AStalledLongLineHoldsTheOthersForItsWaitOnly) {
    options_.partial_line_wait = std::chrono::milliseconds(30);
    start();
    ASSERT_TRUE(attach(0, "all", "all"));
    const ChildStreams child = streams(0);
    WriterProcess a(child.out.get(), std::string(3UL << 20U, 'L'));
    ASSERT_TRUE(eventually([&] { return size("all") > 0; }));

    put(child.err, "still here\n");

    EXPECT_TRUE(eventually([&] { return text("all").find("still here\n") != std::string::npos; }));
    EXPECT_TRUE(eventually([&] { return size("all") == (3UL << 20U) + 11; }));
}

TEST_F(CaptureShared, WholeLinesFromTheFirstWriterOnWhenAskedFor) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    LogTargets merged = targets("all", "err");
    merged.lines = LineMode::kWholeLines;
    ASSERT_TRUE(capture_->attach(0, merged));
    const ChildStreams child = streams(0);

    put(child.out, "begin");
    EXPECT_EQ(capture_->drain(0, Final::kNo).out, 0U);
    put(child.out, "ning\n");

    EXPECT_TRUE(eventually([&] { return text("all") == "beginning\n"; }));
}

TEST_F(CaptureShared, ALinkIsTheSameFile) {
    start();
    ASSERT_TRUE(attach(0, "all", "err0"));
    std::filesystem::create_symlink(path("all"), path("link"));
    ASSERT_TRUE(attach(1, "link", "err1"));
    constexpr int kLines = 5000;
    const ChildStreams a = streams(0);
    const ChildStreams b = streams(1);

    WriterProcess first(a.out.get(), numbered_lines("a", 0, kLines, 100), 777);
    WriterProcess second(b.out.get(), numbered_lines("b", 0, kLines, 100), 999);
    EXPECT_EQ(first.wait() + second.wait(), 0);
    capture_->drain(0, Final::kYes);
    capture_->drain(1, Final::kYes);

    EXPECT_EQ(check_numbered(text("all"), "a", 0, kLines, 100), "");
    EXPECT_EQ(check_numbered(text("all"), "b", 0, kLines, 100), "");
}

TEST_F(CaptureShared, TheLastOneLeftWritesRawAgain) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "all", "err0"));
    ASSERT_TRUE(attach(1, "all", "err1"));
    const ChildStreams child = streams(0);
    put(child.out, "un");
    EXPECT_EQ(capture_->drain(0, Final::kNo).out, 0U);

    ASSERT_TRUE(capture_->detach(1, RemoveFifos::kYes));
    put(child.out, "finished");

    EXPECT_TRUE(eventually([&] { return text("all") == "unfinished"; }));
}

TEST_F(CaptureShared, DetachDoesNotWaitForAnothersLine) {
    options_.partial_line_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "all", "err0"));
    put(streams(0).out, "raw, unfinished");
    ASSERT_TRUE(eventually([&] { return size("all") == 15; }));
    ASSERT_TRUE(attach(1, "all", "err1"));
    put(streams(1).out, "last words\n");
    EXPECT_EQ(capture_->drain(1, Final::kYes).out, 15U);

    ASSERT_TRUE(capture_->detach(1, RemoveFifos::kYes));

    EXPECT_EQ(text("all"), "raw, unfinishedlast words\n");
}

}  // namespace
}  // namespace zona::process
