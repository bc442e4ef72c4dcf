// The routes of /api/v1/vault: the keys that tenants' data is encrypted under.
#pragma once

#include <optional>

#include "api/service.h"
#include "tenancy/key_care.h"

namespace zona::api {

/// None where nobody asks.
core::Result<void> add_vault_routes(Service& service, std::optional<tenancy::KeyCare> care);

}  // namespace zona::api
