#include "os/fd.h"

#include <filesystem>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "os/listening_socket.h"
#include "os/unix_socket.h"

namespace zona::os {
namespace {

/// A private directory that goes with the test.
class FdFiles : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "zona-fd-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }

  private:
    std::string directory_;
};

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(UniqueFd, ClosesWhatItHeldWhenAnotherIsMovedIn) {
    UniqueFd a = open_file("/dev/null", O_RDONLY).value();
    UniqueFd b = open_file("/dev/null", O_RDONLY).value();
    const int first = a.get();
    const int second = b.get();

    a = std::move(b);

    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(a.get(), second);
    EXPECT_TRUE(is_open(second));
}

TEST(UniqueFd, ReleaseGivesTheDescriptorAway) {
    UniqueFd a = open_file("/dev/null", O_RDONLY).value();
    const int fd = std::move(a).release();

    EXPECT_FALSE(a.valid());
    EXPECT_TRUE(is_open(fd));
    ::close(fd);
}

// REL-21
TEST_F(FdFiles, ReplaceFileLeavesNoTemporaryAndTheNewContent) {
    ASSERT_TRUE(replace_file(path("state"), "old", 0600).has_value());
    ASSERT_TRUE(replace_file(path("state"), "new", 0600).has_value());

    EXPECT_EQ(read_file(path("state")).value(), "new");
    EXPECT_FALSE(stat_path(path("state.tmp")).value().has_value());
}

TEST_F(FdFiles, ReplaceFileKeepsTheOldContentWhenTheDiskIsFull) {
    ASSERT_TRUE(replace_file(path("state"), "old", 0600).has_value());
    std::filesystem::create_symlink("/dev/full", path("state.tmp"));

    const auto replaced = replace_file(path("state"), "new", 0600);

    ASSERT_FALSE(replaced.has_value());
    EXPECT_EQ(replaced.error().code(), core::Code::kResourceExhausted);
    EXPECT_EQ(read_file(path("state")).value(), "old");
}

TEST_F(FdFiles, ListDirectoryGivesTheSortedNames) {
    for (const char* name : {"b", "a", ".c"}) {
        ASSERT_TRUE(replace_file(path(name), "", 0600).has_value());
    }

    EXPECT_EQ(list_directory(path(".")).value(), (std::vector<std::string>{".c", "a", "b"}));
    EXPECT_EQ(list_directory(path("none")).error().code(), core::Code::kNotFound);
}

TEST_F(FdFiles, TruncateFileCutsTheEnd) {
    ASSERT_TRUE(replace_file(path("f"), "good bad", 0600).has_value());
    const UniqueFd fd = open_file(path("f"), O_RDWR).value();

    ASSERT_TRUE(truncate_file(fd.get(), 4).has_value());

    EXPECT_EQ(read_file(path("f")).value(), "good");
}

TEST_F(FdFiles, ReadFileRefusesWhatIsOverTheLimit) {
    ASSERT_TRUE(replace_file(path("big"), std::string(5000, 'x'), 0600).has_value());

    const auto text = read_file(path("big"), 4096);

    ASSERT_FALSE(text.has_value());
    EXPECT_EQ(text.error().code(), core::Code::kTooLarge);
}

TEST_F(FdFiles, LockIsExclusiveAmongOpenFileDescriptions) {
    UniqueFd a = open_file(path("lock"), O_RDWR | O_CREAT).value();
    UniqueFd b = open_file(path("lock"), O_RDWR).value();
    ASSERT_TRUE(lock_exclusive(a.get()).has_value());

    EXPECT_EQ(lock_exclusive(b.get()).error().code(), core::Code::kConflict);
    a.reset();
    EXPECT_TRUE(lock_exclusive(b.get()).has_value());
}

TEST_F(FdFiles, MakeFifoAcceptsAnExistingOneAndRefusesAFile) {
    EXPECT_TRUE(make_fifo(path("fifo")).has_value());
    EXPECT_TRUE(make_fifo(path("fifo")).has_value());
    ASSERT_TRUE(replace_file(path("file"), "x", 0600).has_value());

    EXPECT_EQ(make_fifo(path("file")).error().code(), core::Code::kConflict);
}

TEST_F(FdFiles, UnixSocketsWorkBeyondThePathLimit) {
    const std::string deep = path(std::string(90, 'd') + "/" + std::string(90, 'e'));
    ASSERT_TRUE(make_directories(deep, 0700).has_value());

    const auto listener = listen_unix(deep + "/api.sock", 8);
    ASSERT_TRUE(listener.has_value()) << listener.error().message();
    const auto client = connect_unix(deep + "/api.sock");

    ASSERT_TRUE(client.has_value()) << client.error().message();
    EXPECT_EQ(peer_credentials(client->get()).value().uid, ::geteuid());
}

TEST_F(FdFiles, AcceptsWhoWaitsWithADescriptorThatDoesNotSurviveExec) {
    const auto listener = listen_unix(path("api.sock"), 8);
    ASSERT_TRUE(listener && set_nonblocking(listener->get()));
    const auto nobody = accept_connection(listener->get());
    const auto client = connect_unix(path("api.sock"));
    const auto somebody = accept_connection(listener->get());

    EXPECT_TRUE(nobody && !*nobody);
    ASSERT_TRUE(client && somebody && *somebody);
    EXPECT_EQ(::fcntl((*somebody)->get(), F_GETFD), FD_CLOEXEC);
    EXPECT_NE(::fcntl((*somebody)->get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(accept_connection(-1).error().system_error(), EBADF);
}

TEST_F(FdFiles, ConnectTellsNobodyListensFromNothingThere) {
    EXPECT_EQ(connect_unix(path("none")).error().code(), core::Code::kNotFound);
    {
        auto gone = listen_unix(path("gone"), 1);
    }
    EXPECT_EQ(connect_unix(path("gone")).error().code(), core::Code::kUnavailable);
}

}  // namespace
}  // namespace zona::os
