/// @file
/// What holds for the whole installation, by a key: feature toggles, parameters of operation, what
/// programs on several hosts have to agree on. Documents of `system_config` in the core database,
/// so all instances have the same. The settings of one daemon are core/settings.h. Source: TEN-10.
#pragma once

#include <memory>
#include <string>

#include "store/database.h"
#include "tenancy/tenant_settings.h"

namespace zona::tenancy {

/// What zona itself keeps there (build_type.h): it can be read, and not changed.
inline constexpr const char* kBuildTypeSetting = "build_type";

/// @{
/// In `core`, which was opened with core_collections(). Any thread; `done` is called on a thread of
/// the database's. Errors: as of tenant_settings.h, and kForbidden: the setting is zona's own.
void find_system_setting(store::Database& core, std::string key,
                         store::Callback<TenantSetting> done);
/// In the order in which they were made.
void list_system_settings(store::Database& core, store::PageRequest page,
                          store::Callback<TenantSettingPage> done);
void put_system_setting(store::Database& core, std::string key,
                        std::shared_ptr<const store::Value> value, store::Expected expected,
                        store::Callback<PutSetting> done);
/// Gives what it was.
void remove_system_setting(store::Database& core, std::string key, store::Expected expected,
                           store::Callback<TenantSetting> done);
/// @}

}  // namespace zona::tenancy
