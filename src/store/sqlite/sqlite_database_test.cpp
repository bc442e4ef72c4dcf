#include "store/sqlite_database.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <latch>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "os/fd.h"
#include "store/sqlite/detail/session.h"
#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

using testing::HasSubstr;

class Sqlite : public testing::Test {
  protected:
    std::unique_ptr<SqliteDatabase> open() { return file_.open().value(); }

    static Result<Record> insert(Database& database, const Collection& collection, const Id& id,
                                 const json::object& document) {
        return write_and_wait(database,
                              [&](Writer& w) { return w.insert(collection, id, document); });
    }
    static std::uint64_t count(Database& database, const Collection& collection) {
        return read_and_wait(database, [&](Reader& r) { return r.count(collection, {}); }).value();
    }
    void fill(Database& database, int documents) {
        ASSERT_TRUE(write_and_wait(database, [&](Writer& w) -> Result<int> {
                        for (int i = 0; i < documents; ++i) {
                            ZONA_TRY(const Record stored,
                                     w.insert(tasks_, i, task(i % 10 == 0 ? "done" : "open", i)));
                        }
                        return 0;
                    }).has_value());
    }
    static std::string bytes(const std::string& path) {
        return os::read_file(path, std::size_t{1} << 30U).value_or("");
    }

    SqliteFile file_;
    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
    const Collection others_{tasks_spec(), Scope::tenant("globex").value()};
};

// DATA-43
TEST_F(Sqlite, AddsUpInTheServerWhatIndexesHold) {
    SqliteOptions options = file_.options();
    options.max_examined = 5;
    const auto database = file_.open(options).value();
    fill(*database, 20);
    const auto sum_of = [&](const char* field) {
        const Aggregation sum{.group_by = "status",
                              .measures = {{.kind = Measure::Kind::kSum, .path = field}},
                              .walk = Walk::kAllow};
        return read_and_wait(*database, [&](Reader& r) { return r.aggregate(tasks_, sum); });
    };
    const auto groups = sum_of("priority");
    ASSERT_TRUE(groups) << groups.error().message();
    EXPECT_EQ(groups->size(), 2U);
    EXPECT_FALSE(sum_of("score")) << "these are looked at one by one";
    // All of it from one index that holds both, whatever index lists all documents.
    const auto* const served =
        read_and_wait(*database, [&](Reader& r) -> Result<const IndexSpec*> {
            const Aggregation sum{.group_by = "status",
                                  .measures = {{.kind = Measure::Kind::kSum, .path = "priority"}},
                                  .walk = Walk::kAllow};
            ZONA_TRY_VOID(r.aggregate(tasks_, sum));
            return r.served_by();
        }).value();
    EXPECT_EQ(served->name, "by_status_priority");
}

TEST_F(Sqlite, KeepsWhatItWasGivenAndForItsOwnerAlone) {
    {
        const auto database = open();
        ASSERT_TRUE(insert(*database, tasks_, 1, task("open")).has_value());
        for (const char* suffix : {"", "-wal", "-shm"}) {
            struct stat status{};
            ASSERT_EQ(::stat((file_.path() + suffix).c_str(), &status), 0) << suffix;
            EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
        }
    }
    EXPECT_FALSE(std::filesystem::exists(file_.path() + "-wal")) << "closed in order";

    const auto database = open();

    EXPECT_EQ(count(*database, tasks_), 1U);
}

TEST_F(Sqlite, ReportsAForeignDocumentInTheLog) {
    const auto database = open();
    ASSERT_TRUE(insert(*database, others_, 7, task("open")).has_value());
    file_.execute("UPDATE c_tasks SET scope='acme'");

    const auto found = read_and_wait(*database, [&](Reader& r) { return r.find(tasks_, 7); });

    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code(), Code::kForbidden);
    EXPECT_TRUE(file_.log.has(R"("scope":"acme","owner":"globex","id":"7")"));
}

TEST_F(Sqlite, RefusesOptionsThatMakeNoSense) {
    const auto code = [&](const std::function<void(SqliteOptions&)>& spoil) {
        SqliteOptions options = file_.options();
        spoil(options);
        const auto database = file_.open(options);
        return database.has_value() ? Code::kInternal : database.error().code();
    };
    CollectionSpec twin{.name = "tasks"};
    CollectionSpec bad{.name = "No Name"};

    EXPECT_EQ(code([](SqliteOptions& o) { o.path = "store.db"; }), Code::kInvalidArgument);
    EXPECT_EQ(code([](SqliteOptions& o) { o.page_token_key = core::Secret("short"); }),
              Code::kInvalidArgument);
    EXPECT_EQ(code([](SqliteOptions& o) { o.readers = 0; }), Code::kInvalidArgument);
    EXPECT_EQ(code([](SqliteOptions& o) { o.max_batch = 0; }), Code::kInvalidArgument);
    EXPECT_EQ(code([&](SqliteOptions& o) { o.collections.push_back(&twin); }),
              Code::kInvalidArgument);
    EXPECT_EQ(code([&](SqliteOptions& o) { o.collections.push_back(&bad); }),
              Code::kInvalidArgument);
    EXPECT_EQ(code([](SqliteOptions& o) { o.vfs = "nobody"; }), Code::kInternal);
    EXPECT_EQ(code([](SqliteOptions& o) {
                  o.prepare = [](sqlite3*) -> Result<void> {
                      return Error(Code::kUnauthenticated, "no key");
                  };
              }),
              Code::kUnauthenticated);
}

// REL-16
TEST_F(Sqlite, CommitsTogetherWhatWaitsAndUndoesOneAlone) {
    std::promise<void> release;
    auto released = release.get_future();
    std::latch answered(12);
    std::vector<Result<void>> answers(12, Error(Code::kInternal, "unanswered"));
    const auto database = open();
    // While the first is under way, eleven others come to wait.
    for (int i = 0; i < 12; ++i) {
        database->submit_write(
            [&, i](Writer& w) -> Result<void> {
                if (i == 0) released.wait();
                ZONA_TRY(const Record stored, w.insert(tasks_, i, task("open")));
                if (i == 5) return Error(Code::kCancelled, "not this one");
                return {};
            },
            [&, i](Result<void> answer) {
                answers[static_cast<std::size_t>(i)] = std::move(answer);
                answered.count_down();
            });
    }
    release.set_value();
    answered.wait();

    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(answers[i].has_value(), i != 5) << i;
    EXPECT_EQ(count(*database, tasks_), 11U);
    EXPECT_EQ(database->stats().transactions, 12U);
    EXPECT_LE(database->stats().batches, 2U);
}

// REL-16
TEST_F(Sqlite, KeepsNothingOfATransactionThatCannotBeUndone) {
    std::promise<void> release;
    auto released = release.get_future();
    std::latch answered(4);
    std::vector<Result<void>> answers(4, Error(Code::kInternal, "unanswered"));
    const auto database = open();
    const std::uint64_t commits = database->load().commits;
    // While the first is under way, three others come to wait, the second of them a broken one.
    for (int i = 0; i < 4; ++i) {
        database->submit_write(
            [&, i](Writer& w) -> Result<void> {
                if (i == 0) released.wait();
                ZONA_TRY(const Record stored, w.insert(tasks_, i, task("open")));
                if (i != 2) return {};
                // What it would be undone by is gone.
                auto& session = static_cast<detail::Session&>(w);
                ZONA_TRY_VOID(session.connection().execute("RELEASE one"));
                return Error(Code::kConflict, "the work was refused");
            },
            [&, i](Result<void> answer) {
                answers[static_cast<std::size_t>(i)] = std::move(answer);
                answered.count_down();
            });
    }
    release.set_value();
    answered.wait();

    const auto is_there = [&](int id) {
        const auto found = read_and_wait(*database, [&](Reader& r) { return r.find(tasks_, id); });
        return found.value().has_value();
    };
    EXPECT_EQ(answers[2].error().code(), Code::kInternal) << answers[2].error().message();
    for (const int i : {0, 1, 2, 3})
        EXPECT_EQ(is_there(i), answers[static_cast<std::size_t>(i)].has_value()) << i;
    EXPECT_TRUE(answers[3].has_value()) << "its transaction is another one";
    EXPECT_LE(database->load().commits, commits + 2);
}

TEST_F(Sqlite, RefusesMoreThanMayWait) {
    SqliteOptions options = file_.options();
    options.max_waiting_writes = 3;
    options.max_waiting_reads = 3;
    options.readers = 1;
    std::promise<void> release;
    const std::shared_future<void> released = release.get_future().share();
    std::atomic<int> refused_writes = 0;
    std::atomic<int> refused_reads = 0;
    const auto database = file_.open(options).value();
    const auto is_refusal = [](const Error& error) {
        return error.code() == Code::kTooManyRequests;
    };
    for (int i = 0; i < 20; ++i) {
        database->submit_write(
            [released](Writer&) -> Result<void> {
                released.wait();
                return {};
            },
            [&](const Result<void>& answer) {
                if (!answer.has_value() && is_refusal(answer.error())) ++refused_writes;
            });
        database->submit_read([&, released](const Result<Reader*>& reader) {
            if (reader.has_value()) {
                released.wait();
            } else if (is_refusal(reader.error())) {
                ++refused_reads;
            }
        });
    }

    // Those that are under way and three that wait are not refused.
    EXPECT_GE(refused_writes, 13);
    EXPECT_GE(refused_reads, 16);
    release.set_value();
}

TEST_F(Sqlite, AnswersAllThatWaitsWhenItIsClosedAndRefusesWhatFollows) {
    int stored = 0;
    int refused = 0;
    auto owner = open();
    SqliteDatabase* const database = owner.get();
    std::function<void(int)> chain = [&](int id) {
        database->submit_write(
            [this, id](Writer& w) -> Result<void> {
                ZONA_TRY(const Record record, w.insert(tasks_, id, task("open")));
                return {};
            },
            [&, id](const Result<void>& answer) {
                if (!answer.has_value()) {
                    EXPECT_EQ(answer.error().code(), Code::kCancelled);
                    ++refused;
                    return;
                }
                ++stored;
                chain(id + 1);  // for ever, if it were let
            });
    };
    chain(0);

    owner.reset();

    EXPECT_EQ(refused, 1);
    EXPECT_GT(stored, 0);
}

TEST_F(Sqlite, ShowsAReaderOneStateWhileOthersWrite) {
    const auto database = open();
    fill(*database, 10);

    const auto counts =
        read_and_wait(*database, [&](Reader& r) -> Result<std::vector<std::uint64_t>> {
            ZONA_TRY(const std::uint64_t before, r.count(tasks_, {}));
            EXPECT_TRUE(insert(*database, tasks_, 99, task("open")).has_value());
            ZONA_TRY(const std::uint64_t after, r.count(tasks_, {}));
            return std::vector{before, after};
        });

    EXPECT_EQ(counts.value(), (std::vector<std::uint64_t>{10, 10}));
    EXPECT_EQ(count(*database, tasks_), 11U);
}

TEST_F(Sqlite, LooksAtNoMoreDocumentsThanItMay) {
    SqliteOptions options = file_.options();
    options.max_examined = 25;
    const auto database = file_.open(options).value();
    fill(*database, 100);
    const Query rare{.filter = Filter::negate(Filter::eq("status", "open")), .walk = Walk::kAllow};

    const auto too_many = [](const auto& answer) {
        return !answer.has_value() && answer.error().code() == Code::kTooLarge;
    };
    EXPECT_TRUE(
        too_many(read_and_wait(*database, [&](Reader& r) { return r.count(tasks_, rare); })));
    EXPECT_TRUE(too_many(
        write_and_wait(*database, [&](Writer& w) { return w.remove_many(tasks_, rare); })));
    const Query none{.filter = Filter::eq("nothing", 1), .walk = Walk::kAllow};
    EXPECT_TRUE(
        too_many(read_and_wait(*database, [&](Reader& r) { return r.find_one(tasks_, none); })));

    // Pages come up short and go on.
    std::size_t found = 0;
    int pages = 0;
    PageRequest request{.limit = 20};
    do {
        const auto page =
            read_and_wait(*database, [&](Reader& r) { return r.find_page(tasks_, rare, request); });
        ASSERT_TRUE(page.has_value());
        found += page->records.size();
        request.token = page->next;
        ++pages;
    } while (!request.token.empty());
    EXPECT_EQ(found, 10U);
    EXPECT_GE(pages, 4);
}

TEST_F(Sqlite, BeginsTheLogAnewWhileWritesGoOn) {
    SqliteOptions options = file_.options();
    options.checkpoint_frames = 16;
    options.reset_frames = 64;
    const auto database = file_.open(options).value();
    std::uint64_t largest = 0;

    bool began_anew = false;
    for (int i = 0; i < 20000 && !began_anew; ++i) {
        ASSERT_TRUE(insert(*database, tasks_, i, task("open")).has_value());
        const std::uint64_t frames = database->stats().wal_frames;
        began_anew = largest > 64 && frames < largest;
        largest = std::max(largest, frames);
    }

    EXPECT_TRUE(began_anew) << largest;
    EXPECT_GT(database->stats().checkpoints, 0U);
}

TEST_F(Sqlite, MovesASmallLogWhenNobodyWaitsToWrite) {
    SqliteOptions options = file_.options();
    options.rest_frames = 16;
    const auto database = file_.open(options).value();

    std::uint64_t largest = 0;
    bool began_anew = false;
    for (int i = 0; i < 20000 && !began_anew; ++i) {
        ASSERT_TRUE(insert(*database, tasks_, i, task("open")).has_value());
        const std::uint64_t frames = database->stats().wal_frames;
        began_anew = frames < largest;
        largest = std::max(largest, frames);
    }

    EXPECT_TRUE(began_anew) << largest;
    EXPECT_GT(database->stats().checkpoints, 0U);
}

// Of SEC-04 the part that is this module's: what was removed is not in the file any more.
TEST_F(Sqlite, OverwritesWhatIsRemoved) {
    auto document = task("open");
    document["secret"] = "the quick brown fox 4711";
    {
        const auto database = open();
        fill(*database, 200);
        ASSERT_TRUE(insert(*database, tasks_, 900, document).has_value());
        ASSERT_TRUE(
            write_and_wait(*database, [&](Writer& w) { return w.remove(tasks_, 900); }).value());
    }

    EXPECT_THAT(bytes(file_.path()), testing::Not(HasSubstr("brown fox 4711")));
}

TEST_F(Sqlite, SaysWhatToDoAboutADamagedFile) {
    {
        const auto database = open();
        fill(*database, 2000);
        std::promise<Result<void>> good;
        database->check([&](Result<void> answer) { good.set_value(std::move(answer)); });
        EXPECT_TRUE(good.get_future().get().has_value());
    }
    // Everything behind the schema.
    std::fstream file(file_.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto size = static_cast<std::streamoff>(std::filesystem::file_size(file_.path()));
    file.seekp(8 * 4096);
    file << std::string(static_cast<std::size_t>(size) - 8 * 4096, '\xA5');
    file.close();

    const auto database = file_.open();
    std::string said;
    if (database.has_value()) {
        const auto found = read_and_wait(
            **database, [&](Reader& r) { return r.find_page(tasks_, {}, {.limit = 1000}); });
        ASSERT_FALSE(found.has_value());
        EXPECT_EQ(found.error().code(), Code::kInternal);
        said = found.error().message();
        std::promise<Result<void>> bad;
        (*database)->check([&](Result<void> answer) { bad.set_value(std::move(answer)); });
        EXPECT_FALSE(bad.get_future().get().has_value());
    } else {
        said = database.error().message();
    }
    EXPECT_THAT(said, HasSubstr(file_.path() + " is damaged"));
    EXPECT_THAT(said, HasSubstr("backup"));
}

TEST_F(Sqlite, RefusesFilesThatAreNotItsOwn) {
    const auto said = [&] {
        const auto database = file_.open();
        return database.has_value() ? "opened" : database.error().message();
    };

    std::ofstream(file_.path()) << std::string(8192, 'x');
    EXPECT_THAT(said(), HasSubstr("is damaged"));
    EXPECT_EQ(bytes(file_.path()), std::string(8192, 'x')) << "left as it is";
    std::filesystem::remove(file_.path());

    file_.execute("CREATE TABLE notes(text)");
    EXPECT_THAT(said(), HasSubstr("not one that zona has made"));
    std::filesystem::remove(file_.path());

    open();
    file_.execute("PRAGMA user_version=2");
    EXPECT_THAT(said(), HasSubstr("format 2"));
}

}  // namespace
}  // namespace zona::store
