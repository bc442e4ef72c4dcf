// What is looked after every few seconds: the cache's health, tokens that are over, metrics.
#include <chrono>
#include <vector>

#include <unistd.h>

#include "daemon.h"
#include "os/fd.h"
#include "os/proc.h"

namespace zona::daemon {
namespace {

double seconds(std::uint64_t ticks) {
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

core::Result<void> collect_application(core::MetricRegistry& metrics) {
    ZONA_TRY(const os::ProcFs proc, os::ProcFs::open());
    ZONA_TRY(const auto stat, proc.stat(::getpid()));
    if (!stat) return core::Error(core::Code::kInternal, "/proc does not show this process");
    const auto pages = static_cast<double>(stat->resident_pages);
    metrics.gauge("zona_process_resident_bytes", "Memory of the daemon that is in RAM.")
        .set(pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    metrics.gauge("zona_process_cpu_seconds", "Processor time that the daemon has taken.")
        .set(seconds(stat->user_ticks + stat->system_ticks));
    metrics.gauge("zona_process_threads", "Threads of the daemon.")
        .set(static_cast<double>(stat->threads));
    return {};
}

void collect_cache(const cache::Cache& cache, core::MetricRegistry& metrics) {
    const cache::Report report = cache.report();
    metrics.gauge("zona_cache_limit_bytes", "What the cache in this process may take.")
        .set(static_cast<double>(report.most_memory_bytes));
    metrics.gauge("zona_cache_undelivered", "Changes that Redis has not been told of yet.")
        .set(static_cast<double>(report.undelivered));
}

}  // namespace

/// In the order of specification § 8.10.
void Daemon::begin_loops() {
    metrics_.before_render([this] { collect_metrics(); });
    std::vector<jobs::Loop> loops;
    loops.push_back({.name = "cache health check",
                     .interval = settings_.cache.health_interval,
                     .work =
                         [this] {
                             cache_->check_health();
                             return core::Result<void>();
                         },
                     .needed = [this] { return cache_->mode() != cache::Mode::kMemory; }});
    loops.push_back({.name = "session clean-up",
                     .interval = settings_.sessions.clean_interval,
                     .work =
                         [this] {
                             if (const auto sessions = this->sessions()) sessions->clean();
                             return core::Result<void>();
                         },
                     .needed =
                         [this] {
                             const auto sessions = this->sessions();
                             return sessions && sessions->has_tokens();
                         }});
    const std::string file = settings_.metrics.file;
    loops.push_back({.name = "metrics collection",
                     .interval = settings_.metrics.interval,
                     .work = [this, file]() -> core::Result<void> {
                         const std::string all = metrics_.render_prometheus();
                         return file.empty() ? core::Result<void>()
                                             : os::replace_file(file, all, 0644);
                     },
                     .needed = [file] { return !file.empty(); }});
    {
        const std::lock_guard lock(loops_mutex_);
        loops_.emplace(std::move(loops), clock_, logging_.logger("loops"), metrics_);
    }
    loops_->start();
}

/// Each group, whatever becomes of another; the pools of all databases tell for themselves.
void Daemon::collect_metrics() {
    const auto collected = [this](const char* group) {
        metrics_
            .counter("zona_metrics_collections_total", "Times that metrics were collected.",
                     {{"group", group}})
            .add();
    };
    if (const auto application = collect_application(metrics_); application)
        collected("application");
    else
        logging_.logger("loops").report("metrics of the daemon are missing", application.error());
    metrics_.gauge("zona_core_database_up", "Whether the core database is open: 1 or 0.")
        .set(tenants_->problem() ? 0 : 1);
    collected("database");
    collect_cache(*cache_, metrics_);
    collected("cache");
}

/// The clean-up has something to do.
void Daemon::poke_loops() {
    const std::lock_guard lock(loops_mutex_);
    if (loops_) loops_->poke();
}

}  // namespace zona::daemon
