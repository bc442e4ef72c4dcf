#include "net/detail/socket_stream.h"

#include <algorithm>
#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace zona::net::detail {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// As many pieces as one message needs: head, chunk size, data, chunk end.
constexpr std::size_t kMaxPieces = 4;

std::array<asio::const_buffer, kMaxPieces> buffers_of(std::span<const std::string_view> pieces) {
    std::array<asio::const_buffer, kMaxPieces> out;
    for (std::size_t i = 0; i < std::min(pieces.size(), kMaxPieces); ++i)
        out.at(i) = asio::const_buffer(pieces[i].data(), pieces[i].size());
    return out;
}

}  // namespace

core::Error stream_error(const boost::system::error_code& code, std::string_view what) {
    if (code == asio::error::operation_aborted || code == asio::error::bad_descriptor) {
        return {core::Code::kCancelled, std::string(what) + ": cancelled"};
    }
    return core::Error::from_errno(code.value(), std::string(what));
}

SocketStream::SocketStream(Socket socket, Hangup hangup)
    : socket_(std::move(socket)), hangup_(hangup) {
    boost::system::error_code ignored;  // a socket that cannot be set fails at its first use
    socket_.non_blocking(true, ignored);
}

asio::awaitable<core::Result<std::size_t>> SocketStream::read_some(std::span<char> into) {
    const auto buffer = asio::buffer(into.data(), into.size());
    const auto [error, count] = co_await socket_.async_read_some(buffer, kAwait);
    if (error == asio::error::eof) co_return std::size_t{0};
    if (error) co_return stream_error(error, "read from the client");
    co_return count;
}

std::size_t SocketStream::write_now(std::span<const std::string_view> pieces) {
    boost::system::error_code ignored;  // the next write meets it, too
    return socket_.write_some(buffers_of(pieces), ignored);
}

asio::awaitable<core::Result<void>> SocketStream::write(std::span<const std::string_view> pieces) {
    const auto [error, count] = co_await asio::async_write(socket_, buffers_of(pieces), kAwait);
    if (error) co_return stream_error(error, "write to the client");
    co_return core::Result<void>();
}

asio::awaitable<void> SocketStream::wait_hangup() {
    if (hangup_ == Hangup::kEndOfInput) {
        co_await socket_.async_wait(Socket::wait_read, kAwait);
        char next = 0;
        boost::system::error_code error;
        socket_.receive(asio::buffer(&next, 1), Socket::message_peek, error);
        // With a request that already waits behind this one, only a broken connection is noticed.
        if (error) co_return;
    }
    // POLLHUP of a unix socket means closed for both directions; a peer that only ended its sending
    // gives POLLRDHUP, which does not end this wait. It is reported to every kind of wait.
    co_await socket_.async_wait(Socket::wait_error, kAwait);
}

void SocketStream::end_output() {
    boost::system::error_code ignored;  // the peer may be gone: the next read says so
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void SocketStream::cancel() {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void SocketStream::close() {
    boost::system::error_code ignored;  // close(2) frees the descriptor whatever it returns
    socket_.close(ignored);
}

}  // namespace zona::net::detail
