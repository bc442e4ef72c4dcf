/// @file
/// License: what the installation, or one tenant, may be used for; and how such a text is read.
///
/// A licence is a JSON Web Signature (RFC 7515) in its compact form, signed with Ed25519, of type
/// `zona-license`. Its payload is a JSON object:
///
///     {"id": "2026-0017", "type": "enterprise", "holder": "Acme Ltd.",
///      "issued_at": "2026-01-01T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z",
///      "max_tenants": 50, "feature_flags": {"custom_roles": false},
///      "compliance_features": {"audit_export": true}}
///
/// `not_before`, `expires_at`, `max_tenants`, `max_integrations`, `tenants`, `feature_flags` and
/// `compliance_features` may be missing: then it holds from when it was issued, for ever, with the
/// numbers of its type, and with everything turned on. One that names `tenants` governs these and
/// nobody else. Value types and pure functions, any thread.
/// Source: DATA-08, DATA-24, LIC-01, LIC-09, GAP-70, RFC 8725.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "identity/tokens/json_web_key.h"
#include "store/value.h"
#include "tenancy/limits/feature.h"

namespace zona::tenancy {

/// From the weakest to the strongest.
enum class LicenseType : std::uint8_t { kCommunity, kTrial, kEnterprise };
/// "community", "trial", "enterprise".
std::string_view to_string(LicenseType type);
/// Errors: kInvalidArgument, naming all.
core::Result<LicenseType> parse_license_type(std::string_view text);

/// What a type allows of itself; a licence may say another number.
struct TypeLimits {
    std::optional<std::int64_t> max_integrations;  ///< none: any number
    std::optional<std::int64_t> max_tenants;       ///< none: any number
};
/// community: 10,000 tenants, any number of integrations; trial: 10 of each; enterprise: any.
TypeLimits limits_of(LicenseType type);

/// Bytes of a licence.
inline constexpr std::size_t kMostLicenseBytes = 8192;
/// The `typ` of its header.
inline constexpr std::string_view kLicenseTyp = "zona-license";

/// Whose licences are taken.
class LicenseKeys {
  public:
    /// Nobody's.
    LicenseKeys() = default;
    /// Public keys as base64url of 32 bytes, separated by commas; what is `built_in` stands in the
    /// place of what is configured. Errors: kInvalidArgument, naming the setting.
    static core::Result<LicenseKeys> parse(std::string_view built_in, std::string_view configured);

    bool empty() const { return keys_.empty(); }
    /// What the text says. Errors: kInvalidArgument, saying what to do: there are no keys, it is no
    /// licence, or none of the keys has signed it.
    core::Result<std::string> open(std::string_view text) const;

  private:
    std::vector<identity::VerificationKey> keys_;
};

/// Whether it can be used now.
enum class LicenseState : std::uint8_t { kValid, kExpired, kNotYet };
/// "valid", "expired", "not_yet".
std::string_view to_string(LicenseState state);

/// LICENSE_INFO, and what zona knows besides. Objects may be null: empty.
struct License {
    LicenseType type = LicenseType::kCommunity;
    std::string id{};  ///< empty: built in, nobody has signed it
    std::string holder{};
    core::SystemTime issued_at{};
    core::SystemTime not_before{};
    std::vector<std::string> tenants{};              ///< codes; empty: all that no other one names
    std::optional<std::int64_t> max_integrations{};  ///< none: any number
    std::optional<std::int64_t> max_tenants{};       ///< none: any number
    std::shared_ptr<const store::Document> feature_flags{};
    std::optional<core::SystemTime> expiry_date{};  ///< none: never
    std::shared_ptr<const store::Document> usage_metrics{};
    std::shared_ptr<const store::Document> compliance_features{};
    std::string text{};                       ///< that was signed
    std::optional<std::int64_t> warned_at{};  ///< days before the end; the last warning's

    /// Whether it is turned on: what a licence says nothing of is.
    bool has(Feature feature) const;
    LicenseState state(core::SystemTime now) const;  ///< whether it can be used then
    /// Days until it expires, begun ones counted, 0 once it has; none: it never does.
    std::optional<std::int64_t> days_left(core::SystemTime now) const;
};

/// What holds while none is installed: of type community, for ever, everything turned on.
License community_license();

/// The licence that a text is; its moments are not looked at.
/// Errors: those of LicenseKeys::open(); kInvalidArgument, naming the member: one that is missing,
/// of another form or unknown; an end before its begin; a trial without an end; max_tenants of one
/// that names tenants.
core::Result<License> parse_license(std::string_view text, const LicenseKeys& keys);

/// Which of `all` a tenant is under, or the installation itself if `tenant` is empty: of those that
/// name it, or else of those that name nobody, the strongest that is valid, else the strongest,
/// whose limits go on to hold. Without any: community_license().
License governing(const std::vector<License>& all, std::string_view tenant, core::SystemTime now);

/// Whether the licence lets one tenant be made besides so many that are there.
/// Errors: kLicense: naming both numbers; or it has expired.
core::Result<void> admit_tenant(const License& license, std::uint64_t tenants,
                                core::SystemTime now);
/// Errors: kLicense: it is not valid, so what there is can be read and exported, and is not
/// changed.
core::Result<void> check_valid(const License& license, core::SystemTime now);
/// Errors: kLicense, naming the feature.
core::Result<void> check_feature(const License& license, Feature feature);

}  // namespace zona::tenancy
