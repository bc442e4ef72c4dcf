#include "net/network_policy.h"

#include "net/conditional.h"
#include "net/cors.h"
#include "net/guard_origin.h"
#include "net/trust_proxies.h"

namespace zona::net {

std::vector<Middleware> network_middlewares(const NetworkPolicy& policy) {
    std::vector<Middleware> all;
    all.push_back(compress(policy.compress));
    all.push_back(conditional());
    if (!policy.proxies.empty()) all.push_back(trust_proxies(policy.proxies));
    if (policy.rate != nullptr) all.push_back(limit_rate(*policy.rate));
    all.push_back(guard_origin(policy.hosts, policy.origins, policy.is_for_all));
    all.push_back(cors(policy.origins));
    return all;
}

}  // namespace zona::net
