/// @file
/// WebSocketAdapter: a WebSocketPipe as the asynchronous stream that Boost.Beast wants below it.
#pragma once

#include <exception>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>

#include "net/detail/websocket_pipe.h"

namespace zona::net::detail {

/// Operations are not cancelled by their slots; they end with the stream. Tokens are taken by
/// value: asio::async_initiate() moves out of the lvalue that it wants.
class WebSocketAdapter {
  public:
    using executor_type = asio::any_io_executor;
    using Signature = void(boost::system::error_code, std::size_t);

    WebSocketAdapter(executor_type executor, WebSocketPipe& pipe)
        : executor_(std::move(executor)), pipe_(pipe) {}

    executor_type get_executor() const { return executor_; }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token token) {
        std::span<char> into;
        for (auto at = asio::buffer_sequence_begin(buffers);
             at != asio::buffer_sequence_end(buffers); ++at) {
            const asio::mutable_buffer buffer(*at);
            if (buffer.size() == 0) continue;
            into = {static_cast<char*>(buffer.data()), buffer.size()};
            break;
        }
        auto start = [this](auto handler, std::span<char> space) {
            spawn(pipe_.read(space), std::move(handler));
        };
        return asio::async_initiate<Token, Signature>(std::move(start), token, into);
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token token) {
        std::vector<std::string_view> pieces;
        for (auto at = asio::buffer_sequence_begin(buffers);
             at != asio::buffer_sequence_end(buffers); ++at) {
            const asio::const_buffer buffer(*at);
            if (buffer.size() == 0) continue;
            pieces.emplace_back(static_cast<const char*>(buffer.data()), buffer.size());
        }
        auto start = [this](auto handler, std::vector<std::string_view> all) {
            spawn(write(pipe_, std::move(all)), std::move(handler));
        };
        return asio::async_initiate<Token, Signature>(std::move(start), token, std::move(pieces));
    }

  private:
    static asio::awaitable<WebSocketPipe::Moved> write(WebSocketPipe& pipe,
                                                       std::vector<std::string_view> pieces) {
        const std::span<const std::string_view> all(pieces);
        co_return co_await pipe.write(all);
    }

    template <class Handler>
    void spawn(asio::awaitable<WebSocketPipe::Moved> operation, Handler handler) {
        auto executor = asio::get_associated_executor(handler, executor_);
        auto done = [handler = std::move(handler)](const std::exception_ptr& thrown,
                                                   WebSocketPipe::Moved moved) mutable {
            if (thrown) moved = {asio::error::no_memory, 0};
            std::move(handler)(moved.error, moved.count);
        };
        asio::co_spawn(executor_, std::move(operation),
                       asio::bind_executor(std::move(executor), std::move(done)));
    }

    executor_type executor_;
    WebSocketPipe& pipe_;
};

/// How the library ends the stream below a closed socket: not at all, the connection does it, with
/// the time that a client needs to read the close frame.
template <class Handler>
void async_teardown(boost::beast::role_type, WebSocketAdapter& adapter, Handler&& handler) {
    auto done = [handler = std::forward<Handler>(handler)]() mutable {
        std::move(handler)(boost::system::error_code());
    };
    asio::post(adapter.get_executor(), std::move(done));
}
inline void teardown(boost::beast::role_type, WebSocketAdapter&, boost::system::error_code&) {}

/// What the library does to a stream whose time is over; it is given no times.
inline void beast_close_socket(WebSocketAdapter&) {}

}  // namespace zona::net::detail
