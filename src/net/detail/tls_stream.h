/// @file
/// TlsStream: Stream over a connected socket that speaks TLS, as its server.
///
/// On OpenSSL directly rather than asio::ssl::stream, whose four buffers of 17 KiB would be there
/// for each idle connection.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>

#include "core/metrics.h"
#include "net/detail/socket_stream.h"
#include "net/detail/stream.h"
#include "net/detail/tls_session.h"
#include "net/tls.h"

namespace zona::net::detail {

/// Counts handshakes by how they ended: zona_tls_handshakes_total and
/// zona_tls_handshake_failures_total{reason}, reason: not_tls, protocol_version, certificate (the
/// client's is refused), unfinished (gone, or too slow), other.
class TlsMeter {
  public:
    explicit TlsMeter(core::MetricRegistry& metrics);
    core::Counter& done;
    core::Counter& not_tls;
    core::Counter& protocol_version;
    core::Counter& certificate;
    core::Counter& unfinished;
    core::Counter& other;
};

class TlsStream final : public Stream {
  public:
    using Socket = SocketStream::Socket;

    /// `meter` must outlive it.
    TlsStream(Socket socket, std::shared_ptr<const TlsContext> server, TlsMeter& meter);

    bool is_tls() const override { return plain_ == nullptr; }
    std::shared_ptr<const ClientCertificate> certificate() const override { return certificate_; }
    asio::awaitable<core::Result<Opened>> open() override;
    asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) override;
    asio::awaitable<core::Result<void>> write(std::span<const std::string_view> pieces) override;
    asio::awaitable<void> wait_hangup() override;
    void end_output() override;
    void cancel() override;
    void close() override;

  private:
    asio::awaitable<core::Result<bool>> begins_with_tls();
    asio::awaitable<core::Result<void>> shake_hands();
    asio::awaitable<core::Result<void>> wait_for(TlsStep step);
    asio::awaitable<core::Result<void>> write_all(std::string_view data);

    Socket socket_;
    std::shared_ptr<const TlsContext> server_;
    std::unique_ptr<TlsSession> session_;
    std::shared_ptr<const ClientCertificate> certificate_;
    std::unique_ptr<SocketStream> plain_;  ///< has the socket of a peer that speaks no TLS
    std::string out_;                      ///< small pieces gathered into one record
    TlsMeter& meter_;
};

}  // namespace zona::net::detail
