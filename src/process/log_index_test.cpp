#include "process/log_index.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::process {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kInode = 77;

class LogIndexFile : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "zona-index-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        path_ = log_index_path(directory_, "/var/log/app.log");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    core::Result<void> note(LogIndexWriter& writer, std::uint64_t offset) {
        return writer.note(offset, clock_.steady(), clock_.system());
    }
    LogIndexReader reader() const { return LogIndexReader::open(path_).value(); }

    core::FakeClock clock_;
    const core::SystemTime begin_ = clock_.system();
    std::string directory_;
    std::string path_;
};

TEST(LogIndexPath, TellsEqualFileNamesInDifferentDirectoriesApart) {
    const std::string a = log_index_path("/i", "/var/log/a/out .log");
    const std::string b = log_index_path("/i", "/var/log/b/out .log");

    EXPECT_NE(a, b);
    EXPECT_TRUE(a.starts_with("/i/out--log-")) << a;
}

TEST_F(LogIndexFile, FindsTheTimeOfEachBlock) {
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    for (const std::uint64_t offset : {0U, 500U, 900U}) {
        ASSERT_TRUE(note(writer, offset));
        clock_.advance(seconds(1));
    }

    const LogIndexReader index = reader();

    EXPECT_EQ(index.inode(), kInode);
    EXPECT_EQ(index.time_at(0), begin_);
    EXPECT_EQ(index.time_at(499), begin_);
    EXPECT_EQ(index.time_at(500), begin_ + seconds(1));
    EXPECT_EQ(index.time_at(1'000'000), begin_ + seconds(2));
    EXPECT_EQ(index.find(499)->end, 500U);
    EXPECT_EQ(index.find(900)->end, UINT64_MAX);
}

TEST_F(LogIndexFile, FindsTheFirstBlockSinceATime) {
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    for (const std::uint64_t offset : {100U, 500U, 900U}) {
        ASSERT_TRUE(note(writer, offset));
        clock_.advance(seconds(1));
    }

    const LogIndexReader index = reader();

    EXPECT_EQ(index.offset_since(begin_ - seconds(9)), 100U);
    EXPECT_EQ(index.offset_since(begin_ + seconds(1)), 500U);
    EXPECT_EQ(index.offset_since(begin_ + milliseconds(1001)), 900U);
    EXPECT_EQ(index.offset_since(begin_ + seconds(3)), std::nullopt);
    EXPECT_EQ(index.time_at(99), std::nullopt);
}

TEST_F(LogIndexFile, NotesOncePerInterval) {
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    for (std::uint64_t offset = 0; offset < 50; ++offset) {
        ASSERT_TRUE(note(writer, offset));
        clock_.advance(milliseconds(10));
    }

    EXPECT_EQ(reader().records(), 5U);
}

TEST_F(LogIndexFile, GoesOnInTheFileOfItsPredecessor) {
    {
        LogIndexWriter writer(path_);
        ASSERT_TRUE(writer.begin(kInode, 0));
        ASSERT_TRUE(note(writer, 0));
        ASSERT_TRUE(writer.set_writer(6));
    }
    clock_.advance(seconds(1));

    LogIndexWriter successor(path_);
    ASSERT_TRUE(successor.begin(kInode, 100));
    ASSERT_TRUE(note(successor, 100));

    EXPECT_EQ(successor.writer(), 6U);
    EXPECT_EQ(reader().records(), 2U);
    EXPECT_EQ(reader().time_at(10), begin_);
}

TEST_F(LogIndexFile, BeginsAnewForAnotherOrAShorterFile) {
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    ASSERT_TRUE(note(writer, 100));

    ASSERT_TRUE(writer.begin(kInode, 99));
    EXPECT_EQ(reader().records(), 0U);
    ASSERT_TRUE(note(writer, 5));
    ASSERT_TRUE(writer.begin(kInode + 1, 200));
    EXPECT_EQ(reader().records(), 0U);
    EXPECT_EQ(reader().inode(), kInode + 1);
}

TEST_F(LogIndexFile, PassesOverATornEndAndADamagedRecord) {
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    for (const std::uint64_t offset : {0U, 100U, 200U}) {
        ASSERT_TRUE(note(writer, offset));
        clock_.advance(seconds(1));
    }
    std::string bytes = os::read_file(path_).value();
    bytes[32 + 16 + 3] = 'x';
    bytes += "torn";
    ASSERT_TRUE(os::replace_file(path_, bytes, 0600));

    EXPECT_EQ(reader().time_at(150), begin_);
    EXPECT_EQ(reader().time_at(250), begin_ + seconds(2));

    ASSERT_TRUE(note(writer, 300));
    EXPECT_EQ(reader().records(), 4U);
    EXPECT_EQ(reader().time_at(300), begin_ + seconds(3));
}

TEST_F(LogIndexFile, IsNoIndexWhenItIsSomethingElse) {
    ASSERT_TRUE(os::replace_file(path_, std::string(5000, 'x'), 0600));

    EXPECT_EQ(reader().records(), 0U);
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    ASSERT_TRUE(note(writer, 0));
    EXPECT_EQ(reader().records(), 1U);
}

TEST_F(LogIndexFile, ThinsOutTheOldAndStaysBelowItsLimit) {
    LogIndexLimits limits;
    limits.bytes = 32 + 16 * 64;
    LogIndexWriter writer(path_, limits);
    ASSERT_TRUE(writer.begin(kInode, 0));
    for (std::uint64_t i = 0; i < 1000; ++i) {
        ASSERT_TRUE(note(writer, i * 10));
        clock_.advance(seconds(1));
    }

    const LogIndexReader index = reader();

    EXPECT_LE(index.records(), 64U);
    EXPECT_EQ(index.time_at(0), begin_);
    EXPECT_EQ(index.time_at(9999), begin_ + seconds(999));
    EXPECT_EQ(index.time_at(9985), begin_ + seconds(998));
    EXPECT_LE(index.time_at(5000), begin_ + seconds(500));
}

TEST_F(LogIndexFile, IsMadeAgainWhenSomebodyRemovedIt) {
    LogIndexWriter writer(path_);
    ASSERT_TRUE(writer.begin(kInode, 0));
    ASSERT_TRUE(note(writer, 0));
    std::filesystem::remove(path_);
    clock_.advance(seconds(1));

    ASSERT_TRUE(note(writer, 100));

    EXPECT_EQ(reader().time_at(100), begin_ + seconds(1));
}

TEST_F(LogIndexFile, RefreshSeesWhatWasWrittenSince) {
    LogIndexWriter writer(path_);
    LogIndexReader index = reader();
    EXPECT_EQ(index.time_at(0), std::nullopt);

    ASSERT_TRUE(writer.begin(kInode, 0));
    ASSERT_TRUE(note(writer, 0));
    ASSERT_TRUE(index.refresh());

    EXPECT_EQ(index.time_at(0), begin_);
}

TEST_F(LogIndexFile, FailsWithTheReasonWhenItsDirectoryIsMissing) {
    LogIndexWriter writer(directory_ + "/missing/x.idx");

    EXPECT_EQ(writer.begin(kInode, 0).error().code(), core::Code::kNotFound);
    EXPECT_TRUE(note(writer, 0));
}

}  // namespace
}  // namespace zona::process
