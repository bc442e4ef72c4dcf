#include "process/detail/state_checksum.h"
#include "process/detail/state_testing.h"

namespace zona::process {
namespace {

using SaveAndKill = StateFiles;

// PM-11
TEST_F(SaveAndKill, ResurrectGivesWhatWasSavedAfterTheDaemonWasReplaced) {
    {
        const auto store = open();
        ASSERT_TRUE(store->put(make_process(1)).has_value());
        ASSERT_TRUE(store->put(make_process(2)).has_value());
        const SaveReport report = store->save(EmptySave::kRefuse).value();
        EXPECT_EQ(report.processes, 2U);
        EXPECT_EQ(report.file, path("saved.json"));
        ASSERT_TRUE(store->remove(id_of(1)).has_value());
    }

    const SavedProcesses saved = open()->load_saved().value();

    EXPECT_EQ(saved.from, SavedFrom::kSaved);
    EXPECT_EQ(saved.file, path("saved.json"));
    EXPECT_EQ(describe_all(saved.processes), describe_all({make_process(1), make_process(2)}));
    EXPECT_EQ(describe_all(load().processes), describe_all({make_process(2)}));
}

TEST_F(SaveAndKill, AnEmptyListIsSavedOnlyByForce) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    ASSERT_TRUE(store->remove(id_of(1)).has_value());

    EXPECT_EQ(store->save(EmptySave::kRefuse).error().code(), core::Code::kConflict);
    EXPECT_EQ(store->load_saved().value().processes.size(), 1U);
    EXPECT_EQ(store->save(EmptySave::kAllow).value().processes, 0U);
    EXPECT_EQ(store->load_saved().value().processes.size(), 0U);
}

TEST_F(SaveAndKill, NothingSavedAndNothingKilledIsNotFound) {
    EXPECT_EQ(open()->load_saved().error().code(), core::Code::kNotFound);
}

// REL-21
TEST_F(SaveAndKill, ADamagedListFallsBackToThePreviousOneAndSaysSo) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    ASSERT_TRUE(store->put(make_process(2)).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    damage("saved.json", 100);

    const SavedProcesses saved = store->load_saved().value();

    EXPECT_EQ(saved.from, SavedFrom::kPrevious);
    EXPECT_EQ(describe_all(saved.processes), describe_all({make_process(1)}));
    ASSERT_EQ(saved.warnings.size(), 1U);
    EXPECT_NE(saved.warnings[0].find("saved.json is damaged"), std::string::npos);
}

TEST_F(SaveAndKill, ADamagedListIsNeitherDeletedNorMadeThePreviousOne) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    damage("saved.json", 100);
    const std::string damaged = text("saved.json");

    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());

    EXPECT_EQ(text("saved.json.damaged"), damaged);
    damage("saved.json", 100);
    EXPECT_EQ(store->load_saved().value().from, SavedFrom::kPrevious);
    damage("saved.previous.json", 100);
    EXPECT_EQ(store->load_saved().error().code(), core::Code::kConflict);
    EXPECT_TRUE(exists("saved.json") && exists("saved.previous.json"));
}

TEST_F(SaveAndKill, AListOfANewerFormatIsLeftAlone) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    const std::string newer = R"({"format": 2, "anything": [1, 2]})";
    overwrite("saved.json", newer);

    EXPECT_EQ(store->load_saved().error().code(), core::Code::kConflict);
    EXPECT_EQ(store->save(EmptySave::kRefuse).error().code(), core::Code::kConflict);
    EXPECT_EQ(text("saved.json"), newer);
}

TEST_F(SaveAndKill, TheOldListStaysWhenTheDiskIsFull) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    const std::string before = text("saved.json");
    std::filesystem::create_symlink("/dev/full", path("saved.json.tmp"));

    const auto saved = store->save(EmptySave::kRefuse);

    ASSERT_FALSE(saved.has_value());
    EXPECT_EQ(saved.error().code(), core::Code::kResourceExhausted);
    EXPECT_EQ(text("saved.json"), before);
}

// PM-11
TEST_F(SaveAndKill, WhatWasKilledIsNotStartedButOffered) {
    {
        const auto store = open();
        ASSERT_TRUE(store->put(make_process(1)).has_value());
        ASSERT_TRUE(store->put(make_process(2)).has_value());
        ASSERT_TRUE(store->mark_killed().has_value());
    }

    const auto store = open();
    const LoadedState loaded = store->take_loaded();

    EXPECT_EQ(loaded.processes.size(), 0U);
    EXPECT_EQ(loaded.next_pm_id, 0U);
    EXPECT_EQ(describe_all(loaded.killed), describe_all({make_process(1), make_process(2)}));
    const SavedProcesses offered = store->load_saved().value();
    EXPECT_EQ(offered.from, SavedFrom::kKilled);
    EXPECT_EQ(describe_all(offered.processes), describe_all(loaded.killed));
}

TEST_F(SaveAndKill, ASecondKillReplacesOnlyAppsOfTheSameNames) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->put(make_process(2)).has_value());
    ASSERT_TRUE(store->mark_killed().has_value());
    ASSERT_TRUE(store->mark_killed().has_value()) << "nothing is there: nothing is replaced";
    const StoredProcess again = make_process(9, make_app("app2"));
    ASSERT_TRUE(store->put(again).has_value());
    ASSERT_TRUE(store->mark_killed().has_value());

    EXPECT_EQ(describe_all(store->killed()), describe_all({make_process(1), again}));
    EXPECT_EQ(describe_all(load().killed), describe_all(store->killed()));
}

TEST_F(SaveAndKill, SavingOrResurrectingForgetsTheKilled) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->mark_killed().has_value());
    ASSERT_TRUE(store->clear_killed().has_value());
    EXPECT_EQ(store->killed().size(), 0U);

    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->mark_killed().has_value());
    ASSERT_TRUE(store->put(make_process(2)).has_value());
    ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    EXPECT_EQ(store->killed().size(), 0U);
    EXPECT_EQ(load().killed.size(), 0U);
}

TEST_F(SaveAndKill, KilledProcessesSurviveASnapshot) {
    {
        const auto store = open({.journal_size = core::ByteCount(1000)});
        ASSERT_TRUE(store->put(make_process(1)).has_value());
        ASSERT_TRUE(store->mark_killed().has_value());
        for (std::uint32_t i = 10; i < 20; ++i) {
            ASSERT_TRUE(store->put(make_process(i)).has_value());
            ASSERT_TRUE(commit(*store).has_value());
        }
    }
    EXPECT_TRUE(exists("snapshot.json"));

    EXPECT_EQ(describe_all(load().killed), describe_all({make_process(1)}));
}

}  // namespace
}  // namespace zona::process
