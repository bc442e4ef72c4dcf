#include "store/database_meter.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace zona::store {

struct DatabaseMeter::State {
    explicit State(core::MetricRegistry& registry) : metrics(registry) {}

    /// Those of one name.
    struct Series {
        Series(core::MetricRegistry& metrics, const std::string& name)
            : committed(ended(metrics, name, "committed")),
              failed(ended(metrics, name, "failed")),
              commits(metrics.counter("zona_database_commits_total",
                                      "Commits of a database, each of one transaction or of many.",
                                      {{"database", name}})),
              repeated(metrics.counter(
                  "zona_database_repeated_total",
                  "Transactions that were begun anew because of others or of the server.",
                  {{"database", name}})),
              connections(metrics.gauge("zona_database_connections",
                                        "Open connections of a database.", {{"database", name}})),
              reading(running(metrics, name, "read")),
              writing(running(metrics, name, "write")),
              waiting_reads(waiting(metrics, name, "read")),
              waiting_writes(waiting(metrics, name, "write")) {}

        static core::Counter& ended(core::MetricRegistry& metrics, const std::string& name,
                                    const char* outcome) {
            return metrics.counter("zona_database_transactions_total",
                                   "Transactions of a database.",
                                   {{"database", name}, {"outcome", outcome}});
        }
        static core::Gauge& running(core::MetricRegistry& metrics, const std::string& name,
                                    const char* work) {
            return metrics.gauge("zona_database_running",
                                 "Reads, and transactions up to their commit, that are under way.",
                                 {{"database", name}, {"work", work}});
        }
        static core::Gauge& waiting(core::MetricRegistry& metrics, const std::string& name,
                                    const char* work) {
            return metrics.gauge("zona_database_waiting",
                                 "Reads and transactions that wait for a connection.",
                                 {{"database", name}, {"work", work}});
        }

        /// What has happened since then.
        void count(const DatabaseLoad& now, const DatabaseLoad& before) {
            committed.add(now.committed - before.committed);
            failed.add(now.failed - before.failed);
            commits.add(now.commits - before.commits);
            repeated.add(now.repeated - before.repeated);
        }

        void add(const DatabaseLoad& now) {
            sum.connections += now.connections;
            sum.reading += now.reading;
            sum.writing += now.writing;
            sum.waiting_reads += now.waiting_reads;
            sum.waiting_writes += now.waiting_writes;
        }

        void show() {
            connections.set(static_cast<double>(sum.connections));
            reading.set(static_cast<double>(sum.reading));
            writing.set(static_cast<double>(sum.writing));
            waiting_reads.set(static_cast<double>(sum.waiting_reads));
            waiting_writes.set(static_cast<double>(sum.waiting_writes));
            sum = {};
        }

        core::Counter& committed;
        core::Counter& failed;
        core::Counter& commits;
        core::Counter& repeated;
        core::Gauge& connections;
        core::Gauge& reading;
        core::Gauge& writing;
        core::Gauge& waiting_reads;
        core::Gauge& waiting_writes;
        DatabaseLoad sum;  ///< of those that are open, while it is added up
    };

    struct Watched {
        Series* series = nullptr;
        const Database* database = nullptr;
        DatabaseLoad counted;  ///< when it was asked last
    };

    void render() {
        const std::lock_guard lock(mutex);
        for (auto& [id, watched] : databases)
            watched.series->add(count(watched));
        // One that is closed has nothing open any more, and says so.
        for (auto& [name, of] : series)
            of.show();
    }

    std::uint64_t enter(const std::string& name, const Database& database) {
        const std::lock_guard lock(mutex);
        const auto of = series.try_emplace(name, metrics, name).first;
        databases.emplace(++last,
                          Watched{.series = &of->second, .database = &database, .counted = {}});
        return last;
    }

    void leave(std::uint64_t id) {
        const std::lock_guard lock(mutex);
        const auto found = databases.find(id);
        (void)count(found->second);
        databases.erase(found);
    }

    /// Adds what has happened since the last time. Under the lock.
    static DatabaseLoad count(Watched& watched) {
        const DatabaseLoad now = watched.database->load();
        watched.series->count(now, std::exchange(watched.counted, now));
        return now;
    }

    core::MetricRegistry& metrics;
    std::mutex mutex;
    // All guarded by mutex.
    std::map<std::string, Series> series;  // of all names that ever were; the registry keeps them
    std::map<std::uint64_t, Watched> databases;
    std::uint64_t last = 0;
};

DatabaseMeter::DatabaseMeter(core::MetricRegistry& metrics)
    : state_(std::make_shared<State>(metrics)) {
    metrics.before_render([state = state_] { state->render(); });
}

std::shared_ptr<Database> DatabaseMeter::watch(const std::string& name,
                                               std::shared_ptr<Database> database) {
    Database* const shown = database.get();
    const std::uint64_t id = state_->enter(name, *shown);
    return {shown, [state = state_, id, database = std::move(database)](Database*) mutable {
                state->leave(id);
                database.reset();
            }};
}

}  // namespace zona::store
