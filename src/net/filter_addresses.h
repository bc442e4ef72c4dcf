/// @file
/// Who may ask over TCP, by where they are.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "net/middleware.h"
#include "net/network.h"

namespace zona::net {

/// The country of an address as two capitals (ISO 3166-1); empty: not known. Any thread.
using CountryOf = std::function<std::string(std::string_view address)>;

/// In this order:
///
/// | The address | Answer |
/// | --- | --- |
/// | is in `deny` | refused |
/// | its country is in `deny_countries` | refused |
/// | is in `allow` | let in |
/// | its country is in `allow_countries` | let in |
/// | none of these | let in, where nothing is listed as allowed |
struct AddressRules {
    NetworkSet deny{};
    NetworkSet allow{};
    /// @{
    /// Two capitals each, ordered. One that is not known is in none.
    std::vector<std::string> deny_countries{};
    std::vector<std::string> allow_countries{};
    /// @}
    CountryOf country_of{};  ///< may be empty where there are no countries

    /// Whether everybody is let in.
    bool is_empty() const {
        return deny.empty() && allow.empty() && deny_countries.empty() && allow_countries.empty();
    }
};

/// Why an address is refused.
enum class AddressRefusal : std::uint8_t { kDenied, kCountry, kNotAllowed };
/// "denied", "country", "not_allowed".
std::string_view to_string(AddressRefusal refusal);

/// The rules in force. Any thread.
class AddressFilter {
  public:
    /// Lets everybody in. `metrics` outlives it.
    explicit AddressFilter(core::MetricRegistry& metrics);
    AddressFilter(const AddressFilter&) = delete;
    AddressFilter& operator=(const AddressFilter&) = delete;

    /// Holds for all requests from now on.
    void set_rules(AddressRules rules);
    /// The ones in force.
    std::shared_ptr<const AddressRules> rules() const;
    /// Why `address` is not let in; counted in zona_denied_addresses_total{reason}. Without rules
    /// it costs the reading of one flag.
    std::optional<AddressRefusal> refusal(std::string_view address);

  private:
    core::MetricRegistry& metrics_;
    std::atomic<bool> has_rules_ = false;
    mutable std::mutex mutex_;
    std::shared_ptr<const AddressRules> rules_;  // guarded by mutex_
};

/// Answers 403 ADDRESS_DENIED to a request over TCP whose address `filter`, which outlives the
/// chain, does not let in. What is open without a key is refused, too: an address list for the
/// Internet has to name those who ask for /livez. Who asks is not told which list it was. Stands
/// where refusals are put on record, and before authentication, whose work it spares. Source:
/// SEC-16.
Middleware filter_addresses(AddressFilter& filter);

}  // namespace zona::net
