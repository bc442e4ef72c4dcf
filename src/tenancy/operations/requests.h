/// @file
/// What is asked of TenantOperations: values of one call each. Source: TEN-11, TEN-41, DATA-17.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

/// Whether documents that are there may be replaced.
enum class Existing : std::uint8_t { kRefuse, kReplace };
/// Whether a tenant's backups go with its data. Kept ones need its keys, which are kept with them.
enum class Backups : std::uint8_t { kErase, kKeep };
/// Whether fields that are stored as ciphertext are told in clear.
enum class SecretFields : std::uint8_t { kMask, kOpen };

/// Which backup, and for whom.
struct RestoreRequest {
    std::string tenant;  ///< who gets it
    /// A backup's uuid, or the absolute path of a file.
    std::string backup;
    Existing existing = Existing::kRefuse;
    /// Another tenant, of which the backup was made; empty: `tenant` itself.
    std::string of;
    /// As it was then, by the log of a whole backup: `backup`, its uuid or directory, or the right
    /// one, if it is empty.
    std::optional<core::SystemTime> at{};
};

/// Where an export goes.
struct ExportRequest {
    std::string tenant;
    std::string directory;  ///< absolute; made by it, and must not be there
    SecretFields secrets = SecretFields::kMask;
};

/// What is moved where.
struct MoveRequest {
    std::string tenant;
    /// Its host is `embedded` or in MongoDB (tenant_databases.h); an empty one is `embedded`, and
    /// only for a tenant that is there: a new file. The name of a file is made.
    DatabaseAddress to{};
};

}  // namespace zona::tenancy
