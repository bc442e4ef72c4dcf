/// @file
/// Stream: a connection to a Redis, plain or TLS. For one thread, that of its executor.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "cache/redis/endpoint.h"
#include "core/result.h"

namespace zona::cache::redis {

namespace asio = boost::asio;

/// Is used once: connect(), then reads and writes, then close().
class Stream {
  public:
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;

    /// Errors: kUnavailable, kTimeout; kUnauthenticated for a certificate that is not believed, or
    /// of another name.
    virtual asio::awaitable<core::Result<void>> connect(Endpoint to) = 0;
    /// Some bytes. Errors: kUnavailable: it has ended; kCancelled: close() was called.
    virtual asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) = 0;
    /// Sends everything, then calls `done(whether it went out)`. One at a time.
    virtual void write(std::string bytes, std::move_only_function<void(bool)> done) = 0;
    /// Ends what is under way. Idempotent.
    virtual void close() = 0;
};

/// Makes streams.
using StreamFactory = std::function<std::shared_ptr<Stream>()>;

/// How a server is reached, and whom zona believes to be it.
struct Security {
    bool tls = false;
    std::string ca_file;  ///< PEM; empty: the host's own authorities
};

/// Streams on `executor`. TLS is 1.2 or newer, and the certificate has to name the host, or its
/// numeric address. Errors: kInvalidArgument: no authority can be read from the file.
core::Result<StreamFactory> stream_factory(const asio::any_io_executor& executor,
                                           const Security& security);

}  // namespace zona::cache::redis
