/// @file
/// What a server that browsers and strangers can reach adds to the standard chain.
#pragma once

#include <vector>

#include "net/compress.h"
#include "net/guard_origin.h"
#include "net/limit_rate.h"
#include "net/middleware.h"
#include "net/network.h"
#include "net/origin.h"

namespace zona::net {

/// The settings of the middlewares below; by default nothing is opened and nothing limited.
struct NetworkPolicy {
    NetworkSet proxies;  ///< `api.trusted_proxies`
    HostList hosts;      ///< `api.hosts`
    OriginList origins;  ///< `api.cors_origins`
    /// Where forms come from pages of others; null: nowhere.
    PathTest is_for_all = nullptr;
    CompressOptions compress;
    RateLimiter* rate = nullptr;  ///< must outlive the chain; null: no limit
};

/// The middlewares for the `outer` of make_application(), in this order:
///
/// | Middleware   | Why there |
/// | ---          | --- |
/// | compress     | sees the final body; makes the tag of the next one weak |
/// | conditional  | hashes the body before it is compressed |
/// | trust_proxies | before all that looks at addresses |
/// | limit_rate   | first of those that refuse: it spares the work of the others |
/// | guard_origin | before cors: no preflight is granted under a foreign name |
/// | cors         | outside of error rendering: pages may read errors, too; before keys are asked for |
///
/// Those that refuse do so by a Fault, which refuse_faults answers further in: a refusal is
/// rendered and logged like any other.
std::vector<Middleware> network_middlewares(const NetworkPolicy& policy);

}  // namespace zona::net
