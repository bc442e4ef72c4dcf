/// @file
/// Node: one server and our connection to it: pipelined, made again when it breaks, and a circuit
/// breaker.
///
/// *Idle* until something is asked; then it connects and what is asked waits for that. *Ready*:
/// commands go out together, answers come in their order. The connection broke, or an answer did
/// not come in time (then those behind it would not either): everything that waits fails, and the
/// node is *down*: what is asked fails at once, while it tries to connect after a pause that grows,
/// with jitter. Only when signing in has worked is anything asked of it again. A connection that
/// ends while nothing waits, as of a server that closes idle ones, is made again at once.
///
/// On its executor's thread alone. Source: CACHE-09, CACHE-19, GAP-61.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "cache/redis/reply.h"
#include "cache/redis/stream.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"

namespace zona::cache::redis {

/// Takes an answer; called once. Must be short.
template <class T>
using Callback = std::move_only_function<void(core::Result<T>)>;

/// A command under way.
struct Request {
    std::string wire;
    Callback<Reply> done;
    std::string tag{};          ///< what chooses the server
    unsigned redirections = 0;  ///< that were followed
    core::SteadyTime deadline{};
};

/// What a node may take, and who zona is.
struct NodeOptions {
    Login login;
    std::chrono::milliseconds timeout{250};           ///< of an answer
    std::chrono::milliseconds connect_timeout{1000};  ///< until it has let us in
    std::chrono::milliseconds least_pause{100};       ///< between tries
    std::chrono::milliseconds most_pause{2000};
    std::size_t most_waiting = 100'000;
};

/// Bytes to and from Redis, for metrics.
struct Traffic {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
};

/// Where the server is that a node stands for.
struct Target {
    std::vector<Endpoint> endpoints;  ///< the next is tried when one fails
    /// The endpoints are sentinels, which know where the master of this name is. Empty: they are
    /// the servers.
    std::string master_name{};
    std::string channel{};  ///< is subscribed to; empty: the node is for commands
};

/// What it works with; all outlive it.
struct NodeDeps {
    asio::any_io_executor executor;
    const core::Clock& clock;
    core::Random& random;
    core::Logger log;
    Traffic& traffic;
    StreamFactory make_stream;
};

/// As the file says.
class Node {
  public:
    /// `on_message` gets what is published in target.channel.
    Node(const NodeDeps& deps, NodeOptions options, Target target,
         std::function<void(std::string_view)> on_message = {});
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    /// Asks. Errors given: kUnavailable: it is down; kTimeout; kTooManyRequests: too much waits;
    /// kCancelled after stop(). What Redis itself refuses is a Reply.
    void execute(std::unique_ptr<Request> request);
    /// The same right behind an ASKING.
    void execute_asking(std::unique_ptr<Request> request);
    /// Connects now, if it has not yet: for subscriptions.
    void start();
    /// The server is another one now: connects anew, at once.
    void reconnect();
    /// Fails what waits; its coroutine ends.
    void stop();

    /// Whether it is known not to answer.
    bool is_down() const { return state_ == State::kDown; }
    /// What went wrong last; empty: nothing since it was connected.
    const std::string& problem() const { return problem_; }
    /// The server that it is, or was last, connected to.
    const Endpoint& server() const { return server_; }
    const Target& target() const { return target_; }

  private:
    enum class State : std::uint8_t { kIdle, kConnecting, kReady, kDown, kStopped };

    asio::awaitable<void> serve();
    asio::awaitable<core::Result<void>> open();
    asio::awaitable<core::Result<void>> sign_in();
    asio::awaitable<core::Result<Endpoint>> ask_sentinel(Endpoint sentinel);
    asio::awaitable<core::Result<Reply>> ask(std::string wire);
    asio::awaitable<core::Result<void>> answer_all();
    asio::awaitable<core::Result<void>> receive();
    core::Result<std::optional<Reply>> next_reply();
    core::Result<void> dispatch(Reply reply);
    void flush_soon();
    void flush();
    void become_ready();
    void fail(const core::Error& error, State next);
    void watch();
    void look();
    std::chrono::nanoseconds pause();

    NodeDeps deps_;
    NodeOptions options_;
    Target target_;
    std::function<void(std::string_view)> on_message_;
    State state_ = State::kIdle;
    Endpoint server_;
    std::string problem_;
    std::shared_ptr<Stream> stream_;  // shared with what it has under way
    ReplyReader reader_;
    std::vector<char> buffer_;
    std::string_view received_;  ///< of buffer_, what the reader has not got yet
    std::string out_;
    bool is_writing_ = false;
    bool is_flush_posted_ = false;
    bool is_opening_ = false;
    bool is_late_ = false;  ///< the stream was closed for an answer that did not come
    bool at_once_ = false;  ///< the next try comes without a pause
    std::size_t next_endpoint_ = 0;
    unsigned failures_ = 0;
    core::SteadyTime open_deadline_{};
    core::SteadyTime ready_since_{};
    core::SteadyTime watched_until_ = core::SteadyTime::max();  ///< when somebody looks next
    std::deque<std::unique_ptr<Request>> waiting_;
    asio::steady_timer watch_timer_;
    asio::steady_timer pause_timer_;
};

}  // namespace zona::cache::redis
