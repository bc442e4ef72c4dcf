#include <utility>

#include "api/pipeline.h"
#include "api/pipeline/route.h"

namespace zona::api {

net::Middleware select_session(TenantCheck check) {
    return [check = std::move(check)](const net::Request& request) -> net::Decision {
        if (request.tenant.empty() || operation_of(request).access == Access::kOpen) return {};
        auto served = check(request.tenant);
        if (served) return {};
        return net::answer_with(net::Response::failed(served.take_error()));
    };
}

}  // namespace zona::api
