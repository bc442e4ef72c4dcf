#include "store/sqlite_engine.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <thread>

#include <gmock/gmock.h>

#include "os/fd.h"
#include "store/testing/sqlite_files.h"

namespace zona::store {
namespace {

using testing::HasSubstr;

class Engine : public testing::Test {
  protected:
    Result<Record> insert(Database& database, std::int64_t id) {
        return write_and_wait(database,
                              [&](Writer& w) { return w.insert(tasks_, id, task("open")); });
    }
    std::uint64_t count(Database& database) {
        return read_and_wait(database, [&](Reader& r) { return r.count(tasks_, {}); }).value();
    }
    /// Whether so many files are open as soon as the turns are over whose work was answered.
    bool comes_to_have_open(std::size_t files) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (files_.engine().stats().open_files != files) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::yield();
        }
        return true;
    }
    /// How many of this process's threads are the store's.
    static std::size_t threads() {
        std::size_t found = 0;
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
            const auto name = os::read_file((task.path() / "comm").string());
            if (name.has_value() && name->starts_with("store-")) ++found;
        }
        return found;
    }

    SqliteFiles files_;
    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
};

TEST_F(Engine, RefusesOptionsThatMakeNoSense) {
    const auto code = [&](const SqliteEngineOptions& options) {
        const auto engine = SqliteEngine::create(options, files_.clock, files_.log.logger());
        return engine.has_value() ? Code::kInternal : engine.error().code();
    };

    EXPECT_EQ(code({.writers = 0}), Code::kInvalidArgument);
    EXPECT_EQ(code({.readers = 0}), Code::kInvalidArgument);
    EXPECT_EQ(code({.readers = 1000}), Code::kInvalidArgument);
    EXPECT_EQ(code({.checkpoints = 0}), Code::kInvalidArgument);
    EXPECT_EQ(code({.open_files = 0}), Code::kInvalidArgument);
    EXPECT_EQ(code({}), Code::kInternal) << "which it is not, then";
}

TEST_F(Engine, HasNoMoreThreadsForMoreFiles) {
    files_.begin({.writers = 3, .readers = 2, .checkpoints = 1});
    for (int i = 0; i < 40; ++i)
        files_.open(i);
    std::latch answered(80);
    for (const auto& database : files_.databases()) {
        database->submit_write(
            [this](Writer& w) -> Result<void> {
                ZONA_TRY(const Record stored, w.insert(tasks_, 1, task("open")));
                return {};
            },
            [&](const Result<void>& answer) {
                EXPECT_TRUE(answer.has_value());
                answered.count_down();
            });
        database->submit_read([&](const Result<Reader*>& reader) {
            EXPECT_TRUE(reader.has_value());
            answered.count_down();
        });
    }
    answered.wait();

    EXPECT_LE(threads(), 6U);
    EXPECT_LE(files_.engine().stats().idle_readers, 16U);
    for (const auto& database : files_.databases())
        EXPECT_EQ(count(*database), 1U);
}

TEST_F(Engine, GivesEachFileItsTurnWhileAnotherHasMuchToWrite) {
    files_.begin({.writers = 1});
    SqliteOptions one_each = files_.options(0);
    one_each.max_batch = 1;
    Database& busy = files_.open(one_each);
    Database& other = files_.open(1);
    std::promise<void> release;
    const std::shared_future<void> released = release.get_future().share();
    std::latch answered(51);
    std::atomic<int> of_busy = 0;
    int of_busy_before = -1;
    for (int i = 0; i < 50; ++i) {
        busy.submit_write(
            [released](Writer&) -> Result<void> {
                released.wait();
                return {};
            },
            [&](const Result<void>&) {
                ++of_busy;
                answered.count_down();
            });
    }
    other.submit_write([](Writer&) -> Result<void> { return {}; },
                       [&](const Result<void>&) {
                           of_busy_before = of_busy;
                           answered.count_down();
                       });
    release.set_value();
    answered.wait();

    // The one that was under way, and one that stood before it.
    EXPECT_LE(of_busy_before, 2);
}

TEST_F(Engine, LeavesReadersForOthersWhileAFileIsReadSlowly) {
    files_.begin({.readers = 2});
    SqliteOptions options = files_.options(0);
    options.readers = 1;
    Database& slow = files_.open(options);
    Database& other = files_.open(1);
    std::promise<void> release;
    const std::shared_future<void> released = release.get_future().share();
    std::latch answered(5);
    for (int i = 0; i < 5; ++i) {
        slow.submit_read([&, released](const Result<Reader*>&) {
            released.wait();
            answered.count_down();
        });
    }

    EXPECT_EQ(count(other), 0U) << "answered at all";

    release.set_value();
    answered.wait();
}

TEST_F(Engine, ClosesTheFileThatWasUsedLongestAgoAndOpensItAgain) {
    files_.begin({.open_files = 2});
    for (int i = 0; i < 3; ++i) {
        files_.open(i);
        ASSERT_TRUE(insert(files_.database(i), i).has_value());
    }

    EXPECT_TRUE(comes_to_have_open(2));
    EXPECT_FALSE(std::filesystem::exists(files_.path(0) + "-wal")) << "its log is in the file";
    EXPECT_TRUE(std::filesystem::exists(files_.path(1) + "-wal"));

    EXPECT_EQ(count(files_.database(0)), 1U);
    EXPECT_TRUE(insert(files_.database(0), 7).has_value());
    EXPECT_EQ(count(files_.database(0)), 2U);

    EXPECT_TRUE(comes_to_have_open(2));
    EXPECT_EQ(files_.database(0).stats().opened, 2U);
    EXPECT_FALSE(std::filesystem::exists(files_.path(1) + "-wal")) << "its turn";
    EXPECT_EQ(files_.engine().stats().closed_for_others, 2U);
}

TEST_F(Engine, ClosesNoFileThatHasWork) {
    files_.begin({.open_files = 1});
    Database& busy = files_.open(0);
    Database& other = files_.open(1);
    std::promise<void> begun;
    std::promise<void> release;
    auto released = release.get_future();
    std::promise<Result<void>> answer;
    busy.submit_write(
        [&](Writer& w) -> Result<void> {
            begun.set_value();
            released.wait();
            ZONA_TRY(const Record stored, w.insert(tasks_, 1, task("open")));
            return {};
        },
        [&](Result<void> done) { answer.set_value(std::move(done)); });
    begun.get_future().wait();

    EXPECT_TRUE(insert(other, 1).has_value());
    EXPECT_TRUE(insert(other, 2).has_value());
    EXPECT_EQ(files_.database(0).stats().opened, 2U) << "once when it was made, once for this";
    release.set_value();

    EXPECT_TRUE(answer.get_future().get().has_value());
    EXPECT_TRUE(comes_to_have_open(1));
    EXPECT_EQ(count(busy), 1U);
    EXPECT_EQ(count(other), 2U);
}

TEST_F(Engine, AnswersEverythingWhileFilesAreClosedAndOpened) {
    constexpr int kFiles = 12;
    constexpr int kThreads = 6;
    constexpr int kRounds = 60;
    files_.begin({.writers = 4, .readers = 3, .open_files = 3, .idle_readers = 2});
    for (int i = 0; i < kFiles; ++i) {
        Database& database = files_.open(i);
        ASSERT_TRUE(write_and_wait(database, [&](Writer& w) {
                        return w.insert(tasks_, 0, task("open", 0));
                    }).has_value());
    }
    const Update one_more = Update().inc("priority", 1);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < kRounds; ++round) {
                Database& database = files_.database((round * 5 + t) % kFiles);
                EXPECT_TRUE(write_and_wait(database, [&](Writer& w) {
                                return w.modify(tasks_, 0, one_more);
                            }).has_value());
                EXPECT_EQ(count(database), 1U);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();

    std::int64_t sum = 0;
    for (const auto& database : files_.databases()) {
        const auto found = read_and_wait(*database, [&](Reader& r) { return r.find(tasks_, 0); });
        sum += found.value()->document->at("priority").to_number<std::int64_t>();
    }
    EXPECT_EQ(sum, kThreads * kRounds);
    EXPECT_TRUE(comes_to_have_open(3));
    EXPECT_GT(files_.engine().stats().closed_for_others, 20U);
}

TEST_F(Engine, SaysWhyAFileCannotBeOpenedAgainAndTriesWithTheNextWork) {
    files_.begin({.open_files = 1});
    files_.open(0);
    files_.open(1);
    std::filesystem::rename(files_.path(0), files_.path(0) + ".away");
    std::filesystem::create_directory(files_.path(0));

    const auto refused = insert(files_.database(0), 1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message(), HasSubstr(files_.path(0)));

    std::filesystem::remove(files_.path(0));
    std::filesystem::rename(files_.path(0) + ".away", files_.path(0));
    EXPECT_TRUE(insert(files_.database(0), 1).has_value());
}

class WhileClosed : public Engine {
  protected:
    Result<void> while_closed(const std::function<Result<void>()>& work) {
        std::promise<Result<void>> answer;
        files_.database(0).while_closed(
            work, [&](Result<void> done) { answer.set_value(std::move(done)); });
        return answer.get_future().get();
    }
};

TEST_F(WhileClosed, AnotherFileIsPutInPlaceUnderWhoeverHoldsTheDatabase) {
    files_.begin({});
    Database& database = files_.open(0);
    ASSERT_TRUE(insert(database, 1).has_value());
    const auto copied = while_closed([&]() -> Result<void> {
        EXPECT_FALSE(std::filesystem::exists(files_.path(0) + "-wal"));
        std::filesystem::copy_file(files_.path(0), files_.path(0) + ".copy");
        return {};
    });
    ASSERT_TRUE(copied.has_value());
    ASSERT_TRUE(insert(database, 2).has_value());
    ASSERT_EQ(count(database), 2U);

    std::promise<Result<void>> waited;
    const auto replaced = while_closed([&]() -> Result<void> {
        // What comes meanwhile waits.
        database.submit_write(
            [this](Writer& w) -> Result<void> {
                ZONA_TRY(const Record stored, w.insert(tasks_, 3, task("open")));
                return {};
            },
            [&](Result<void> done) { waited.set_value(std::move(done)); });
        std::filesystem::rename(files_.path(0) + ".copy", files_.path(0));
        return {};
    });

    EXPECT_TRUE(replaced.has_value());
    EXPECT_TRUE(waited.get_future().get().has_value());
    EXPECT_EQ(count(database), 2U) << "1 and 3";
}

TEST_F(WhileClosed, WhatCannotBeOpenedThenIsTheAnswerUntilItCan) {
    files_.begin({});
    Database& database = files_.open(0);
    ASSERT_TRUE(insert(database, 1).has_value());
    const std::string kept = files_.path(0) + ".kept";

    const auto spoiled = while_closed([&]() -> Result<void> {
        std::filesystem::rename(files_.path(0), kept);
        std::ofstream(files_.path(0)) << std::string(8192, 'x');
        return {};
    });
    ASSERT_FALSE(spoiled.has_value());
    EXPECT_THAT(spoiled.error().message(), HasSubstr("damaged"));
    EXPECT_FALSE(insert(database, 2).has_value());
    EXPECT_FALSE(
        read_and_wait(database, [&](Reader& r) { return r.count(tasks_, {}); }).has_value());

    const auto mended = while_closed([&]() -> Result<void> {
        std::filesystem::rename(kept, files_.path(0));
        return Error(Code::kCancelled, "its own error is told");
    });
    ASSERT_FALSE(mended.has_value());
    EXPECT_EQ(mended.error().code(), Code::kCancelled);
    EXPECT_EQ(count(database), 1U);
}

}  // namespace
}  // namespace zona::store
