#include "process/table.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace zona::process {
namespace {

constexpr const char* kBoot = "6b6b1d3c-0f5e-4f43-9d2c-000000000001";

/// A table file as the keeper makes it.
class TableFile : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "zona-table-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        bytes_.assign(kTableBytes, '\0');
        TableHeader& h = header();
        std::memcpy(h.magic, kTableMagic, sizeof h.magic);
        h.version = kTableVersion;
        h.slot_size = sizeof(Slot);
        h.slot_count = kTableSlots;
        std::strncpy(h.boot_id, kBoot, sizeof h.boot_id - 1);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    TableHeader& header() { return *reinterpret_cast<TableHeader*>(bytes_.data()); }
    std::string write() {
        const std::string path = directory_ + "/table";
        std::ofstream(path, std::ios::binary)
            .write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
        return path;
    }
    TableVerdict judge() { return judge_table(bytes_.data(), bytes_.size(), kBoot); }
    void resize(std::size_t size) { bytes_.resize(size); }

  private:
    std::string directory_;
    std::vector<char> bytes_;
};

core::Uuid id(std::uint8_t n) {
    core::Uuid out;
    out.bytes.fill(n);
    return out;
}

TEST_F(TableFile, GivesTheLowestFreeSlotAndRemembersItsOwner) {
    Table table = Table::open(write(), kBoot).value();
    EXPECT_EQ(table.take(id(1)).value(), 0U);
    EXPECT_EQ(table.take(id(2)).value(), 1U);
    EXPECT_EQ(table.take(id(3)).value(), 2U);
    table.release(1);

    EXPECT_EQ(table.take(id(4)).value(), 1U);
    EXPECT_EQ(Table::owner(table.slot(1)), id(4));
    EXPECT_EQ(table.used(), 3U);
}

TEST_F(TableFile, ATakenSlotStartsWithoutThePastOfAnother) {
    Table table = Table::open(write(), kBoot).value();
    const std::uint32_t n = table.take(id(1)).value();
    table.slot(n).restarts.store(7);
    table.slot(n).pid.store(99);
    table.slot(n).word.store(Slot::make_word(5, SlotState::kIdle));
    table.release(n);

    ASSERT_EQ(table.take(id(2)).value(), n);

    EXPECT_EQ(table.slot(n).restarts.load(), 0U);
    EXPECT_EQ(table.slot(n).pid.load(), 0);
    EXPECT_EQ(table.slot(n).incarnation(), 0U);
}

TEST_F(TableFile, NamesTheLimitWhenAllSlotsAreTaken) {
    Table table = Table::open(write(), kBoot).value();
    for (std::uint32_t i = 0; i < kTableSlots; ++i)
        ASSERT_TRUE(table.take(id(1)).has_value());

    const auto more = table.take(id(2));

    ASSERT_FALSE(more.has_value());
    EXPECT_EQ(more.error().code(), core::Code::kResourceExhausted);
    EXPECT_NE(more.error().message().find("16384"), std::string::npos);
}

TEST_F(TableFile, StateAndIncarnationAreOneWord) {
    Slot slot{};
    slot.word.store(Slot::make_word(41, SlotState::kIntent));

    EXPECT_TRUE(slot.word.replace(Slot::make_word(41, SlotState::kIntent),
                                  Slot::make_word(41, SlotState::kRunning)));
    EXPECT_FALSE(slot.word.replace(Slot::make_word(41, SlotState::kIntent),
                                   Slot::make_word(41, SlotState::kExited)));
    EXPECT_EQ(slot.state(), SlotState::kRunning);
    EXPECT_EQ(slot.incarnation(), 41U);
}

// REL-20, REL-21
TEST_F(TableFile, AnotherBootsTableIsNotBelieved) {
    std::strncpy(header().boot_id, "6b6b1d3c-0f5e-4f43-9d2c-000000000002",
                 sizeof header().boot_id - 1);

    EXPECT_EQ(judge(), TableVerdict::kEmpty);
    EXPECT_FALSE(Table::open(write(), kBoot).has_value());
}

TEST_F(TableFile, ANewerVersionIsToldFromADamagedFile) {
    header().version = kTableVersion + 1;
    EXPECT_EQ(judge(), TableVerdict::kNewerVersion);

    header().version = kTableVersion;
    header().used.store(kTableSlots + 1);
    EXPECT_EQ(judge(), TableVerdict::kForeign);

    header().used.store(0);
    header().magic[3] = 'X';
    EXPECT_EQ(judge(), TableVerdict::kForeign);
}

TEST_F(TableFile, ATruncatedTableIsForeignAndAnEmptyOneNew) {
    resize(kTableBytes - 1);
    EXPECT_EQ(judge(), TableVerdict::kForeign);
    resize(100);
    EXPECT_EQ(judge(), TableVerdict::kForeign);
    resize(0);
    EXPECT_EQ(judge(), TableVerdict::kEmpty);
}

}  // namespace
}  // namespace zona::process
