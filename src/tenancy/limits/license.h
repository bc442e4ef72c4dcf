/// @file
/// License: what the installation may be used for. One record for each type at most, in the core
/// database; the one that governs all tenants is found among them.
///
/// Value types: any thread. Source: DATA-08, DATA-24.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::tenancy {

/// From the weakest to the strongest.
enum class LicenseType : std::uint8_t { kCommunity, kTrial, kEnterprise };
/// "community", "trial", "enterprise".
std::string_view to_string(LicenseType type);
/// Errors: kInvalidArgument, naming all.
core::Result<LicenseType> parse_license_type(std::string_view text);

/// LICENSE_INFO. Objects may be null: empty.
struct License {
    LicenseType type = LicenseType::kCommunity;
    std::shared_ptr<const store::Document> details{};
    std::optional<std::int64_t> max_integrations{};  ///< none: any number
    std::optional<std::int64_t> max_tenants{};       ///< none: any number
    std::shared_ptr<const store::Document> feature_flags{};
    std::optional<core::SystemTime> expiry_date{};  ///< none: never
    std::shared_ptr<const store::Document> usage_metrics{};
    std::shared_ptr<const store::Document> compliance_features{};
};

/// Licences in the core database. Any thread; callbacks come on threads of the database's own.
/// Errors of all besides their own: those of the database (store/database.h).
class LicenseRepository {
  public:
    /// `core` was opened with core_collections().
    explicit LicenseRepository(std::shared_ptr<store::Database> core) : core_(std::move(core)) {}

    /// Makes or replaces the licence of this type. Errors: kInvalidArgument: a number below 0.
    void put(License license, store::Callback<License> done);
    /// None: there is no licence of this type.
    void find(LicenseType type, store::Callback<std::optional<License>> done);
    /// All, the strongest first.
    void list(store::Callback<std::vector<License>> done);
    /// False: there was none.
    void remove(LicenseType type, store::Callback<bool> done);
    /// As governing_license().
    void governing(core::SystemTime now, store::Callback<std::optional<License>> done);

  private:
    std::shared_ptr<store::Database> core_;
};

/// The licence that all tenants are under: the strongest one that has not expired, else the
/// strongest one, whose limits go on to hold. None: there is no licence, and no limit.
core::Result<std::optional<License>> governing_license(store::Reader& core, core::SystemTime now);

/// Whether the licence lets one tenant be made besides so many that are there.
/// Errors: kConflict, naming both numbers.
core::Result<void> admit_tenant(const std::optional<License>& license, std::uint64_t tenants);

}  // namespace zona::tenancy
