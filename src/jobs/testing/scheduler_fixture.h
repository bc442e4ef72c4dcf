/// @file
/// A core database in memory and schedulers on it, of one instance or several, that take turns when
/// a test says so.
#pragma once

#include <atomic>
#include <deque>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "jobs/collections.h"
#include "jobs/context.h"
#include "jobs/scheduler.h"
#include "store/blocking.h"
#include "store/counters.h"
#include "store/testing/memory_database.h"

namespace zona::jobs {

/// Answers as `inner` does until it is cut off: then nothing of its user has an effect any more, as
/// if that had been killed or had lost its network.
class CutDatabase final : public store::Database {
  public:
    explicit CutDatabase(store::Database& inner) : inner_(inner) {}
    void cut() { cut_ = true; }
    void mend() { cut_ = false; }

    void submit_read(ReadWork work) override {
        if (cut_) return work(gone());
        inner_.submit_read(std::move(work));
    }
    void submit_write(WriteWork work, store::Callback<void> done) override {
        if (cut_) return done(gone());
        inner_.submit_write(std::move(work), std::move(done));
    }
    store::DatabaseLoad load() const override { return inner_.load(); }

  private:
    static core::Error gone() { return {core::Code::kUnavailable, "cut off"}; }
    store::Database& inner_;
    std::atomic<bool> cut_ = false;
};

/// One daemon, as far as jobs go.
struct Node {
    Node(core::Clock& clock, store::Database& core, std::string instance,
         std::vector<Definition> definitions)
        : database(std::make_shared<CutDatabase>(core)),
          scheduler({.instance = std::move(instance), .most_running = 2, .keep_runs = 5},
                    {.clock = clock,
                     .random = random,
                     .log = log.logger(),
                     .metrics = metrics,
                     .tenants = [this] { return core::Result<std::vector<std::string>>(tenants); },
                     .run = [this](auto work) { waiting.push_back(std::move(work)); }},
                    std::move(definitions)) {
        EXPECT_TRUE(scheduler.open(database));
    }
    ~Node() {
        if (testing::Test::HasFailure()) {
            for (const std::string& line : log.lines())
                std::cerr << line << '\n';
        }
        do_waiting();
        scheduler.stop();
    }

    /// Takes turns and does what they begin until nothing is left to do now.
    void settle() {
        while (true) {
            scheduler.turn();
            if (waiting.empty()) break;
            do_waiting();
        }
        scheduler.turn();
    }
    void do_waiting() {
        while (!waiting.empty()) {
            auto work = std::move(waiting.front());
            waiting.pop_front();
            work();
        }
    }
    /// The run as it was begun; it has ended. The answer may come from a thread of the database.
    core::Result<RunView> run_now(const std::string& name) {
        std::promise<core::Result<RunView>> begun;
        scheduler.run_now(name, [&](auto answer) { begun.set_value(std::move(answer)); });
        settle();
        return begun.get_future().get();
    }
    /// What was begun is not done, and nothing more is kept: as after SIGKILL.
    void kill() { database->cut(); }

    inline static std::uint64_t made = 0;
    core::SeededRandom random{++made};  // no two lives have the same id
    core::MemoryLog log;
    core::MetricRegistry metrics;
    std::vector<std::string> tenants{"acme", "blue", "cyan"};
    std::deque<std::move_only_function<void()>> waiting;  ///< runs that were begun
    std::shared_ptr<CutDatabase> database;
    Scheduler scheduler;
};

/// See @file.
class SchedulerFixture : public testing::Test {
  protected:
    Definition counting(std::string name, Schedule schedule) {
        return {.name = std::move(name),
                .summary = "Counts.",
                .schedule = std::move(schedule),
                .work = [this](Context&) {
                    ++runs_;
                    return core::Result<void>();
                }};
    }
    std::unique_ptr<Node> node(std::vector<Definition> definitions, std::string instance = "a") {
        return std::make_unique<Node>(clock_, core_, std::move(instance), std::move(definitions));
    }
    template <class T, class Ask>
    static core::Result<T> ask(Node& node, Ask begin) {
        std::optional<core::Result<T>> answer;
        begin(store::Callback<T>([&](core::Result<T> result) { answer = std::move(result); }));
        node.scheduler.turn();
        if (!*answer) node.log.logger().report("asked in vain", answer->error());
        return std::move(answer).value();
    }
    static JobView view(Node& node, const std::string& name) {
        return ask<JobView>(node, [&](auto done) { node.scheduler.find(name, std::move(done)); })
            .value();
    }
    /// The newest first: "succeeded schedule".
    static std::vector<std::string> history(Node& node, const std::string& name) {
        const auto page = ask<RunPage>(
            node, [&](auto done) { node.scheduler.runs(name, {.limit = 100}, std::move(done)); });
        std::vector<std::string> out;
        for (const RunView& run : page.value().runs)
            out.push_back(std::string(to_string(run.outcome)) + " " +
                          std::string(to_string(run.trigger)));
        return out;
    }

    core::FakeClock clock_;
    store::MemoryDatabase core_{[] {
                                    auto all = core_collections();
                                    all.push_back(&store::counters_spec());
                                    return all;
                                }(),
                                core::Secret(std::string(32, 'k')), clock_};
    int runs_ = 0;
};

}  // namespace zona::jobs
