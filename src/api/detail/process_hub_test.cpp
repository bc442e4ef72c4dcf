#include "api/detail/process_hub.h"

#include <mutex>
#include <optional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "api/detail/process_filter.h"
#include "core/json.h"

namespace zona::api {
namespace {

namespace asio = boost::asio;
using core::Code;
using core::Deadline;
using core::Result;
using process::ProcessEvent;
using process::ProcessNews;
using process::ProcessView;
using Kind = ProcessItem::Kind;

ProcessView view_of(std::uint32_t pm_id, const std::string& name,
                    const std::string& group = "default") {
    auto app = std::make_shared<process::StoredApp>();
    app->spec.name = name;
    app->spec.namespace_ = group;
    ProcessView view;
    view.stored.pm_id = pm_id;
    view.stored.app = std::move(app);
    view.status = "online";
    return view;
}

/// A supervisor that says what a test tells it to; answers at once, on the calling thread.
struct FakeSupervisor {
    std::mutex mutex;
    process::Observer observer;
    std::vector<ProcessView> processes;
    int observed = 0;

    ProcessNewsSource source() {
        return {.observe =
                    [this](process::Observer given) {
                        const std::scoped_lock lock(mutex);
                        if (given) ++observed;
                        observer = std::move(given);
                    },
                .list =
                    [this](process::Callback<std::vector<ProcessView>> done) {
                        std::unique_lock lock(mutex);
                        auto copy = processes;
                        lock.unlock();
                        done(std::move(copy));
                    }};
    }
    /// Whether somebody was told.
    bool tell(ProcessNews news) {
        const std::scoped_lock lock(mutex);
        if (observer) observer(std::move(news));
        return static_cast<bool>(observer);
    }
    bool is_observed() {
        const std::scoped_lock lock(mutex);
        return static_cast<bool>(observer);
    }
};

class ProcessHubTest : public testing::Test {
  protected:
    ProcessHub& hub(std::chrono::milliseconds linger = ProcessHub::kLinger,
                    net::BroadcastOptions options = {}) {
        hub_.emplace(supervisor_.source(), clock_, metrics_, options, linger);
        return *hub_;
    }

    template <class T>
    T run(asio::awaitable<T> task) {
        std::optional<T> result;
        auto store = [&](asio::awaitable<T> wanted) -> asio::awaitable<void> {
            result.emplace(co_await std::move(wanted));
        };
        asio::co_spawn(loop_, store(std::move(task)), asio::detached);
        const auto work = asio::make_work_guard(loop_);
        loop_.restart();
        while (!result)
            loop_.run_one();
        return std::move(*result);
    }
    ProcessFeed subscribe(std::optional<std::uint64_t> after = std::nullopt) {
        return std::move(*run(hub_->subscribe(after)));
    }
    ProcessItemPtr next(ProcessFeed& feed) {
        return *run(feed.next(Deadline::after(clock_, std::chrono::seconds(30))));
    }

    core::RealClock clock_;
    core::MetricRegistry metrics_;
    FakeSupervisor supervisor_;
    asio::io_context loop_;
    std::optional<ProcessHub> hub_;
};

ProcessNews changed(ProcessView view) {
    ProcessNews news;
    news.changed.push_back(std::move(view));
    return news;
}

// PM-55
TEST_F(ProcessHubTest, GivesThePresentStateThenWhatChanges) {
    supervisor_.processes = {view_of(0, "api")};
    hub();
    ProcessFeed feed = subscribe();
    ASSERT_EQ(feed.present().size(), 1U);
    EXPECT_EQ(feed.present()[0]->name, "api");
    ProcessNews news = changed(view_of(1, "worker", "jobs"));
    news.events.push_back({.kind = ProcessEvent::Kind::kCreated, .pm_id = 1, .name = "worker"});
    news.deleted.push_back(0);
    ASSERT_TRUE(supervisor_.tell(std::move(news)));

    const auto event = next(feed);
    const auto state = next(feed);
    const auto deleted = next(feed);

    EXPECT_EQ(event->kind, Kind::kEvent);
    EXPECT_EQ(event->namespace_, "jobs");
    EXPECT_EQ(event->sequence, feed.sequence() + 1);
    EXPECT_EQ(state->kind, Kind::kState);
    EXPECT_EQ(state->sequence, feed.sequence() + 2);
    EXPECT_EQ(deleted->kind, Kind::kDeleted);
    EXPECT_EQ(deleted->name, "api");
    EXPECT_EQ(deleted->data(), R"({"pm_id":0})");
    auto frame = core::parse_json(state->frame);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->at("type"), "process");
    EXPECT_EQ(frame->at("data").at("name"), "worker");
}

// PM-55, PM-69
TEST_F(ProcessHubTest, GivesAllSubscribersTheSameBytes) {
    hub();
    ProcessFeed one = subscribe();
    ProcessFeed two = subscribe();
    supervisor_.tell(changed(view_of(3, "api")));

    EXPECT_EQ(next(one), next(two));
    EXPECT_EQ(supervisor_.observed, 1);
}

TEST_F(ProcessHubTest, ObservesOnlyWhileSomebodyListens) {
    hub(std::chrono::milliseconds(0));
    EXPECT_FALSE(supervisor_.is_observed());
    std::optional<ProcessFeed> feed = subscribe();
    EXPECT_TRUE(supervisor_.is_observed());
    const std::uint64_t before = feed->sequence();
    feed.reset();
    while (supervisor_.is_observed())
        std::this_thread::yield();

    ProcessFeed again = subscribe(before);
    EXPECT_EQ(again.continuity(), Continuity::kLost) << "news were missed meanwhile";
    EXPECT_FALSE(again.lost().has_value());
    EXPECT_GT(again.sequence(), before);
}

// PM-55
TEST_F(ProcessHubTest, ResumesBehindWhatTheClientHasSeen) {
    hub();
    ProcessFeed feed = subscribe();
    for (std::uint32_t i = 0; i < 3; ++i)
        supervisor_.tell(changed(view_of(i, "api")));
    const std::uint64_t seen = next(feed)->sequence;

    ProcessFeed again = subscribe(seen);

    EXPECT_EQ(again.continuity(), Continuity::kWhole);
    EXPECT_EQ(next(again)->sequence, seen + 1);
    EXPECT_EQ(next(again)->sequence, seen + 2);
}

// PM-55
TEST_F(ProcessHubTest, SaysHowMuchIsLostToOneThatComesBackTooLate) {
    hub(ProcessHub::kLinger, {.ring_messages = 2});
    ProcessFeed feed = subscribe();
    for (std::uint32_t i = 0; i < 5; ++i)
        supervisor_.tell(changed(view_of(i, "api")));
    for (int i = 0; i < 5; ++i)
        next(feed);

    ProcessFeed again = subscribe(feed.sequence());

    EXPECT_EQ(again.continuity(), Continuity::kLost);
    EXPECT_EQ(again.lost(), 3U);
    EXPECT_EQ(again.present().size(), 5U);
    supervisor_.tell(changed(view_of(9, "new")));
    EXPECT_EQ(next(again)->pm_id, 9U) << "the present states hold what the ring still had";
}

TEST_F(ProcessHubTest, FiltersByWhatIsSelectedNowAndWhatBeginsLater) {
    supervisor_.processes = {view_of(0, "api"), view_of(1, "worker", "api"), view_of(2, "other")};
    hub();
    ProcessFeed feed = subscribe();
    auto filter = ProcessFilter::make({"api"}, feed.present());
    ASSERT_TRUE(filter);
    std::vector<bool> wanted;
    for (const auto& item : feed.present())
        wanted.push_back(filter->wants(*item));
    EXPECT_EQ(wanted, (std::vector<bool>{true, false, false})) << "a name wins over a namespace";

    supervisor_.tell(changed(view_of(7, "api")));
    supervisor_.tell(changed(view_of(8, "late")));
    EXPECT_TRUE(filter->wants(*next(feed)));
    EXPECT_FALSE(filter->wants(*next(feed)));
    EXPECT_EQ(ProcessFilter::make({"nobody"}, feed.present()).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace zona::api
