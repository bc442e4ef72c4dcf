#include "store/database_meter.h"

#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "store/blocking.h"
#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

using testing::HasSubstr;

class DatabaseMeterTest : public testing::Test {
  protected:
    std::shared_ptr<Database> open() { return meter_.watch("acme", file_.open().value()); }
    /// A transaction that is held up until `go_on`; `begun` when it runs.
    std::future<void> hold(Database& database, std::promise<void>& begun,
                           std::shared_future<void> go_on) {
        auto ended = std::make_shared<std::promise<void>>();
        auto out = ended->get_future();
        write(
            database,
            [&begun, go_on](Writer&) -> Result<bool> {
                begun.set_value();
                go_on.wait();
                return true;
            },
            [ended](const Result<bool>&) { ended->set_value(); });
        return out;
    }
    std::future<bool> submit(Database& database, int id) {
        auto ended = std::make_shared<std::promise<bool>>();
        auto out = ended->get_future();
        write(
            database, [this, id](Writer& w) { return w.insert(tasks_, id, task("open")); },
            [ended](const Result<Record>& stored) { ended->set_value(stored.has_value()); });
        return out;
    }
    std::string shown() { return metrics_.render_prometheus(); }

    core::MetricRegistry metrics_;
    SqliteFile file_;
    DatabaseMeter meter_{metrics_};
    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
};

// OBS-04
TEST_F(DatabaseMeterTest, ShowsWhatRunsWhatWaitsAndHowMuchOneCommitKeeps) {
    const auto database = open();
    std::promise<void> begun;
    std::promise<void> go_on;
    const auto held = hold(*database, begun, go_on.get_future().share());
    begun.get_future().wait();
    std::vector<std::future<bool>> others;
    for (const int id : {1, 2, 1})
        others.push_back(submit(*database, id));
    std::string now = shown();
    EXPECT_THAT(now, HasSubstr("zona_database_running{database=\"acme\",work=\"write\"} 1\n"));
    EXPECT_THAT(now, HasSubstr("zona_database_waiting{database=\"acme\",work=\"write\"} 3\n"));
    EXPECT_THAT(now, HasSubstr("zona_database_waiting{database=\"acme\",work=\"read\"} 0\n"));
    EXPECT_THAT(now, HasSubstr("zona_database_connections{database=\"acme\"} 1\n"));

    go_on.set_value();
    held.wait();
    EXPECT_TRUE(others[0].get());
    EXPECT_TRUE(others[1].get());
    EXPECT_FALSE(others[2].get()) << "the id is taken";
    for (const char* scrape : {"first", "second"}) {  // nothing is counted twice
        now = shown();
        EXPECT_THAT(now, HasSubstr("{database=\"acme\",outcome=\"committed\"} 3\n")) << scrape;
        EXPECT_THAT(now, HasSubstr("{database=\"acme\",outcome=\"failed\"} 1\n")) << scrape;
        EXPECT_THAT(now, HasSubstr("zona_database_commits_total{database=\"acme\"} 2\n")) << scrape;
    }
}

// OBS-04
TEST_F(DatabaseMeterTest, ShowsWhatReads) {
    const auto database = open();
    const auto seen =
        read_and_wait(*database, [this](Reader&) -> Result<std::string> { return shown(); });
    EXPECT_THAT(*seen, HasSubstr("zona_database_running{database=\"acme\",work=\"read\"} 1\n"));
    EXPECT_THAT(*seen, HasSubstr("zona_database_connections{database=\"acme\"} 2\n"));
    while (database->load().reading > 0)
        std::this_thread::yield();
    EXPECT_THAT(shown(), HasSubstr("zona_database_connections{database=\"acme\"} 2\n"))
        << "the reader's is kept open for the next";
}

// OBS-04
TEST_F(DatabaseMeterTest, KeepsWhatWasCountedWhenADatabaseIsClosedAndOpenedAnew) {
    for (int id = 1; id <= 2; ++id) {
        const auto database = open();
        EXPECT_TRUE(submit(*database, id).get());
    }
    std::string now = shown();
    EXPECT_THAT(now, HasSubstr("{database=\"acme\",outcome=\"committed\"} 2\n"));
    EXPECT_THAT(now, HasSubstr("zona_database_connections{database=\"acme\"} 0\n"));
}

}  // namespace
}  // namespace zona::store
