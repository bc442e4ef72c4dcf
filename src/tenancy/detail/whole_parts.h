// What whole backups and their logs have in common: which files there are, and whose.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "core/result.h"
#include "tenancy/backup/whole_backup.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

/// The directory of whole backups below that of all; no tenant has this code.
inline constexpr std::string_view kAllBackups = "_all";
/// The image of the database that all tenants share; no tenant has this code.
inline constexpr std::string_view kSharedImage = "_shared";

/// Why a directory is not taken for a whole backup.
inline core::Error no_list(std::string_view what) {
    return {core::Code::kConflict, fmt::format("this is no whole backup: {}", what)};
}

/// Whose keys a member of a whole backup is sealed with.
inline std::string owner_of_member(std::string_view name) {
    return std::string(name == kSharedImage ? kCoreOwner : name);
}
/// The same of its file.
inline std::string owner_of_image(const std::string& image) {
    const std::string name = image.substr(image.rfind('/') + 1);
    return owner_of_member(std::string_view(name).substr(0, name.rfind('.')));
}

inline std::string core_path(const Tenants::Parts& parts) {
    return parts.directory + "/core.db";
}
inline std::string shared_path(const Tenants::Parts& parts) {
    return parts.directory + "/tenants/shared.db";
}

/// The directory of the whole backup that was made last, by their titles; nothing: there is none.
/// Errors: those of the disk.
core::Result<std::optional<std::string>> latest_whole(const std::string& root);

}  // namespace zona::tenancy
