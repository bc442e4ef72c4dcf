/// @file
/// Stream: a connected byte stream without its type. The server knows no other: sockets of unix
/// and TCP, TLS over them, memory in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "core/result.h"

namespace zona::net {
class ClientCertificate;
}

namespace zona::net::detail {

namespace asio = boost::asio;

/// What Stream::open() found.
enum class Opened : std::uint8_t {
    kReady,
    kNotTls,  ///< TLS is spoken here, and the peer speaks something else: the stream is its plain
              ///< bytes, for telling it so
};

/// One connection's bytes. All members run on the connection's executor; at most one read and one
/// write are in progress at a time. Errors: kCancelled after cancel() or by the coroutine's
/// cancellation; kUnavailable or another code of errno when the connection is broken.
class Stream {
  public:
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;

    /// Whether what is read and written is protected on its way.
    virtual bool is_tls() const { return false; }

    /// What the peer has shown in the handshake; null: nothing, or there is none.
    virtual std::shared_ptr<const ClientCertificate> certificate() const { return nullptr; }

    /// Comes before everything else where is_tls(): the handshake. After an error only close()
    /// makes sense.
    virtual asio::awaitable<core::Result<Opened>> open() { co_return Opened::kReady; }

    /// Waits for bytes. 0 is the end: the peer sends no more, but may still read.
    virtual asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) = 0;

    /// Writes what is taken without waiting, and says how much; 0 also where it cannot be known
    /// now, or after an error, which write() then meets.
    virtual std::size_t write_now(std::span<const std::string_view> pieces) {
        (void)pieces;
        return 0;
    }

    /// Writes all pieces in order; what they view must live until then. An error leaves an unknown
    /// part written.
    virtual asio::awaitable<core::Result<void>> write(std::span<const std::string_view> pieces) = 0;

    /// Ends when the peer can no longer read, or when cancelled. For streams that cannot tell a
    /// closed peer from one that only ended its sending, the end of the input is taken for both.
    virtual asio::awaitable<void> wait_hangup() = 0;

    /// Tells the peer that no more comes. Never waits; errors are found by the next read.
    virtual void end_output() = 0;
    /// Ends operations in progress with kCancelled; the stream stays usable.
    virtual void cancel() = 0;
    /// Closes. Operations in progress end with kCancelled, later ones fail.
    virtual void close() = 0;
};

/// The error of a Stream for one of Asio's: kCancelled for a wait that was cancelled and for a
/// closed descriptor, else from errno.
core::Error stream_error(const boost::system::error_code& code, std::string_view what);

}  // namespace zona::net::detail
