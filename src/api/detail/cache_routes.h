// The routes of /api/v1/cache.
#pragma once

#include "api/service.h"

namespace zona::cache {
class Cache;
}

namespace zona::api {

/// `cache` outlives the service; null where nobody asks.
core::Result<void> add_cache_routes(Service& service, cache::Cache* cache);

}  // namespace zona::api
