/// @file
/// Client: a Redis, however it is run: one server, several that share the keys by consistent
/// hashing, a master that sentinels know, or a Redis Cluster.
///
/// One thread, which start() begins, does all of it; each server has one connection, over
/// which the commands of all threads go pipelined (node.h). Answers are given on that thread. What
/// belongs together names one *tag*, the text that stands in the braces of its keys, and lies on
/// one server: scripts over several keys work there.
///
/// *Sentinels* are asked anew for each connection; the server has to say itself that it is a
/// master, and a sentinel that announces another one has us change at once. In a *cluster* MOVED
/// and ASK are followed, the map of slots is read again when a server is not where it was. Redis 6
/// and 7. Source: CACHE-15, CACHE-19, GAP-61.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/redis/node.h"

namespace zona::cache::redis {

/// How the servers belong together.
enum class Topology : std::uint8_t { kServers, kSentinel, kCluster };

/// Where Redis is.
struct ClientOptions {
    Topology topology = Topology::kServers;
    /// One server, several that share the keys, sentinels, or some servers of a cluster.
    std::vector<Endpoint> addresses;
    std::string master_name;  ///< with sentinels
    Security security;
    NodeOptions node;
};

/// What the client works with; all outlive it.
struct ClientDeps {
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
};

/// As the file says. Any thread.
class Client {
  public:
    /// Nothing is connected before it is asked for, and nothing answered before start(). Errors:
    /// kInvalidArgument: no address, a cluster's database other than 0, an authority's file that
    /// cannot be read.
    static core::Result<std::unique_ptr<Client>> open(ClientOptions options,
                                                      const ClientDeps& deps);
    /// Begins the thread, once. It inherits the signals that the caller blocks.
    void start();
    /// Fails what waits, with kCancelled, and ends the thread. Not on that thread.
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Asks the server that has the tag. Errors: those of Node::execute(). A refusal by Redis is a
    /// Reply.
    void execute(std::string_view tag, std::string wire, Callback<Reply> done);
    /// Asks every server that has keys; the answers in no order. Errors: the first one, if one of
    /// them does not answer.
    void execute_everywhere(std::string wire, Callback<std::vector<Reply>> done);
    /// Gives `each` the keys that match a glob: of all servers, or of the one with `tag` if it is
    /// not empty. A key that is there from begin to end is among them, maybe twice. Errors: as
    /// above; some keys were given then.
    void scan(std::string_view tag, std::string_view glob,
              std::function<void(std::vector<std::string>)> each, Callback<void> done);

    /// Hears what is published in `channel` on the servers that have keys. Once, before anything is
    /// asked.
    void subscribe(std::string channel, std::function<void(std::string_view)> on_message);
    /// Finds out which of the subscriptions are dead; they are made again.
    void check_subscriptions();

    /// Runs work on the client's thread, now or after a while. What has not begun when the client
    /// dies does not.
    /// @{
    void post(std::move_only_function<void()> work);
    void after(std::chrono::nanoseconds pause, std::move_only_function<void()> work);
    /// @}

    /// The bytes that were sent and received.
    const Traffic& traffic() const;

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace zona::cache::redis
