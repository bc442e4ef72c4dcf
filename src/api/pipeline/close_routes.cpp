#include <algorithm>
#include <ranges>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/pipeline.h"
#include "api/pipeline/route.h"
#include "core/text.h"
#include "identity/authentication.h"
#include "identity/caller.h"

namespace zona::api {

std::vector<std::string> open_operations(const Service& service) {
    std::vector<std::string> out;
    for (const Operation* operation : service.operations()) {
        if (operation->access == Access::kOpen) out.push_back(operation->id);
    }
    return out;
}

core::Result<OperationNames> parse_closed_routes(std::string_view text, const Service& service) {
    const std::vector<std::string> open = open_operations(service);
    OperationNames out;
    for (const auto part : text | std::views::split(',')) {
        const std::string name(core::trimmed(std::string_view(part)));
        if (name.empty()) continue;
        if (std::ranges::find(open, name) == open.end()) {
            return core::Error(
                core::Code::kInvalidArgument,
                fmt::format("api.closed_routes: '{}' is no operation that is open to "
                            "everybody{}; these are: {}",
                            name, core::suggestion(name, open), fmt::join(open, ", ")));
        }
        out.insert(name);
    }
    return out;
}

net::Middleware close_routes(OperationNames closed) {
    return [closed = std::move(closed)](const net::Request& request) -> net::Decision {
        const Operation& operation = operation_of(request);
        const bool is_known = identity::methods_of(request) != identity::Methods();
        if (is_known || !closed.contains(operation.id)) return {};
        net::Response refused = net::Response::failed(core::Error(
            core::Code::kUnauthenticated,
            fmt::format("{} is not open to everybody here; send an API key or an access "
                        "token",
                        operation.id)));
        refused.headers.set("WWW-Authenticate", identity::kChallenge);
        return net::answer_with(std::move(refused));
    };
}

}  // namespace zona::api
