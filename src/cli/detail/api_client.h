/// @file
/// The API as the command sees it: connections that carry requests, and streams.
///
/// The product's implementation speaks HTTP over the unix socket (unix_api.h); tests have one of
/// their own. The split into connect() and exchange() tells what a failure means: while connecting
/// nothing was sent; afterwards the outcome of a change is unknown.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/detail/interrupts.h"
#include "cli/detail/request.h"
#include "core/deadline.h"
#include "core/result.h"

namespace zona::cli {

/// A complete answer.
struct ApiResponse {
    int status = 0;
    std::string body;
    bool succeeded() const { return status >= 200 && status < 300; }
};

/// How long to wait for an answer, and what may end the wait before.
struct ApiWait {
    core::Deadline deadline = core::Deadline::never();
    /// The wait ends with kCancelled at this many interrupts (interrupts.h); 0: at none.
    int interrupts = 0;
    /// Called after each second of waiting, if set: progress.
    std::function<void()> each_second;
};

/// One connection: one request, then its answer or its stream.
class ApiConnection {
  public:
    ApiConnection() = default;
    ApiConnection(const ApiConnection&) = delete;
    ApiConnection& operator=(const ApiConnection&) = delete;
    virtual ~ApiConnection() = default;

    /// Sends a request and reads the whole answer.
    /// Errors: kUnavailable: the connection broke. kTimeout, kCancelled: the wait ended. kInternal:
    /// the answer is not HTTP or too large. In all cases the request may have had its effect.
    virtual core::Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait& wait) = 0;

    /// Sends a request whose answer is a stream, and reads the head. An answer that is not a
    /// success comes complete, with its body; after a success the body is for read().
    /// Errors: as exchange().
    virtual core::Result<ApiResponse> open_stream(const ApiRequest& request,
                                                  const ApiWait& wait) = 0;

    /// The next bytes of the stream, as they come; nullopt at its proper end.
    /// Errors: kUnavailable: it broke off before its end. kTimeout, kCancelled: the wait ended, and
    /// the stream may be read on.
    virtual core::Result<std::optional<std::string>> read(const ApiWait& wait) = 0;
};

class ApiTransport {
  public:
    ApiTransport() = default;
    ApiTransport(const ApiTransport&) = delete;
    ApiTransport& operator=(const ApiTransport&) = delete;
    virtual ~ApiTransport() = default;

    /// Errors: kNotFound, kUnavailable: nobody listens, zona does not run here. Others from errno
    /// (kForbidden: somebody else's home).
    virtual core::Result<std::unique_ptr<ApiConnection>> connect() = 0;
};

}  // namespace zona::cli
