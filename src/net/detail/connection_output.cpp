// How a connection answers: plain bodies, streams, and the watch over a client that only listens.
#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include "net/detail/connection.h"
#include "net/detail/guarded.h"

namespace zona::net::detail {
namespace {

constexpr std::chrono::milliseconds kUnlimited{0};
/// A body goes out in slices, each with its own write_time.
constexpr std::size_t kSlice = 256U << 10U;
/// What a client may send ahead while it is being streamed to.
constexpr std::size_t kMaxAhead = 64U << 10U;

Framing stream_framing(const Request& request) {
    return request.version >= 11 ? Framing::kChunked : Framing::kUntilEnd;
}

/// Not kept between requests: most connections are idle.
std::string head_of(const Response& response, const Wire& wire) {
    constexpr std::size_t kUsual = 768;
    std::string out;
    out.reserve(kUsual);
    append_head(out, response, wire);
    return out;
}

}  // namespace

/// Writes the pieces of a streamed body in the framing of the request's version.
class Connection::ChunkedWriter final : public BodyWriter {
  public:
    ChunkedWriter(Connection& connection, Framing framing)
        : connection_(connection), framing_(framing) {}

    asio::awaitable<core::Result<void>> write(std::string_view data) override {
        if (connection_.gone_ || connection_.stopping_) co_return gone();
        if (data.empty()) co_return core::Result<void>();
        std::array<char, 20> size{};
        const auto end = fmt::format_to(size.data(), "{:x}\r\n", data.size());
        std::array<std::string_view, 3> chunk = {std::string_view(size.data(), end), data, "\r\n"};
        const std::span<std::string_view> all(chunk);
        const auto pieces = framing_ == Framing::kChunked ? all : all.subspan(1, 1);
        const bool taken = co_await connection_.write(pieces);
        connection_.enter(Phase::kStreaming, kUnlimited);
        if (!taken || connection_.stopping_) co_return gone();
        co_return core::Result<void>();
    }

  private:
    static core::Error gone() {
        return {core::Code::kCancelled, "the client takes no more of the stream"};
    }

    Connection& connection_;
    Framing framing_;
};

/// An answer that the socket takes at once, as nearly every one: one system call, no coroutine.
/// False: the rest is for send().
bool Connection::send_at_once(const Request& request, Response& response, Plain& plain) {
    keep_alive_ = may_keep_alive();
    sent_ = {};
    if (response.upgrade != nullptr || response.stream) return false;
    encode(request, response, plain);
    if (!write_slice(plain)) return false;
    finish(request, response, {sent_, Transfer::Outcome::kComplete});
    return true;
}

/// What send_at_once() has not sent.
asio::awaitable<void> Connection::send(Request& request, Response& response, Plain& plain) {
    const bool stream = response.stream && has_body(response.status);
    Transfer transfer;
    if (response.upgrade != nullptr) {
        transfer = co_await send_websocket(request, response);
    } else if (stream && request.method != Method::kHead) {
        transfer = co_await send_stream(request, response);
    } else {
        if (plain.head.empty()) encode(request, response, plain);
        transfer = co_await send_plain(plain);
    }
    finish(request, response, transfer);
}

void Connection::encode(const Request& request, const Response& response, Plain& plain) const {
    Wire wire;
    wire.keep_alive = keep_alive_;
    wire.date = shared_->date.at(shared_->clock.system());
    if (!has_body(response.status)) wire.framing = Framing::kNone;
    if (response.stream && has_body(response.status)) wire.framing = stream_framing(request);
    plain.head = head_of(response, wire);
    plain.unsent_head = plain.head;
    const bool bodiless = request.method == Method::kHead || wire.framing != Framing::kLength;
    if (!bodiless) plain.unsent_body = response.body;
}

void Connection::finish(const Request& request, Response& response, const Transfer& transfer) {
    if (transfer.outcome != Transfer::Outcome::kComplete) keep_alive_ = false;
    for (FinishHook& hook : response.on_finish)
        hook(request, response, transfer);
}

/// Whether the socket has taken all of it.
bool Connection::write_slice(Plain& plain) {
    std::array<std::string_view, 2> pieces = {plain.unsent_head,
                                              plain.unsent_body.substr(0, kSlice)};
    const std::size_t slice = pieces[1].size();
    const bool taken = write_now(pieces);
    plain.unsent_head = pieces[0];
    plain.unsent_body.remove_prefix(slice - pieces[1].size());
    return taken && plain.unsent_body.empty();
}

asio::awaitable<Transfer> Connection::send_plain(Plain& plain) {
    bool taken = true;
    do {
        std::array<std::string_view, 2> pieces = {plain.unsent_head,
                                                  plain.unsent_body.substr(0, kSlice)};
        const std::span<std::string_view> all(pieces);
        plain.unsent_head = {};
        plain.unsent_body.remove_prefix(pieces[1].size());
        taken = co_await write(all);
    } while (taken && !plain.unsent_body.empty());
    set_deadline(kNone);
    co_return Transfer{sent_,
                       taken ? Transfer::Outcome::kComplete
                             : (cut_ ? Transfer::Outcome::kCut : Transfer::Outcome::kClientGone)};
}

asio::awaitable<bool> Connection::send_head(const Response& response, const Wire& wire) {
    const std::string encoded = head_of(response, wire);
    std::array<std::string_view, 1> head = {encoded};
    const std::span<std::string_view> pieces(head);
    co_return co_await write(pieces);
}

asio::awaitable<Transfer> Connection::send_stream(const Request& request, Response& response) {
    using namespace asio::experimental::awaitable_operators;
    const Framing framing = stream_framing(request);
    const Wire wire{framing, keep_alive_, shared_->date.at(shared_->clock.system())};
    const bool taken = co_await send_head(response, wire);
    if (!taken) co_return Transfer{sent_, Transfer::Outcome::kClientGone};

    ends_on_drain_ = response.stream_end == StreamEnd::kOnDrain;
    stopping_ = ends_on_drain_ && shared_->draining;
    enter(Phase::kStreaming, kUnlimited);
    ChunkedWriter writer(*this, framing);
    core::Result<void> result;
    if (!stopping_) {
        auto body = run_body(response.stream, writer, result);
        auto watch = watch_client();
        auto both = std::move(body) || std::move(watch);
        co_await std::move(both);
        co_await asio::this_coro::reset_cancellation_state();
    }
    ends_on_drain_ = false;
    const bool whole = !cut_ && !gone_ && (stopping_ || result.has_value());
    stopping_ = false;
    if (!whole) {
        keep_alive_ = false;
        co_return Transfer{
            sent_, gone_ && !cut_ ? Transfer::Outcome::kClientGone : Transfer::Outcome::kCut};
    }
    bool ended = true;
    if (framing == Framing::kChunked) {
        std::array<std::string_view, 1> last = {"0\r\n\r\n"};
        const std::span<std::string_view> end(last);
        ended = co_await write(end);
    }
    set_deadline(kNone);
    co_return Transfer{sent_,
                       ended ? Transfer::Outcome::kComplete : Transfer::Outcome::kClientGone};
}

/// Gives the connection to a WebSocket until it ends; there is no further request then.
asio::awaitable<Transfer> Connection::send_websocket(Request& request, Response& response) {
    keep_alive_ = false;
    WebSocketLink link{shared_->executor,
                       shared_->deadlines,
                       shared_->clock,
                       *stream_,
                       shared_->options.write_time,
                       std::string(buffer_.data() + begin_, end_ - begin_)};
    buffer_ = {};
    begin_ = end_ = 0;
    WebSocketOffer& offer = *response.upgrade;
    WebSocketSession session(std::move(link), std::move(offer.options),
                             std::move(offer.subprotocol));
    enter(Phase::kWebSocket, kUnlimited);
    websocket_ = &session;
    if (shared_->draining) session.drain();
    const WebSocketSession::Outcome outcome = co_await session.run(request, response, offer.body);
    websocket_ = nullptr;
    co_await asio::this_coro::reset_cancellation_state();
    request.bytes_in += outcome.received;
    sent_ = outcome.sent;
    report_body("the handler of a WebSocket failed", outcome.body);
    const bool lost = outcome.closed.by == WebSocketEnd::kLost;
    gone_ = gone_ || lost;
    unread_input_ = outcome.closed.by == WebSocketEnd::kByServer;
    const bool failed =
        !outcome.body.has_value() && outcome.body.error().code() != core::Code::kCancelled;
    if (cut_ || failed) co_return Transfer{sent_, Transfer::Outcome::kCut};
    co_return Transfer{sent_, lost ? Transfer::Outcome::kClientGone : Transfer::Outcome::kComplete};
}

asio::awaitable<void> Connection::run_body(StreamBody& body, BodyWriter& writer,
                                           core::Result<void>& result) {
    result = co_await guarded(body(writer));
    report_body("a streamed body failed", result);
}

void Connection::report_body(std::string_view what, const core::Result<void>& result) {
    if (result.has_value() || result.error().code() == core::Code::kCancelled) return;
    shared_->log.report(what, result.error(),
                        {{"route", request_.route}, {"correlation_id", request_.correlation_id}});
}

/// Ends when the client is gone, or when the body is done (cancelled). What the client sends
/// meanwhile is the next request: it is kept.
asio::awaitable<void> Connection::watch_client() {
    co_await asio::this_coro::throw_if_cancelled(false);
    bool input_open = true;
    while (true) {
        const bool reads = input_open && end_ - begin_ < kMaxAhead;
        Input input = Input::kEnd;
        if (reads) {
            input = co_await fill();
        } else {
            co_await stream_->wait_hangup();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        input_open = input == Input::kBytes;
        if (!reads || input == Input::kBroken) {
            gone_ = true;
            co_return;
        }
    }
}

/// Writes what is taken without waiting, and leaves the rest in `pieces`; whether there is none.
bool Connection::write_now(std::span<std::string_view> pieces) {
    if (gone_) return false;
    std::size_t sent = stream_->write_now(pieces);
    sent_ += core::ByteCount(static_cast<std::int64_t>(sent));
    bool all = true;
    for (std::string_view& piece : pieces) {
        const std::size_t part = std::min(sent, piece.size());
        piece.remove_prefix(part);
        sent -= part;
        all = all && piece.empty();
    }
    return all;
}

asio::awaitable<bool> Connection::write(std::span<std::string_view> pieces) {
    if (write_now(pieces)) co_return true;
    if (gone_) co_return false;
    enter(Phase::kSending, shared_->options.write_time);
    const core::Result<void> taken = co_await stream_->write(pieces);
    if (!taken.has_value()) {
        gone_ = true;
        co_return false;
    }
    for (const std::string_view piece : pieces) {
        sent_ += core::ByteCount(static_cast<std::int64_t>(piece.size()));
    }
    co_return true;
}

}  // namespace zona::net::detail
