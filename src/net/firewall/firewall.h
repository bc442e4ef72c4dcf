/// @file
/// Firewall: requests that look like attacks, by ModSecurity's engine and the OWASP core rules.
///
/// An option of each TCP listener; without it nothing is loaded. The rules are asked on threads of
/// the firewall's own, for a request takes them 0.5 to 2 ms, and a body of 128 KiB a quarter of a
/// second. Of what was found only the rules' numbers leave it: what they match on may be a
/// password. Source: SEC-14, ADR 25.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/result.h"
#include "net/middleware.h"

namespace zona::net {

namespace detail {
class RuleSet;
struct Sample;
}  // namespace detail

/// What is done with a request that looks like an attack.
enum class FirewallMode : std::uint8_t {
    kOff,     ///< nobody looks
    kDetect,  ///< it is told, and served
    kBlock,   ///< it is told, and refused
};
/// "off", "detect", "block".
std::string_view to_string(FirewallMode mode);
/// kOff for any other text.
FirewallMode firewall_mode(std::string_view name);

/// The mode of each listener.
struct FirewallModes {
    FirewallMode main = FirewallMode::kOff;
    std::uint16_t main_port = 0;               ///< that of the listener which `main` is about
    FirewallMode others = FirewallMode::kOff;  ///< of all others over TCP
    bool operator==(const FirewallModes&) const = default;

    /// The unix socket has none.
    FirewallMode of(const Peer& peer) const;
    /// Whether any listener has one.
    bool any() const { return main != FirewallMode::kOff || others != FirewallMode::kOff; }
};

/// Where the rules are.
struct FirewallRules {
    std::string own_file;        ///< of the administrator, in ModSecurity's language; empty: none
    std::string core_directory;  ///< the OWASP core rules, REQUEST-*.conf
    core::ByteCount body;        ///< larger bodies are not inspected
};

/// What it works with; all outlive it.
struct FirewallDeps {
    const core::Clock& clock;
    core::Logger log;  ///< category `security`
    core::MetricRegistry& metrics;
    /// Told of each request that looks like an attack, on the request's thread.
    std::function<void(const Request&)> attacked = {};
    std::size_t threads = 1;
};

/// Modes and rules in force, and the threads that ask them. Any thread, but for inspect().
class Firewall {
  public:
    /// Requests that wait for the rules or are asked about; more are not inspected.
    static constexpr std::size_t kMostAtOnce = 256;

    /// All modes are off.
    explicit Firewall(FirewallDeps deps);
    ~Firewall();
    Firewall(const Firewall&) = delete;
    Firewall& operator=(const Firewall&) = delete;

    /// Reads the rules, which takes a tenth of a second and 18 MiB, and puts them into force with
    /// `modes`; without any mode it forgets the rules. Blocks. Errors: kUnsupported: the library is
    /// not there; kInvalidArgument, kNotFound: a file, naming setting and line. Rules and modes in
    /// force stay then.
    core::Result<void> load(const FirewallRules& rules, FirewallModes modes);

    /// Puts `modes` into force without rules: where requests would be blocked, none is served.
    void load_nothing(FirewallModes modes);

    /// Those in force.
    FirewallModes modes() const;
    /// How many rules are; 0: none are loaded.
    std::size_t rules() const;

    /// What a request is answered with, if it is not to be served:
    ///
    /// | The request | `block` | `detect` |
    /// | --- | --- | --- |
    /// | looks like an attack, or its body cannot be read | 403 REQUEST_BLOCKED | served |
    /// | has a larger body than is inspected | 413 TOO_LARGE | served |
    /// | is one too many at the time | 503 UNAVAILABLE, Retry-After | served |
    /// | comes where there are no rules | 503 UNAVAILABLE | served |
    ///
    /// An attack is one line in the log with the rules' numbers and no text of the request. Each is
    /// counted in zona_firewall_requests_total{outcome}. `request` lives until then; on its thread.
    Decision inspect(const Request& request);

    /// Waits for the rules that are being asked; nothing may be inspected any more.
    void stop();

  private:
    struct InForce {
        FirewallModes modes;
        std::shared_ptr<const detail::RuleSet> rules;
        core::ByteCount body;
    };
    using Verdict = std::optional<std::vector<std::int64_t>>;

    asio::awaitable<std::optional<Response>> ask(const Request& request, FirewallMode mode,
                                                 std::shared_ptr<const InForce> in_force);
    asio::awaitable<Verdict> judge(const Request& request,
                                   std::shared_ptr<const detail::RuleSet> rules);
    Verdict measure(const detail::RuleSet& rules, const detail::Sample& sample);
    void report(const Request& request, FirewallMode mode, const std::vector<std::int64_t>& rules);
    std::optional<Response> unserved(std::string_view why, FirewallMode mode, core::Error error);
    void count(std::string_view outcome);
    void set(InForce next);
    std::shared_ptr<const InForce> in_force() const;

    FirewallDeps deps_;
    mutable std::mutex mutex_;
    std::shared_ptr<const InForce> in_force_;  // guarded by mutex_
    std::atomic<bool> is_on_{false};           ///< spares the lock where nothing is to be done
    std::atomic<std::size_t> at_once_{0};
    std::once_flag begun_;
    std::optional<asio::thread_pool> threads_;
};

/// The station of a chain that asks `firewall`, which outlives it. Stands behind the address lists
/// and before authentication, where refusals are put on record; §8.2 has no place for it.
Middleware inspect_requests(Firewall& firewall);

}  // namespace zona::net
