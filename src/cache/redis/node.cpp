#include "cache/redis/node.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace zona::cache::redis {
namespace {

using core::Code;
using core::Error;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBufferBytes = std::size_t{64} << 10U;
constexpr std::size_t kPieceBytes = std::size_t{4} << 10U;

/// A server that has been made a replica, or is not there yet.
bool is_no_master(const Reply& reply) {
    return reply.is_error() &&
           (reply.text.starts_with("READONLY") || reply.text.starts_with("MASTERDOWN"));
}

Error refusal(const Reply& reply) {
    const bool is_login = reply.text.starts_with("WRONGPASS") || reply.text.starts_with("NOAUTH") ||
                          reply.text.starts_with("NOPERM");
    return {is_login ? Code::kUnauthenticated : Code::kUnavailable, reply.text};
}

}  // namespace

Node::Node(const NodeDeps& deps, NodeOptions options, Target target,
           std::function<void(std::string_view)> on_message)
    : deps_(deps),
      options_(std::move(options)),
      target_(std::move(target)),
      on_message_(std::move(on_message)),
      watch_timer_(deps.executor),
      pause_timer_(deps.executor) {}

Node::~Node() = default;

void Node::execute(std::unique_ptr<Request> request) {
    if (state_ == State::kStopped)
        return request->done(Error(Code::kCancelled, "the cache is being closed"));
    if (state_ == State::kDown) return request->done(Error(Code::kUnavailable, problem_));
    if (waiting_.size() >= options_.most_waiting)
        return request->done(Error(Code::kTooManyRequests, "too much is asked of Redis"));
    start();
    request->deadline = deps_.clock.steady() + options_.timeout;
    out_ += request->wire;
    waiting_.push_back(std::move(request));
    watch();
    flush_soon();
}

void Node::execute_asking(std::unique_ptr<Request> request) {
    // Both stand next to each other in the pipeline; the first one's answer is of no interest, for
    // the second is redirected again if it was refused.
    execute(std::make_unique<Request>(
        Request{.wire = command({"ASKING"}), .done = [](const core::Result<Reply>&) {}}));
    execute(std::move(request));
}

void Node::start() {
    if (state_ != State::kIdle) return;
    state_ = State::kConnecting;
    asio::co_spawn(deps_.executor, serve(), [](const std::exception_ptr& failure) {
        if (failure) std::rethrow_exception(failure);
    });
}

void Node::reconnect() {
    if (state_ == State::kIdle || state_ == State::kStopped) return;
    at_once_ = true;
    if (stream_) stream_->close();
    pause_timer_.cancel();
}

void Node::stop() {
    state_ = State::kStopped;
    if (stream_) stream_->close();
    pause_timer_.cancel();
    watch_timer_.cancel();
}

asio::awaitable<void> Node::serve() {
    while (state_ != State::kStopped) {
        core::Result<void> opened = co_await open();
        if (opened.has_value() && state_ != State::kStopped) {
            become_ready();
            opened = co_await answer_all();
        }
        // One that ends soon would be made again without end.
        const bool was_idle = state_ == State::kReady && waiting_.empty() &&
                              deps_.clock.steady() - ready_since_ > options_.most_pause;
        State next = was_idle || std::exchange(at_once_, false) ? State::kConnecting : State::kDown;
        if (state_ == State::kStopped) next = State::kStopped;
        fail(opened.has_value() ? Error(Code::kCancelled, "the cache is being closed")
                                : opened.take_error(),
             next);
        if (state_ != State::kDown) continue;
        pause_timer_.expires_after(pause());
        co_await pause_timer_.async_wait(kAwait);
        at_once_ = false;
    }
    stream_.reset();
}

std::chrono::nanoseconds Node::pause() {
    const unsigned doublings = std::min(failures_ > 0 ? failures_ - 1 : 0, 10U);
    const auto whole = std::min<std::chrono::milliseconds>(options_.least_pause * (1U << doublings),
                                                           options_.most_pause);
    // Between a half and all of it: instances that lost a server together do not come together.
    const auto half = static_cast<std::uint64_t>(whole.count()) / 2;
    return std::chrono::milliseconds(half + deps_.random.below(half + 1));
}

asio::awaitable<core::Result<void>> Node::open() {
    is_late_ = false;
    is_opening_ = true;
    open_deadline_ = deps_.clock.steady() + options_.connect_timeout;
    watch();
    Endpoint to = target_.endpoints[next_endpoint_ % target_.endpoints.size()];
    if (!target_.master_name.empty()) {
        core::Result<Endpoint> master = co_await ask_sentinel(to);
        if (!master.has_value()) co_return master.take_error();
        // Closed when the answer was there already: nobody would close the next stream.
        if (is_late_ || state_ == State::kStopped) co_return Error(Code::kCancelled, "closed");
        to = *std::move(master);
    }
    server_ = to;
    stream_ = deps_.make_stream();
    reader_ = ReplyReader();
    received_ = {};
    ZONA_CO_TRY_VOID(co_await stream_->connect(to));
    core::Result<void> done = co_await sign_in();
    co_return done;
}

/// Asks one sentinel where the master is. Its connection serves that alone.
asio::awaitable<core::Result<Endpoint>> Node::ask_sentinel(Endpoint sentinel) {
    stream_ = deps_.make_stream();
    reader_ = ReplyReader();
    received_ = {};
    ZONA_CO_TRY_VOID(co_await stream_->connect(sentinel));
    std::string question = command({"SENTINEL", "get-master-addr-by-name", target_.master_name});
    ZONA_CO_TRY(Reply reply, co_await ask(std::move(question)));
    stream_->close();
    if (reply.kind != Reply::Kind::kArray || reply.elements.size() != 2) {
        co_return Error(Code::kUnavailable, fmt::format("the sentinel {} knows no master '{}'",
                                                        sentinel.to_string(), target_.master_name));
    }
    core::Result<Endpoint> port = Endpoint::parse("port:" + reply.elements[1].text);
    if (!port.has_value()) co_return port;
    port->host = reply.elements[0].text;
    co_return port;
}

/// Who zona is, which database, and that it is a master that answers.
asio::awaitable<core::Result<void>> Node::sign_in() {
    const Login& login = options_.login;
    std::vector<std::string> wires;
    if (!login.password.empty() && login.user.empty())
        wires.push_back(command({"AUTH", login.password.reveal()}));
    if (!login.password.empty() && !login.user.empty())
        wires.push_back(command({"AUTH", login.user, login.password.reveal()}));
    const std::string database = std::to_string(login.database);
    if (login.database != 0) wires.push_back(command({"SELECT", database}));
    wires.push_back(command({"PING"}));
    if (!target_.master_name.empty()) wires.push_back(command({"ROLE"}));
    if (!target_.channel.empty()) wires.push_back(command({"SUBSCRIBE", target_.channel}));
    for (std::string& wire : wires) {
        ZONA_CO_TRY(Reply reply, co_await ask(std::move(wire)));
        // A server that does not know AUTH shows what it was given.
        if (!login.password.empty() && reply.text.contains(login.password.reveal()))
            reply.text = "ERR what signs in is refused";
        if (reply.is_error()) co_return refusal(reply).context(server_.to_string());
        const bool is_role = reply.kind == Reply::Kind::kArray && reply.elements.size() >= 3 &&
                             reply.elements[0].text != "subscribe";
        if (is_role && reply.elements[0].text != "master") {
            co_return Error(Code::kUnavailable,
                            fmt::format("{} is no master now", server_.to_string()));
        }
    }
    co_return core::Result<void>();
}

/// One command before the pipeline begins.
asio::awaitable<core::Result<Reply>> Node::ask(std::string wire) {
    deps_.traffic.sent += wire.size();
    stream_->write(std::move(wire), [stream = stream_](bool sent) {
        if (!sent) stream->close();
    });
    while (true) {
        ZONA_CO_TRY(std::optional<Reply> reply, next_reply());
        if (reply) co_return *std::move(reply);
        ZONA_CO_TRY_VOID(co_await receive());
    }
}

asio::awaitable<core::Result<void>> Node::receive() {
    if (buffer_.empty()) buffer_.resize(kBufferBytes);
    const std::span<char> into(buffer_);
    ZONA_CO_TRY(const std::size_t count, co_await stream_->read_some(into));
    deps_.traffic.received += count;
    received_ = std::string_view(buffer_.data(), count);
    co_return core::Result<void>();
}

/// The reader moves all that it has got to its front after each answer: it gets little at a time.
core::Result<std::optional<Reply>> Node::next_reply() {
    while (true) {
        ZONA_TRY(std::optional<Reply> reply, reader_.next());
        if (reply || received_.empty()) return reply;
        const std::string_view piece = received_.substr(0, kPieceBytes);
        received_.remove_prefix(piece.size());
        ZONA_TRY_VOID(reader_.feed(piece));
    }
}

asio::awaitable<core::Result<void>> Node::answer_all() {
    while (true) {
        ZONA_CO_TRY(std::optional<Reply> reply, next_reply());
        if (reply) {
            ZONA_CO_TRY_VOID(dispatch(*std::move(reply)));
        } else {
            ZONA_CO_TRY_VOID(co_await receive());
        }
    }
}

core::Result<void> Node::dispatch(Reply reply) {
    if (!target_.channel.empty() && reply.kind == Reply::Kind::kArray &&
        reply.elements.size() == 3 && reply.elements[0].text == "message") {
        on_message_(reply.elements[2].text);
        return {};
    }
    if (waiting_.empty()) return Error(Code::kUnavailable, "Redis answers what nobody asked");
    const std::unique_ptr<Request> request = std::move(waiting_.front());
    waiting_.pop_front();
    if (is_no_master(reply)) {
        at_once_ = true;
        request->done(refusal(reply));
        return refusal(reply);
    }
    request->done(std::move(reply));
    return {};
}

void Node::become_ready() {
    is_opening_ = false;
    failures_ = 0;
    if (!problem_.empty()) deps_.log.info("Redis answers", {{"server", server_.to_string()}});
    problem_.clear();
    state_ = State::kReady;
    ready_since_ = deps_.clock.steady();
    flush();
}

/// The connection is no more; `next` is what follows. Whoever is told may ask again at once.
void Node::fail(const Error& error, State next) {
    is_opening_ = false;
    if (stream_) stream_->close();
    is_writing_ = false;
    out_.clear();
    Error reason = error;
    if (is_late_) {
        reason = Error(Code::kTimeout,
                       fmt::format("Redis at {} does not answer in time", server_.to_string()));
    }
    if (next == State::kDown) {
        if (problem_.empty()) {
            deps_.log.warn("Redis does not answer",
                           {{"server", server_.to_string()}, {"error", reason.message()}});
        }
        problem_ = reason.message();
        ++failures_;
    }
    ++next_endpoint_;
    state_ = next;
    for (const std::unique_ptr<Request>& request : std::exchange(waiting_, {}))
        request->done(reason);
}

/// Commands of one turn of the loop leave together.
void Node::flush_soon() {
    if (state_ != State::kReady || is_flush_posted_ || is_writing_) return;
    is_flush_posted_ = true;
    asio::post(deps_.executor, [this] {
        is_flush_posted_ = false;
        flush();
    });
}

void Node::flush() {
    if (state_ != State::kReady || is_writing_ || out_.empty()) return;
    is_writing_ = true;
    deps_.traffic.sent += out_.size();
    stream_->write(std::exchange(out_, {}), [this, stream = stream_](bool sent) {
        if (stream != stream_) return;  // another connection is there by now
        is_writing_ = false;
        if (sent) return flush();
        stream->close();
    });
}

/// Sees to it that somebody looks when the next answer is overdue. Nothing is asked: no timer.
void Node::watch() {
    if (!is_opening_ && waiting_.empty()) return;
    core::SteadyTime at = core::SteadyTime::max();
    if (is_opening_) at = open_deadline_;
    if (!waiting_.empty()) at = std::min(at, waiting_.front()->deadline);
    if (watched_until_ <= at) return;
    watched_until_ = at;
    watch_timer_.expires_after(std::max(at - deps_.clock.steady(), std::chrono::nanoseconds(0)));
    watch_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        watched_until_ = core::SteadyTime::max();
        look();
    });
}

void Node::look() {
    if (state_ == State::kStopped) return;
    const core::SteadyTime now = deps_.clock.steady();
    const bool is_overdue = !waiting_.empty() && waiting_.front()->deadline <= now;
    if (is_opening_ && is_overdue) {
        // Who comes meanwhile need not wait as long.
        state_ = State::kDown;
        problem_ = fmt::format("Redis at {} does not let us in", server_.to_string());
        out_.clear();
        for (const std::unique_ptr<Request>& request : std::exchange(waiting_, {}))
            request->done(Error(Code::kTimeout, problem_));
    }
    if (is_opening_ ? open_deadline_ <= now : is_overdue) {
        is_late_ = true;
        if (stream_) stream_->close();
        return;
    }
    watch();
}

}  // namespace zona::cache::redis
