#include "store/database_meter.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace zona::store {

struct DatabaseMeter::State {
    explicit State(core::MetricRegistry& registry) : metrics(registry) {}

    struct Watched {
        std::string name;
        const Database* database = nullptr;
        DatabaseLoad counted;  ///< when it was asked last
    };

    void render() {
        const std::lock_guard lock(mutex);
        std::map<std::string, DatabaseLoad> sums;
        // One that is closed has nothing open any more, and says so.
        for (const std::string& name : std::exchange(closed, {}))
            sums[name] = {};
        for (auto& [id, watched] : databases) {
            const DatabaseLoad now = count(watched);
            DatabaseLoad& sum = sums[watched.name];
            sum.connections += now.connections;
            sum.reading += now.reading;
            sum.writing += now.writing;
            sum.waiting_reads += now.waiting_reads;
            sum.waiting_writes += now.waiting_writes;
        }
        for (const auto& [name, sum] : sums)
            show(name, sum);
    }

    std::uint64_t enter(std::string name, const Database& database) {
        const std::lock_guard lock(mutex);
        databases.emplace(++last,
                          Watched{.name = std::move(name), .database = &database, .counted = {}});
        return last;
    }

    void leave(std::uint64_t id) {
        const std::lock_guard lock(mutex);
        const auto found = databases.find(id);
        (void)count(found->second);
        closed.insert(found->second.name);
        databases.erase(found);
    }

    /// Adds what has happened since the last time. Under the lock.
    DatabaseLoad count(Watched& watched) const {
        const DatabaseLoad now = watched.database->load();
        const DatabaseLoad before = std::exchange(watched.counted, now);
        const std::string& name = watched.name;
        const auto ended = [&](const char* outcome) -> core::Counter& {
            return metrics.counter("zona_database_transactions_total",
                                   "Transactions of a database.",
                                   {{"database", name}, {"outcome", outcome}});
        };
        ended("committed").add(now.committed - before.committed);
        ended("failed").add(now.failed - before.failed);
        metrics
            .counter("zona_database_commits_total",
                     "Commits of a database, each of one transaction or of many.",
                     {{"database", name}})
            .add(now.commits - before.commits);
        metrics
            .counter("zona_database_repeated_total",
                     "Transactions that were begun anew because of others or of the server.",
                     {{"database", name}})
            .add(now.repeated - before.repeated);
        return now;
    }

    void show(const std::string& name, const DatabaseLoad& load) const {
        const auto set = [](core::Gauge& gauge, std::size_t value) {
            gauge.set(static_cast<double>(value));
        };
        const auto running = [&](const char* work) -> core::Gauge& {
            return metrics.gauge("zona_database_running",
                                 "Reads, and transactions up to their commit, that are under way.",
                                 {{"database", name}, {"work", work}});
        };
        const auto waiting = [&](const char* work) -> core::Gauge& {
            return metrics.gauge("zona_database_waiting",
                                 "Reads and transactions that wait for a connection.",
                                 {{"database", name}, {"work", work}});
        };
        set(metrics.gauge("zona_database_connections", "Open connections of a database.",
                          {{"database", name}}),
            load.connections);
        set(running("read"), load.reading);
        set(running("write"), load.writing);
        set(waiting("read"), load.waiting_reads);
        set(waiting("write"), load.waiting_writes);
    }

    core::MetricRegistry& metrics;
    std::mutex mutex;
    // All guarded by mutex.
    std::map<std::uint64_t, Watched> databases;
    std::set<std::string> closed;  ///< names, since the last rendering
    std::uint64_t last = 0;
};

DatabaseMeter::DatabaseMeter(core::MetricRegistry& metrics)
    : state_(std::make_shared<State>(metrics)) {
    metrics.before_render([state = state_] { state->render(); });
}

std::shared_ptr<Database> DatabaseMeter::watch(std::string name,
                                               std::shared_ptr<Database> database) {
    Database* const shown = database.get();
    const std::uint64_t id = state_->enter(std::move(name), *shown);
    return {shown, [state = state_, id, database = std::move(database)](Database*) mutable {
                state->leave(id);
                database.reset();
            }};
}

}  // namespace zona::store
