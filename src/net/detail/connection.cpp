#include "net/detail/connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <utility>

#include <boost/asio/this_coro.hpp>

namespace zona::net::detail {
namespace {

constexpr std::chrono::milliseconds kUnlimited{0};

/// Enough for the requests of programs; doubles when a sender fills it. An idle connection keeps
/// it.
constexpr std::size_t kFirstBuffer = 256;
/// A quick sender of a large body is read in pieces of this size at most.
constexpr std::size_t kQuickBuffer = 64U << 10U;
/// An idle connection holds no more than this.
constexpr std::size_t kKeptBuffer = 4U << 10U;
/// What a refused client may still send before it is cut off.
constexpr std::size_t kMaxLinger = 64U << 20U;
/// What is left for a first request to a server that drains.
constexpr std::chrono::milliseconds kFirstRequestGrace{250};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

core::SteadyTime moment_after(core::SteadyTime start, std::chrono::milliseconds limit) {
    return limit == kUnlimited ? core::SteadyTime::max() : start + limit;
}

}  // namespace

Shared::Shared(const asio::any_io_executor& the_executor, const ServerOptions& limits,
               Application served, const core::Clock& the_clock, core::Logger logger)
    : executor(the_executor),
      options(limits),
      application(std::move(served)),
      clock(the_clock),
      log(std::move(logger)),
      tasks(the_executor, log),
      deadlines(std::make_shared<DeadlineQueue>(the_executor, the_clock)) {}

Connection::Connection(std::shared_ptr<Shared> shared, std::unique_ptr<Stream> stream, Peer peer,
                       Admission admission)
    : Entry(shared->deadlines),
      shared_(std::move(shared)),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      admission_(std::move(admission)),
      parser_({shared_->options.head, shared_->options.head_fields}) {
    shared_->connections.insert(this);
}

Connection::~Connection() {
    shared_->connections.erase(this);
}

void Connection::enter(Phase phase, std::chrono::milliseconds limit) {
    phase_ = phase;
    if (limit == kUnlimited) return set_deadline(kNone);
    set_deadline(shared_->clock.steady() + limit);
}

asio::awaitable<void> Connection::serve() {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await serve_requests();
    if (overtaken_) co_return;
    set_deadline(kNone);
    stream_->close();
}

asio::awaitable<void> Connection::serve_requests() {
    const bool opened = co_await open();
    if (!opened) co_return;
    while (keep_alive_) {
        const bool there = co_await read_request();
        if (!there) break;
        co_await answer();
        if (overtaken_) co_return;
    }
    if (unread_input_ && !gone_) co_await linger();
}

asio::awaitable<bool> Connection::open() {
    if (!stream_->is_tls()) co_return true;
    enter(Phase::kOpening, shared_->options.head_time);
    core::Result<Opened> opened = co_await stream_->open();
    set_deadline(kNone);
    if (!opened.has_value()) {
        // Scanners and old clients do that all day: counted, and told to who asks for it.
        const bool is_refused = opened.error().code() == core::Code::kUnauthenticated;
        shared_->log.log(is_refused ? core::LogLevel::kInfo : core::LogLevel::kDebug,
                         "a TLS handshake came to nothing",
                         {{"peer", to_string(peer_)}, {"error", opened.error().message()}});
        co_return false;
    }
    if (*opened == Opened::kReady) co_return true;
    const core::Error plain(core::Code::kInvalidArgument,
                            "this port speaks TLS; ask for https:// instead of http://");
    Fault fault{plain, 0};
    co_await answer_unread(std::move(fault));
    co_return false;
}

asio::awaitable<void> Connection::turn_away(Fault fault) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const bool opened = co_await open();
    if (opened) co_await answer_unread(std::move(fault));
    set_deadline(kNone);
    stream_->close();
}

asio::awaitable<void> Connection::answer_unread(Fault fault) {
    request_.peer = peer_;
    request_.over_tls = stream_->is_tls();
    request_.certificate = stream_->certificate();
    request_.received = shared_->clock.steady();
    refuse(std::move(fault));
    co_await answer();
    if (!gone_) co_await linger();
}

asio::awaitable<bool> Connection::read_request() {
    request_.clear();
    request_.peer = peer_;
    request_.over_tls = stream_->is_tls();
    request_.certificate = stream_->certificate();
    const bool there = co_await read_head();
    if (!there) co_return false;
    if (request_.fault.has_value()) co_return true;
    limit_body();
    if (parser_.expects_continue() && begin_ == end_) co_await invite_body();
    feed();
    const bool more = parser_.state() == RequestParser::State::kBody;
    if (more && !request_.fault.has_value()) co_await read_body();
    co_return true;
}

asio::awaitable<bool> Connection::read_head() {
    if (begin_ == end_) {
        if (shared_->draining && served_ > 0) co_return false;
        if (buffer_.size() > kKeptBuffer) buffer_ = {};
        parser_.end();
        enter(Phase::kIdle, shared_->draining ? kFirstRequestGrace : shared_->options.idle_time);
        // Not by fill(): thousands wait here, and each coroutine takes memory.
        const core::Result<std::size_t> count = co_await stream_->read_some(room());
        if (took(count) != Input::kBytes) co_return false;
    }
    parser_.begin(request_);
    request_.received = shared_->clock.steady();
    phase_ = Phase::kReading;
    set_deadline(moment_after(request_.received, shared_->options.head_time));
    bool blank_line_possible = true;
    while (true) {
        const std::string_view input(buffer_.data() + begin_, end_ - begin_);
        if (blank_line_possible && input != "\r") {
            blank_line_possible = false;
            // RFC 9112 section 2.2: one before the request line is ignored.
            if (input.starts_with("\r\n")) {
                begin_ += 2;
                continue;
            }
        }
        if (!blank_line_possible) feed();
        if (parser_.state() != RequestParser::State::kHead) co_return true;
        const Input more = co_await fill();
        if (more == Input::kBroken) co_return false;
        if (more != Input::kBytes) {
            refuse_input(more);
            co_return true;
        }
    }
}

/// Finds the route, whose limits are those of the body.
void Connection::limit_body() {
    RequestLimits limits;
    if (shared_->application.find_route) limits = shared_->application.find_route(request_);
    const auto time = limits.time.value_or(shared_->options.request_time);
    request_.deadline = core::Deadline::at(moment_after(request_.received, time));
    parser_.limit_body(limits.body.value_or(shared_->options.body));
}

/// For a client that waits for that.
asio::awaitable<void> Connection::invite_body() {
    std::array<std::string_view, 1> pieces = {kContinue};
    const std::span<std::string_view> all(pieces);
    const bool taken = co_await write(all);
    phase_ = Phase::kReading;
    if (!taken) refuse_input(Input::kEnd);
}

/// What of the body has not come with the head.
asio::awaitable<void> Connection::read_body() {
    set_deadline(moment_after(request_.received, shared_->options.request_time));
    while (parser_.state() == RequestParser::State::kBody) {
        const Input more = co_await fill();
        if (more != Input::kBytes) co_return refuse_input(more);
        feed();
    }
}

/// Gives the parser what is there, as long as it takes some.
void Connection::feed() {
    while (begin_ < end_) {
        const RequestParser::State before = parser_.state();
        if (before == RequestParser::State::kDone || before == RequestParser::State::kFault) break;
        const std::size_t taken = parser_.feed({buffer_.data() + begin_, end_ - begin_});
        begin_ += taken;
        request_.bytes_in += core::ByteCount(static_cast<std::int64_t>(taken));
        if (taken == 0 || parser_.state() != before) break;
    }
    if (parser_.state() == RequestParser::State::kFault) refuse(parser_.take_fault());
}

void Connection::refuse(Fault fault) {
    request_.fault = std::move(fault);
    request_.bytes_in += core::ByteCount(static_cast<std::int64_t>(end_ - begin_));
    begin_ = end_ = 0;
    keep_alive_ = false;
    unread_input_ = true;
}

/// The input ended, or did not come in time, inside of a request.
void Connection::refuse_input(Input input) {
    if (input == Input::kLate) {
        refuse({core::Error(core::Code::kTimeout, "the request was not sent in time"), 408});
    } else {
        refuse({core::Error(core::Code::kInvalidArgument,
                            "malformed request: it ends before it is complete"),
                0});
    }
    gone_ = gone_ || input == Input::kBroken;
}

/// Makes room behind what is not consumed. A buffer that the last read filled was too small for its
/// sender.
void Connection::make_room() {
    const bool filled = end_ == buffer_.size();
    if (begin_ > 0 && filled) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    } else if (begin_ == end_) {
        begin_ = end_ = 0;
    }
    const bool small = filled && buffer_.size() < kQuickBuffer;
    if (end_ == buffer_.size() || small) {
        buffer_.resize(std::max(kFirstBuffer, buffer_.size() * 2));
    }
}

std::span<char> Connection::room() {
    make_room();
    timed_out_ = false;
    return {buffer_.data() + end_, buffer_.size() - end_};
}

Connection::Input Connection::took(const core::Result<std::size_t>& count) {
    const bool late = std::exchange(timed_out_, false);
    if (late && phase_ == Phase::kReading) return Input::kLate;
    if (!count.has_value()) return late ? Input::kLate : Input::kBroken;
    if (*count == 0) return Input::kEnd;
    end_ += *count;
    return Input::kBytes;
}

asio::awaitable<Connection::Input> Connection::fill() {
    const core::Result<std::size_t> count = co_await stream_->read_some(room());
    co_return took(count);
}

bool Connection::may_keep_alive() const {
    return keep_alive_ && !shared_->draining && !overdue_ && request_.version >= 11 &&
           parser_.keep_alive() && served_ < shared_->options.requests_per_connection;
}

asio::awaitable<Response> Connection::ask_application(Request& request) {
    try {
        co_return co_await shared_->application.chain(request);
    } catch (const std::exception& error) {
        shared_->log.error(
            "an exception left the application",
            {{"exception", error.what()}, {"correlation_id", request.correlation_id}});
    }
    const core::Error error(core::Code::kInternal, "Something went wrong inside zona.");
    co_return Response::error(error, request.correlation_id);
}

asio::awaitable<void> Connection::answer() {
    ++served_;
    overdue_ = false;
    phase_ = Phase::kHandling;
    set_deadline(request_.deadline.moment());
    Response response = co_await ask_application(request_);
    if (overtaken_) co_return;
    set_deadline(kNone);
    co_await asio::this_coro::reset_cancellation_state();
    if (overdue_ && response.status >= 400) {
        request_.fault = Fault{
            core::Error(core::Code::kTimeout, "the request was not done in time; it was cancelled"),
            0};
        response = co_await ask_application(request_);
    }
    Plain plain;
    if (!send_at_once(request_, response, plain)) co_await send(request_, response, plain);
}

/// Answers in the place of a handler that does not come back. Runs beside answer(), which then does
/// nothing more; whichever ends last lets go of the connection.
asio::awaitable<void> Connection::overtake(std::shared_ptr<Connection> self) {
    co_await self->answer_late();
}

asio::awaitable<void> Connection::answer_late() {
    Request late;
    late.method = request_.method;
    late.method_name = request_.method_name;
    late.target = request_.target;
    late.path = request_.path;
    late.route = request_.route;
    late.headers = request_.headers;
    late.version = request_.version;
    late.peer = peer_;
    late.over_tls = request_.over_tls;
    late.correlation_id = request_.correlation_id;
    late.received = request_.received;
    late.bytes_in = request_.bytes_in;
    late.fault = Fault{core::Error(core::Code::kTimeout,
                                   "the request was not done in time; its effect may still come"),
                       0};
    shared_->log.warn("a handler ignores its cancellation and is overtaken",
                      {{"route", late.route}, {"correlation_id", late.correlation_id}});
    Response response = co_await ask_application(late);
    Plain plain;
    if (!send_at_once(late, response, plain)) co_await send(late, response, plain);
    set_deadline(kNone);
    stream_->close();
}

asio::awaitable<void> Connection::linger() {
    enter(Phase::kLingering, shared_->options.linger_time);
    stream_->end_output();
    buffer_.resize(std::max(buffer_.size(), kKeptBuffer));
    const std::span<char> space(buffer_);
    std::size_t dropped = 0;
    while (dropped < kMaxLinger) {
        const core::Result<std::size_t> count = co_await stream_->read_some(space);
        if (!count.has_value() || *count == 0) co_return;
        dropped += *count;
    }
}

void Connection::on_deadline() {
    switch (phase_) {
        case Phase::kOpening:
        case Phase::kIdle:
        case Phase::kReading:
            timed_out_ = true;
            return stream_->cancel();
        case Phase::kHandling:
            if (!overdue_) {
                overdue_ = true;
                set_deadline(shared_->clock.steady() + shared_->options.overtime);
                return cancel_.emit(asio::cancellation_type::terminal);
            }
            overtaken_ = true;
            return shared_->tasks.spawn("http overtake", overtake(shared_from_this()));
        case Phase::kSending:
        case Phase::kStreaming:
        case Phase::kLingering:
            return stream_->close();
        case Phase::kWebSocket:
            return;
    }
}

void Connection::drain() {
    if (phase_ == Phase::kOpening)
        return set_deadline(shared_->clock.steady() + kFirstRequestGrace);
    if (phase_ == Phase::kIdle) {
        // Who has just connected is about to send a request; who was served before has had its
        // answer.
        if (served_ > 0) return stream_->cancel();
        return set_deadline(shared_->clock.steady() + kFirstRequestGrace);
    }
    if (websocket_ != nullptr) return websocket_->drain();
    if (!ends_on_drain_) return;
    stopping_ = true;
    // A chunk that is being written is finished: half of one would spoil the end of the message.
    if (phase_ == Phase::kStreaming) cancel_.emit(asio::cancellation_type::terminal);
}

void Connection::cut() {
    cut_ = true;
    gone_ = true;
    keep_alive_ = false;
    stream_->close();
    if (websocket_ != nullptr) return websocket_->cut();
    cancel_.emit(asio::cancellation_type::terminal);
}

}  // namespace zona::net::detail
