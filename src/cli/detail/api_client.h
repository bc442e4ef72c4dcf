/// @file
/// The API as the command sees it: requests with their answers, and streams.
///
/// The product's implementation speaks HTTP over the unix socket (unix_api.h); tests have one of
/// their own.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

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

/// How long to wait for an answer, and what goes on meanwhile.
struct ApiWait {
    core::Deadline deadline = core::Deadline::never();
    /// The call ends with kCancelled at this many interrupts (interrupts.h); 0: at none.
    int interrupts = 0;
    /// `on_quiet` is called when nothing has arrived for this long. It returns how long the next
    /// quiet has to be; an error that it returns ends the call.
    std::chrono::nanoseconds quiet = kNever;
    std::function<core::Result<std::chrono::nanoseconds>()> on_quiet;

    static constexpr std::chrono::nanoseconds kNever = std::chrono::nanoseconds::max();
};

/// Takes the body of a stream, piece by piece; an error ends the call.
using ApiSink = std::function<core::Result<void>(std::string_view)>;

/// Errors of both calls:
///   kNotFound               nobody listens: zona does not run there; nothing was sent
///   kUnavailable            the connection broke before the answer was complete
///   kTimeout, kCancelled    the wait ended before the answer
///   kForbidden and others   the socket cannot be reached; nothing was sent
///   kInternal               the answer is not HTTP, or larger than any can be
/// After all but the first and kForbidden the request may have had its effect, unless
/// may_have_acted() says otherwise.
class Api {
  public:
    Api() = default;
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;
    virtual ~Api() = default;

    /// Makes sure that there is a connection, before anything is sent: what fails here has had no
    /// effect, and is not tried again. Errors: of the way there. A local API has nothing to do.
    virtual core::Result<void> reach(core::Deadline /*deadline*/) { return {}; }

    /// Sends a request and reads the whole answer.
    virtual core::Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait& wait) = 0;

    /// Whether a request that was sent and failed with `error`, kUnavailable, may have had its
    /// effect all the same.
    virtual bool may_have_acted(const core::Error& /*error*/) const { return true; }

    /// Sends a request and gives the body of a success to `sink` as it comes, up to its proper end.
    /// An answer that is no success comes whole.
    virtual core::Result<ApiResponse> stream(const ApiRequest& request, const ApiSink& sink,
                                             const ApiWait& wait) = 0;
};

}  // namespace zona::cli
