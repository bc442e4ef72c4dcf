#include "api/pipeline.h"

#include <utility>

#include "identity/keys/key_bounds.h"

namespace zona::api {

namespace {

/// Seconds; the database itself is tried again when its time comes (tenancy::Backoff).
constexpr const char* kRetryAfter = "5";

}  // namespace

net::Middleware announce_retry() {
    return [](net::Request&, net::Response& response) {
        if (response.failure && response.failure->error.code() == core::Code::kSessionError)
            response.headers.set("Retry-After", kRetryAfter);
    };
}

std::vector<net::Middleware> pipeline(std::vector<net::Middleware> authenticate,
                                      const PipelineDeps& deps) {
    std::vector<net::Middleware> all = std::move(authenticate);
    all.push_back(announce_retry());
    if (!deps.closed_routes.empty()) all.push_back(close_routes(deps.closed_routes));
    all.push_back(resolve_tenant());
    all.push_back(select_session(deps.check_tenant));
    if (deps.keys != nullptr) all.push_back(identity::limit_keys(*deps.keys));
    all.push_back(check_csrf());
    all.push_back(require_methods(deps.methods));
    if (deps.keys != nullptr) all.push_back(identity::refuse_viewers(*deps.keys));
    all.push_back(authorise(deps.clock, deps.log, deps.metrics));
    all.push_back(check_license(deps.licensing));
    all.push_back(admit_tenant(deps.admission));
    return all;
}

}  // namespace zona::api
