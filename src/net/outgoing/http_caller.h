/// @file
/// HttpCaller: how zona calls the HTTP servers of others.
///
/// libcurl does it, loaded with the first call. Connections are kept and used again; only TLS 1.3
/// with a certificate that this host trusts is spoken, plain HTTP to this host alone; redirects are
/// an answer like any other. A proxy is taken from the environment (`https_proxy`, `no_proxy`).
///
/// **Where a call may go.** Whoever tells zona to call an address may not have its daemon's place
/// in the network: link-local addresses, where clouds keep secrets, are never called, this host
/// only if OutgoingOptions::reach says so. It is the address that counts, when the connection is
/// made: no name that leads elsewhere a moment later gets around it.
///
/// **What fails** is tried again, if that can be done (Repeat), after a random time of up to 200
/// ms, doubled with each, as long as the deadline lets it. A server that fails several times in a
/// row is left alone for a while (CircuitBreaker, one for each origin). Source: REL-11, HTTP-16,
/// HTTP-21, SEC-05, GAP-50.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/deadline.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "net/outgoing/circuit_breaker.h"

namespace zona::net {

/// What may be called.
enum class Reach : std::uint8_t {
    kNetwork,   ///< everything but this host and link-local addresses
    kThisHost,  ///< this host, too, also without TLS
};

/// Whether a call may be made again that may have reached its server.
enum class Repeat : std::uint8_t {
    kMay,  ///< it changes nothing there
    kNot,  ///< only if no connection was made
};

/// How calls are made.
struct OutgoingOptions {
    std::string ca_file{};  ///< PEM, instead of the host's; empty: the host's
    Reach reach = Reach::kNetwork;
    core::ByteCount max_body = core::ByteCount::mib(1);
    int attempts = 5;
    std::chrono::milliseconds first_pause{200};
    std::chrono::milliseconds longest_pause{30'000};
    CircuitOptions circuit{};
};

/// One call.
struct OutgoingRequest {
    std::string_view method = "GET";
    std::string url;  ///< no user or password in it
    std::vector<std::pair<std::string, core::Secret>> headers{};
    core::Secret body{};
    Repeat repeat = Repeat::kMay;
};

/// What was answered, whatever the status.
struct OutgoingResponse {
    int status = 0;
    std::string content_type{};
    std::string body{};
};

/// Any thread.
class HttpCaller {
  public:
    /// Loads nothing yet. All must outlive it.
    HttpCaller(OutgoingOptions options, const core::Clock& clock, core::Random& random,
               core::MetricRegistry& metrics);
    ~HttpCaller();
    HttpCaller(const HttpCaller&) = delete;
    HttpCaller& operator=(const HttpCaller&) = delete;

    /// Makes the call and waits for the answer. One of status 429 or 5xx counts as a failure, and
    /// is given if trying again did not help.
    ///
    /// Errors, whose messages name the origin and nothing else of the URL:
    ///   kInvalidArgument  no http or https URL; with a user in it; an address that may not be
    ///                     called; http to another host
    ///   kUnavailable      nobody is there, the certificate is not good, the connection broke, or
    ///                     the origin is left alone after failures
    ///   kTimeout          the deadline passed
    ///   kTooLarge         the answer is over OutgoingOptions::max_body
    ///   kCancelled        stop() was called
    ///   kUnsupported      this host has no libcurl.so.4
    core::Result<OutgoingResponse> call(const OutgoingRequest& request, core::Deadline deadline);

    /// Ends waiting calls with kCancelled, and all further ones.
    void stop();

  private:
    struct Body;
    std::unique_ptr<Body> body_;
};

}  // namespace zona::net
