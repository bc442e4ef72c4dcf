#include "tenancy/limits/admission.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace zona::tenancy {

namespace asio = boost::asio;
using core::Code;
using core::Error;
using core::Result;
using std::chrono::nanoseconds;

namespace {

/// How far ahead of its pace a tenant may be: what comes in a moment is not spread.
constexpr nanoseconds kTolerance = std::chrono::milliseconds(50);
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

nanoseconds interval_of(const Quota& quota) {
    return nanoseconds(std::chrono::seconds(1)) / quota.requests_per_second;
}

asio::awaitable<void> pause(nanoseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(kAwait);
}

}  // namespace

struct Admission::Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool has_place = false;
};

struct Admission::Share {
    std::string code;
    OwnQuota own;
    core::SteadyTime next{};  ///< when the next request is on time (GCRA)
    std::uint32_t running = 0;
    std::size_t pausing = 0;  ///< for their pace
    std::deque<std::shared_ptr<Waiter>> queue;
    core::Counter* admitted = nullptr;
    core::Counter* waited = nullptr;
    core::Counter* refused = nullptr;

    std::size_t waiting() const { return pausing + queue.size(); }
};

Admission::Ticket::Ticket(Ticket&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), tenant_(other.tenant_) {}

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(tenant_, other.tenant_);
    return *this;
}

Admission::Ticket::~Ticket() {
    if (owner_ != nullptr) owner_->leave(*tenant_);
}

/// One who waits in a tenant's queue, also when its coroutine is destroyed meanwhile.
class Admission::Place {
  public:
    Place(Admission& owner, Share& tenant, std::shared_ptr<Waiter> waiter)
        : owner_(owner), tenant_(tenant), waiter_(std::move(waiter)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        if (waiter_ == nullptr) return;
        if (take()) owner_.leave(tenant_);
    }

    /// Ends the waiting; whether there is a place.
    bool take() {
        const std::shared_ptr<Waiter> waiter = std::exchange(waiter_, nullptr);
        const std::scoped_lock lock(owner_.mutex_);
        if (waiter->has_place) return true;
        std::erase(tenant_.queue, waiter);
        if (tenant_.queue.empty()) owner_.round_.remove(&tenant_);
        return false;
    }

  private:
    Admission& owner_;
    Share& tenant_;
    std::shared_ptr<Waiter> waiter_;
};

/// One who waits for its pace, counted down also when its coroutine is destroyed meanwhile.
class Admission::Pausing {
  public:
    Pausing(Admission& owner, Share& share) : owner_(owner), share_(share) {}
    Pausing(const Pausing&) = delete;
    Pausing& operator=(const Pausing&) = delete;
    ~Pausing() {
        const std::scoped_lock lock(owner_.mutex_);
        --share_.pausing;
    }

  private:
    Admission& owner_;
    Share& share_;
};

Admission::Admission(AdmissionOptions options, const core::Clock& clock,
                     core::MetricRegistry& metrics)
    : clock_(clock), metrics_(metrics), options_(options) {}

Admission::~Admission() = default;

Admission::Share& Admission::tenant_of(std::string_view code) {
    if (const auto found = tenants_.find(code); found != tenants_.end()) return *found->second;
    auto made = std::make_unique<Share>();
    made->code = code;
    const auto counter = [&](std::string_view outcome) {
        return &metrics_.counter(
            "zona_tenant_requests_total", "Requests by keys of tenants.",
            {{"tenant", std::string(code)}, {"outcome", std::string(outcome)}});
    };
    made->admitted = counter("admitted");
    made->waited = counter("waited");
    made->refused = counter("refused");
    return *tenants_.emplace(code, std::move(made)).first->second;
}

Quota Admission::quota_of(const Share& tenant) const {
    return tenant.own.over(options_.usual);
}

bool Admission::may_run(const Share& tenant) const {
    const Quota quota = quota_of(tenant);
    return (quota.concurrency == 0 || tenant.running < quota.concurrency) &&
           (options_.concurrency == 0 || running_ < options_.concurrency);
}

/// How long the request has to wait for its pace; nothing: its turn is too far away.
std::optional<nanoseconds> Admission::pace(Share& tenant, core::SteadyTime now) {
    const Quota quota = quota_of(tenant);
    if (quota.requests_per_second == 0) return nanoseconds(0);
    const core::SteadyTime at = std::max(tenant.next, now);
    const nanoseconds wait = std::max(at - now - kTolerance, nanoseconds(0));
    if (wait > options_.patience) return std::nullopt;
    if (wait.count() > 0 && tenant.waiting() >= options_.waiting) return std::nullopt;
    tenant.next = at + interval_of(quota);
    return wait;
}

asio::awaitable<Result<Admission::Ticket>> Admission::enter(std::string code) {
    Lock lock(mutex_);
    Share& tenant = tenant_of(code);
    if (held_) {
        lock.unlock();
        ZONA_CO_TRY_VOID(co_await wait_for_release(tenant));
        lock.lock();
    }
    const auto wait = pace(tenant, clock_.steady());
    if (!wait.has_value()) {
        lock.unlock();
        co_return co_await refuse(tenant);
    }
    if (wait->count() > 0) {
        ++tenant.pausing;
        lock.unlock();
        {
            const Pausing pausing(*this, tenant);
            co_await pause(*wait);
        }
        lock.lock();
    }
    const bool first = tenant.queue.empty();
    if (first && may_run(tenant)) {
        ++tenant.running;
        ++running_;
        (wait->count() > 0 ? tenant.waited : tenant.admitted)->add();
        co_return Ticket(*this, tenant);
    }
    const bool full = tenant.queue.size() >= options_.waiting;
    lock.unlock();
    if (full) co_return co_await refuse(tenant);
    co_return co_await wait_for_place(tenant);
}

asio::awaitable<Result<void>> Admission::wait_for_release(Share& tenant) {
    auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
    Lock lock(mutex_);
    const bool full = tenant.waiting() >= options_.waiting;
    if (held_ && !full) {
        ++tenant.pausing;
        waiter->timer.expires_after(options_.patience);
        until_release_.push_back(waiter);
        lock.unlock();
        {
            const Pausing pausing(*this, tenant);
            co_await waiter->timer.async_wait(kAwait);
        }
        lock.lock();
        std::erase(until_release_, waiter);
    }
    if (!held_) co_return Result<void>();
    tenant.refused->add();
    co_return Error(Code::kUnavailable,
                    "the tenants' quotas are not known yet, as their data is being opened");
}

void Admission::hold() {
    const std::scoped_lock lock(mutex_);
    held_ = true;
}

void Admission::release() {
    const std::scoped_lock lock(mutex_);
    held_ = false;
    // A timer belongs to the thread that waits for it.
    for (const std::shared_ptr<Waiter>& waiter : std::exchange(until_release_, {}))
        asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
}

asio::awaitable<Result<Admission::Ticket>> Admission::wait_for_place(Share& tenant) {
    auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
    Lock lock(mutex_);
    waiter->timer.expires_after(options_.patience);
    tenant.queue.push_back(waiter);
    if (tenant.queue.size() == 1) round_.push_back(&tenant);
    Place place(*this, tenant, waiter);
    // Somebody may have left meanwhile.
    give_turns();
    lock.unlock();
    co_await waiter->timer.async_wait(kAwait);
    if (!place.take()) co_return co_await refuse(tenant);
    tenant.waited->add();
    co_return Ticket(*this, tenant);
}

asio::awaitable<Result<Admission::Ticket>> Admission::refuse(Share& tenant) {
    tenant.refused->add();
    Lock lock(mutex_);
    const nanoseconds time = options_.refusal_pause;
    Error error = refusal(tenant);
    lock.unlock();
    co_await pause(time);
    co_return error;
}

Error Admission::refusal(const Share& tenant) const {
    const Quota quota = quota_of(tenant);
    return {Code::kTooManyRequests,
            fmt::format("the tenant '{}' has {} requests waiting and {} at work; its quota is {} a "
                        "second and {} at a time",
                        tenant.code, tenant.waiting(), tenant.running,
                        quota.requests_per_second == 0 ? "any number"
                                                       : std::to_string(quota.requests_per_second),
                        quota.concurrency == 0 ? "any number" : std::to_string(quota.concurrency))};
}

void Admission::leave(Share& tenant) {
    const std::scoped_lock lock(mutex_);
    --tenant.running;
    --running_;
    give_turns();
}

/// Precondition: the lock is held.
void Admission::give_turns() {
    for (std::size_t blocked = 0; blocked < round_.size();) {
        Share& next = *round_.front();
        round_.pop_front();
        if (!may_run(next)) {
            round_.push_back(&next);
            ++blocked;
            continue;
        }
        const std::shared_ptr<Waiter> waiter = std::move(next.queue.front());
        next.queue.pop_front();
        if (!next.queue.empty()) round_.push_back(&next);
        waiter->has_place = true;
        ++next.running;
        ++running_;
        blocked = 0;
        // A timer belongs to the thread that waits for it.
        asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
    }
}

void Admission::set_quota(std::string_view code, const OwnQuota& quota) {
    const std::scoped_lock lock(mutex_);
    if (quota == OwnQuota() && !tenants_.contains(code)) return;
    tenant_of(code).own = quota;
    give_turns();
}

void Admission::set_options(const AdmissionOptions& options) {
    const std::scoped_lock lock(mutex_);
    options_ = options;
    give_turns();
}

std::vector<Admission::Usage> Admission::usage() const {
    const std::scoped_lock lock(mutex_);
    std::vector<Usage> out;
    for (const auto& [code, tenant] : tenants_) {
        if (tenant->running > 0 || tenant->waiting() > 0)
            out.push_back({code, tenant->running, tenant->waiting()});
    }
    return out;
}

}  // namespace zona::tenancy
