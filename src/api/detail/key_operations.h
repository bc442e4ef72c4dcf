// What the routes of API keys are asked and answer.
#pragma once

#include <string_view>
#include <vector>

#include "api/operation.h"

namespace zona::api::detail {

/// How long both keys of a rotation are valid, unless told otherwise.
inline constexpr std::string_view kUsualOverlap = "1h";

/// The shape `ApiKey`.
Shape key_shape();

/// @{
/// About all keys; and about those of one tenant.
Operation list_keys();
Operation get_key();
Operation create_key();
Operation rotate_key();
Operation revoke_key();
Operation list_tenant_keys();
Operation get_tenant_key();
Operation create_tenant_key();
Operation rotate_tenant_key();
Operation revoke_tenant_key();
/// @}
/// The key that asks replaces itself.
Operation renew_key();

}  // namespace zona::api::detail
