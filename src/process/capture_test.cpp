#include "process/capture.h"

#include <atomic>
#include <fstream>

#include <sys/stat.h>

#include "process/log_index.h"
#include "process/testing/capture_home.h"

namespace zona::process {
namespace {

using CaptureStart = CaptureHome;
using CaptureAttach = CaptureHome;
using CaptureRaw = CaptureHome;
using CaptureDrain = CaptureHome;
using CaptureStdin = CaptureHome;
using CaptureFiles = CaptureHome;
using CaptureIdle = CaptureHome;
using CaptureFollow = CaptureHome;
using CaptureCopy = CaptureHome;

TEST_F(CaptureStart, FailsWithoutTheDirectoryOfTheFifos) {
    options_.fifo_directory = path("missing");

    const auto started = Capture::start(options_, clock_, core::Logger());

    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), core::Code::kNotFound);
}

// PM-24
TEST_F(CaptureAttach, MakesTheLogFilesAndTheirDirectoriesAndAppendsToExistingOnes) {
    start();
    std::ofstream(path("err.log")) << "old\n";

    ASSERT_TRUE(attach(0, "a/b/out.log", "err.log"));

    EXPECT_TRUE(std::filesystem::exists(path("a/b/out.log")));
    put(streams(0).err, "new\n");
    ASSERT_TRUE(eventually([&] { return text("err.log") == "old\nnew\n"; }));
}

TEST_F(CaptureAttach, RefusesWhatIsNoFile) {
    start();
    std::filesystem::create_directory(path("dir"));
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    LogTargets device = targets("x", "x");
    device.out_file = "/dev/zero";
    LogTargets relative = targets("x", "x");
    relative.error_file = "x.log";

    for (const auto& refused :
         {attach(0, "dir", "err"), attach(0, "fifo", "err"), attach(0, "out", "fifo"),
          capture_->attach(0, device), capture_->attach(0, relative)}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), core::Code::kInvalidArgument)
            << refused.error().message();
    }
    EXPECT_FALSE(attach(0, "out", "dir/../fifo/x"));
    EXPECT_EQ(attach(99999, "out", "err").error().code(), core::Code::kInvalidArgument);
}

TEST_F(CaptureAttach, RefusesASlotThatIsAttachedAndANameThatIsNoFifo) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    std::ofstream(path("run/fifo/1.err")) << "not a FIFO";

    EXPECT_EQ(attach(0, "out", "err").error().code(), core::Code::kConflict);
    EXPECT_EQ(attach(1, "out1", "err1").error().code(), core::Code::kConflict);
    EXPECT_EQ(capture_->open_for_child(1).error().code(), core::Code::kNotFound);
}

TEST_F(CaptureAttach, HoldsNoLogFileOpenBeforeItsFirstByte) {
    start();
    const std::size_t before = open_descriptors();

    ASSERT_TRUE(attach(0, "out", "err"));

    EXPECT_EQ(open_descriptors(), before + 2) << "more than the two FIFOs";
}

// PM-19
TEST_F(CaptureRaw, KeepsTheTwoStreamsApart) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const std::string out = numbered_lines("o", 0, 2000, 60);
    const std::string err = numbered_lines("e", 0, 2000, 60);
    const ChildStreams child = streams(0);

    WriterProcess a(child.out.get(), out, 60);
    WriterProcess b(child.err.get(), err, 60);

    EXPECT_EQ(a.wait(), 0);
    EXPECT_EQ(b.wait(), 0);
    const LogPositions end = capture_->drain(0, Final::kYes);
    EXPECT_EQ(text("out"), out);
    EXPECT_EQ(text("err"), err);
    EXPECT_EQ(end.out, out.size());
    EXPECT_EQ(end.err, err.size());
    EXPECT_EQ(capture_->counters(0).out_bytes, out.size());
    EXPECT_EQ(capture_->counters(0).dropped_bytes, 0U);
}

TEST_F(CaptureRaw, WritesAnUnfinishedLineAtOnceAndEveryByteAsItIs) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const std::string bytes("Password: \0\xff\x1b[0m", 16);

    put(streams(0).out, bytes);

    EXPECT_TRUE(eventually([&] { return text("out") == bytes; }));
}

TEST_F(CaptureRaw, DiscardsWhatGoesToDevNull) {
    start();
    LogTargets null = targets("out", "err");
    null.out_file = "/dev/null";
    null.error_file = "/dev/null";
    ASSERT_TRUE(capture_->attach(0, null));

    put(streams(0).out, "gone\n");

    EXPECT_EQ(capture_->drain(0, Final::kYes).out, 0U);
    EXPECT_TRUE(eventually([&] { return capture_->counters(0).out_bytes == 5; }));
}

// PM-19, REL-20
TEST_F(CaptureRaw, LosesAndDoublesNothingWhenItIsBegunAnewWhileTheWriterGoesOn) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    constexpr int kLines = 30000;
    const std::string lines = numbered_lines("n", 0, kLines, 100);
    WriterProcess writer(child.out.get(), lines, 700);

    for (unsigned restart = 1; restart <= 10; ++restart) {
        ASSERT_TRUE(eventually([&] { return size("out") >= lines.size() / 12 * restart; }));
        capture_.reset();
        start();
        ASSERT_TRUE(attach(0, "out", "err"));
    }

    EXPECT_EQ(writer.wait(), 0);
    EXPECT_EQ(capture_->drain(0, Final::kYes).out, lines.size());
    EXPECT_EQ(check_numbered(text("out"), "n", 0, kLines, 100), "");
}

// PM-19, REL-20
TEST_F(CaptureRaw, LosesAndDoublesNothingWhenItsProcessIsKilledAgainAndAgain) {
    ASSERT_TRUE(os::make_fifo(path("run/fifo/0.out")));
    const os::UniqueFd keeper = os::open_file(path("run/fifo/0.out"), O_RDWR).value();
    constexpr int kLines = 60000;
    const std::string lines = numbered_lines("n", 0, kLines, 100);
    WriterProcess writer(keeper.get(), lines, 4000);

    for (int kill = 1; kill <= 30; ++kill) {
        const pid_t daemon = ::fork();
        if (daemon == 0) {
            start();
            if (!attach(0, "out", "err")) ::_exit(1);
            for (;;)
                ::pause();
        }
        eventually([&] { return size("out") >= lines.size() / 32 * static_cast<unsigned>(kill); });
        ::kill(daemon, SIGKILL);
        ::waitpid(daemon, nullptr, 0);
    }
    start();
    ASSERT_TRUE(attach(0, "out", "err"));

    EXPECT_EQ(writer.wait(), 0);
    EXPECT_EQ(capture_->drain(0, Final::kYes).out, lines.size());
    EXPECT_EQ(check_numbered(text("out"), "n", 0, kLines, 100), "");
}

TEST_F(CaptureDrain, ReturnsTheEndOfTheOutputOfAProcessThatHasExited) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    for (int i = 1; i <= 50; ++i) {
        WriterProcess writer(child.out.get(), "last words\n");
        ASSERT_EQ(writer.wait(), 0);
        ASSERT_EQ(capture_->drain(0, Final::kYes).out, static_cast<unsigned>(11 * i));
    }
    EXPECT_EQ(capture_->positions(0).out, 550U);
    EXPECT_EQ(capture_->positions(0).err, 0U);
}

TEST_F(CaptureDrain, EndsAlthoughASurvivorGoesOnWriting) {
    start();
    LogTargets null = targets("out", "err");
    null.out_file = "/dev/null";
    ASSERT_TRUE(capture_->attach(0, null));
    const ChildStreams child = streams(0);
    WriterProcess survivor(child.out.get(), std::string(65536, 'x'), 65536, 1'000'000);
    ASSERT_TRUE(eventually([&] { return capture_->counters(0).out_bytes > 0; }));

    capture_->drain(0, Final::kYes);
}

TEST_F(CaptureDrain, DetachMovesTheRestAndRemovesTheFifos) {
    start();
    LogTargets with_stdin = targets("out", "err");
    with_stdin.stdin_mode = StdinMode::kPipe;
    ASSERT_TRUE(capture_->attach(0, with_stdin));
    {
        const ChildStreams child = streams(0);
        put(child.out, "out\n");
        put(child.err, "err");
        ASSERT_TRUE(capture_->detach(0, RemoveFifos::kYes));
    }

    EXPECT_EQ(text("out"), "out\n");
    EXPECT_EQ(text("err"), "err");
    EXPECT_TRUE(std::filesystem::is_empty(path("run/fifo")));
    EXPECT_TRUE(capture_->detach(0, RemoveFifos::kYes));
    EXPECT_TRUE(attach(0, "out", "err"));
}

TEST_F(CaptureStdin, ReachesTheChildInOrder) {
    start();
    LogTargets with_stdin = targets("out", "err");
    with_stdin.stdin_mode = StdinMode::kPipe;
    ASSERT_TRUE(capture_->attach(0, with_stdin));
    const ChildStreams child = streams(0);
    const std::string text = numbered_lines("i", 0, 2000, 100);

    ASSERT_TRUE(capture_->write_stdin(0, "first\n"));
    ASSERT_TRUE(capture_->write_stdin(0, text));

    std::string got(text.size() + 6, '\0');
    for (std::size_t at = 0; at < got.size();) {
        const auto n =
            os::read_some(child.in.get(), std::as_writable_bytes(std::span(got)).subspan(at));
        ASSERT_TRUE(n && *n);
        at += **n;
    }
    EXPECT_EQ(got, "first\n" + text);
}

TEST_F(CaptureStdin, SaysThatItIsFullAndTakesShortTextsWholeOrNotAtAll) {
    start();
    LogTargets with_stdin = targets("out", "err");
    with_stdin.stdin_mode = StdinMode::kPipe;
    ASSERT_TRUE(capture_->attach(0, with_stdin));
    const std::string line = std::string(2999, 'x') + "\n";
    core::Result<void> sent;
    int lines = 0;
    while ((sent = capture_->write_stdin(0, line)))
        ++lines;

    EXPECT_EQ(sent.error().code(), core::Code::kTooManyRequests);
    EXPECT_NE(sent.error().message().find("0 of 3000 bytes"), std::string::npos)
        << sent.error().message();
    const ChildStreams child = streams(0);
    std::string got(1U << 20U, '\0');
    std::size_t total = 0;
    while (total < static_cast<std::size_t>(lines) * line.size()) {
        total += **os::read_some(child.in.get(), std::as_writable_bytes(std::span(got)));
    }
    EXPECT_EQ(total, static_cast<std::size_t>(lines) * line.size());
}

TEST_F(CaptureStdin, IsDevNullUnlessItIsAPipe) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));

    EXPECT_EQ(capture_->write_stdin(0, "x").error().code(), core::Code::kConflict);
    EXPECT_EQ(capture_->write_stdin(1, "x").error().code(), core::Code::kNotFound);
    std::byte byte{};
    EXPECT_EQ(os::read_some(streams(0).in.get(), std::span(&byte, 1)).value(), 0U);
}

TEST_F(CaptureFiles, OpensTheNameAgainAfterARotationByOthers) {
    options_.name_check = std::chrono::nanoseconds(0);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    put(child.out, "one\n");
    ASSERT_TRUE(eventually([&] { return text("out") == "one\n"; }));

    std::filesystem::rename(path("out"), path("out.1"));
    put(child.out, "two\n");
    ASSERT_TRUE(eventually([&] { return text("out") == "two\n"; }));
    std::filesystem::remove(path("out"));
    put(child.out, "three\n");

    EXPECT_TRUE(eventually([&] { return text("out") == "three\n"; }));
    EXPECT_EQ(text("out.1"), "one\n");
}

TEST_F(CaptureFiles, ReopenSwitchesToTheNameAtOnce) {
    options_.name_check = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    put(child.out, "one\n");
    ASSERT_TRUE(eventually([&] { return text("out") == "one\n"; }));
    std::filesystem::rename(path("out"), path("out.1"));

    ASSERT_TRUE(capture_->reopen(0));
    put(child.out, "two\n");

    EXPECT_TRUE(eventually([&] { return text("out") == "two\n"; }));
    EXPECT_EQ(text("out.1"), "one\n");
    EXPECT_EQ(capture_->reopen(5).error().code(), core::Code::kNotFound);
}

TEST_F(CaptureFiles, GoesOnAtTheNewEndWhenOthersHaveCutTheFile) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    put(child.out, "before\n");
    ASSERT_TRUE(eventually([&] { return text("out") == "before\n"; }));

    std::filesystem::resize_file(path("out"), 0);
    put(child.out, "after\n");

    EXPECT_TRUE(eventually([&] { return text("out") == "after\n"; }));
}

TEST_F(CaptureFiles, ManyFilesTakeTurnsWithFewDescriptors) {
    options_.open_files = 4;
    start();
    constexpr std::uint32_t kSlots = 30;
    constexpr int kRounds = 20;
    const auto open_logs = [this] {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code gone;
            const std::string file = std::filesystem::read_symlink(entry, gone);
            if (file.starts_with(path("")) && file.ends_with(".log")) ++count;
        }
        return count;
    };
    for (std::uint32_t slot = 0; slot < kSlots; ++slot)
        ASSERT_TRUE(attach(slot, fmt::format("{}-out.log", slot), fmt::format("{}-err.log", slot)));
    for (int round = 0; round < kRounds; ++round) {
        for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
            put(streams(slot).out, numbered_lines("out", round, 1, 50));
            put(streams(slot).err, numbered_lines("err", round, 1, 50));
        }
    }
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        const auto whole = [&](const std::string& stream) {
            return eventually([&] {
                return check_numbered(text(fmt::format("{}-{}.log", slot, stream)), stream, 0,
                                      kRounds, 50)
                    .empty();
            });
        };
        EXPECT_TRUE(whole("out")) << slot;
        EXPECT_TRUE(whole("err")) << slot;
    }
    // Only now: a listing of the descriptors is no snapshot while they change.
    EXPECT_LE(open_logs(), 4U);
}

TEST_F(CaptureFiles, NotesTheTimesOfTheBytes) {
    start();
    const core::SystemTime before = clock_.system();
    ASSERT_TRUE(attach(0, "out", "err"));
    put(streams(0).out, "line\n");
    ASSERT_TRUE(eventually([&] { return text("out") == "line\n"; }));

    const auto index = LogIndexReader::open(capture_->index_path(path("out"))).value();

    ASSERT_TRUE(index.time_at(0));
    EXPECT_GE(*index.time_at(0), before);
    EXPECT_LE(*index.time_at(0), clock_.system());
}

/// How often the thread named zona-capture has gone to sleep.
std::string sleeps_of_capture_thread() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        const std::string status = os::read_file(task.path() / "status").value_or(std::string());
        if (status.find("zona-capture") == std::string::npos) continue;
        const std::size_t at = status.find("voluntary_ctxt_switches");
        return status.substr(at, status.find('\n', at) - at);
    }
    return "no such thread";
}

TEST_F(CaptureIdle, SleepsThroughWhenNothingIsWritten) {
    start();
    for (std::uint32_t slot = 0; slot < 20; ++slot) {
        ASSERT_TRUE(attach(slot, fmt::format("out{}", slot), fmt::format("err{}", slot)));
    }
    put(streams(3).out, "a line\n");
    ASSERT_TRUE(eventually([&] { return text("out3") == "a line\n"; }));
    std::string sleeps;
    ASSERT_TRUE(eventually([&] {
        const std::string last = std::exchange(sleeps, sleeps_of_capture_thread());
        return last == sleeps;
    }));

    // The claim is about a stretch of time, so one has to pass.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));

    EXPECT_EQ(sleeps_of_capture_thread(), sleeps);
}

TEST_F(CaptureFollow, WakesOnceUntilRearmedAndOnlyForItsSlots) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    ASSERT_TRUE(attach(1, "out1", "err1"));
    const ChildStreams child = streams(0);
    std::atomic<int> wakes = 0;
    const std::array<std::uint32_t, 1> slots = {0};
    Subscription follower = capture_->subscribe(slots, [&] { ++wakes; });

    put(streams(1).out, "not followed\n");
    ASSERT_TRUE(eventually([&] { return capture_->counters(1).out_bytes > 0; }));
    EXPECT_EQ(wakes, 0);

    put(child.out, "one\n");
    ASSERT_TRUE(eventually([&] { return wakes == 1; }));
    put(child.err, "two\n");
    capture_->drain(0, Final::kNo);
    EXPECT_EQ(wakes, 1);

    follower.rearm();
    put(child.err, "three\n");
    capture_->drain(0, Final::kNo);
    EXPECT_TRUE(eventually([&] { return wakes == 2; }));

    follower.rearm();
    follower = Subscription();
    put(child.err, "four\n");
    ASSERT_TRUE(eventually([&] { return text("err") == "two\nthree\nfour\n"; }));
    EXPECT_EQ(wakes, 2);
}

TEST_F(CaptureFollow, NeverMissesBytesThatComeAfterRearm) {
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    std::atomic<bool> woken = false;
    const std::array<std::uint32_t, 1> slots = {0};
    Subscription follower = capture_->subscribe(slots, [&] { woken = true; });
    constexpr int kLines = 5000;
    WriterProcess writer(child.out.get(), numbered_lines("f", 0, kLines, 40), 40);

    std::uintmax_t seen = 0;
    while (seen < 40 * kLines) {
        ASSERT_TRUE(eventually([&] { return woken.load(); })) << "asleep at " << seen;
        woken = false;
        follower.rearm();
        seen = size("out");
    }
}

TEST_F(CaptureFollow, MayOutliveTheCapture) {
    start();
    const std::array<std::uint32_t, 2> slots = {0, 77777};
    Subscription follower = capture_->subscribe(slots, [] {});

    capture_.reset();
    follower.rearm();
}

// PM-19
TEST_F(CaptureCopy, IsExactWhereSpliceIsRefused) {
    options_.method = CaptureMethod::kCopy;
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    constexpr int kLines = 30000;
    const std::string lines = numbered_lines("c", 0, kLines, 100);
    WriterProcess writer(child.out.get(), lines, 1500);

    for (unsigned restart = 1; restart <= 5; ++restart) {
        ASSERT_TRUE(eventually([&] { return size("out") >= lines.size() / 7 * restart; }));
        capture_.reset();
        start();
        ASSERT_TRUE(attach(0, "out", "err"));
    }

    EXPECT_EQ(writer.wait(), 0);
    EXPECT_EQ(capture_->drain(0, Final::kYes).out, lines.size());
    EXPECT_EQ(check_numbered(text("out"), "c", 0, kLines, 100), "");
}

}  // namespace
}  // namespace zona::process
