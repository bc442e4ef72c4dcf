// Connections: how many, for how long, and what becomes of those who wait for one.
#include <atomic>
#include <future>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/testing/temporary_directory.h"
#include "os/fd.h"
#include "store/blocking.h"
#include "store/mongo/testing/mongo_fixture.h"

namespace zona::store {
namespace {

using std::chrono::milliseconds;

class MongoWorkers : public MongoTest {
  protected:
    template <class Condition>
    static void wait_until(Condition condition) {
        while (!condition())
            std::this_thread::sleep_for(milliseconds(1));
    }

    MongoHome home_;
    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
};

// TEN-23, OBS-04
TEST_F(MongoWorkers, OpensNoMoreConnectionsThanAllowedAndRefusesWhatCannotWait) {
    MongoOptions options = home_.options();
    options.max_connections = 2;
    options.max_waiting_reads = 3;
    const auto database = home_.open(options).value();
    std::promise<void> go;
    const std::shared_future<void> gone = go.get_future().share();
    std::vector<std::future<Result<std::uint64_t>>> answers;
    const auto ask = [&] {
        auto answer = std::make_shared<std::promise<Result<std::uint64_t>>>();
        answers.push_back(answer->get_future());
        read(
            *database,
            [this, gone](Reader& r) {
                gone.wait();
                return r.count(tasks_, {});
            },
            Callback<std::uint64_t>(
                [answer](Result<std::uint64_t> count) { answer->set_value(std::move(count)); }));
    };
    ask();
    ask();
    wait_until([&] { return database->stats().busy == 2; });
    for (int i = 0; i < 4; ++i)
        ask();

    EXPECT_EQ(database->stats().connections, 2U);
    EXPECT_EQ(database->stats().waiting, 3U);
    const DatabaseLoad load = database->load();
    EXPECT_EQ(load.connections, 2U);
    EXPECT_EQ(load.reading, 2U);
    EXPECT_EQ(load.writing, 0U);
    EXPECT_EQ(load.waiting_reads, 3U);
    EXPECT_EQ(answers.back().get().error().code(), Code::kTooManyRequests);
    go.set_value();
    for (std::size_t i = 0; i + 1 < answers.size(); ++i)
        EXPECT_TRUE(answers[i].get().has_value());
}

// TEN-23, TEN-24
TEST_F(MongoWorkers, ClosesIdleConnectionsDownToTheMinimumAndChecksThose) {
    MongoOptions options = home_.options();
    options.min_connections = 1;
    options.max_connections = 4;
    options.idle_timeout = milliseconds(5);
    options.health_interval = milliseconds(5);
    const auto database = home_.open(options).value();
    std::atomic<int> inside = 0;
    std::atomic<int> answered = 0;
    for (int i = 0; i < 4; ++i) {
        database->submit_read([&](Result<Reader*> reader) {
            (void)(*reader)->count(tasks_, {});
            ++inside;
            while (inside < 4)
                std::this_thread::yield();
            ++answered;
        });
    }
    wait_until([&] { return answered == 4; });

    wait_until([&] { return database->stats().connections == 1; });
    EXPECT_GE(database->stats().closed_idle, 3U);
    wait_until([&] { return database->stats().pings >= 3; });
    EXPECT_EQ(database->stats().connections, 1U);
    EXPECT_EQ(database->stats().failed_pings, 0U);
    EXPECT_GT(database->stats().last_ping.count(), 0);
}

// TEN-24
TEST_F(MongoWorkers, SaysWhenTheServerIsGoneAndWhenItIsBack) {
    const auto server = MongoServer::own_ferretdb();
    if (server->uri().empty()) GTEST_SKIP() << server->why_not();
    MongoHome home(*server);
    MongoOptions options = home.options();
    options.min_connections = 1;
    options.health_interval = milliseconds(5);
    options.selection_timeout = milliseconds(50);
    const auto database = home.open(options).value();
    wait_until([&] { return database->stats().pings > 0; });

    server->kill();
    wait_until([&] { return home.log.has("the database does not answer"); });
    server->start_again();
    wait_until([&] { return home.log.has("the database answers again"); });

    EXPECT_TRUE(
        read_and_wait(*database, [&](Reader& r) { return r.count(tasks_, {}); }).has_value());
}

// TEN-46. The system would wait for ever for who listens and says nothing.
TEST_F(MongoWorkers, GivesUpAfterTheConnectTimeOut) {
    const core::TemporaryDirectory directory;
    const os::UniqueFd listening =
        os::UniqueFd::adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX};
    const std::string path = directory.path() + "/silent.sock";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listening.get(), 8), 0);
    MongoOptions options = home_.options();
    std::string host;
    for (const char c : path)
        host += c == '/' ? "%2F" : std::string(1, c);
    options.uri = "mongodb://" + host + "/";
    options.connect_timeout = milliseconds(50);

    const auto probed = mongo::probe_here(options);

    ASSERT_FALSE(probed.has_value());
    EXPECT_EQ(probed.error().code(), Code::kUnavailable);
}

TEST_F(MongoWorkers, RefusesOptionsThatMakeNoSense) {
    const auto refused = [&](auto change) {
        MongoOptions options = home_.options();
        change(options);
        const auto database = home_.open(options);
        return !database.has_value() && database.error().code() == Code::kInvalidArgument;
    };
    EXPECT_TRUE(refused([](MongoOptions& o) { o.database = "a/b"; }));
    EXPECT_TRUE(refused([](MongoOptions& o) { o.database = ""; }));
    EXPECT_TRUE(refused([](MongoOptions& o) { o.page_token_key = core::Secret("short"); }));
    EXPECT_TRUE(refused([](MongoOptions& o) { o.max_connections = 0; }));
    EXPECT_TRUE(refused([](MongoOptions& o) { o.min_connections = 9; }));
    EXPECT_TRUE(refused([](MongoOptions& o) { o.idle_timeout = milliseconds(0); }));
    EXPECT_TRUE(refused([](MongoOptions& o) { o.uri = "http://localhost"; }));
}

// TEN-24, REL-13. Without it the test would take an hour for each answer.
TEST_F(MongoWorkers, AtTheEndOnlyAServerThatIsThereIsAsked) {
    const auto server = MongoServer::own_ferretdb();
    if (server->uri().empty()) GTEST_SKIP() << server->why_not();
    MongoHome home(*server);
    std::stop_source ending;
    MongoOptions options = home.options();
    options.selection_timeout = std::chrono::hours(1);
    options.ending = ending.get_token();
    const auto database = home.open(options).value();
    const auto count = [&] {
        return read_and_wait(*database, [&](Reader& r) { return r.count(tasks_, {}); });
    };
    const auto insert = [&](const char* id) {
        return write_and_wait(*database,
                              [&](Writer& w) { return w.insert(tasks_, id, task("open")); });
    };
    ASSERT_TRUE(insert("before").has_value());

    ending.request_stop();
    EXPECT_TRUE(insert("after").has_value()) << "what is there goes on";
    EXPECT_EQ(count().value(), 2U);
    server->kill();
    EXPECT_FALSE(count().has_value());
    EXPECT_FALSE(insert("lost").has_value());
    EXPECT_EQ(count().error().code(), Code::kCancelled) << "nobody looks again";
    EXPECT_FALSE(mongo::probe_here(options).has_value());
    EXPECT_FALSE(home.open(options).has_value());
    server->start_again();
}

// TEN-17, TEN-24
TEST_F(MongoWorkers, ConnectionsAreReplacedForAnotherUserAndKeptForTheSame) {
    const auto server = MongoServer::ferretdb_with_users();
    if (server->uri().empty()) GTEST_SKIP() << server->why_not();
    server->set_user("first", "one");
    server->set_user("second", "two");
    MongoOptions options = MongoHome(*server).options();
    options.username = "first";
    options.password = core::Secret("one");
    options.health_interval = milliseconds(5);
    std::atomic<int> made = 0;
    const auto database =
        mongo::open_here(options, home_.clock, {}, [&](auto*) { ++made; }).value();
    const auto ping_again = [&] {
        const std::uint64_t before = database->stats().pings;
        wait_until([&] { return database->stats().pings >= before + 2; });
    };
    const auto write_one = [&](const char* id) -> std::string {
        const auto written = write_and_wait(
            *database, [&](Writer& w) { return w.insert(tasks_, id, task("open")); });
        return written ? "written" : written.error().message();
    };
    ASSERT_EQ(write_one("a"), "written");
    ping_again();
    const int before = made;

    database->set_login("first", core::Secret("one"));
    ping_again();
    EXPECT_EQ(made, before);
    database->set_login("second", core::Secret("two"));
    wait_until([&] { return made > before; });
    server->drop_user("first");
    server->kill();
    server->start_again();

    EXPECT_EQ(write_one("b"), "written");
}

}  // namespace
}  // namespace zona::store
