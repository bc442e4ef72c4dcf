#include "process/history.h"

#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>

#include "process/detail/state_checksum.h"
#include "process/detail/state_exits.h"
#include "process/detail/state_testing.h"

namespace zona::process {
namespace {

constexpr std::size_t kBlock = detail::kExitBlock;

class ExitHistoryTest : public StateFiles {
  protected:
    core::Result<std::unique_ptr<ExitHistory>> try_open(core::ByteCount size) const {
        return ExitHistory::open({.directory = directory_, .file_size = size});
    }
    std::unique_ptr<ExitHistory> open(core::ByteCount size = core::ByteCount::mib(1)) const {
        return std::move(try_open(size).value());
    }
};

ExitRecord make_exit(std::uint32_t process, std::uint64_t incarnation) {
    ExitRecord record;
    record.process = id_of(process);
    record.incarnation = incarnation;
    record.pid = 4711;
    record.spawned_at = core::SystemTime(std::chrono::seconds(1'800'000'000 + incarnation));
    record.exited_at = record.spawned_at + std::chrono::milliseconds(40);
    record.how = CLD_EXITED;
    record.status = static_cast<int>(incarnation % 256);
    record.user_cpu = std::chrono::microseconds(1200);
    record.system_cpu = std::chrono::microseconds(300);
    record.max_rss = core::ByteCount::mib(7);
    record.out = {100 * incarnation, 100 * incarnation + 50};
    record.err = {7, 9};
    return record;
}

std::vector<std::uint64_t> incarnations(const std::vector<ExitRecord>& records) {
    std::vector<std::uint64_t> out;
    out.reserve(records.size());
    for (const ExitRecord& record : records)
        out.push_back(record.incarnation);
    return out;
}

using Numbers = std::vector<std::uint64_t>;

// PM-08
TEST_F(ExitHistoryTest, KeepsEveryFieldAcrossAReopen) {
    const ExitRecord crash = make_exit(1, 3);
    ExitRecord failed = make_exit(1, 4);
    failed.flags = kExitNotStarted | kExitRequested;
    failed.error_number = 2;
    failed.failed_step = os::SpawnStep::kExec;
    failed.how = 0;
    {
        const auto history = open();
        ASSERT_TRUE(history->append(crash).has_value());
        ASSERT_TRUE(history->append(failed).has_value());
    }

    const auto history = open();

    const std::vector<ExitRecord> recent = history->recent(id_of(1), 5);
    ASSERT_EQ(recent.size(), 2U);
    EXPECT_EQ(recent[0], failed);
    EXPECT_EQ(recent[1], crash);
    EXPECT_EQ(history->last(id_of(1)), failed);
    EXPECT_EQ(history->last(id_of(2)), std::nullopt);
    EXPECT_TRUE(history->warnings().empty());
}

TEST_F(ExitHistoryTest, RemembersTheLatestTenNewestFirst) {
    const auto history = open();
    for (std::uint64_t i = 1; i <= 15; ++i)
        ASSERT_TRUE(history->append(make_exit(1, i)).has_value());

    EXPECT_EQ(incarnations(history->recent(id_of(1), 3)), (Numbers{15, 14, 13}));
    EXPECT_EQ(incarnations(history->recent(id_of(1), 100)),
              (Numbers{15, 14, 13, 12, 11, 10, 9, 8, 7, 6}));
    EXPECT_EQ(incarnations(open()->recent(id_of(1), 100)),
              (Numbers{15, 14, 13, 12, 11, 10, 9, 8, 7, 6}));
}

// PM-08
TEST_F(ExitHistoryTest, TakesARunOnceThatRecoveryAppendsAgain) {
    const ExitRecord record = make_exit(1, 3);
    ASSERT_TRUE(open()->append(record).has_value());

    const auto history = open();

    EXPECT_TRUE(history->contains(id_of(1), 3, record.spawned_at));
    EXPECT_FALSE(history->contains(id_of(1), 4, record.spawned_at));
    ASSERT_TRUE(history->append(record).has_value());
    EXPECT_EQ(history->recent(id_of(1), 10).size(), 1U);
    EXPECT_EQ(text("exits").size(), 2 * kBlock);
}

TEST_F(ExitHistoryTest, TakesTheSameIncarnationOfAnotherBootForAnotherRun) {
    const auto history = open();
    ExitRecord later = make_exit(1, 1);
    later.spawned_at += std::chrono::hours(1);
    ASSERT_TRUE(history->append(make_exit(1, 1)).has_value());
    ASSERT_TRUE(history->append(later).has_value());

    EXPECT_EQ(history->recent(id_of(1), 10).size(), 2U);
}

TEST_F(ExitHistoryTest, ForgetsForGood) {
    {
        const auto history = open();
        ASSERT_TRUE(history->append(make_exit(1, 1)).has_value());
        ASSERT_TRUE(history->append(make_exit(2, 1)).has_value());
        ASSERT_TRUE(history->forget(id_of(1)).has_value());
        EXPECT_EQ(history->recent(id_of(1), 10).size(), 0U);
    }

    EXPECT_EQ(open()->last(id_of(1)), std::nullopt);
    EXPECT_TRUE(open()->last(id_of(2)).has_value());
}

TEST_F(ExitHistoryTest, KeepsTheQuietProcessesWhenACrashLoopFillsTheFiles) {
    const core::ByteCount size(100 * static_cast<std::int64_t>(kBlock));
    {
        const auto history = open(size);
        ASSERT_TRUE(history->append(make_exit(1, 1)).has_value());
        for (std::uint64_t i = 1; i <= 1000; ++i)
            ASSERT_TRUE(history->append(make_exit(2, i)).has_value());
    }
    EXPECT_LE(text("exits").size(), size.as_size());
    EXPECT_LE(text("exits.previous").size(), size.as_size());

    const auto history = open(size);

    EXPECT_TRUE(history->last(id_of(1)).has_value());
    EXPECT_EQ(history->last(id_of(2))->incarnation, 1000U);
    EXPECT_EQ(history->recent(id_of(2), 10).size(), 10U);
}

TEST_F(ExitHistoryTest, KeepsTheLatestOfEachWhenThereAreTooManyToKeepAll) {
    const core::ByteCount size(64 * static_cast<std::int64_t>(kBlock));
    const auto history = open(size);
    for (std::uint64_t i = 1; i <= 4; ++i) {
        for (std::uint32_t process = 1; process <= 20; ++process)
            ASSERT_TRUE(history->append(make_exit(process, i)).has_value());
    }

    const auto again = open(size);

    for (std::uint32_t process = 1; process <= 20; ++process)
        EXPECT_EQ(again->last(id_of(process))->incarnation, 4U) << process;
}

// REL-21
TEST_F(ExitHistoryTest, LoadsAllWholeRecordsOfAFileCutAnywhere) {
    {
        const auto history = open();
        for (std::uint64_t i = 1; i <= 4; ++i)
            ASSERT_TRUE(history->append(make_exit(1, i)).has_value());
    }
    const std::string whole = text("exits");

    for (std::size_t size = 0; size <= whole.size(); ++size) {
        overwrite("exits", whole.substr(0, size));
        const auto history = open();
        const std::size_t records = size < kBlock ? 0 : size / kBlock - 1;
        ASSERT_EQ(history->recent(id_of(1), 10).size(), records) << size;
        ASSERT_TRUE(history->append(make_exit(2, 9)).has_value()) << size;
        ASSERT_EQ(open()->last(id_of(2))->incarnation, 9U) << size;
        ASSERT_EQ(open()->recent(id_of(1), 10).size(), records) << size;
    }
}

// REL-21
TEST_F(ExitHistoryTest, SkipsOnlyTheRecordThatABitFlipHit) {
    {
        const auto history = open();
        for (std::uint64_t i = 1; i <= 3; ++i)
            ASSERT_TRUE(history->append(make_exit(1, i)).has_value());
    }
    const std::string whole = text("exits");

    for (std::size_t at = 0; at < whole.size(); ++at) {
        overwrite("exits", whole);
        damage("exits", at);
        const auto history = open();
        const std::size_t lost = at < kBlock ? 0 : 1;
        ASSERT_EQ(history->recent(id_of(1), 10).size(), 3 - lost) << at;
        ASSERT_EQ(history->warnings().size(), 1U) << at;
    }
    EXPECT_TRUE(open()->append(make_exit(1, 4)).has_value());
    EXPECT_EQ(open()->last(id_of(1))->incarnation, 4U);
}

TEST_F(ExitHistoryTest, KeepsAFileThatIsNoHistory) {
    std::filesystem::create_directories(directory_);
    const std::string rubbish(1000, 'x');
    overwrite("exits", rubbish);

    const auto history = open();

    EXPECT_EQ(text("exits.damaged"), rubbish);
    EXPECT_EQ(history->warnings().size(), 1U);
    EXPECT_TRUE(history->append(make_exit(1, 1)).has_value());
    EXPECT_TRUE(open()->last(id_of(1)).has_value());
}

TEST_F(ExitHistoryTest, TouchesNothingOfANewerFormat) {
    ASSERT_TRUE(open()->append(make_exit(1, 1)).has_value());
    std::string newer = text("exits");
    newer[8] = 2;
    const std::uint32_t checksum = detail::crc32c(std::string_view(newer).substr(0, kBlock - 4));
    newer.replace(kBlock - 4, 4, reinterpret_cast<const char*>(&checksum), 4);
    overwrite("exits", newer);

    const auto opened = try_open(core::ByteCount::mib(1));

    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), core::Code::kConflict);
    EXPECT_EQ(text("exits"), newer);
}

TEST_F(ExitHistoryTest, WritesWhatWaitedWhenTheDiskHasRoomAgain) {
    const auto history = open();
    ASSERT_TRUE(history->append(make_exit(1, 1)).has_value());
    {
        const FullDisk full(text("exits").size() + 50);
        for (std::uint64_t i = 2; i <= 4; ++i)
            EXPECT_FALSE(history->append(make_exit(1, i)).has_value());
        EXPECT_EQ(history->waiting(), 3U);
        EXPECT_EQ(history->last(id_of(1))->incarnation, 4U) << "remembered all the same";
    }
    ASSERT_TRUE(history->append(make_exit(1, 5)).has_value());

    EXPECT_EQ(history->waiting(), 0U);
    const auto again = open();
    EXPECT_EQ(incarnations(again->recent(id_of(1), 10)), (Numbers{5, 4, 3, 2, 1}));
    EXPECT_TRUE(again->warnings().empty());
}

TEST_F(ExitHistoryTest, CountsWhatCanNeverBeWritten) {
    const auto history = open();
    const FullDisk full(text("exits").size());
    for (std::uint64_t i = 1; i <= 4100; ++i)
        static_cast<void>(history->append(make_exit(1, i)));

    EXPECT_EQ(history->waiting(), 4096U);
    EXPECT_EQ(history->unwritable(), 4U);
}

TEST_F(ExitHistoryTest, TurnsTheFilesOverWithoutRoomForACopy) {
    const core::ByteCount size(64 * static_cast<std::int64_t>(kBlock));
    const auto history = open(size);
    for (std::uint64_t i = 1; i <= 63; ++i)
        ASSERT_TRUE(history->append(make_exit(1, i)).has_value());
    std::filesystem::create_symlink("/dev/full", path("exits.tmp"));

    ASSERT_TRUE(history->append(make_exit(1, 64)).has_value());

    EXPECT_EQ(text("exits").size(), 2 * kBlock);
    EXPECT_EQ(open(size)->recent(id_of(1), 10).size(), 10U);
}

}  // namespace
}  // namespace zona::process
