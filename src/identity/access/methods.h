/// @file
/// Methods: by what it was known who asks, and what is asked of them at once.
///
/// | Method | It is shown by |
/// | --- | --- |
/// | key | the text of an API key |
/// | token | a user's access token |
/// | certificate | a client certificate that is registered for whom the request is (ApiKeys) |
/// | second_factor | a session that began with a code of the user's authenticator |
///
/// Value types and pure functions, but for MethodPolicies; any thread. Source: AUTH-31,
/// docs/adr/0023.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace zona::identity {

/// Each is a bit.
enum class Method : std::uint8_t { kKey = 1, kToken = 2, kCertificate = 4, kSecondFactor = 8 };

/// Any number of methods.
class Methods {
  public:
    constexpr Methods() = default;
    /// The one.
    constexpr Methods(Method one) : bits_(static_cast<std::uint8_t>(one)) {}
    /// What bits() gave.
    static constexpr Methods from(std::uint8_t bits) {
        Methods out;
        out.bits_ = bits;
        return out;
    }
    static constexpr Methods all() { return from(0xff); }

    /// These, too.
    constexpr Methods& add(Methods others) {
        bits_ |= others.bits_;
        return *this;
    }
    /// Whether all of these are among them.
    constexpr bool has(Methods others) const { return (bits_ & others.bits_) == others.bits_; }
    constexpr std::uint8_t bits() const { return bits_; }
    /// "certificate+token"; empty: none.
    std::string to_string() const;
    bool operator==(const Methods&) const = default;

  private:
    std::uint8_t bits_ = 0;
};

/// What has to be shown at once: any one of several ways. Without a way anything will do.
class RequiredMethods {
  public:
    RequiredMethods() = default;
    /// Each way as "certificate+token". Errors: kInvalidArgument, naming what is no method; also a
    /// way that nobody can go, because it has neither key, token nor certificate.
    static core::Result<RequiredMethods> parse(std::span<const std::string> ways);
    /// The same of ways with commas between them.
    static core::Result<RequiredMethods> parse(std::string_view ways);
    /// Nothing will do.
    static RequiredMethods impossible();

    /// Whether who has shown these has shown enough.
    bool are_met_by(Methods shown) const;
    bool empty() const { return ways_.empty(); }
    /// "certificate+token or certificate+key"
    std::string to_string() const;
    bool operator==(const RequiredMethods&) const = default;

  private:
    std::vector<Methods> ways_;
};

/// What is required of everybody, and of who is of a tenant. Never waits.
class MethodPolicies {
  public:
    /// Of everybody over the network.
    void set_usual(RequiredMethods required);
    /// Of this tenant's, besides.
    void set(const std::string& tenant, RequiredMethods required);

    /// Whether who is of `tenant` (empty: of none) has shown enough. Errors: kUnauthenticated,
    /// saying what is asked for and what was shown.
    core::Result<void> check(std::string_view tenant, Methods shown) const;

  private:
    mutable std::shared_mutex mutex_;
    // Guarded by mutex_.
    RequiredMethods usual_;
    std::map<std::string, RequiredMethods, std::less<>> of_tenant_;
};

}  // namespace zona::identity
