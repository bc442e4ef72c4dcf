#include <chrono>
#include <string>
#include <variant>

#include "api/pipeline.h"
#include "api/pipeline/route.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/text.h"
#include "identity/caller.h"

namespace zona::api {
namespace {

using identity::Action;
using identity::Permission;
using identity::Resource;

std::string_view address_of(const net::Request& request) {
    const auto* remote = std::get_if<net::TcpPeer>(&request.peer);
    return remote == nullptr ? std::string_view() : std::string_view(remote->address);
}

class Authorise {
  public:
    Authorise(const core::Clock& clock, core::Logger log, core::MetricRegistry& metrics)
        : clock_(clock), log_(std::move(log)), metrics_(metrics) {}

    net::Decision operator()(const net::Request& request) const {
        const Operation& operation = operation_of(request);
        // What is of nobody is for everybody.
        if (operation.reach == Reach::kEveryone || operation.access == Access::kOpen) return {};
        const bool of_tenant = operation.reach == Reach::kTenant;
        std::string tenant =
            of_tenant ? core::lower_ascii(request.parameter(kTenantParameter)) : std::string();
        if (tenant == kNoTenant) tenant.clear();
        const Permission permission = permission_of(operation);
        auto decided =
            identity::decide(identity::subject_of(request), permission, {.tenant = tenant},
                             {.time = clock_.system(), .address = address_of(request)});
        if (decided) return {};
        return refuse(request, permission, decided.take_error());
    }

  private:
    net::Decision refuse(const net::Request& request, Permission permission,
                         core::Error error) const {
        metrics_
            .counter("zona_authorization_violations_total",
                     "Requests for what who asks may not do.",
                     {{"permission", identity::to_string(permission)}})
            .add();
        log_.warn("somebody asked for what they may not do",
                  {{"principal", request.principal},
                   {"permission", identity::to_string(permission)},
                   {"route", request.route},
                   {"address", address_of(request)},
                   {"correlation_id", request.correlation_id}});
        return net::answer_with(net::Response::failed(std::move(error)));
    }

    const core::Clock& clock_;
    core::Logger log_;
    core::MetricRegistry& metrics_;
};

Resource resource_of(const Operation& operation) {
    if (operation.tag == Tag::kAudit) return Resource::kAudit;
    if (operation.reach == Reach::kTenant) return Resource::kTenantSettings;
    switch (operation.tag) {
        case Tag::kKeys:
            return Resource::kApiKeys;
        case Tag::kTenants:
            return Resource::kTenants;
        case Tag::kVault:
            return Resource::kKeys;
        case Tag::kConfiguration:
        case Tag::kSystem:
        case Tag::kJobs:
        case Tag::kDocuments:
            return Resource::kSystem;
        default:
            return Resource::kProcesses;
    }
}

Action action_of(net::Method method) {
    switch (method) {
        case net::Method::kPost:
            return Action::kCreate;
        case net::Method::kPut:
        case net::Method::kPatch:
            return Action::kUpdate;
        case net::Method::kDelete:
            return Action::kDelete;
        default:
            return Action::kRead;
    }
}

}  // namespace

Permission permission_of(const Operation& operation) {
    if (operation.permission) return *operation.permission;
    return {.resource = resource_of(operation), .action = action_of(operation.method)};
}

net::Middleware authorise(const core::Clock& clock, core::Logger log,
                          core::MetricRegistry& metrics) {
    return Authorise(clock, std::move(log), metrics);
}

}  // namespace zona::api
