/// @file
/// What a router answers, without a server.
#pragma once

#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "net/middleware.h"
#include "net/router.h"

namespace zona::net {

/// The answer to `request` behind `inner`; an error is still to be rendered. Exceptions of the
/// handler pass through.
inline Response ask(const Router& router, Request& request, std::vector<Middleware> inner = {}) {
    inner.insert(inner.begin(), refuse_unrouted(router));
    const Chain chain(std::move(inner),
                      [&router](Request& routed) { return router.dispatch(routed); });
    router.match(request);
    asio::io_context context;
    auto answer = asio::co_spawn(context, chain(request), asio::use_future);
    context.run();
    return answer.get();
}

}  // namespace zona::net
