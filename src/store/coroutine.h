/// @file
/// store::read() and store::write() for coroutines of Boost.Asio: the body runs on a thread of the
/// database, the coroutine goes on where it was, on its own executor.
///
///     const Result<Record> stored = co_await store::async_write(database, std::move(body));
///
/// Cancellation does not interrupt what was submitted; its answer is waited for. The database must
/// outlive the wait.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "store/database.h"

namespace zona::store {

/// The answer of `start(Callback<T>)`, awaited: for what answers as the store does.
template <class T, class Start>
boost::asio::awaitable<core::Result<T>> await_answer(Start start) {
    namespace asio = boost::asio;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    // Shared by the initiation and the answer, because neither knows which of them lives longer.
    auto answer = std::make_shared<std::optional<core::Result<T>>>();
    auto initiate = [executor, answer, &start](auto handler) {
        start([answer, handler = std::move(handler),
               // Else the loop could end while the database works.
               work = asio::make_work_guard(executor)](core::Result<T> result) mutable {
            answer->emplace(std::move(result));
            asio::post(work.get_executor(), std::move(handler));
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate,
                                                                         asio::use_awaitable);
    co_return std::move(**answer);
}

/// store::read(), awaited. Errors: those of Database::submit_read() and of the body.
template <class Body>
boost::asio::awaitable<core::Result<AnswerOf<Body, Reader>>> async_read(Database& database,
                                                                        Body body) {
    using T = AnswerOf<Body, Reader>;
    auto start = [&database, body = std::move(body)](Callback<T> done) mutable {
        read(database, std::move(body), std::move(done));
    };
    return await_answer<T>(std::move(start));
}

/// store::write(), awaited: what it gives is durable. Errors: those of Database::submit_write() and
/// of the body.
template <class Body>
boost::asio::awaitable<core::Result<AnswerOf<Body, Writer>>> async_write(Database& database,
                                                                         Body body) {
    using T = AnswerOf<Body, Writer>;
    auto start = [&database, body = std::move(body)](Callback<T> done) mutable {
        write(database, std::move(body), std::move(done));
    };
    return await_answer<T>(std::move(start));
}

}  // namespace zona::store
