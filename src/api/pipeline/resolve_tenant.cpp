#include <fmt/format.h>

#include "api/pipeline.h"
#include "api/pipeline/route.h"

namespace zona::api {
namespace {

net::Decision refuse(core::Code code, std::string message) {
    return net::answer_with(net::Response::failed(core::Error(code, std::move(message))));
}

net::Decision resolve(const net::Request& request) {
    if (request.tenant.empty()) return {};
    const Operation& operation = operation_of(request);
    if (operation.reach == Reach::kEveryone || operation.access == Access::kOpen) return {};
    if (operation.reach == Reach::kInstallation) {
        return refuse(core::Code::kAccessDenied,
                      fmt::format("who asks is bound to the tenant '{}'; {} is about all of zona",
                                  request.tenant, operation.id));
    }
    if (net::equal_ignoring_case(request.parameter(kTenantParameter), request.tenant)) return {};
    return refuse(
        core::Code::kInvalidTenant,
        fmt::format("who asks is bound to the tenant '{}' and reaches no other", request.tenant));
}

}  // namespace

net::Middleware resolve_tenant() {
    return resolve;
}

}  // namespace zona::api
