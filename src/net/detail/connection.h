/// @file
/// Connection: one client, from its first byte to its last. The whole protocol of the server is
/// here, over a Stream of any kind.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "core/clock.h"
#include "core/log.h"
#include "core/task_group.h"
#include "net/detail/admission.h"
#include "net/detail/deadline_queue.h"
#include "net/detail/request_parser.h"
#include "net/detail/response_head.h"
#include "net/detail/stream.h"
#include "net/detail/websocket_session.h"
#include "net/http.h"
#include "net/middleware.h"
#include "net/server.h"

namespace zona::net::detail {

class Connection;

/// What the connections of one server have in common. One executor. Owned by the server and its
/// connections: the last coroutine may end after the server died.
struct Shared {
    Shared(const asio::any_io_executor& the_executor, const ServerOptions& limits,
           Application served, const core::Clock& the_clock, core::Logger logger);

    asio::any_io_executor executor;
    ServerOptions options;
    Application application;
    const core::Clock& clock;
    core::Logger log;
    core::TaskGroup tasks;
    std::shared_ptr<DeadlineQueue> deadlines;
    DateCache date;
    std::unordered_set<Connection*> connections;  ///< all that live
    bool draining = false;
};

/// A connection and its coroutine. Owned by a shared_ptr: an answer that overtakes its handler runs
/// in a coroutine of its own and shares the object with the one that is stuck.
class Connection final : public std::enable_shared_from_this<Connection>,
                         private DeadlineQueue::Entry {
  public:
    Connection(std::shared_ptr<Shared> shared, std::unique_ptr<Stream> stream, Peer peer,
               Admission admission = {});
    ~Connection() override;

    /// What cancels serve() or turn_away(): whoever starts one of them binds it to that. A
    /// connection that is cut, and a request that takes too long, are cancelled by it.
    std::shared_ptr<asio::cancellation_signal> cancellation() {
        return {shared_from_this(), &cancel_};
    }

    /// Serves requests until the connection ends; the caller holds it until then. Never throws what
    /// the application throws.
    asio::awaitable<void> serve();

    /// Answers `fault` without reading a request, and closes. The caller holds it until then.
    asio::awaitable<void> turn_away(Fault fault);

    /// Ends between requests, and a stream that would never end. Shared::draining is set before.
    void drain();
    /// Ends now: cancels the handler, closes the stream.
    void cut();

  private:
    class ChunkedWriter;

    enum class Phase : std::uint8_t {
        kOpening,    ///< the handshake of TLS
        kIdle,       ///< between requests
        kReading,    ///< inside of a request
        kHandling,   ///< the application has it
        kSending,    ///< a write is in progress
        kStreaming,  ///< a streamed body is, without a write in progress
        kWebSocket,  ///< a WebSocket is open; it has deadlines of its own
        kLingering,  ///< input is dropped
    };

    /// What a read brought.
    enum class Input : std::uint8_t { kBytes, kEnd, kLate, kBroken };

    asio::awaitable<void> serve_requests();
    /// The handshake, where there is one. False: there is nobody to serve, close.
    asio::awaitable<bool> open();
    asio::awaitable<void> answer_unread(Fault fault);
    /// Reads one request, or finds its fault. False: there is none, close.
    asio::awaitable<bool> read_request();
    asio::awaitable<bool> read_head();
    void limit_body();
    asio::awaitable<void> invite_body();
    asio::awaitable<void> read_body();
    asio::awaitable<Input> fill();
    /// Where the next read puts its bytes, and what it brought.
    std::span<char> room();
    Input took(const core::Result<std::size_t>& count);
    void make_room();
    void feed();
    void refuse(Fault fault);
    void refuse_input(Input input);

    asio::awaitable<void> answer();
    asio::awaitable<Response> ask_application(Request& request);
    static asio::awaitable<void> overtake(std::shared_ptr<Connection> self);
    asio::awaitable<void> answer_late();
    /// An answer with its length, on its way; `unsent_head` refers to `head`.
    struct Plain {
        std::string head;
        std::string_view unsent_head;
        std::string_view unsent_body;
    };
    bool send_at_once(const Request& request, Response& response, Plain& plain);
    asio::awaitable<void> send(Request& request, Response& response, Plain& plain);
    void encode(const Request& request, const Response& response, Plain& plain) const;
    void finish(const Request& request, Response& response, const Transfer& transfer);
    bool write_slice(Plain& plain);
    asio::awaitable<Transfer> send_plain(Plain& plain);
    asio::awaitable<bool> send_head(const Response& response, const Wire& wire);
    asio::awaitable<Transfer> send_stream(const Request& request, Response& response);
    asio::awaitable<Transfer> send_websocket(Request& request, Response& response);
    void report_body(std::string_view what, const core::Result<void>& result);
    asio::awaitable<void> run_body(StreamBody& body, BodyWriter& writer,
                                   core::Result<void>& result);
    asio::awaitable<void> watch_client();
    bool write_now(std::span<std::string_view> pieces);
    asio::awaitable<bool> write(std::span<std::string_view> pieces);
    asio::awaitable<void> linger();

    void on_deadline() override;
    void enter(Phase phase, std::chrono::milliseconds limit);
    bool may_keep_alive() const;

    std::shared_ptr<Shared> shared_;
    std::unique_ptr<Stream> stream_;
    Peer peer_;
    Admission admission_;  ///< its place among the connections of all servers
    RequestParser parser_;
    Request request_;
    asio::cancellation_signal cancel_;  ///< of serve() or turn_away()

    std::vector<char> buffer_;
    std::size_t begin_ = 0;  ///< of the bytes that are not consumed
    std::size_t end_ = 0;
    core::ByteCount sent_;

    WebSocketSession* websocket_ = nullptr;  ///< while one is open

    Phase phase_ = Phase::kIdle;
    std::size_t served_ = 0;
    bool keep_alive_ = true;
    bool unread_input_ = false;   ///< the client may still be sending
    bool timed_out_ = false;      ///< the read in progress was cancelled by its deadline
    bool overdue_ = false;        ///< the handler was cancelled by its deadline
    bool overtaken_ = false;      ///< the answer is given by overtake()
    bool ends_on_drain_ = false;  ///< the stream in progress is of that kind
    bool stopping_ = false;       ///< the stream was ended by drain()
    bool gone_ = false;           ///< the client takes nothing any more
    bool cut_ = false;
};

}  // namespace zona::net::detail
