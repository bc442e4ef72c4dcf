/// @file
/// The HTTP messages as handlers see them: Request, Response, and the writer of a streamed body.
///
/// Value types without any notion of sockets, TLS or parsers; one request is handled on one
/// executor, so none of them is thread-safe. The wire side is net/server.h, the way from one to the
/// other net/middleware.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <sys/types.h>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/deadline.h"
#include "core/random.h"
#include "core/result.h"
#include "net/headers.h"
#include "net/websocket.h"

namespace zona::core {
class Gauge;
}

namespace zona::net {

namespace asio = boost::asio;

/// The methods that routes can have. Any other token is answered 501 (RFC 9110 section 9.1).
enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };

/// "GET"; "OTHER" for kOther, which keeps the label sets of metrics closed.
std::string_view to_string(Method method);
/// The method with this exact (case-sensitive) name, kOther for any other text.
Method method_from(std::string_view name);

/// Who connected over the unix socket, by SO_PEERCRED: the process that called connect(2), at that
/// moment.
struct UnixPeer {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t pid = 0;
    bool operator==(const UnixPeer&) const = default;
};

/// Who connected over TCP.
struct TcpPeer {
    std::string address;
    std::uint16_t port = 0;
    std::uint16_t to_port = 0;  ///< where they have connected to: which listener it was
    bool operator==(const TcpPeer&) const = default;
};

/// Who is at the other end of a connection.
using Peer = std::variant<UnixPeer, TcpPeer>;

/// "unix:uid=0,gid=0,pid=812" or "203.0.113.7:49152", for logs.
std::string to_string(const Peer& peer);

/// A name with its value: a query or a path parameter, both percent-decoded.
struct Parameter {
    std::string name;
    std::string value;
    bool operator==(const Parameter&) const = default;
};

/// Why a request is refused before any handler sees it, and the status if it is not the one of the
/// error's code (408, 417, 505). The chain answers it like any other request, so it is logged and
/// counted.
struct Fault {
    core::Error error;
    int status = 0;                                     ///< 0: core::info(error.code()).http_status
    std::optional<std::chrono::seconds> retry_after{};  ///< told as Retry-After
};

/// Counts one in a gauge, which outlives it, as long as it lives.
class Counted {
  public:
    Counted() = default;
    /// One more, until it dies.
    explicit Counted(core::Gauge& gauge);
    Counted(Counted&& other) noexcept : gauge_(std::exchange(other.gauge_, nullptr)) {}
    Counted& operator=(Counted&& other) noexcept {
        std::swap(gauge_, other.gauge_);
        return *this;
    }
    ~Counted();

  private:
    core::Gauge* gauge_ = nullptr;
};

class ClientCertificate;  // client_certificate.h
struct Route;             // router.h

/// One request, complete with its body. Filled by the server, the route fields by the router.
struct Request {
    Method method = Method::kOther;
    std::string method_name;  ///< as sent
    std::string target;       ///< as sent: origin-form, absolute-form or "*"
    std::string path;  ///< percent-decoded, begins with '/'; UTF-8 without control characters
    std::vector<std::string>
        segments;                  ///< the path's parts, each decoded alone: "a%2Fb" is one segment
    std::vector<Parameter> query;  ///< in order, a name may repeat; '+' is a space
    Headers headers;
    std::string body;
    int version = 11;  ///< 10 or 11

    Peer peer;
    bool over_tls = false;
    /// What the client has shown of itself in the connection's handshake; null: nothing.
    std::shared_ptr<const ClientCertificate> certificate;
    std::string principal;  ///< who asks, for logs; filled by authentication
    /// Whether who asks may change anything, for what no method tells; filled by authentication.
    bool may_change = false;
    /// The code of the only tenant that who asks may reach; empty: all of zona. Filled by
    /// authentication, looked at before any handler.
    std::string tenant;
    /// @{
    /// The user who asks, and what they may do: for whoever authenticates, identity/caller.h.
    std::shared_ptr<const void> user;
    std::shared_ptr<const void> permissions;
    std::uint8_t methods = 0;  ///< by which it was known who asks
    /// @}
    /// The id of the key that it was authenticated with; none: by something else.
    std::optional<core::Uuid> credential;
    /// The token that it was authenticated with, where what it opens may outlive it. For no log.
    std::string token;
    std::string correlation_id;
    core::SteadyTime received;  ///< when its first byte was read
    core::SteadyTime passed;    ///< when it had passed all that stands before its handler
    core::Deadline deadline =
        core::Deadline::never();  ///< when 504 is answered in the handler's place
    core::ByteCount bytes_in;     ///< head and body as read
    std::optional<Fault> fault;

    const Route* matched = nullptr;     ///< what answers; null until the router has found it
    bool handled = false;               ///< its handler was asked
    std::string route;                  ///< its pattern; empty until then, and for 404
    std::vector<Parameter> parameters;  ///< of the path
    Counted in_flight;                  ///< by record_metrics()
    /// What a middleware has got for the request: let go of once there is an answer.
    std::vector<std::shared_ptr<void>> held;

    /// The path parameter `name`. Precondition: the route's pattern has it.
    const std::string& parameter(std::string_view name) const;
    /// The first query value of that name.
    std::optional<std::string_view> query_value(std::string_view name) const;
    /// Every query value of that name, in order.
    std::vector<std::string_view> query_values(std::string_view name) const;

    /// Back to the state of a new object, memory kept.
    void clear();
};

/// Where a streamed body goes.
class BodyWriter {
  public:
    BodyWriter() = default;
    BodyWriter(const BodyWriter&) = delete;
    BodyWriter& operator=(const BodyWriter&) = delete;
    virtual ~BodyWriter() = default;

    /// Sends `data` as one chunk and waits until the socket has taken all of it: the back-pressure
    /// of a slow client. Each call is a system call, so callers gather small records. Empty data
    /// sends nothing.
    ///
    /// `data` must live until the wait is over.
    /// Errors: kCancelled: the client is gone, took nothing for ServerOptions::write_time, or the
    /// server is shutting down; every later call fails the same way, and the body should return.
    virtual asio::awaitable<core::Result<void>> write(std::string_view data) = 0;
};

/// Writes a body piece by piece. Runs on the connection's executor.
///
/// When the client goes away, what it waits for is cancelled (terminal), also when it is not
/// writing: an awaited Asio operation ends with operation_aborted. After that any further co_await
/// throws; the server takes that as the end of the body. Returning an error after the first byte
/// cuts the connection, so that the client sees a broken message rather than a short one.
using StreamBody = std::move_only_function<asio::awaitable<core::Result<void>>(BodyWriter&)>;

/// How a streamed body ends when the server drains.
enum class StreamEnd : std::uint8_t {
    kByItself,  ///< it is finite: the drain waits for it until its deadline
    kOnDrain,   ///< it would never end (follow): it is cancelled at once and the message is ended
                ///< properly
};

struct Response;

/// What became of a response.
struct Transfer {
    /// How the sending ended.
    enum class Outcome : std::uint8_t {
        kComplete,    ///< the socket took all of it
        kClientGone,  ///< closed by the client, or too slow
        kCut,         ///< by a body that failed, by the drain's deadline
    };
    core::ByteCount bytes_out;  ///< head and body, as far as they were taken
    Outcome outcome = Outcome::kComplete;
};
/// "complete", "client_gone", "cut": as in the access log.
std::string_view to_string(Transfer::Outcome outcome);

/// Called once, when the last byte of the response is sent or can no longer be; not at all for a
/// response that is dropped unsent (its handler was overtaken). Must not throw.
using FinishHook = std::move_only_function<void(const Request&, const Response&, const Transfer&)>;

/// One answer. Move-only.
///
/// The server itself writes Content-Length, Transfer-Encoding, Connection and Date; fields of these
/// names are dropped. A response to HEAD is sent without its body, and a stream is not started for
/// it.
struct Response {
    int status = 200;
    Headers headers;
    std::string body;
    StreamBody stream;  ///< used instead of body if set
    StreamEnd stream_end = StreamEnd::kByItself;
    std::unique_ptr<WebSocketOffer> upgrade;  ///< used instead of body and stream if set
    std::vector<FinishHook> on_finish;

    /// Set by failed(): an error that still has to be rendered. It is the error that
    /// render_errors() logs.
    std::optional<Fault> failure;

    /// `text` as JSON, as it is.
    static Response json(std::string text, int status = 200);

    /// {"success":true,"data":DATA,"meta":META}, META only if not empty. Both are JSON text.
    static Response success(std::string_view data, std::string_view meta = {}, int status = 200);

    /// A body of any type, sent with its length.
    static Response text(std::string body, std::string_view content_type);

    /// A body of unknown length: chunked for HTTP/1.1, ended by closing for HTTP/1.0.
    static Response streaming(std::string_view content_type, StreamBody body, StreamEnd end);

    /// An upgrade to WebSocket, of status 101: the connection then belongs to `body`. The chain's
    /// negotiate_websocket() answers in its place where the request is no valid handshake, so a
    /// handler need not look.
    static Response websocket(WebSocketBody body, WebSocketOptions options = {});

    /// The error envelope of docs/api.md, rendered; the status is that of the code unless given.
    /// The error's message is public by the contract of core::Error and shown as it is.
    static Response error(const core::Error& error, std::string_view correlation_id,
                          int status = 0);

    /// A response that render_errors() makes into error(): what handlers and middleware return.
    static Response failed(core::Error error, int status = 0);
};

}  // namespace zona::net
