/// @file
/// Alerts: what looks like an attack, told once where it will be seen.
///
/// Whoever lets people in says what was refused and who came; Alerts knows when that becomes a
/// pattern. Counts are kept in memory, by this process alone: another host counts its own. Source:
/// SEC-22, OBS-07, OBS-34.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/entry.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"

namespace zona::audit {

/// What was seen.
enum class Pattern : std::uint8_t {
    kFailuresOfAddress,  ///< one address is refused again and again: it guesses
    kFailuresOfName,     ///< one name is tried again and again, from wherever
    kNamesOfAddress,     ///< one address tries many names: a common password, sprayed
    kForeignTenants,     ///< one sender asks for tenants that are not its own
    kAttacks,            ///< the firewall takes one address's requests for attacks
    kNewPlace,           ///< a user has signed in from a network they have never signed in from
};
/// How many there are.
inline constexpr std::size_t kPatterns = 6;
/// "failures_of_address", ...
std::string_view to_string(Pattern pattern);

/// From when on it is one. 0: that is not looked for.
struct AlertLimits {
    std::chrono::seconds window{600};  ///< all counts are of so long
    std::size_t failures_of_address = 30;
    std::size_t failures_of_name = 10;
    std::size_t names_of_address = 10;
    std::size_t foreign_tenants = 10;
    std::size_t attacks = 10;
    bool new_places = true;
};

/// What has been raised since the start.
struct Raised {
    std::uint64_t count = 0;
    std::optional<core::SystemTime> last;
};

/// What it works with; all outlive it.
struct AlertsDeps {
    /// Puts an entry on the installation's record; any thread.
    std::function<void(const Entry&)> record;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;      ///< category `security`
    core::MetricRegistry& metrics;
};

/// Each alert is a warning in the log, one in zona_alerts_total{pattern}, and an entry `alert` of
/// the installation's record. One pattern of one sender is told once in a window. The log names
/// address and tenant, and no name: people type passwords in its place; on record it lies under the
/// key of its subject. Any thread; costs something only where something was refused.
class Alerts {
  public:
    /// Has seen nothing yet.
    explicit Alerts(AlertsDeps deps, AlertLimits limits = {});
    Alerts(const Alerts&) = delete;
    Alerts& operator=(const Alerts&) = delete;

    /// Hold from now on, for what has been counted, too.
    void set_limits(AlertLimits limits);

    /// Somebody was not let in who has shown a password, a key or a token. `name` is empty where
    /// none was given.
    void failed(std::string_view address, std::string_view tenant, std::string_view name);
    /// Somebody who is known asked for a tenant that is not theirs.
    void reached_out(const Actor& who, std::string_view tenant);
    /// The firewall has taken a request for an attack, whether it was served or not.
    void attacked(std::string_view address);
    /// A user has signed in from somewhere new.
    void came_from_new_place(const Actor& who, std::string_view tenant);

    /// In the order of Pattern.
    std::array<Raised, kPatterns> raised() const;

  private:
    /// What has happened to each key lately: different things, by their hashes.
    struct Lately {
        std::map<std::uint64_t, core::SteadyTime> things;
        core::SteadyTime last{};
        std::optional<core::SteadyTime> told;
    };
    using Tally = std::map<std::string, Lately, std::less<>>;

    bool reaches(Tally& tally, const std::string& key, std::uint64_t thing, std::size_t limit);
    void raise(Pattern pattern, Actor who, std::string_view tenant, std::size_t count);

    AlertsDeps deps_;
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    AlertLimits limits_;
    std::uint64_t next_thing_ = 0;
    Tally failures_of_address_;
    Tally failures_of_name_;
    Tally names_of_address_;
    Tally foreign_tenants_;
    Tally attacks_;
    std::array<Raised, kPatterns> raised_{};
};

}  // namespace zona::audit
