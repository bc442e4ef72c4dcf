#include "store/mongo/detail/workers.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "os/thread.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;
using core::Result;

Workers::Workers(const MongoOptions& options, const ClientFactory& factory, std::size_t writes,
                 core::Logger log)
    : options_(options), factory_(factory), max_writing_(writes), log_(std::move(log)) {
    const std::lock_guard lock(mutex_);
    while (alive_ < options_.min_connections)
        add_worker();
}

Workers::~Workers() {
    std::list<Worker> workers;
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        // Whoever waits must be answered by somebody.
        if (alive_ == 0 && (!reads_.empty() || !writes_.empty())) add_worker();
        workers.splice(workers.end(), workers_);
    }
    wake_.notify_all();
    for (Worker& worker : workers)
        worker.thread.join();
}

void Workers::submit(WorkKind kind, Work work) {
    const bool reads = kind == WorkKind::kRead;
    const std::size_t limit = reads ? options_.max_waiting_reads : options_.max_waiting_writes;
    std::list<Worker> ended;
    bool stopping = false;
    bool taken = false;
    {
        const std::lock_guard lock(mutex_);
        std::deque<Work>& queue = reads ? reads_ : writes_;
        if (!stop_ && queue.size() < limit) {
            queue.push_back(std::move(work));
            taken = true;
            if (idle_ < reads_.size() + writes_.size() && alive_ < options_.max_connections)
                add_worker();
            ended = take_ended();
        } else {
            stopping = stop_;
        }
    }
    if (taken) {
        wake_.notify_one();
        for (Worker& worker : ended)
            worker.thread.join();
        return;
    }
    if (stopping) {
        work(Error(Code::kCancelled, "the database is being closed"));
        return;
    }
    work(Error(Code::kTooManyRequests, fmt::format("{} {} wait for the database already", limit,
                                                   reads ? "reads" : "changes")));
}

void Workers::every(std::chrono::milliseconds interval, std::function<void(Client&)> task) {
    const std::lock_guard lock(mutex_);
    task_ = std::move(task);
    task_interval_ = interval;
    task_due_ = std::chrono::steady_clock::now() + interval;
}

void Workers::fill(MongoStats& stats) const {
    const std::lock_guard lock(mutex_);
    stats.connections = alive_;
    stats.busy = alive_ - idle_;
    stats.waiting = reads_.size() + writes_.size();
    stats.opened = stats_.opened;
    stats.closed_idle = stats_.closed_idle;
    stats.pings = stats_.pings;
    stats.failed_pings = stats_.failed_pings;
    stats.last_ping = stats_.last_ping;
}

void Workers::fill(DatabaseLoad& load) const {
    const std::lock_guard lock(mutex_);
    load.connections = alive_;
    load.writing = writing_;
    load.reading = alive_ - idle_ - writing_;
    load.waiting_reads = reads_.size();
    load.waiting_writes = writes_.size();
}

void Workers::add_worker() {
    ++alive_;
    ++idle_;
    workers_.emplace_back();
    Worker& worker = workers_.back();
    worker.thread = std::thread([this, &worker] { run(worker); });
}

std::list<Workers::Worker> Workers::take_ended() {
    std::list<Worker> out;
    for (auto at = workers_.begin(); at != workers_.end();) {
        const auto next = std::next(at);
        if (at->ended) out.splice(out.end(), workers_, at);
        at = next;
    }
    return out;
}

bool Workers::take(Work& work, WorkKind& kind) {
    if (!reads_.empty() && (writing_ > 0 || writes_.empty())) {
        kind = WorkKind::kRead;
        work = std::move(reads_.front());
        reads_.pop_front();
        return true;
    }
    if (!may_take_write()) return false;
    kind = WorkKind::kWrite;
    work = std::move(writes_.front());
    writes_.pop_front();
    ++writing_;
    return true;
}

void Workers::run(Worker& self) {
    os::name_this_thread("store-mongo");
    std::unique_ptr<Client> client;
    std::unique_lock lock(mutex_);
    Time idle_since = std::chrono::steady_clock::now();
    while (true) {
        Work work;
        WorkKind kind{};
        if (take(work, kind)) {
            --idle_;
            lock.unlock();
            serve(client, work);
            work = {};
            lock.lock();
            ++idle_;
            if (kind == WorkKind::kWrite) {
                --writing_;
                wake_.notify_one();
            }
            idle_since = std::chrono::steady_clock::now();
            continue;
        }
        if (stop_ && reads_.empty() && writes_.empty()) break;
        if (!rest(client, lock, idle_since)) break;
    }
    --alive_;
    --idle_;
    self.ended = true;
    lock.unlock();
    wake_.notify_all();
}

void Workers::serve(std::unique_ptr<Client>& client, Work& work) {
    if (factory_.has_given_up()) {
        work(Error(Code::kCancelled, "zona is ending, and the database's server is away"));
        return;
    }
    if (client == nullptr) {
        client = std::make_unique<Client>(factory_);
        const std::lock_guard lock(mutex_);
        ++stats_.opened;
    }
    client->renew_if_needed();
    work(client.get());
    client->abort();
    client->renew_if_needed();
}

bool Workers::rest(std::unique_ptr<Client>& client, std::unique_lock<std::mutex>& lock,
                   Time idle_since) {
    const Time begun = std::chrono::steady_clock::now();
    const Time end = idle_since + options_.idle_timeout;
    // Not the last one while there is something that is done now and then.
    const auto stays = [this] {
        return alive_ <= options_.min_connections || (alive_ == 1 && task_);
    };
    const Time check = begun + options_.health_interval;
    Time until = client == nullptr ? check : std::min(check, task_due_);
    if (!stays()) until = std::min(until, end);
    const auto wanted = [this] {
        return !reads_.empty() || may_take_write() || (stop_ && writes_.empty());
    };
    if (wake_.wait_until(lock, until, wanted)) return true;
    const Time now = std::chrono::steady_clock::now();
    if (now >= end && !stays()) {
        ++stats_.closed_idle;
        return false;
    }
    if (now >= task_due_ && task_ && client != nullptr) {
        task_due_ = now + task_interval_;
        const auto task = task_;
        --idle_;
        lock.unlock();
        client->renew_if_needed();
        task(*client);
        client->renew_if_needed();
        lock.lock();
        ++idle_;
    } else if (now >= check) {
        ping(client, lock);
    }
    return true;
}

void Workers::ping(std::unique_ptr<Client>& client, std::unique_lock<std::mutex>& lock) {
    --idle_;
    lock.unlock();
    const Time begun = std::chrono::steady_clock::now();
    const bool made = client == nullptr;
    if (made) client = std::make_unique<Client>(factory_);
    client->renew_if_needed();
    const Result<void> answered = client->ping();
    client->renew_if_needed();
    const Time end = std::chrono::steady_clock::now();
    lock.lock();
    ++idle_;
    if (made) ++stats_.opened;
    ++stats_.pings;
    if (!answered.has_value()) ++stats_.failed_pings;
    if (answered.has_value())
        stats_.last_ping = std::chrono::duration_cast<std::chrono::microseconds>(end - begun);
    const bool changed = healthy_ != answered.has_value();
    healthy_ = answered.has_value();
    if (!changed) return;
    lock.unlock();
    if (answered.has_value()) {
        log_.info("the database answers again", {{"database", factory_.database()}});
    } else {
        log_.report("the database does not answer", answered.error());
    }
    lock.lock();
}

}  // namespace zona::store::mongo
