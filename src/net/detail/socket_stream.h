/// @file
/// SocketStream: Stream over a connected socket, AF_UNIX or TCP.
#pragma once

#include <cstdint>

#include <boost/asio/generic/stream_protocol.hpp>

#include "net/detail/stream.h"

namespace zona::net::detail {

/// How a peer that reads no more is told from one that only ended its sending.
enum class Hangup : std::uint8_t {
    kReported,    ///< by the kernel: AF_UNIX
    kEndOfInput,  ///< not at all; TCP: the end of its sending is taken for both
};

class SocketStream final : public Stream {
  public:
    using Socket = asio::generic::stream_protocol::socket;

    SocketStream(Socket socket, Hangup hangup);

    asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) override;
    std::size_t write_now(std::span<const std::string_view> pieces) override;
    asio::awaitable<core::Result<void>> write(std::span<const std::string_view> pieces) override;
    asio::awaitable<void> wait_hangup() override;
    void end_output() override;
    void cancel() override;
    void close() override;

  private:
    Socket socket_;
    Hangup hangup_;
};

}  // namespace zona::net::detail
