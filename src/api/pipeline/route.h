/// @file
/// From a request to the operation that it has matched.
#pragma once

#include <utility>

#include "api/operation.h"
#include "api/service.h"
#include "net/router.h"

namespace zona::api {

/// An operation with what answers it; routes refer to it, so its place never changes.
struct Route : net::RouteContext {
    /// Both are kept.
    Route(Operation what, CallHandler how) : operation(std::move(what)), handler(std::move(how)) {}
    Operation operation;
    CallHandler handler;
};

/// Precondition: the request has matched a route of a Service.
inline const Operation& operation_of(const net::Request& request) {
    return static_cast<const Route*>(net::options_of(request)->context)->operation;
}

}  // namespace zona::api
