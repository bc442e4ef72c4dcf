// Settings as documents of a collection, by their key: a tenant's own, and the installation's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "store/database.h"
#include "tenancy/tenant_settings.h"

namespace zona::tenancy::detail {

inline constexpr const char* kSettingKey = "key";
inline constexpr const char* kSettingValue = "value";

/// Errors: kInvalidArgument.
core::Result<void> check_setting_key(std::string_view key);

/// @{
/// Within a transaction; errors as of the functions of tenant_settings.h.
core::Result<TenantSetting> find_setting(store::Reader& reader, const store::Collection& settings,
                                         const std::string& key);
core::Result<TenantSettingPage> list_settings(store::Reader& reader,
                                              const store::Collection& settings,
                                              const store::Query& query,
                                              const store::PageRequest& page);
core::Result<PutSetting> put_setting(store::Writer& writer, const store::Collection& settings,
                                     const std::string& key, const store::Value& value,
                                     store::Expected expected);
core::Result<TenantSetting> remove_setting(store::Writer& writer, const store::Collection& settings,
                                           const std::string& key, store::Expected expected);
/// @}

}  // namespace zona::tenancy::detail
