/// @file
/// UnixStream: Stream over a connected AF_UNIX socket.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>

#include "net/detail/stream.h"

namespace zona::net::detail {

class UnixStream final : public Stream {
  public:
    using Socket = asio::local::stream_protocol::socket;

    explicit UnixStream(Socket socket);

    asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) override;
    asio::awaitable<core::Result<void>> write(std::span<const std::string_view> pieces) override;
    asio::awaitable<void> wait_hangup() override;
    void end_output() override;
    void cancel() override;
    void close() override;

  private:
    Socket socket_;
};

}  // namespace zona::net::detail
