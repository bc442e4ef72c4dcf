/// @file
/// Tenant: who the platform works for, as one record that holds what all documents say of one.
///
/// The three descriptions of a tenant in the specification use different names for the same things
/// (GAP-29); this is their union, and an API maps its own names to it. Value types; any thread.
/// Source: DATA-01, DATA-10, DATA-14, TEN-36, TEN-37.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"
#include "store/value.h"

namespace zona::tenancy {

/// How tenants' data is kept apart.
enum class BuildType : std::uint8_t {
    kMssp,          ///< a database for each tenant
    kSingleTenant,  ///< one database for all, each document stamped with its tenant (GAP-08)
};
/// "MSSP", "SINGLE_TENANT".
std::string_view to_string(BuildType type);
/// Errors: kInvalidArgument, naming both.
core::Result<BuildType> parse_build_type(std::string_view text);

/// Whether a tenant is served: only kActive is.
enum class TenantStatus : std::uint8_t { kActive, kInactive, kSuspended };
/// "active", "inactive", "suspended".
std::string_view to_string(TenantStatus status);
/// Errors: kInvalidArgument, naming all.
core::Result<TenantStatus> parse_tenant_status(std::string_view text);

/// Whether a tenant's database could be used when it was last tried.
enum class ConnectionStatus : std::uint8_t { kConnected, kDisconnected, kError };
/// "connected", "disconnected", "error".
std::string_view to_string(ConnectionStatus status);

/// The tenant that internal work without one is done for (TEN-27, GAP-09).
inline constexpr std::string_view kDefaultTenant = "default";

/// The scope of the tenant with this code; case does not matter, so that two spellings never are
/// two tenants. Errors: kInvalidArgument, saying what a code looks like.
core::Result<store::Scope> scope_of(std::string_view code);

/// Where a tenant's database is, if it is not a file of this host's.
struct DatabaseAddress {
    std::string host;      ///< empty: embedded
    std::string name;      ///< of the database there
    std::string username;  ///< empty: none is needed
    core::Secret password;
};

/// How much of the platform one tenant may take.
struct Quota {
    std::uint32_t requests_per_second = 0;  ///< 0: any number
    std::uint32_t concurrency = 0;          ///< requests at work at the same time; 0: any number
    bool operator==(const Quota&) const = default;
};

/// What a tenant's record says of its quota; what it leaves out is as usual.
struct OwnQuota {
    std::optional<std::uint32_t> requests_per_second;
    std::optional<std::uint32_t> concurrency;
    std::optional<std::uint64_t>
        storage_bytes;  ///< of its documents (storage_quota.h); 0: any number
    bool operator==(const OwnQuota&) const = default;

    /// The quota that holds.
    Quota over(const Quota& usual) const {
        return {.requests_per_second = requests_per_second.value_or(usual.requests_per_second),
                .concurrency = concurrency.value_or(usual.concurrency)};
    }
};

/// A tenant. `configuration` and `compliance_settings` are never null.
struct Tenant {
    std::int64_t id = 0;  ///< of a counter of the core database, never reused
    std::string code;     ///< as in its scope
    std::string name;
    TenantStatus status = TenantStatus::kActive;
    ConnectionStatus connection_status = ConnectionStatus::kDisconnected;
    DatabaseAddress database;
    std::string contact_email;
    std::shared_ptr<const store::Document> configuration;
    std::shared_ptr<const store::Document> compliance_settings;
    OwnQuota quota;
    core::SystemTime created_at{};
    core::SystemTime updated_at{};
    std::optional<core::SystemTime> erased_at{};  ///< all that was stored of it is gone
    std::int64_t version = 0;                     ///< of its record: one more with each change
};

/// What is told of a tenant that is to be made.
struct NewTenant {
    std::string code;
    std::string name;  ///< empty: the code
    DatabaseAddress database{};
    std::string contact_email{};
    std::shared_ptr<const store::Document> configuration{};        ///< null: empty
    std::shared_ptr<const store::Document> compliance_settings{};  ///< null: empty
};

/// What is to become of one number of a quota: nothing leaves it, an empty one is as usual.
using QuotaChange = std::optional<std::optional<std::uint32_t>>;

/// What is to become of a tenant; what is empty or null stays as it is.
struct TenantChange {
    std::optional<std::string> name{};
    std::optional<std::string> contact_email{};
    std::shared_ptr<const store::Document> configuration{};
    std::shared_ptr<const store::Document> compliance_settings{};
    QuotaChange requests_per_second{};
    QuotaChange concurrency{};
    std::optional<std::optional<std::uint64_t>> storage_bytes{};
    /// Its database where it is, for another user or with another password; only in MongoDB.
    std::optional<DatabaseAddress> database{};
};

}  // namespace zona::tenancy
