#include <charconv>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "process/testing/capture_home.h"

namespace zona::process {
namespace {

constexpr std::string_view kNote = "[zona] ";

/// Number of lost bytes that the notes in `text` name.
std::uint64_t lost_by_notes(std::string_view text) {
    std::uint64_t sum = 0;
    for (std::size_t at = text.find(kNote); at != std::string_view::npos;
         at = text.find(kNote, at + 1)) {
        EXPECT_TRUE(at == 0 || text[at - 1] == '\n') << "a note in the middle of a line";
        std::uint64_t bytes = 0;
        std::from_chars(text.data() + at + kNote.size(), text.data() + text.size(), bytes);
        sum += bytes;
    }
    return sum;
}

/// Log files that cannot grow: by RLIMIT_FSIZE, which needs no rights and no other file system.
class CaptureFull : public CaptureHome {
  protected:
    void SetUp() override {
        CaptureHome::SetUp();
        ::getrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, SIG_IGN);
        options_.retry = std::chrono::milliseconds(5);
    }
    void TearDown() override {
        limit(before_.rlim_cur);
        ::signal(SIGXFSZ, SIG_DFL);
        CaptureHome::TearDown();
    }
    void limit(rlim_t bytes) const {
        const rlimit value = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &value), 0);
    }
    void unlimit() const { limit(before_.rlim_cur); }

    static constexpr rlim_t kLimit = 100'000;
    rlimit before_{};
};

TEST_F(CaptureFull, BlocksTheWriterAndLosesNothingWhileItWaits) {
    options_.disk_full_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    constexpr int kLines = 5000;
    const std::string lines = numbered_lines("n", 0, kLines, 100);
    limit(kLimit);

    WriterProcess writer(child.out.get(), lines, 1000);
    ASSERT_TRUE(eventually([&] { return size("out") == kLimit; }));
    put(child.err, "the other stream goes on\n");
    ASSERT_TRUE(eventually([&] { return size("err") == 25; }));
    EXPECT_EQ(size("out"), kLimit);
    unlimit();

    EXPECT_EQ(writer.wait(), 0);
    ASSERT_TRUE(eventually([&] { return size("out") == lines.size(); }));
    EXPECT_EQ(text("out"), lines);
    EXPECT_EQ(capture_->dropped(), 0U);
}

TEST_F(CaptureFull, DropsCountsAndWritesTheGapsSizeWhenItCan) {
    options_.disk_full_wait = std::chrono::milliseconds(10);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    const ChildStreams child = streams(0);
    const std::string lines = numbered_lines("n", 0, 20000, 100);
    limit(kLimit + 50);

    WriterProcess writer(child.out.get(), lines, 1000);
    EXPECT_EQ(writer.wait(), 0) << "a full disk must not stop the process for good";
    ASSERT_TRUE(eventually([&] { return capture_->dropped() + kLimit + 50 >= lines.size(); }));
    unlimit();
    ASSERT_TRUE(eventually([&] { return text("out").ends_with("file too large\n"); }));
    put(child.out, "after\n");
    ASSERT_TRUE(eventually([&] { return text("out").ends_with("file too large\nafter\n"); }));

    const std::string out = text("out");
    EXPECT_EQ(out.substr(0, kLimit + 50), lines.substr(0, kLimit + 50));
    EXPECT_EQ(lost_by_notes(out), lines.size() - kLimit - 50);
    EXPECT_EQ(capture_->dropped(), lost_by_notes(out));
    EXPECT_EQ(capture_->counters(0).dropped_bytes, capture_->dropped());
}

TEST_F(CaptureFull, DrainReturnsWhileTheFileCannotBeWritten) {
    options_.disk_full_wait = std::chrono::hours(1);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    limit(10);
    put(streams(0).out, "0123456789abcdef\n");

    EXPECT_EQ(capture_->drain(0, Final::kYes).out, 10U);
    unlimit();

    EXPECT_TRUE(eventually([&] { return text("out") == "0123456789abcdef\n"; }));
}

TEST_F(CaptureFull, DrainThatDropsIsFollowedByTheNote) {
    options_.disk_full_wait = std::chrono::nanoseconds(0);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    limit(10);
    put(streams(0).out, "0123456789abcdef\n");
    capture_->drain(0, Final::kYes);
    ASSERT_TRUE(eventually([&] { return capture_->dropped() == 7; }));
    unlimit();

    EXPECT_TRUE(eventually([&] {
        return text("out") ==
               "0123456789\n[zona] 7 bytes of output were lost here: file too large\n";
    }));
}

TEST_F(CaptureFull, WholeLinesOfTheOthersGoOnAfterTheWait) {
    options_.disk_full_wait = std::chrono::hours(1);
    options_.partial_line_wait = std::chrono::milliseconds(20);
    start();
    ASSERT_TRUE(attach(0, "all", "all"));
    const ChildStreams child = streams(0);
    limit(kLimit);
    WriterProcess a(child.out.get(), numbered_lines("a", 0, 3000, 100), 777);
    WriterProcess b(child.err.get(), numbered_lines("b", 0, 3000, 100), 999);
    ASSERT_TRUE(eventually([&] { return size("all") == kLimit; }));
    unlimit();

    EXPECT_EQ(a.wait() + b.wait(), 0);
    ASSERT_TRUE(eventually([&] { return capture_->drain(0, Final::kYes).out == 600'000; }));
    EXPECT_EQ(check_numbered(text("all"), "a", 0, 3000, 100), "");
    EXPECT_EQ(check_numbered(text("all"), "b", 0, 3000, 100), "");
}

TEST_F(CaptureFull, ADirectoryInTheNamesPlaceIsAFailureLikeAnyOther) {
    options_.disk_full_wait = std::chrono::hours(1);
    options_.name_check = std::chrono::nanoseconds(0);
    start();
    ASSERT_TRUE(attach(0, "out", "err"));
    std::filesystem::remove(path("out"));
    std::filesystem::create_directory(path("out"));
    put(streams(0).out, "patience\n");
    capture_->drain(0, Final::kYes);

    std::filesystem::remove(path("out"));

    EXPECT_TRUE(eventually([&] { return text("out") == "patience\n"; }));
}

/// In a mount namespace of its own, so that the host does not see the small file system.
class CaptureSmallDisk : public CaptureHome {
  protected:
    /// 0: no namespaces for us here.
    bool mount_small(const std::string& directory) {
        if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        return ::mount("none", directory.c_str(), "tmpfs", 0, "size=1m") == 0;
    }

    /// The scenario, in a process of its own: 0, or the number of the line that failed.
    int fill_and_free() {
        start();
        if (!attach(0, "small/out", "err")) return __LINE__;
        const ChildStreams child = streams(0);
        const std::string lines = numbered_lines("n", 0, 50'000, 100);
        WriterProcess writer(child.out.get(), lines);
        if (writer.wait() != 0) return __LINE__;
        const auto settled = [&] {
            return size("small/out") + capture_->dropped() == lines.size();
        };
        if (!eventually(settled)) return __LINE__;
        if (capture_->dropped() == 0) return __LINE__;
        if (!lines.starts_with(text("small/out"))) return __LINE__;

        std::filesystem::rename(path("small/out"), path("small/gone"));
        std::filesystem::remove(path("small/gone"));
        const std::string note =
            fmt::format("[zona] {} bytes of output were lost here: no space left on device\n",
                        capture_->dropped());
        if (!capture_->reopen(0)) return __LINE__;
        if (!eventually([&] { return text("small/out") == note; })) return __LINE__;
        put(child.out, "after\n");
        if (!eventually([&] { return text("small/out") == note + "after\n"; })) return __LINE__;
        return 0;
    }
};

TEST_F(CaptureSmallDisk, OutputIsLostVisiblyAndOnlyWhileTheDiskIsFull) {
    options_.disk_full_wait = std::chrono::milliseconds(20);
    options_.retry = std::chrono::milliseconds(5);
    std::filesystem::create_directory(path("small"));
    const pid_t child = ::fork();
    if (child == 0) {
        if (!mount_small(path("small"))) ::_exit(77);
        const int line = fill_and_free();
        if (line != 0) fmt::print(stderr, "failed at line {}\n", line);
        ::_exit(line == 0 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);

    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespaces for this user";
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace zona::process
