/// @file
/// Queues on one core database in memory, of one instance or several, that take turns when a test
/// says so.
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "jobs/collections.h"
#include "jobs/queue.h"
#include "jobs/testing/scheduler_fixture.h"
#include "store/testing/memory_database.h"
#include "vault/field_sealer.h"
#include "vault/testing/fake_keys.h"

namespace zona::jobs {

/// One daemon, as far as tasks go.
struct QueueNode {
    QueueNode(core::Clock& clock, std::shared_ptr<const vault::FieldSealer> sealer,
              QueueOptions options)
        : queue(std::move(options),
                {.clock = clock,
                 .random = random,
                 .log = log.logger(),
                 .metrics = metrics,
                 .fields =
                     [sealer] {
                         return core::Result<std::shared_ptr<const vault::FieldSealer>>(sealer);
                     },
                 .run = [this](auto work) { waiting.push_back(std::move(work)); }}) {}
    ~QueueNode() {
        if (testing::Test::HasFailure()) {
            for (const std::string& line : log.lines())
                std::cerr << line << '\n';
        }
        do_waiting();
        queue.stop();
    }

    void open(store::Database& core) {
        database = std::make_shared<CutDatabase>(core);
        queue.open(database);
        queue.release();
    }
    /// Takes turns and does what they begin until nothing is left to do now.
    void settle() {
        while (true) {
            queue.turn();
            if (waiting.empty()) break;
            do_waiting();
        }
        queue.turn();
    }
    void do_waiting() {
        while (!waiting.empty())
            do_next();
    }
    void do_next() {
        auto work = std::move(waiting.front());
        waiting.pop_front();
        work();
    }
    /// What was begun is not done, and nothing more is kept: as after SIGKILL.
    void kill() { database->cut(); }

    inline static std::uint64_t made = 100;
    core::SeededRandom random{++made};  // no two lives have the same id
    core::MemoryLog log;
    core::MetricRegistry metrics;
    std::deque<std::move_only_function<void()>> waiting;  ///< tasks that were begun
    std::shared_ptr<CutDatabase> database;
    Queue queue;
};

/// See @file.
class QueueFixture : public testing::Test {
  protected:
    using Task = jobs::Task;

    /// Writes down whom it was for, and what.
    TaskKind noting(std::string name = "note") {
        return {.name = std::move(name), .work = [this](const TaskContext& context) {
                    done_.push_back(context.tenant() + ":" + text_in(context.input()));
                    return core::Result<store::Document>(store::Document{{"n", done_.size()}});
                }};
    }
    std::unique_ptr<QueueNode> node(std::vector<TaskKind> kinds, QueueOptions options = {}) {
        if (options.instance.empty()) options.instance = "a";
        auto out = std::make_unique<QueueNode>(clock_, sealer_, std::move(options));
        for (TaskKind& kind : kinds)
            out->queue.handle(std::move(kind));
        out->open(core_);
        return out;
    }
    template <class T, class Begin>
    static core::Result<T> answer(Begin begin) {
        std::promise<core::Result<T>> given;
        begin(store::Callback<T>(
            [&](core::Result<T> result) { given.set_value(std::move(result)); }));
        return given.get_future().get();
    }
    core::Result<Task> ask(QueueNode& node, NewTask task) {
        clock_.advance(std::chrono::milliseconds(1));  // one comes after the other
        return answer<Task>([&](auto done) { node.queue.ask(std::move(task), std::move(done)); });
    }
    core::Result<Task> ask(QueueNode& node, const std::string& tenant, const std::string& what,
                           std::string kind = "note") {
        return ask(node, {.kind = std::move(kind), .tenant = tenant, .input = input(what)});
    }
    static Task find(QueueNode& node, const core::Uuid& id) {
        return answer<Task>([&](auto done) { node.queue.find(id, std::move(done)); }).value();
    }
    static core::Result<Task> cancel(QueueNode& node, const core::Uuid& id) {
        return answer<Task>([&](auto done) { node.queue.cancel(id, std::move(done)); });
    }
    static core::Result<Task> retry(QueueNode& node, const core::Uuid& id) {
        return answer<Task>([&](auto done) { node.queue.retry(id, std::move(done)); });
    }
    static std::shared_ptr<const store::Document> input(const std::string& what) {
        return std::make_shared<const store::Document>(store::Document{{"what", what}});
    }
    static std::string text_in(const store::Document& input) {
        const auto* what = input.if_contains("what");
        return what == nullptr ? "" : std::string(what->get_string());
    }

    core::FakeClock clock_;
    core::SeededRandom random_{7};
    std::shared_ptr<const vault::FieldSealer> sealer_ = std::make_shared<const vault::FieldSealer>(
        "core", std::make_shared<vault::FakeKeys>(1), random_);
    store::MemoryDatabase core_{core_collections(), core::Secret(std::string(32, 'k')), clock_};
    std::vector<std::string> done_;
};

}  // namespace zona::jobs
