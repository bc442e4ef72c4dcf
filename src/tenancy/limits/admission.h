/// @file
/// Admission: how much of the platform the requests of one tenant may take at a time, so that a
/// noisy one is slowed down and not its neighbours.
///
/// A tenant that asks faster than its quota is paced: its requests wait for their turn, evenly
/// spread. One that has as many at work as it may has the next ones wait for the first that is
/// done. Where all tenants together are at the limit, those that wait get their turns round robin,
/// one request of each tenant. Whoever cannot wait, because too many of its tenant do already or
/// its turn is too far away, is refused, after a pause, so that a program which asks again at once
/// does not take the processor for refusals. Source: TEN-40, GCRA: ITU-T I.371.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/result.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

/// What holds for all tenants.
struct AdmissionOptions {
    Quota usual{};                  ///< of a tenant without one of its own
    std::uint32_t concurrency = 0;  ///< requests at work, of all tenants together; 0: any number
    std::size_t waiting = 256;      ///< requests of one tenant that may wait
    std::chrono::milliseconds patience{5000};  ///< how long each of them may
    std::chrono::milliseconds refusal_pause{100};
};

/// Any thread. It outlives its tickets and whoever waits.
class Admission {
    struct Share;
    struct Waiter;

  public:
    /// A place at work; given back when it dies.
    class Ticket {
      public:
        /// No place.
        Ticket() = default;
        Ticket(Ticket&& other) noexcept;
        Ticket& operator=(Ticket&& other) noexcept;
        ~Ticket();

      private:
        friend class Admission;
        Ticket(Admission& owner, Share& tenant) : owner_(&owner), tenant_(&tenant) {}
        Admission* owner_ = nullptr;
        Share* tenant_ = nullptr;
    };

    /// What one tenant takes now.
    struct Usage {
        std::string code;
        std::uint32_t running = 0;
        std::size_t waiting = 0;
    };

    /// `clock` and `metrics` outlive it. Metrics: zona_tenant_requests_total{tenant,outcome} with
    /// the outcomes admitted, waited and refused.
    Admission(AdmissionOptions options, const core::Clock& clock, core::MetricRegistry& metrics);
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    ~Admission();

    /// A place for one request of this tenant, at once or when its turn has come. On the executor
    /// of the coroutine, and it may be cancelled: then nothing is held.
    /// Errors: kTooManyRequests, naming the quota. kUnavailable: hold() has not ended.
    boost::asio::awaitable<core::Result<Ticket>> enter(std::string code);

    /// Nobody gets a place from now on: what tenants may take is not known yet. Until release()
    /// they wait, as long as their patience lasts.
    void hold();
    void release();  ///< ends hold()

    /// Gives a tenant a quota of its own, for requests from now on; an empty one takes it back.
    void set_quota(std::string_view code, const OwnQuota& quota);
    /// Other limits for all from now on; who waits stays where it is.
    void set_options(const AdmissionOptions& options);

    /// Those who have something at work or waiting, by code.
    std::vector<Usage> usage() const;

  private:
    class Place;
    class Pausing;
    using Lock = std::unique_lock<std::mutex>;

    Share& tenant_of(std::string_view code);
    Quota quota_of(const Share& tenant) const;
    bool may_run(const Share& tenant) const;
    std::optional<std::chrono::nanoseconds> pace(Share& tenant, core::SteadyTime now);
    void leave(Share& tenant);
    void give_turns();
    core::Error refusal(const Share& tenant) const;
    boost::asio::awaitable<core::Result<void>> wait_for_release(Share& tenant);
    boost::asio::awaitable<core::Result<Ticket>> wait_for_place(Share& tenant);
    boost::asio::awaitable<core::Result<Ticket>> refuse(Share& tenant);

    const core::Clock& clock_;
    core::MetricRegistry& metrics_;
    mutable std::mutex mutex_;  // guards all below
    AdmissionOptions options_;
    std::map<std::string, std::unique_ptr<Share>, std::less<>> tenants_;
    std::list<Share*> round_;  // those with somebody in their queue, the next one first
    std::uint32_t running_ = 0;
    bool held_ = false;
    std::vector<std::shared_ptr<Waiter>> until_release_;
};

}  // namespace zona::tenancy
