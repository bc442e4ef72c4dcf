#include <utility>

#include "api/pipeline.h"
#include "api/pipeline/route.h"
#include "identity/access/methods.h"
#include "identity/authentication.h"
#include "identity/caller.h"

namespace zona::api {

net::Middleware require_methods(const identity::MethodPolicies& policies) {
    return [&policies](const net::Request& request) -> net::Decision {
        const Operation& operation = operation_of(request);
        if (operation.reach == Reach::kEveryone || operation.access == Access::kOpen) return {};
        auto enough = policies.check(request.tenant, identity::methods_of(request));
        if (enough) return {};
        net::Response refused = net::Response::failed(enough.take_error());
        refused.headers.set("WWW-Authenticate", identity::kChallenge);
        return net::answer_with(std::move(refused));
    };
}

}  // namespace zona::api
