/// @file
/// Feature: what a licence can turn off. Source: LIC-06, LIC-11.
#pragma once

#include <cstdint>
#include <string_view>

namespace zona::tenancy {

/// Those from kAuditExport on are a licence's `compliance_features`, the others its
/// `feature_flags`.
enum class Feature : std::uint8_t {
    kCustomRoles,  ///< making and changing roles
    kInvitations,  ///< inviting users
    kTenantMoves,  ///< moving tenants to other hosts
    kAuditExport,  ///< exporting the record
    kAuditReport,  ///< reports on the record
};
/// All of them, in order.
inline constexpr Feature kAllFeatures[] = {Feature::kCustomRoles, Feature::kInvitations,
                                           Feature::kTenantMoves, Feature::kAuditExport,
                                           Feature::kAuditReport};
/// "custom_roles", ...: as in a licence.
std::string_view to_string(Feature feature);
constexpr bool is_compliance(Feature feature) {  /// Whether it is of `compliance_features`.
    return feature >= Feature::kAuditExport;
}

}  // namespace zona::tenancy
