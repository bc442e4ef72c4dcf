/// @file
/// The fixture for tests of one middleware, or of a few, around an endpoint of the test's.
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "core/metrics.h"
#include "core/random.h"
#include "core/testing/memory_log.h"
#include "net/middleware.h"

namespace zona::net {

/// One middleware around an endpoint of the test's.
class MiddlewareTest : public testing::Test {
  protected:
    Response run(std::vector<Middleware> middlewares) {
        const Chain& chain = chains_.emplace_back(std::move(middlewares), [this](Request& request) {
            return endpoint(seen_, answer_, request);
        });
        auto answer = asio::co_spawn(context_, chain(request_), asio::use_future);
        context_.restart();
        context_.run();
        return answer.get();
    }
    Response run(Middleware middleware) {
        std::vector<Middleware> one;
        one.push_back(std::move(middleware));
        return run(std::move(one));
    }

    void finish(Response& response, core::ByteCount out = core::ByteCount(10)) {
        const Transfer transfer{out, Transfer::Outcome::kComplete};
        for (FinishHook& hook : response.on_finish)
            hook(request_, response, transfer);
        context_.restart();
        context_.run();
    }

    static asio::awaitable<core::Result<Response>> endpoint(int& seen,
                                                            const std::function<Response()>& answer,
                                                            Request&) {
        ++seen;
        co_return answer();
    }

    asio::io_context context_;
    std::deque<Chain> chains_;  // finish hooks refer to them
    core::MemoryLog log_;
    core::SeededRandom random_{1};
    core::MetricRegistry metrics_;
    Request request_;
    int seen_ = 0;
    std::function<Response()> answer_ = [] { return Response::success("1"); };
};

}  // namespace zona::net
