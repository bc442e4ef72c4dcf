// From the supervisor's callbacks to coroutines.
#pragma once

#include <memory>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/result.h"
#include "process/supervisor.h"

namespace zona::api {

/// Waits for the answer that `begin` gives to the callback it is called with. The callback may be
/// called on any thread; the coroutine goes on where it was.
template <class T, class Begin>
boost::asio::awaitable<core::Result<T>> answer_of(Begin begin) {
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    auto initiate = [executor, begin = std::move(begin)](auto handler) mutable {
        begin(process::Callback<T>(
            [executor, handler = std::move(handler)](core::Result<T> result) mutable {
                asio::post(executor,
                           [handler = std::move(handler), result = std::move(result)]() mutable {
                               std::move(handler)(std::move(result));
                           });
            }));
    };
    auto token = asio::use_awaitable;
    core::Result<T> result = co_await asio::async_initiate<decltype(token), void(core::Result<T>)>(
        std::move(initiate), token);
    co_return result;
}

}  // namespace zona::api
