// The index of words in a file: how it comes to be, and that it is not what decides.
#include <cstdlib>

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "store/testing/child_process.h"
#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

using testing::ElementsAre;

constexpr int kDocuments = 5000;

/// As an installation has it that knows of no search.
const CollectionSpec& plain_spec() {
    static const CollectionSpec kSpec{
        .name = "items", .fields = {{.path = "title"}}, .indexes = {{.name = "by_created"}}};
    return kSpec;
}
const CollectionSpec& searched_spec() {
    static const CollectionSpec kSpec = [] {
        CollectionSpec spec = plain_spec();
        spec.search = {"title"};
        return spec;
    }();
    return kSpec;
}

class Search : public testing::Test {
  protected:
    using Database = SqliteDatabase;

    static Collection items(const CollectionSpec& spec = searched_spec()) {
        return {spec, Scope::tenant("acme").value()};
    }
    std::unique_ptr<Database> open(const CollectionSpec& spec) {
        return file_.open(file_.options({&spec})).value();
    }
    /// All are common, one in a thousand is rare.
    static json::object document(int number) {
        return {{"title", number % 1000 == 0 ? "common rare" : "common"}};
    }
    void fill(Database& database, const CollectionSpec& spec) {
        ASSERT_TRUE(write_and_wait(database, [&](Writer& w) -> Result<int> {
                        for (int i = 0; i < kDocuments; ++i) {
                            file_.clock.advance(std::chrono::milliseconds(1));
                            ZONA_TRY(const Record stored, w.insert(items(spec), i, document(i)));
                        }
                        return 0;
                    }).has_value());
    }

    static std::vector<std::string> found(Database& database, std::string_view text,
                                          std::size_t most = 10) {
        const Query query{.filter = Filter::search({"title"}, text),
                          .direction = Direction::kDescending};
        std::vector<std::string> out;
        PageRequest request{.limit = 3};
        do {
            const auto page = read_and_wait(
                database, [&](Reader& r) { return r.find_page(items(), query, request); });
            EXPECT_TRUE(page.has_value()) << page.error().message();
            if (!page.has_value()) return out;
            for (const Record& record : page->records)
                out.push_back(to_string(record.id));
            request.token = page->next;
        } while (!request.token.empty() && out.size() < most);
        return out;
    }
    static void change(Database& database, std::int64_t id, const char* title) {
        const auto changed = write_and_wait(database, [&](Writer& w) {
            return w.modify(items(), id, Update().set("title", title));
        });
        EXPECT_TRUE(changed.has_value()) << changed.error().message();
    }
    /// Waits behind what fills the index; 1 when it is whole.
    std::int64_t filled(Database& database) {
        for (int turns = 0; turns < 2 * kDocuments; ++turns) {
            EXPECT_TRUE(
                write_and_wait(database, [](Writer&) -> Result<int> { return 0; }).has_value());
            if (count("zona_words") == 0) return 1;
        }
        return 0;
    }
    std::int64_t count(const std::string& table) {
        sqlite3* db = nullptr;
        EXPECT_EQ(sqlite3_open(file_.path().c_str(), &db), SQLITE_OK);
        std::int64_t out = -1;
        const auto take = [](void* to, int, char** columns, char**) {
            *static_cast<std::int64_t*>(to) = std::atoll(columns[0]);
            return 0;
        };
        EXPECT_EQ(sqlite3_exec(db, ("SELECT COUNT(*) FROM \"" + table + "\"").c_str(), take, &out,
                               nullptr),
                  SQLITE_OK)
            << sqlite3_errmsg(db);
        sqlite3_close(db);
        return out;
    }
    /// That the index says of itself that it is sound, and holds these rows for a word.
    std::int64_t rows_with(const std::string& term) {
        file_.execute("INSERT INTO \"w_items.\"(\"w_items.\") VALUES('integrity-check')");
        sqlite3* db = nullptr;
        EXPECT_EQ(sqlite3_open(file_.path().c_str(), &db), SQLITE_OK);
        std::int64_t out = -1;
        const auto take = [](void* to, int, char** columns, char**) {
            *static_cast<std::int64_t*>(to) = std::atoll(columns[0]);
            return 0;
        };
        const std::string sql =
            "SELECT COUNT(*) FROM \"w_items.\" WHERE \"w_items.\" MATCH '\"" + term + "\"'";
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), take, &out, nullptr), SQLITE_OK)
            << sqlite3_errmsg(db);
        sqlite3_close(db);
        return out;
    }

    SqliteFile file_;
};

// DATA-39
TEST_F(Search, GoesOnBehindTheLastPageWhetherFewOrManyHaveTheWord) {
    const auto database = open(searched_spec());
    fill(*database, searched_spec());

    EXPECT_THAT(found(*database, "rare"), ElementsAre("4000", "3000", "2000", "1000", "0"));
    EXPECT_THAT(found(*database, "rare common"), ElementsAre("4000", "3000", "2000", "1000", "0"));
    EXPECT_EQ(found(*database, "com*", kDocuments).size(), kDocuments);
    EXPECT_THAT(found(*database, "common", 3), ElementsAre("4999", "4998", "4997"));
    const auto count = read_and_wait(*database, [&](Reader& r) {
        return r.count(items(), {.filter = Filter::search({"title"}, "common")});
    });
    EXPECT_EQ(*count, kDocuments);
}

// DATA-39, DATA-41
TEST_F(Search, FindsEverythingWhileTheIndexOfAnOlderDatabaseIsFilled) {
    fill(*open(plain_spec()), plain_spec());
    {
        const auto database = open(searched_spec());
        // Whatever the index has by now.
        EXPECT_EQ(found(*database, "rare").size(), 5U);
        change(*database, 4999, "rare");
        change(*database, 0, "nothing");
        EXPECT_THAT(found(*database, "rare"), ElementsAre("4999", "4000", "3000", "2000", "1000"));
        EXPECT_EQ(filled(*database), 1);
        EXPECT_THAT(found(*database, "rare"), ElementsAre("4999", "4000", "3000", "2000", "1000"));
        change(*database, 4999, "common");
        EXPECT_EQ(found(*database, "rare").size(), 4U);
    }
    EXPECT_EQ(rows_with("acme/rare"), 4);
    EXPECT_EQ(rows_with("acme/common"), kDocuments - 1);
    EXPECT_EQ(rows_with("acme/nothing"), 1);
}

TEST_F(Search, IsMadeAnewAfterSomebodyWroteWhoKnewOfNone) {
    fill(*open(searched_spec()), searched_spec());
    {
        const auto database = open(plain_spec());
        const auto changed = write_and_wait(*database, [&](Writer& w) {
            return w.modify(items(plain_spec()), 1000, Update().set("title", "other"));
        });
        ASSERT_TRUE(changed.has_value());
    }
    const auto database = open(searched_spec());
    EXPECT_THAT(found(*database, "other"), ElementsAre("1000"));
    EXPECT_EQ(filled(*database), 1);
    EXPECT_THAT(found(*database, "other"), ElementsAre("1000"));
    EXPECT_EQ(found(*database, "rare").size(), 4U);
}

TEST_F(Search, ChangesAndRemovalsLeaveNothingInTheIndex) {
    {
        const auto database = open(searched_spec());
        fill(*database, searched_spec());
        const auto removed = write_and_wait(*database, [&](Writer& w) {
            return w.remove_many(items(), {.filter = Filter::search({"title"}, "rare")});
        });
        EXPECT_EQ(*removed, 5U);
        const auto undone = write_and_wait(*database, [&](Writer& w) -> Result<int> {
            ZONA_TRY(const bool gone, w.remove(items(), 1));
            EXPECT_TRUE(gone);
            ZONA_TRY(const Record more, w.insert(items(), 9000, {{"title", "rare"}}));
            return Error(Code::kCancelled, "undone");
        });
        EXPECT_FALSE(undone.has_value());
        change(*database, 2, "two");
    }
    EXPECT_EQ(rows_with("acme/rare"), 0);
    EXPECT_EQ(rows_with("acme/common"), kDocuments - 6);
    EXPECT_EQ(rows_with("acme/two"), 1);
}

// DATA-39
TEST_F(Search, WhatTheIndexSaysTooMuchIsNotShown) {
    {
        fill(*open(searched_spec()), searched_spec());
    }
    file_.execute(
        "INSERT INTO \"w_items.\"(rowid,words) VALUES(2,'acme/rare'),(99999,'acme/rare')");
    const auto database = open(searched_spec());
    EXPECT_EQ(found(*database, "rare").size(), 5U);
}

#ifdef ZONA_FAULTS

ZONA_CHILD_TEST(Search, ChildFillsUntilItIsKilled) {
    SqliteFile file(std::getenv("ZONA_TEST_STORE"));
    const auto database = file.open(file.options({&searched_spec()})).value();
    for (int turns = 0; turns < kDocuments; ++turns)
        write_and_wait(*database, [](Writer&) -> Result<int> { return 0; }).value();
}

// REL-16
TEST_F(Search, FillingThatWasKilledGoesOn) {
    fill(*open(plain_spec()), plain_spec());
    const std::string directory = file_.path().substr(0, file_.path().rfind('/'));
    for (int kill = 0; kill < 3; ++kill) {
        const ChildProcess child(
            "Search.ChildFillsUntilItIsKilled",
            {"ZONA_TEST_STORE=" + directory, "ZONA_FAULT=store.filled_some:2"});
        const int status = child.wait();
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }
    {
        const auto database = open(searched_spec());
        EXPECT_EQ(found(*database, "rare").size(), 5U);
        EXPECT_EQ(filled(*database), 1);
        EXPECT_EQ(found(*database, "rare").size(), 5U);
    }
    EXPECT_EQ(rows_with("acme/common"), kDocuments);
}

#endif

}  // namespace
}  // namespace zona::store
