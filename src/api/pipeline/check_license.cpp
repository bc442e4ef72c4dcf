#include <algorithm>
#include <string>

#include "api/pipeline.h"
#include "api/pipeline/route.h"
#include "core/text.h"
#include "tenancy/limits/licensing.h"

namespace zona::api {
namespace {

core::Result<void> check(const tenancy::License& license, const Operation& operation,
                         core::SystemTime now) {
    if (operation.feature) ZONA_TRY_VOID(check_feature(license, *operation.feature));
    if (when_unlicensed(operation) == Unlicensed::kRefused)
        ZONA_TRY_VOID(check_valid(license, now));
    return {};
}

/// Whose licence it is about: of the tenant that the path names, else of that of who asks; empty:
/// the installation's.
std::string tenant_of(const net::Request& request, const Operation& operation) {
    const bool is_named = std::ranges::any_of(operation.parameters, [](const ParameterSpec& one) {
        return one.place == Place::kPath && one.name == kTenantParameter;
    });
    if (!is_named) return request.tenant;
    std::string code = core::lower_ascii(request.parameter(kTenantParameter));
    return code == kNoTenant ? std::string() : code;
}

}  // namespace

net::Middleware check_license(const tenancy::Licensing& licensing) {
    return [&licensing](const net::Request& request) -> net::Decision {
        const Operation& operation = operation_of(request);
        if (!operation.feature && when_unlicensed(operation) == Unlicensed::kServed) return {};
        auto allowed =
            check(licensing.of(tenant_of(request, operation)), operation, licensing.now());
        if (allowed) return {};
        return net::answer_with(net::Response::failed(allowed.take_error()));
    };
}

}  // namespace zona::api
