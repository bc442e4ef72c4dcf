#include "net/limit_rate.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "net/network.h"

namespace zona::net {
namespace {

class LimitRate {
  public:
    explicit LimitRate(RateLimiter& limiter) : limiter_(&limiter) {}

    Decision operator()(Request& request) const {
        const auto* remote = std::get_if<TcpPeer>(&request.peer);
        if (remote == nullptr || request.fault.has_value()) return {};
        if (const auto wait = limiter_->take(remote->address)) request.fault = refusal(*wait);
        return {};
    }

  private:
    Fault refusal(std::chrono::nanoseconds wait) const {
        const RateLimit limit = limiter_->limit();
        core::Error error(core::Code::kTooManyRequests,
                          fmt::format("more than {} requests per second came from this address "
                                      "(api.requests_per_second; {} at once)",
                                      limit.per_second, limit.burst));
        return {std::move(error), 0, std::chrono::ceil<std::chrono::seconds>(wait)};
    }

    RateLimiter* limiter_;
};

}  // namespace

RateLimiter::RateLimiter(const core::Clock& clock, RateLimit limit)
    : clock_(clock), per_second_(limit.per_second), burst_(limit.burst) {}

void RateLimiter::set_limit(RateLimit limit) {
    per_second_ = limit.per_second;
    burst_ = limit.burst;
}

RateLimit RateLimiter::limit() const {
    return {per_second_, burst_};
}

RateLimiter::Bucket& RateLimiter::bucket_of(Shard& shard, const std::string& client) {
    if (const auto known = shard.buckets.find(client); known != shard.buckets.end()) {
        shard.by_use.splice(shard.by_use.end(), shard.by_use, known->second.place);
        return known->second;
    }
    if (shard.buckets.size() == kMostClients / kShards) {
        shard.buckets.erase(shard.by_use.front());
        shard.by_use.pop_front();
    }
    shard.by_use.push_back(client);
    const Bucket full{core::SteadyTime::min(), std::prev(shard.by_use.end())};
    return shard.buckets.emplace(client, full).first->second;
}

std::optional<std::chrono::nanoseconds> take_token(core::SteadyTime& full_at,
                                                   const RateLimit& limit, core::SteadyTime now) {
    const std::chrono::nanoseconds each(std::nano::den / limit.per_second);
    const std::chrono::nanoseconds ahead = each * (std::max<std::int64_t>(limit.burst, 1) - 1);
    const core::SteadyTime full = std::max(full_at, now);
    if (full - now > ahead) return full - now - ahead;
    full_at = full + each;
    return std::nullopt;
}

std::optional<std::chrono::nanoseconds> RateLimiter::take(std::string_view address) {
    const RateLimit limit = this->limit();
    if (limit.per_second <= 0) return std::nullopt;
    const std::string client = client_network(address);
    Shard& shard = shards_.at(std::hash<std::string>()(client) % kShards);
    const std::lock_guard lock(shard.mutex);
    return take_token(bucket_of(shard, client).full_at, limit, clock_.steady());
}

std::size_t RateLimiter::clients() const {
    std::size_t count = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        count += shard.buckets.size();
    }
    return count;
}

Middleware limit_rate(RateLimiter& limiter) {
    return LimitRate(limiter);
}

}  // namespace zona::net
