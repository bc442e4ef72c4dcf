/// @file
/// ConnectionTally: who may connect, over all servers that share it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/metrics.h"
#include "net/http.h"
#include "net/server.h"

namespace zona::net::detail {

class ConnectionTally;

/// What becomes of a new connection.
enum class Verdict : std::uint8_t {
    kServed,
    kTooMany,         ///< told so: as many are open as may be
    kTooManyOfOne,    ///< told so: as many of its address are
    kTooManyRefused,  ///< closed without a word: enough others are being told
};

/// A place in a tally, given back when it dies. Move-only.
class Admission {
  public:
    Admission() = default;
    Admission(Admission&& other) noexcept = default;
    Admission& operator=(Admission&& other) noexcept;
    ~Admission() { give_back(); }

    Verdict verdict() const { return verdict_; }
    /// The limit that is met, if the verdict is one.
    std::size_t limit() const { return limit_; }

  private:
    friend class ConnectionTally;
    void give_back() noexcept;

    std::shared_ptr<ConnectionTally> tally_;
    Verdict verdict_ = Verdict::kTooManyRefused;
    std::size_t limit_ = 0;
    std::string address_;  ///< empty: not counted by address
};

/// Counts connections. All members from any thread.
class ConnectionTally : public std::enable_shared_from_this<ConnectionTally> {
  public:
    /// `metrics` must outlive it and what it admits.
    ConnectionTally(const ServerOptions& limits, core::MetricRegistry& metrics);

    /// From now on, for all servers at once.
    void set_limits(const ServerOptions& limits);
    Admission admit(const Peer& peer);
    /// Those that are being told of a limit included.
    std::size_t open() const;

  private:
    friend class Admission;
    Verdict judge(const std::string& address) const;

    mutable std::mutex mutex_;  // guards all below
    std::size_t most_ = 0;
    std::size_t most_of_one_ = 0;  ///< 0: no such limit
    std::size_t served_ = 0;
    std::size_t refused_ = 0;
    std::unordered_map<std::string, std::size_t> by_address_;
    core::Gauge& gauge_;
    core::Counter& refusals_;
};

}  // namespace zona::net::detail
