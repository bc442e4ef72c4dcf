/// @file
/// What a tenant keeps for itself by a key: its own settings, in its own documents. The platform's
/// record of a tenant, with what the installation sets for it, is tenant_registry.h. Source:
/// TEN-38.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "store/collection.h"
#include "store/database.h"
#include "tenancy/tenant_data.h"

namespace zona::tenancy {

/// `tenant_settings`: by key.
const store::CollectionSpec& tenant_settings_spec();

/// One setting.
struct TenantSetting {
    std::string key;  ///< 1 to 128 of [A-Za-z0-9._-]
    std::shared_ptr<const store::Value> value;
    std::int64_t version = 0;  ///< 1 when it was made, one more with each change
    core::SystemTime updated_at{};
};

/// A setting that was put: as it was, if it was there, and as it is.
struct PutSetting {
    std::optional<TenantSetting> before;
    TenantSetting now;
};

/// A part of all settings, by key.
struct TenantSettingPage {
    std::vector<TenantSetting> settings;
    std::string next;  ///< for the next page; empty: there is none
};

/// That there is none of this key: kNotFound.
core::Error no_setting(std::string_view key);

/// @{
/// One tenant's settings. Any thread; `done` is called on a thread of the database's.
/// Errors: kNotFound; kConflict: another version than expected, where one is (0: there must be
/// none); kInvalidArgument: the key or the page; those of the database.
void find_setting(const TenantData& tenant, std::string key, store::Callback<TenantSetting> done);
void list_settings(const TenantData& tenant, store::PageRequest page,
                   store::Callback<TenantSettingPage> done);
void put_setting(const TenantData& tenant, std::string key,
                 std::shared_ptr<const store::Value> value, store::Expected expected,
                 store::Callback<PutSetting> done);
/// Gives what it was.
void remove_setting(const TenantData& tenant, std::string key, store::Expected expected,
                    store::Callback<TenantSetting> done);
/// @}

}  // namespace zona::tenancy
