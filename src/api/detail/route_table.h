// A table of operations and the members that answer them.
#pragma once

#include <memory>

#include "api/service.h"

namespace zona::api {

/// What a member that answers an operation gives.
using Answer = net::asio::awaitable<core::Result<net::Response>>;

/// Adds each row, an Operation and the member of Routes that answers it; `routes` is null where
/// there is a document only. Errors: as Service::add().
template <class Routes, class Rows>
core::Result<void> add_members(Service& service, const std::shared_ptr<Routes>& routes,
                               const Rows& rows) {
    for (const auto& [operation, member] : rows) {
        ZONA_TRY_VOID(service.add(
            operation, [routes, member](Call& call) { return (routes.get()->*member)(call); }));
    }
    return {};
}

}  // namespace zona::api
