#include "net/detail/admission.h"

#include <utility>

namespace zona::net::detail {
namespace {

/// So many clients over the limit are told so at a time.
constexpr std::size_t kMostRefused = 64;

}  // namespace

Admission& Admission::operator=(Admission&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    tally_ = std::move(other.tally_);
    verdict_ = other.verdict_;
    limit_ = other.limit_;
    address_ = std::move(other.address_);
    return *this;
}

void Admission::give_back() noexcept {
    const std::shared_ptr<ConnectionTally> tally = std::exchange(tally_, nullptr);
    if (tally == nullptr) return;
    const std::lock_guard lock(tally->mutex_);
    if (verdict_ != Verdict::kServed) {
        --tally->refused_;
    } else {
        --tally->served_;
        const auto found = tally->by_address_.find(address_);
        if (found != tally->by_address_.end() && --found->second == 0)
            tally->by_address_.erase(found);
    }
    tally->gauge_.add(-1);
}

ConnectionTally::ConnectionTally(const ServerOptions& limits, core::MetricRegistry& metrics)
    : most_(limits.connections),
      most_of_one_(limits.connections_per_address),
      gauge_(metrics.gauge("zona_http_connections", "Open connections.")),
      refusals_(metrics.counter("zona_http_refused_connections_total",
                                "Connections over the limit, of all or of one address.")) {}

void ConnectionTally::set_limits(const ServerOptions& limits) {
    const std::lock_guard lock(mutex_);
    most_ = limits.connections;
    most_of_one_ = limits.connections_per_address;
}

Verdict ConnectionTally::judge(const std::string& address) const {
    Verdict out = Verdict::kServed;
    if (served_ >= most_) out = Verdict::kTooMany;
    if (out == Verdict::kServed && !address.empty() && most_of_one_ > 0) {
        const auto found = by_address_.find(address);
        const bool full = found != by_address_.end() && found->second >= most_of_one_;
        if (full) out = Verdict::kTooManyOfOne;
    }
    if (out == Verdict::kServed || refused_ < kMostRefused) return out;
    return Verdict::kTooManyRefused;
}

Admission ConnectionTally::admit(const Peer& peer) {
    const auto* remote = std::get_if<TcpPeer>(&peer);
    Admission out;
    if (remote != nullptr) out.address_ = remote->address;
    const std::lock_guard lock(mutex_);
    out.verdict_ = judge(out.address_);
    out.limit_ = out.verdict_ == Verdict::kTooManyOfOne ? most_of_one_ : most_;
    if (out.verdict_ != Verdict::kServed) refusals_.add();
    if (out.verdict_ == Verdict::kTooManyRefused) return out;
    if (out.verdict_ == Verdict::kServed) {
        if (!out.address_.empty()) ++by_address_[out.address_];
        ++served_;
    } else {
        ++refused_;
    }
    gauge_.add(1);
    out.tally_ = shared_from_this();
    return out;
}

std::size_t ConnectionTally::open() const {
    const std::lock_guard lock(mutex_);
    return served_ + refused_;
}

}  // namespace zona::net::detail
