// From the supervisor's callbacks to coroutines.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
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

/// Runs what it is given on a thread that may block.
using RunBlocking = std::function<void(std::move_only_function<void()>)>;

/// Waits for the Result that `work` gives, run by `run`, which outlives the wait.
template <class Work>
auto answer_by(const RunBlocking& run, Work work)
    -> boost::asio::awaitable<std::invoke_result_t<Work&>> {
    using T = typename std::invoke_result_t<Work&>::value_type;
    return answer_of<T>([&run, work = std::move(work)](process::Callback<T> done) mutable {
        run([work = std::move(work), done = std::move(done)]() mutable { done(work()); });
    });
}

/// Runs `work`, then `cleanup` in any case, which is not cancelled any more; what `work` returned
/// or threw comes after it. For what others still use when the work is cancelled.
template <class Cleanup>
boost::asio::awaitable<core::Result<void>> with_cleanup(
    boost::asio::awaitable<core::Result<void>> work, Cleanup cleanup) {
    namespace asio = boost::asio;
    core::Result<void> result;
    std::exception_ptr thrown;
    try {
        result = co_await std::move(work);
    } catch (...) {
        thrown = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await cleanup();
    if (thrown) std::rethrow_exception(thrown);
    co_return result;
}

}  // namespace zona::api
