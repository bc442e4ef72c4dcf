#include "process/state_store.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "process/detail/state_checksum.h"
#include "process/detail/state_testing.h"

namespace zona::process {
namespace {

using Texts = std::vector<std::string>;

class StateStoreTest : public StateFiles {
  protected:
    static std::size_t count(std::string_view text, std::string_view word) {
        std::size_t times = 0;
        for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
            ++times;
        return times;
    }
    Texts names() const { return os::list_directory(directory_).value(); }
    std::size_t journals() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            names(), [](const auto& n) { return n.starts_with("journal."); }));
    }
};

// PM-11, REL-20
TEST_F(StateStoreTest, LoadsAllSettingsOfWhatWasPut) {
    StoredProcess web = make_process(3);
    web.instance = 2;
    web.desired = Desired::kStopped;
    auto app = std::make_shared<StoredApp>(*web.app);
    app->spec.interpreter = "python3";
    app->spec.env = {{"MODE", "live"}};
    app->spec.restart_delay = std::chrono::milliseconds(250);
    web.app = app;
    ASSERT_TRUE(open()->put(web).has_value());

    const LoadedState loaded = load();

    ASSERT_EQ(loaded.processes.size(), 1U);
    EXPECT_EQ(describe(loaded.processes[0]), describe(web));
    EXPECT_EQ(loaded.processes[0].app->spec, web.app->spec);
    EXPECT_EQ(loaded.next_pm_id, 4U);
    EXPECT_EQ(loaded.warnings, Texts());
}

// PM-11
TEST_F(StateStoreTest, LoadsTheChangesInTheirOrder) {
    {
        const auto store = open();
        for (std::uint32_t i = 0; i < 4; ++i)
            ASSERT_TRUE(store->put(make_process(i)).has_value());
        ASSERT_TRUE(store->set_desired(id_of(1), Desired::kStopped).has_value());
        ASSERT_TRUE(store->remove(id_of(3)).has_value());
        StoredProcess changed = make_process(2);
        changed.out_file = "/elsewhere";
        ASSERT_TRUE(store->put(changed).has_value());
    }

    const LoadedState loaded = load();

    StoredProcess one = make_process(1);
    one.desired = Desired::kStopped;
    StoredProcess two = make_process(2);
    two.out_file = "/elsewhere";
    EXPECT_EQ(describe_all(loaded.processes), describe_all({make_process(0), one, two}));
    EXPECT_EQ(loaded.next_pm_id, 4U) << "3 was given and is not given again";
}

TEST_F(StateStoreTest, GivesPmIdsAnewWhenTheListWasEmpty) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(7)).has_value());
    ASSERT_TRUE(store->remove(id_of(7)).has_value());

    EXPECT_EQ(load().next_pm_id, 0U);
}

TEST_F(StateStoreTest, RefusesChangesOfProcessesThatAreNotThere) {
    const auto store = open();

    EXPECT_EQ(store->remove(id_of(1)).error().code(), core::Code::kNotFound);
    EXPECT_EQ(store->set_desired(id_of(1), Desired::kStopped).error().code(),
              core::Code::kNotFound);
}

TEST_F(StateStoreTest, RefusesWhatItCouldNotLoad) {
    const auto store = open();
    StoredProcess no_app = make_process(1);
    no_app.app = nullptr;
    auto bad = std::make_shared<StoredApp>(*make_app("bad"));
    bad->spec.name = "two\nlines";

    EXPECT_EQ(store->put(no_app).error().code(), core::Code::kInvalidArgument);
    EXPECT_EQ(store->put(make_process(2, bad)).error().code(), core::Code::kInvalidArgument);
    EXPECT_EQ(load().processes.size(), 0U);
}

TEST_F(StateStoreTest, NamesTheLimitWhenAllAppsTogetherAreTooLarge) {
    const auto store = open({.state_limit = core::ByteCount(2000)});
    ASSERT_TRUE(store->put(make_process(1)).has_value());
    ASSERT_TRUE(store->put(make_process(2)).has_value());

    const auto refused = store->put(make_process(3));

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), core::Code::kTooLarge);
    EXPECT_NE(refused.error().message().find("2000"), std::string::npos);
}

TEST_F(StateStoreTest, WritesAnAppOnceForAllItsInstances) {
    const auto app = make_app("many");
    {
        const auto store = open();
        for (std::uint32_t i = 0; i < 500; ++i)
            ASSERT_TRUE(store->put(make_process(i, app)).has_value());
        const auto equal = std::make_shared<StoredApp>(*app);
        ASSERT_TRUE(store->put(make_process(500, equal)).has_value());
        EXPECT_EQ(count(text("journal.1"), "s3cret"), 1U);
        ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
        EXPECT_EQ(count(text("saved.json"), "s3cret"), 1U);
    }

    const LoadedState loaded = load();

    ASSERT_EQ(loaded.processes.size(), 501U);
    EXPECT_EQ(loaded.processes[0].app, loaded.processes[500].app);
}

TEST_F(StateStoreTest, KeepsBytesThatAreNotUtf8) {
    StoredProcess odd = make_process(1);
    auto app = std::make_shared<StoredApp>(*odd.app);
    app->caller_environment["LATIN"] = "caf\xe9";
    app->caller_environment["N\xff"] = "x";
    odd.app = app;
    odd.out_file = "/logs/\xe9.log";
    ASSERT_TRUE(open()->put(odd).has_value());

    const LoadedState loaded = load();

    ASSERT_EQ(loaded.processes.size(), 1U);
    EXPECT_EQ(describe(loaded.processes[0]), describe(odd));
}

TEST_F(StateStoreTest, LetsNobodyElseReadItsFiles) {
    {
        const auto store = open();
        ASSERT_TRUE(store->put(make_process(1)).has_value());
        ASSERT_TRUE(store->save(EmptySave::kRefuse).has_value());
    }
    damage("journal.1", 5);
    load();  // makes a snapshot

    for (const std::string& name : names()) {
        EXPECT_EQ(os::stat_path(path(name)).value()->mode & 0777U, 0600U) << name;
    }
    EXPECT_EQ(os::stat_path(directory_).value()->mode & 0777U, 0700U);
}

TEST_F(StateStoreTest, AnswersEveryCommit) {
    std::atomic<int> good = 0;
    {
        const auto store = open();
        std::vector<std::jthread> threads;
        for (std::uint32_t t = 0; t < 4; ++t) {
            threads.emplace_back([&store, &good, t] {
                for (std::uint32_t i = 0; i < 25; ++i) {
                    static_cast<void>(store->put(make_process(100 * t + i)));
                    store->commit([&good](core::Result<void> result) {
                        if (result.has_value()) ++good;
                    });
                }
            });
        }
    }

    EXPECT_EQ(good, 100);
    EXPECT_EQ(load().processes.size(), 100U);
}

// REL-21
TEST_F(StateStoreTest, StartsTheJournalAnewBehindASnapshot) {
    std::vector<StoredProcess> all;
    {
        const auto store = open({.journal_size = core::ByteCount(4096)});
        for (std::uint32_t i = 0; i < 100; ++i) {
            all.push_back(make_process(i));
            ASSERT_TRUE(store->put(all.back()).has_value());
            ASSERT_TRUE(commit(*store).has_value());
        }
    }

    EXPECT_TRUE(exists("snapshot.json"));
    EXPECT_TRUE(exists("snapshot.previous.json"));
    EXPECT_LE(journals(), 3U);
    EXPECT_FALSE(exists("journal.1"));
    const LoadedState loaded = load();
    EXPECT_EQ(describe_all(loaded.processes), describe_all(all));
    EXPECT_EQ(loaded.warnings, Texts());
}

/// A store that has two generations of snapshots and a journal behind them.
class StateStoreDamage : public StateStoreTest {
  protected:
    void SetUp() override {
        StateStoreTest::SetUp();
        const auto store = open({.journal_size = core::ByteCount(4096)});
        while (!os::stat_path(path("snapshot.previous.json")).value().has_value())
            add(*store);
        add(*store);
    }
    void add(StateStore& store) {
        all_.push_back(make_process(static_cast<std::uint32_t>(all_.size())));
        ASSERT_TRUE(store.put(all_.back()).has_value());
        ASSERT_TRUE(commit(store).has_value());
    }
    std::vector<StoredProcess> all_;
};

// REL-21
TEST_F(StateStoreDamage, LosesNothingWhenTheSnapshotIsDamaged) {
    damage("snapshot.json", 200);

    const LoadedState loaded = load();

    EXPECT_EQ(describe_all(loaded.processes), describe_all(all_));
    ASSERT_EQ(loaded.warnings.size(), 2U);
    EXPECT_NE(loaded.warnings[0].find("snapshot.json.damaged"), std::string::npos);
    EXPECT_TRUE(exists("snapshot.json.damaged"));
    EXPECT_EQ(load().warnings, Texts()) << "mended";
}

// REL-21
TEST_F(StateStoreDamage, LosesNothingWhenTheSnapshotIsEmptyOrGone) {
    overwrite("snapshot.json", "");
    EXPECT_EQ(describe_all(load().processes), describe_all(all_));

    std::filesystem::remove(path("snapshot.json"));
    EXPECT_EQ(describe_all(load().processes), describe_all(all_));
}

TEST_F(StateStoreDamage, KeepsTheFilesAndSaysSoWhenNothingCanBeRead) {
    damage("snapshot.json", 200);
    damage("snapshot.previous.json", 200);

    const LoadedState loaded = load();

    EXPECT_EQ(loaded.processes.size(), 0U);
    EXPECT_TRUE(exists("snapshot.json.damaged"));
    EXPECT_TRUE(exists("snapshot.previous.json.damaged"));
    ASSERT_FALSE(loaded.warnings.empty());
    EXPECT_NE(loaded.warnings.back().find("resurrect"), std::string::npos);
    const LoadedState again = load();
    EXPECT_EQ(again.processes.size(), 0U);
    EXPECT_EQ(again.warnings, Texts());
}

TEST_F(StateStoreDamage, KeepsEachDamagedFileUnderANameOfItsOwn) {
    for (int i = 0; i < 3; ++i) {
        damage("snapshot.json", 200);
        EXPECT_EQ(describe_all(load().processes), describe_all(all_));
    }

    EXPECT_TRUE(exists("snapshot.json.damaged"));
    EXPECT_TRUE(exists("snapshot.json.damaged.2"));
    EXPECT_TRUE(exists("snapshot.json.damaged.3"));
}

// REL-21
TEST_F(StateStoreTest, StopsAtADamagedRecordAndSaysWhatIsLost) {
    {
        const auto store = open();
        for (std::uint32_t i = 0; i < 4; ++i)
            ASSERT_TRUE(store->put(make_process(i)).has_value());
        ASSERT_TRUE(store->remove(id_of(0)).has_value());
    }
    damage("journal.1", text("journal.1").find("app1"));

    const LoadedState loaded = load();

    EXPECT_EQ(describe_all(loaded.processes), describe_all({make_process(0)}));
    const std::string all = fmt::format("{}", fmt::join(loaded.warnings, "\n"));
    EXPECT_NE(all.find("behind record 1"), std::string::npos) << all;
    EXPECT_NE(all.find("settings of app2 (pm_id 2); settings of app3 (pm_id 3); removal of app0"),
              std::string::npos)
        << all;
    EXPECT_EQ(all.find("s3cret"), std::string::npos);
    EXPECT_TRUE(exists("journal.1.damaged"));
}

// REL-21
TEST_F(StateStoreTest, GoesOnAfterDamage) {
    {
        const auto store = open();
        for (std::uint32_t i = 0; i < 3; ++i)
            ASSERT_TRUE(store->put(make_process(i)).has_value());
    }
    damage("journal.1", text("journal.1").find("app1"));
    ASSERT_TRUE(open()->put(make_process(5)).has_value());

    const LoadedState loaded = load();

    EXPECT_EQ(describe_all(loaded.processes), describe_all({make_process(0), make_process(5)}));
    EXPECT_EQ(loaded.warnings, Texts());
}

// REL-21
TEST_F(StateStoreTest, CutsATornRecordOffAndSaysSo) {
    ASSERT_TRUE(open()->put(make_process(0)).has_value());
    const std::string whole = text("journal.1");
    overwrite("journal.1", whole + whole.substr(0, 40));

    const LoadedState loaded = load();

    EXPECT_EQ(loaded.processes.size(), 1U);
    ASSERT_EQ(loaded.warnings.size(), 1U);
    EXPECT_NE(loaded.warnings[0].find("40 bytes are cut off"), std::string::npos);
    EXPECT_EQ(text("journal.1"), whole);
}

TEST_F(StateStoreTest, TouchesNothingOfANewerFormat) {
    ASSERT_TRUE(open()->put(make_process(0)).has_value());
    const std::string members = "\"sequence\":9}\n";
    overwrite("snapshot.json",
              fmt::format("{{\"format\":7,\"crc32c\":\"{:08x}\",\n{}",
                          detail::crc32c(members, detail::crc32c("7\n")), members));
    const Texts before = names();
    const std::string journal = text("journal.1");

    const auto opened = try_open();

    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), core::Code::kConflict);
    EXPECT_NE(opened.error().message().find("format 7"), std::string::npos);
    EXPECT_NE(opened.error().message().find("up to 1"), std::string::npos);
    EXPECT_EQ(names(), before);
    EXPECT_EQ(text("journal.1"), journal);
}

TEST_F(StateStoreTest, TouchesNothingOfANewerJournal) {
    ASSERT_TRUE(open()->put(make_process(0)).has_value());
    const std::string journal =
        text("journal.1") + fmt::format("2 {:08x} 2 x\n", detail::crc32c("2 2 x"));
    overwrite("journal.1", journal);

    EXPECT_EQ(try_open().error().code(), core::Code::kConflict);
    EXPECT_EQ(text("journal.1"), journal);
}

TEST_F(StateStoreTest, RefusesChangesWhileTheDiskIsFullAndGoesOnAfterwards) {
    const auto store = open();
    ASSERT_TRUE(store->put(make_process(0)).has_value());
    const std::string before = text("journal.1");
    {
        const FullDisk full(before.size() + 30);
        for (const std::uint32_t number : {1U, 2U}) {
            const auto refused = store->put(make_process(number));
            ASSERT_FALSE(refused.has_value());
            EXPECT_EQ(refused.error().code(), core::Code::kResourceExhausted);
        }
        EXPECT_EQ(text("journal.1"), before) << "half a record was left";
    }
    ASSERT_TRUE(store->put(make_process(3)).has_value());
    ASSERT_TRUE(commit(*store).has_value());

    const LoadedState loaded = load();

    EXPECT_EQ(describe_all(loaded.processes), describe_all({make_process(0), make_process(3)}));
    EXPECT_EQ(loaded.warnings, Texts());
}

TEST_F(StateStoreTest, GoesOnWithTheJournalWhenThereIsNoRoomForASnapshot) {
    std::filesystem::create_directories(directory_);
    std::vector<StoredProcess> all;
    {
        const auto store = open({.journal_size = core::ByteCount(2000)});
        for (std::uint32_t i = 0; i < 20; ++i) {
            std::filesystem::remove(path("snapshot.json.tmp"));
            std::filesystem::create_symlink("/dev/full", path("snapshot.json.tmp"));
            all.push_back(make_process(i));
            ASSERT_TRUE(store->put(all.back()).has_value());
            ASSERT_TRUE(commit(*store).has_value());
        }
    }
    EXPECT_GT(journals(), 1U);

    EXPECT_EQ(describe_all(load().processes), describe_all(all));
}

TEST_F(StateStoreTest, OpensOnAFullDiskAndRefusesChangesUntilDamageIsMended) {
    {
        const auto store = open();
        ASSERT_TRUE(store->put(make_process(0)).has_value());
        ASSERT_TRUE(store->put(make_process(1)).has_value());
    }
    damage("journal.1", text("journal.1").find("app1"));
    std::filesystem::create_symlink("/dev/full", path("snapshot.json.tmp"));

    const auto store = open();

    const LoadedState loaded = store->take_loaded();
    EXPECT_EQ(describe_all(loaded.processes), describe_all({make_process(0)}));
    EXPECT_NE(loaded.warnings.back().find("until there is space"), std::string::npos);
    EXPECT_EQ(store->put(make_process(2)).error().code(), core::Code::kResourceExhausted);
    // The failed attempt has removed the temporary file: now there is room.
    ASSERT_TRUE(commit(*store).has_value());
    ASSERT_TRUE(store->put(make_process(3)).has_value());
    EXPECT_EQ(describe_all(load().processes), describe_all({make_process(0), make_process(3)}));
}

TEST_F(StateStoreTest, ReportsADirectoryThatCannotBeMade) {
    const os::UniqueFd file = os::open_file(directory_, O_WRONLY | O_CREAT).value();

    EXPECT_EQ(try_open().error().code(), core::Code::kConflict);
}

}  // namespace
}  // namespace zona::process
