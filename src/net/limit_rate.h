/// @file
/// How many requests one address may send over TCP.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/clock.h"
#include "net/middleware.h"

namespace zona::net {

/// How often one client may ask.
struct RateLimit {
    std::int64_t per_second = 0;  ///< 0: no limit
    std::int64_t burst = 1;       ///< what may come at once after a rest; at least 1
    bool operator==(const RateLimit&) const = default;
};

/// Takes a token from a bucket, which is the moment when it will be full again (GCRA, ITU-T I.371):
/// one number, and nothing to do while time passes. Returns nothing when there was one, else how
/// long it takes until there is; that refused attempt costs nothing.
std::optional<std::chrono::nanoseconds> take_token(core::SteadyTime& full_at,
                                                   const RateLimit& limit, core::SteadyTime now);

/// A token bucket for each client. All servers of a process share one. Any thread.
class RateLimiter {
  public:
    /// Clients that are remembered. Beyond them the one that was quiet for the longest time is
    /// forgotten, and starts with a full bucket if it comes again. About 3 MiB at most.
    static constexpr std::size_t kMostClients = 16'384;

    /// `clock` must outlive this.
    explicit RateLimiter(const core::Clock& clock, RateLimit limit = {});
    RateLimiter(const RateLimiter&) = delete;
    RateLimiter& operator=(const RateLimiter&) = delete;

    /// Holds for all requests from now on.
    void set_limit(RateLimit limit);
    /// The one in force.
    RateLimit limit() const;

    /// take_token() of the bucket of `address`: an IPv4 address, or the /64 that an IPv6 address is
    /// in, which usually is one customer.
    std::optional<std::chrono::nanoseconds> take(std::string_view address);

    /// Clients remembered now.
    std::size_t clients() const;

  private:
    static constexpr std::size_t kShards = 16;

    struct Bucket {
        core::SteadyTime full_at;
        std::list<std::string>::iterator place;
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<std::string, Bucket> buckets;  // guarded by mutex
        std::list<std::string> by_use;  // guarded by mutex; the front was quiet the longest
    };
    Bucket& bucket_of(Shard& shard, const std::string& client);

    const core::Clock& clock_;
    std::atomic<std::int64_t> per_second_;
    std::atomic<std::int64_t> burst_;
    std::array<Shard, kShards> shards_;
};

/// Answers 429 TOO_MANY_REQUESTS with Retry-After (whole seconds) and the limit in the message when
/// the client's bucket is empty. `limiter` must outlive the chain.
///
/// It marks the request with a Fault, so that the refusal is answered, logged and given its CORS
/// headers like any other; hence outside of cors() and render_errors(), and before authentication,
/// whose work it spares. Requests over the unix socket and those that have a Fault already are not
/// counted. Clients behind one proxy share its address, unless it is trusted
/// (net/trust_proxies.h). Source: HTTP-20, GAP-52.
Middleware limit_rate(RateLimiter& limiter);

}  // namespace zona::net
