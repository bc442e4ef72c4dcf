#include "net/detail/websocket_session.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <fmt/format.h>

#include "core/text.h"
#include "net/detail/guarded.h"
#include "net/detail/response_head.h"
#include "net/detail/websocket_adapter.h"

namespace zona::net::detail {
namespace {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// A message grows by reads of this size at first, then by its own size.
constexpr std::size_t kFirstRead = 512;
constexpr std::size_t kLargestRead = 64U << 10U;
constexpr std::string_view kNoText = "the text is not UTF-8";

/// From here on no cancellation reaches the coroutine.
auto not_cancellable() {
    return asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

bool is_cancelled(const asio::cancellation_state& state) {
    return state.cancelled() != asio::cancellation_type::none;
}

core::Error ended() {
    return {core::Code::kCancelled, "the WebSocket has ended"};
}

/// A write that waits for its turn, then for its end.
struct Pending {
    SharedText data;
    WebSocketKind kind;
    bool done = false;
    bool taken = false;
};

/// The request as the library reads it. It was found valid by refuse_upgrade().
http::request<http::empty_body> handshake_of(const Request& request) {
    http::request<http::empty_body> out{http::verb::get, "/", 11};
    out.set(http::field::host, "zona");
    out.set(http::field::upgrade, "websocket");
    out.set(http::field::connection, "upgrade");
    for (const std::string_view name : {"Sec-WebSocket-Key", "Sec-WebSocket-Version"}) {
        if (const auto value = request.headers.find(name)) {
            out.set({name.data(), name.size()}, {value->data(), value->size()});
        }
    }
    return out;
}

void add_fields(websocket::response_type& answer, const Response& response, std::string_view date) {
    answer.set(http::field::server, "zona");  // the library would put its own name there
    for (const Headers::Field field : response.headers) {
        if (!is_sent(field.name)) continue;
        std::string value;
        append_value(value, field.value);
        answer.insert(boost::beast::string_view(field.name.data(), field.name.size()), value);
    }
    answer.set(http::field::date, boost::beast::string_view(date.data(), date.size()));
}

}  // namespace

class WebSocketSession::Impl {
  public:
    Impl(WebSocketLink link, WebSocketOptions options);

    asio::awaitable<Outcome> run(WebSocketSession& self, const Request& request,
                                 const Response& response, WebSocketBody& body);
    asio::awaitable<WebSocketInput> read();
    asio::awaitable<core::Result<void>> write(SharedText data, WebSocketKind kind);
    void close(CloseCode code, std::string_view reason);
    void drain();
    void cut();

  private:
    asio::awaitable<bool> accept(const Request& request, const Response& response);
    asio::awaitable<void> read_all();
    asio::awaitable<void> write_all();
    asio::awaitable<void> serve(WebSocketSession& self, WebSocketBody& body);
    asio::awaitable<bool> send(Pending& pending);
    asio::awaitable<void> ping();

    void deliver(WebSocketMessage message);
    bool is_full() const;
    WebSocketClosed reason_of(const boost::system::error_code& error) const;
    void fail(CloseCode code, std::string reason);
    void end(WebSocketClosed closed);
    void ask_for_close();
    void end_body();
    void end_body_late();
    void lose();
    void look_for_life();
    void on_excess(FrameMeter::Excess excess);

    WebSocketOptions options_;
    asio::any_io_executor executor_;
    const core::Clock& clock_;
    Stream& stream_;
    WebSocketPipe pipe_;
    websocket::stream<WebSocketAdapter, false> socket_;

    std::deque<WebSocketMessage> inbox_;
    std::size_t inbox_bytes_ = 0;
    std::deque<std::shared_ptr<Pending>> outbox_;  // shared with the write that waits for it
    std::optional<WebSocketClosed> closed_;        ///< set once, by whoever is first
    core::Result<void> result_;
    asio::cancellation_signal cancel_body_;

    Condition arrived_;  ///< a message, or the end
    Condition room_;     ///< in the inbox, or the end
    Condition wake_;     ///< something to write, or the end
    Condition written_;  ///< a write is done
    Alarm life_;
    Alarm closing_;
    Alarm grace_;
    core::SteadyTime pinged_at_{};
    bool pinged_ = false;  ///< and nothing has come since
    bool ping_wanted_ = false;
    bool close_wanted_ = false;
    bool failed_ = false;  ///< a limit was exceeded: the client's close is not waited for
    bool over_ = false;    ///< nothing more can be written
    bool reads_ = false;   ///< the handler does: so it hears of the end
    bool body_done_ = false;
};

WebSocketSession::Impl::Impl(WebSocketLink link, WebSocketOptions options)
    : options_(std::move(options)),
      executor_(link.executor),
      clock_(link.clock),
      stream_(link.stream),
      pipe_(std::move(link), {options_.fragments, options_.control_frames, options_.control_time},
            [this](FrameMeter::Excess excess) { on_excess(excess); }),
      socket_(executor_, pipe_),
      arrived_(executor_),
      room_(executor_),
      wake_(executor_),
      written_(executor_),
      life_(pipe_.deadlines(), [this] { look_for_life(); }),
      closing_(pipe_.deadlines(), [this] { lose(); }),
      grace_(pipe_.deadlines(), [this] { cancel_body_.emit(asio::cancellation_type::terminal); }) {
    socket_.set_option(websocket::stream_base::timeout{websocket::stream_base::none(),
                                                       websocket::stream_base::none(), false});
    // Zero would be no limit.
    socket_.read_message_max(std::max<std::size_t>(options_.message.as_size(), 1));
    socket_.auto_fragment(false);
}

asio::awaitable<WebSocketSession::Outcome> WebSocketSession::Impl::run(WebSocketSession& self,
                                                                       const Request& request,
                                                                       const Response& response,
                                                                       WebSocketBody& body) {
    using namespace asio::experimental::awaitable_operators;
    co_await not_cancellable();
    const bool open = co_await accept(request, response);
    if (open) {
        life_.set(clock_.steady() + options_.ping_after);
        auto reading = read_all();
        auto writing = write_all();
        auto serving = serve(self, body);
        auto all = std::move(reading) && std::move(writing) && std::move(serving);
        co_await std::move(all);
    } else {
        end({});
    }
    life_.unset();
    closing_.unset();
    grace_.unset();
    co_return Outcome{*closed_, std::move(result_), pipe_.close_sent(), pipe_.received(),
                      pipe_.sent()};
}

asio::awaitable<bool> WebSocketSession::Impl::accept(const Request& request,
                                                     const Response& response) {
    DateCache date;
    const std::string_view now = date.at(clock_.system());
    socket_.set_option(websocket::stream_base::decorator(
        [&response, now](websocket::response_type& answer) { add_fields(answer, response, now); }));
    const auto handshake = handshake_of(request);
    const auto [error] = co_await socket_.async_accept(handshake, kAwait);
    co_return !error;
}

asio::awaitable<void> WebSocketSession::Impl::read_all() {
    co_await not_cancellable();
    std::string message;
    while (true) {
        const std::size_t had = message.size();
        message.resize(had + std::clamp(had, kFirstRead, kLargestRead));
        const asio::mutable_buffer space(message.data() + had, message.size() - had);
        const auto [error, count] = co_await socket_.async_read_some(space, kAwait);
        if (error) {
            end(reason_of(error));
            break;
        }
        message.resize(had + count);
        if (!socket_.is_message_done()) continue;
        const auto kind = socket_.got_text() ? WebSocketKind::kText : WebSocketKind::kBinary;
        // The library overlooks what is missing where the last fragment is empty.
        if (kind == WebSocketKind::kText && !core::is_valid_utf8(message)) {
            message.clear();
            fail(CloseCode::kBadText, std::string(kNoText));
            continue;
        }
        deliver({kind, std::exchange(message, {})});
        while (is_full() && !closed_) {
            co_await room_.wait();
            pinged_ = false;  // an answer may wait to be read
        }
    }
    over_ = true;
    wake_.notify();
}

void WebSocketSession::Impl::deliver(WebSocketMessage message) {
    if (closed_) return;
    inbox_bytes_ += message.data.size();
    inbox_.push_back(std::move(message));
    arrived_.notify();
}

bool WebSocketSession::Impl::is_full() const {
    return inbox_.size() >= options_.waiting_messages || inbox_bytes_ >= options_.message.as_size();
}

/// What the library's word for the end of reading means. It has sent the close frame itself.
WebSocketClosed WebSocketSession::Impl::reason_of(const boost::system::error_code& error) const {
    if (error == websocket::error::closed) {
        const websocket::close_reason& given = socket_.reason();
        const auto code = given.code == websocket::close_code::none
                              ? CloseCode::kNoCode
                              : static_cast<CloseCode>(given.code);
        return {WebSocketEnd::kByClient, code,
                std::string(given.reason.data(), given.reason.size())};
    }
    if (error == websocket::error::message_too_big) {
        return {WebSocketEnd::kByServer, CloseCode::kTooBig, "the message is too big"};
    }
    if (error == websocket::error::bad_frame_payload) {
        return {WebSocketEnd::kByServer, CloseCode::kBadText, std::string(kNoText)};
    }
    if (pipe_.close_sent()) {
        return {WebSocketEnd::kByServer, CloseCode::kProtocolError, error.message()};
    }
    return {};
}

asio::awaitable<void> WebSocketSession::Impl::write_all() {
    co_await not_cancellable();
    while (!over_) {
        if (close_wanted_ && (failed_ || outbox_.empty())) {
            co_await pipe_.write_close(static_cast<std::uint16_t>(closed_->code), closed_->reason);
            break;
        }
        if (ping_wanted_) {
            co_await ping();
        } else if (!outbox_.empty()) {
            const std::shared_ptr<Pending> next = outbox_.front();
            next->taken = co_await send(*next);
            next->done = true;
            outbox_.pop_front();
            written_.notify();
            if (!next->taken && !over_) lose();
        } else {
            co_await wake_.wait();
        }
    }
    over_ = true;
    for (const auto& pending : outbox_)
        pending->done = true;
    outbox_.clear();
    written_.notify();
    if (failed_) pipe_.stop_reading();
}

asio::awaitable<bool> WebSocketSession::Impl::send(Pending& pending) {
    socket_.text(pending.kind == WebSocketKind::kText);
    pipe_.set_in_message(true);
    const asio::const_buffer data = asio::buffer(*pending.data);
    const auto [error, count] = co_await socket_.async_write(data, kAwait);
    pipe_.set_in_message(false);
    co_return !error;
}

asio::awaitable<void> WebSocketSession::Impl::ping() {
    ping_wanted_ = false;
    pinged_ = true;
    pinged_at_ = clock_.steady();
    if (!closed_) life_.set(pinged_at_ + std::min(options_.pong_time, options_.ping_after));
    const websocket::ping_data nothing;
    const auto [error] = co_await socket_.async_ping(nothing, kAwait);
    if (error && !over_) lose();
}

asio::awaitable<void> WebSocketSession::Impl::serve(WebSocketSession& self, WebSocketBody& body) {
    co_await not_cancellable();
    if (!closed_) {
        auto guarded_body = guarded(body(self));
        auto token = asio::bind_cancellation_slot(cancel_body_.slot(), asio::use_awaitable);
        result_ = co_await asio::co_spawn(executor_, std::move(guarded_body), std::move(token));
    }
    body_done_ = true;
    const bool good = result_.has_value() || result_.error().code() == core::Code::kCancelled;
    close(good ? CloseCode::kNormal : CloseCode::kInternalError,
          good ? "" : "something went wrong inside zona");
}

asio::awaitable<WebSocketInput> WebSocketSession::Impl::read() {
    reads_ = true;
    const auto has_input = [this] {
        return !inbox_.empty() && (!closed_ || closed_->by != WebSocketEnd::kByServer);
    };
    while (!has_input()) {
        if (closed_) co_return *closed_;
        co_await arrived_.wait();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (is_cancelled(state)) co_return WebSocketClosed();
    }
    WebSocketMessage message = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_bytes_ -= message.data.size();
    room_.notify();
    co_return message;
}

asio::awaitable<core::Result<void>> WebSocketSession::Impl::write(SharedText data,
                                                                  WebSocketKind kind) {
    if (closed_) co_return ended();
    const auto pending = std::make_shared<Pending>(std::move(data), kind);
    outbox_.push_back(pending);
    wake_.notify();
    while (!pending->done) {
        co_await written_.wait();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (is_cancelled(state) && !pending->done) co_return ended();
    }
    if (!pending->taken) co_return ended();
    co_return core::Result<void>();
}

/// The end by the handler's own wish: it goes on.
void WebSocketSession::Impl::close(CloseCode code, std::string_view reason) {
    if (closed_) return;
    closed_ = WebSocketClosed{WebSocketEnd::kByServer, code, std::string(reason)};
    ask_for_close();
}

void WebSocketSession::Impl::ask_for_close() {
    close_wanted_ = true;
    life_.unset();
    closing_.set(clock_.steady() + options_.close_time);
    wake_.notify();
    room_.notify();
    arrived_.notify();
}

void WebSocketSession::Impl::fail(CloseCode code, std::string reason) {
    failed_ = true;
    // Of a socket that is being closed already nothing more is read.
    if (closed_) {
        if (over_) pipe_.stop_reading();
        return;
    }
    closed_ = WebSocketClosed{WebSocketEnd::kByServer, code, std::move(reason)};
    ask_for_close();
    end_body();
}

/// The end that reading found.
void WebSocketSession::Impl::end(WebSocketClosed closed) {
    life_.unset();
    const bool told = closed_.has_value();
    if (!told) closed_ = std::move(closed);
    room_.notify();
    arrived_.notify();
    if (told) return end_body_late();
    end_body();
}

void WebSocketSession::Impl::end_body() {
    if (reads_) return end_body_late();
    if (!body_done_) cancel_body_.emit(asio::cancellation_type::terminal);
}

/// Of one that hears of the end.
void WebSocketSession::Impl::end_body_late() {
    if (!body_done_) grace_.set(clock_.steady() + options_.handler_time);
}

void WebSocketSession::Impl::drain() {
    if (closed_) return;
    close(CloseCode::kGoingAway, "the server is going away");
    end_body();
}

/// The connection is broken, or of no more use.
void WebSocketSession::Impl::lose() {
    over_ = true;
    wake_.notify();
    pipe_.stop_reading();
    stream_.close();
    end({});
}

void WebSocketSession::Impl::cut() {
    lose();
    if (!body_done_) cancel_body_.emit(asio::cancellation_type::terminal);
}

/// Called when the client may have been silent for too long.
void WebSocketSession::Impl::look_for_life() {
    const core::SteadyTime last = pipe_.last_input();
    const core::SteadyTime now = clock_.steady();
    const core::SteadyTime pong_due = pinged_at_ + options_.pong_time;
    if (pinged_ && last < pinged_at_ && !is_full()) {
        if (now < pong_due) return life_.set(std::min(pong_due, now + options_.ping_after));
        return fail(CloseCode::kPolicy, "no answer to a ping");
    }
    if (now - last < options_.ping_after) {
        pinged_ = false;
        return life_.set(last + options_.ping_after);
    }
    // Its time begins when it is sent: behind a message that a slow client is taking.
    ping_wanted_ = true;
    wake_.notify();
}

void WebSocketSession::Impl::on_excess(FrameMeter::Excess excess) {
    if (excess == FrameMeter::Excess::kFragments) {
        return fail(CloseCode::kPolicy,
                    fmt::format("a message has more than {} fragments", options_.fragments));
    }
    fail(CloseCode::kPolicy, fmt::format("more than {} pings, pongs and closes within {} ms",
                                         options_.control_frames, options_.control_time.count()));
}

WebSocketSession::WebSocketSession(WebSocketLink link, WebSocketOptions options,
                                   std::string subprotocol)
    : subprotocol_(std::move(subprotocol)),
      impl_(std::make_unique<Impl>(std::move(link), std::move(options))) {}
WebSocketSession::~WebSocketSession() = default;

asio::awaitable<WebSocketSession::Outcome> WebSocketSession::run(const Request& request,
                                                                 const Response& response,
                                                                 WebSocketBody& body) {
    return impl_->run(*this, request, response, body);
}
void WebSocketSession::drain() {
    impl_->drain();
}
void WebSocketSession::cut() {
    impl_->cut();
}
asio::awaitable<WebSocketInput> WebSocketSession::read() {
    return impl_->read();
}
asio::awaitable<core::Result<void>> WebSocketSession::write(SharedText data, WebSocketKind kind) {
    return impl_->write(std::move(data), kind);
}
void WebSocketSession::close(CloseCode code, std::string_view reason) {
    impl_->close(code, reason);
}

}  // namespace zona::net::detail
