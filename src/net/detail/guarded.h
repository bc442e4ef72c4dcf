/// @file
/// guarded(): the end of a handler's coroutine as a Result, whatever it throws.
#pragma once

#include <exception>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "core/result.h"

namespace zona::net::detail {

/// What `body` returns. An exception is kInternal with its text, the operation_aborted of a
/// coroutine that was cancelled kCancelled.
inline boost::asio::awaitable<core::Result<void>> guarded(
    boost::asio::awaitable<core::Result<void>> body) {
    try {
        co_return co_await std::move(body);
    } catch (const boost::system::system_error& error) {
        const bool aborted = error.code() == boost::asio::error::operation_aborted;
        co_return core::Error(aborted ? core::Code::kCancelled : core::Code::kInternal,
                              error.what());
    } catch (const std::exception& error) {
        co_return core::Error(core::Code::kInternal, error.what());
    }
}

}  // namespace zona::net::detail
