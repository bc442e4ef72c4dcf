#include "api/pipeline.h"
#include "api/pipeline/route.h"
#include "tenancy/limits/admission.h"

namespace zona::api {
namespace {

namespace asio = boost::asio;
using tenancy::Admission;

asio::awaitable<std::optional<net::Response>> enter(Admission& admission, net::Request& request) {
    auto entered = co_await admission.enter(request.tenant);
    if (entered.has_value()) {
        request.held.push_back(std::make_shared<Admission::Ticket>(std::move(*entered)));
        co_return std::nullopt;
    }
    const bool later = entered.error().code() == core::Code::kTooManyRequests;
    net::Response out = net::Response::failed(entered.take_error());
    if (later) out.headers.set("Retry-After", "1");
    co_return out;
}

}  // namespace

net::Middleware admit_tenant(Admission& admission) {
    return [&admission](net::Request& request) -> net::Decision {
        if (request.tenant.empty() || operation_of(request).reach != Reach::kTenant) return {};
        return enter(admission, request);
    };
}

}  // namespace zona::api
