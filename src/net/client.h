/// @file
/// HttpClient: the command's way to the daemon. Blocking HTTP/1.1 over a ClientTransport, without
/// Asio, Beast and OpenSSL, so that a program that links it starts in a millisecond.
///
/// One request at a time; one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"
#include "net/headers.h"
#include "net/transport.h"

namespace zona::net {

/// What the server answered. Any status is an answer, not an Error.
struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
};

/// Whether the sink of a stream wants more.
enum class Flow : unsigned char { kContinue, kStop };

/// Takes the decoded body of a stream, piece by piece as it arrives.
using ChunkSink = std::function<Flow(std::string_view)>;

/// One request of a client.
struct ClientRequest {
    std::string_view method = "GET";
    std::string_view
        target;  ///< origin-form, percent-encoded by the caller: "/api/v1/logs?follow=true"
    const Headers* headers =
        nullptr;  ///< beside Host and Content-Length, which the client writes; may be null
    std::string_view body;  ///< sent with Content-Length unless empty
};

/// Why a waiting client looks up.
enum class IdleReason : unsigned char {
    kReadable,  ///< the watch's descriptor is readable
    kQuiet      ///< nothing has arrived for the time that was asked for
};

/// What a client does while it waits for an answer: for a user's Ctrl-C, and for progress.
struct IdleWatch {
    int fd = -1;  ///< borrowed; -1 is none
    /// How long nothing has to arrive before the first look; max() is never.
    std::chrono::nanoseconds quiet = std::chrono::nanoseconds::max();
    /// Returns how long the next quiet has to be. An error ends the call with that error. It may be
    /// empty if there is neither a descriptor nor a time.
    std::function<core::Result<std::chrono::nanoseconds>(IdleReason)> look;
};

/// A client of one server.
///
/// The connection is made by the first request and kept for the next as far as the server allows. A
/// kept connection that the server has closed meanwhile is replaced before the next request is
/// sent; a request that was sent is never repeated: that is the caller's decision.
///
/// Errors of both calls, after which the connection is closed:
///   kUnavailable      nobody listens (no socket file, connection refused, no such host), or the
///                     server went away before its answer was complete. Over a unix socket EPIPE
///                     and ECONNRESET say that it went away before it had read the whole request
///   kTimeout          the deadline passed
///   kForbidden        no access to the socket
///   kUnauthenticated  the server could not prove who it is (net/tls_client.h)
///   kTooLarge         the answer is over `max_body` (request) or its head over 64 KiB
///   kInvalidArgument  method, target or a header cannot be sent (control characters, spaces)
///   kInternal         the answer is not HTTP/1.1
///   any               what the watch returned
/// Source: RFC 9112; unix(7).
class HttpClient {
  public:
    /// `clock` must outlive the client.
    HttpClient(std::unique_ptr<ClientTransport> transport, const core::Clock& clock,
               core::ByteCount max_body = core::ByteCount::mib(256));

    /// Sends a request and reads the whole answer.
    core::Result<ClientResponse> request(const ClientRequest& request, core::Deadline deadline);

    /// Sends a request and gives the body of a 2xx answer to `sink` as it comes; the body of any
    /// other answer is collected in the result. Ends at the end of the body or when the sink says
    /// kStop, which closes the connection. `deadline` is for the whole stream: never() for one that
    /// follows.
    core::Result<ClientResponse> stream(const ClientRequest& request, const ChunkSink& sink,
                                        core::Deadline deadline);

    /// What to look at while waiting for answers, from now on.
    void watch(IdleWatch watch) { watch_ = std::move(watch); }

    /// Closes the connection, if there is one.
    void close() { transport_->close(); }

  private:
    core::Result<void> connect(core::Deadline deadline);
    core::Result<void> await_input(core::Deadline deadline);
    core::Result<void> send(std::string_view data, core::Deadline deadline);
    core::Result<ClientResponse> exchange(const ClientRequest& request, const ChunkSink* sink,
                                          core::Deadline deadline);
    core::Result<ClientResponse> receive(std::string_view method, const ChunkSink* sink,
                                         core::Deadline deadline);

    std::unique_ptr<ClientTransport> transport_;
    const core::Clock& clock_;
    core::ByteCount max_body_;
    IdleWatch watch_;
};

}  // namespace zona::net
