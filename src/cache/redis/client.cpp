#include "cache/redis/client.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "cache/redis/slots.h"
#include "os/thread.h"

namespace zona::cache::redis {
namespace {

using core::Code;
using core::Error;

constexpr unsigned kMostRedirections = 5;
constexpr std::uint16_t kNobody = 0xFFFF;

/// What CLUSTER SLOTS says of a range: its master. `asked` gave the answer.
struct Range {
    std::size_t first = 0;
    std::size_t last = 0;
    Endpoint master;
};

std::optional<Range> range_of(const Reply& reply, const Endpoint& asked) {
    if (reply.elements.size() < 3 || reply.elements[2].elements.size() < 2) return std::nullopt;
    const Reply& master = reply.elements[2];
    Range out{.first = static_cast<std::size_t>(reply.elements[0].integer),
              .last = static_cast<std::size_t>(reply.elements[1].integer),
              .master = {.host = master.elements[0].text,
                         .port = static_cast<std::uint16_t>(master.elements[1].integer)}};
    if (out.master.host.empty() || out.master.host == "?") out.master.host = asked.host;
    if (out.first > out.last || out.last >= kSlots || out.master.port == 0) return std::nullopt;
    return out;
}

}  // namespace

/// All but the inbox belongs to the client's thread.
struct Client::State {
    State(ClientOptions wanted, const ClientDeps& with)
        : options(std::move(wanted)), deps(with), ring(options.addresses) {
        slots.fill(kNobody);
    }

    void begin(StreamFactory factory) {
        make_stream = std::move(factory);
        if (options.topology == Topology::kSentinel) {
            add_node({.endpoints = options.addresses, .master_name = options.master_name});
            Target announcements{.endpoints = options.addresses, .channel = "+switch-master"};
            NodeOptions anonymous = options.node;
            anonymous.login = {};
            sentinel = std::make_unique<Node>(node_deps(), anonymous, std::move(announcements),
                                              [this](std::string_view text) { switched(text); });
        } else {
            for (const Endpoint& address : options.addresses)
                add_node({.endpoints = {address}});
        }
    }

    NodeDeps node_deps() {
        return {.executor = io.get_executor(),
                .clock = deps.clock,
                .random = deps.random,
                .log = deps.log,
                .traffic = traffic,
                .make_stream = make_stream};
    }

    std::uint16_t add_node(Target target) {
        nodes.push_back(std::make_unique<Node>(node_deps(), options.node, std::move(target)));
        return static_cast<std::uint16_t>(nodes.size() - 1);
    }

    /// "NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT"
    void switched(std::string_view text) {
        if (!text.starts_with(options.master_name + " ")) return;
        deps.log.info("another Redis is the master now", {{"announcement", text}});
        for (const auto& node : nodes)
            node->reconnect();
        for (const auto& node : subscriptions)
            node->reconnect();
    }

    std::uint16_t node_at(const Endpoint& endpoint) {
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const Node& node = *nodes[i];
            if (node.target().endpoints.front() == endpoint) return static_cast<std::uint16_t>(i);
        }
        return add_node({.endpoints = {endpoint}});
    }

    Node& node_of(std::string_view tag) {
        if (options.topology == Topology::kServers && nodes.size() > 1)
            return *nodes[ring.find(tag)];
        if (options.topology != Topology::kCluster) return *nodes.front();
        const std::uint16_t known = slots[slot_of(tag)];
        if (known != kNobody) return *nodes[known];
        if (!is_map_known) read_map();
        return any_node();
    }

    /// One that is not known to be away, whoever that is; it redirects.
    Node& any_node() {
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            Node& node = *nodes[(next_any + i) % nodes.size()];
            if (node.is_down()) continue;
            next_any = (next_any + i) % nodes.size();
            return node;
        }
        next_any = (next_any + 1) % nodes.size();
        return *nodes[next_any];
    }

    void route(std::unique_ptr<Request> request) {
        Node& node = node_of(request->tag);
        send(node, std::move(request), false);
    }

    void send(Node& node, std::unique_ptr<Request> request, bool is_asking) {
        // A server that was met just now would not be stopped any more.
        if (is_stopping) return request->done(Error(Code::kCancelled, "the cache is being closed"));
        if (sentinel) sentinel->start();
        if (options.topology == Topology::kCluster) follow_redirections(node, *request);
        if (is_asking) return node.execute_asking(std::move(request));
        node.execute(std::move(request));
    }

    /// Keeps what is needed to ask another server when this one says so.
    void follow_redirections(Node& node, Request& request) {
        if (request.redirections > kMostRedirections || request.tag.empty()) return;
        request.done = [this, &node, wire = request.wire, tag = request.tag,
                        redirections = request.redirections,
                        done = std::move(request.done)](core::Result<Reply> answer) mutable {
            Redirect redirect;
            if (!answer) {
                if (answer.error().code() != Code::kCancelled) read_map();
                return done(std::move(answer));
            }
            if (!answer->is_error() || !Redirect::parse(answer->text, redirect))
                return done(std::move(answer));
            if (redirect.to.host.empty()) redirect.to.host = node.server().host;
            const std::uint16_t to = node_at(redirect.to);
            if (!redirect.is_ask) {
                slots[redirect.slot] = to;
                read_map();
            }
            send(*nodes[to],
                 std::make_unique<Request>(Request{.wire = std::move(wire),
                                                   .done = std::move(done),
                                                   .tag = std::move(tag),
                                                   .redirections = redirections + 1}),
                 redirect.is_ask);
        };
    }

    /// Asks somebody for the map of slots, once at a time.
    void read_map() {
        if (is_reading_map || is_stopping) return;
        is_reading_map = true;
        Node& node = any_node();
        node.execute(std::make_unique<Request>(
            Request{.wire = command({"CLUSTER", "SLOTS"}),
                    .done = [this, &node](const core::Result<Reply>& answer) {
                        is_reading_map = false;
                        if (answer && answer->kind == Reply::Kind::kArray)
                            take_map(*answer, node.server());
                    }}));
    }

    void take_map(const Reply& reply, const Endpoint& asked) {
        slots.fill(kNobody);
        masters.clear();
        for (const Reply& element : reply.elements) {
            const std::optional<Range> range = range_of(element, asked);
            if (!range) continue;
            const std::uint16_t node = node_at(range->master);
            std::fill(slots.begin() + static_cast<std::ptrdiff_t>(range->first),
                      slots.begin() + static_cast<std::ptrdiff_t>(range->last) + 1, node);
            if (std::ranges::find(masters, node) == masters.end()) masters.push_back(node);
        }
        is_map_known = !masters.empty();
    }

    /// The servers that have keys.
    std::vector<Node*> holders() {
        std::vector<Node*> out;
        if (options.topology == Topology::kCluster && is_map_known) {
            for (const std::uint16_t master : masters)
                out.push_back(nodes[master].get());
            return out;
        }
        if (options.topology == Topology::kCluster) read_map();
        for (const auto& node : nodes)
            out.push_back(node.get());
        return out;
    }

    void submit(std::move_only_function<void()> work) {
        {
            const std::lock_guard lock(mutex);
            inbox.push_back(std::move(work));
            if (std::exchange(is_posted, true)) return;
        }
        asio::post(io, [this] { drain(); });
    }

    void drain() {
        std::vector<std::move_only_function<void()>> work;
        {
            const std::lock_guard lock(mutex);
            is_posted = false;
            work.swap(inbox);
        }
        for (auto& one : work)
            one();
    }

    void stop() {
        is_stopping = true;
        if (sentinel) sentinel->stop();
        for (const auto& node : nodes)
            node->stop();
        for (const auto& node : subscriptions)
            node->stop();
        for (const auto& timer : timers)
            timer->cancel();
        guard.reset();
    }

    ClientOptions options;
    ClientDeps deps;
    Ring ring;
    Traffic traffic;
    StreamFactory make_stream;
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
    std::vector<std::unique_ptr<Node>> nodes;
    std::vector<std::unique_ptr<Node>> subscriptions;
    std::unique_ptr<Node> sentinel;  ///< which announces masters
    std::vector<std::shared_ptr<asio::steady_timer>> timers;
    std::array<std::uint16_t, kSlots> slots{};
    std::vector<std::uint16_t> masters;
    bool is_map_known = false;
    bool is_reading_map = false;
    bool is_stopping = false;
    std::size_t next_any = 0;
    std::mutex mutex;
    // Guarded by mutex.
    std::vector<std::move_only_function<void()>> inbox;
    bool is_posted = false;
    std::thread thread;
};

core::Result<std::unique_ptr<Client>> Client::open(ClientOptions options, const ClientDeps& deps) {
    if (options.addresses.empty())
        return Error(Code::kInvalidArgument, "no address of a Redis is given");
    if (options.topology == Topology::kCluster && options.node.login.database != 0)
        return Error(Code::kInvalidArgument, "a Redis Cluster has the database 0 alone");
    if (options.topology == Topology::kSentinel && options.master_name.empty())
        return Error(Code::kInvalidArgument, "sentinels know masters by name, and none is given");
    auto state = std::make_unique<State>(std::move(options), deps);
    ZONA_TRY(StreamFactory factory,
             stream_factory(state->io.get_executor(), state->options.security));
    state->begin(std::move(factory));
    return std::unique_ptr<Client>(new Client(std::move(state)));
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Client::~Client() {
    asio::post(state_->io, [state = state_.get()] {
        state->drain();
        state->stop();
    });
    if (!state_->thread.joinable()) start();
    state_->thread.join();
}

void Client::start() {
    state_->thread = std::thread([state = state_.get()] {
        os::name_this_thread("cache");
        state->io.run();
    });
}

void Client::execute(std::string_view tag, std::string wire, Callback<Reply> done) {
    auto request = std::make_unique<Request>(
        Request{.wire = std::move(wire), .done = std::move(done), .tag = std::string(tag)});
    state_->submit([state = state_.get(), request = std::move(request)]() mutable {
        state->route(std::move(request));
    });
}

void Client::execute_everywhere(std::string wire, Callback<std::vector<Reply>> done) {
    struct Gathering {
        std::size_t awaited;
        Callback<std::vector<Reply>> done;
        std::vector<Reply> replies{};
        std::optional<Error> error{};
    };
    state_->submit(
        [state = state_.get(), wire = std::move(wire), done = std::move(done)]() mutable {
            const std::vector<Node*> nodes = state->holders();
            // Owned by the answers that are awaited.
            auto gathering = std::make_shared<Gathering>(nodes.size(), std::move(done));
            for (Node* node : nodes) {
                auto take = [gathering](core::Result<Reply> answer) {
                    if (answer) {
                        gathering->replies.push_back(*std::move(answer));
                    } else if (!gathering->error) {
                        gathering->error = answer.take_error();
                    }
                    if (--gathering->awaited > 0) return;
                    if (gathering->error) return gathering->done(*gathering->error);
                    gathering->done(std::move(gathering->replies));
                };
                state->send(*node, std::make_unique<Request>(Request{.wire = wire, .done = take}),
                            false);
            }
        });
}

void Client::scan(std::string_view tag, std::string_view glob,
                  std::function<void(std::vector<std::string>)> each, Callback<void> done) {
    /// Goes through one server after the other; owned by the answer that is awaited.
    struct Scan : std::enable_shared_from_this<Scan> {
        State* state;
        std::vector<Node*> nodes;
        std::string glob;
        std::function<void(std::vector<std::string>)> each;
        Callback<void> done;
        std::string cursor = "0";

        void next() {
            if (nodes.empty()) return done({});
            state->send(
                *nodes.back(),
                std::make_unique<Request>(Request{
                    .wire = command({"SCAN", cursor, "MATCH", glob, "COUNT", "1000"}),
                    .done = [self = shared_from_this()](
                                core::Result<Reply> answer) { self->take(std::move(answer)); }}),
                false);
        }
        void take(core::Result<Reply> answer) {
            if (!answer) return done(answer.take_error());
            if (answer->elements.size() != 2)
                return done(Error(Code::kUnavailable, "SCAN was refused: " + answer->text));
            std::vector<std::string> keys;
            for (Reply& key : answer->elements[1].elements)
                keys.push_back(std::move(key.text));
            if (!keys.empty()) each(std::move(keys));
            cursor = answer->elements[0].text;
            if (cursor == "0") nodes.pop_back();
            next();
        }
    };
    auto scan = std::make_shared<Scan>();
    scan->state = state_.get();
    scan->glob = glob;
    scan->each = std::move(each);
    scan->done = std::move(done);
    state_->submit([state = state_.get(), scan, tag = std::string(tag)] {
        scan->nodes = tag.empty() ? state->holders() : std::vector<Node*>{&state->node_of(tag)};
        scan->next();
    });
}

void Client::subscribe(std::string channel, std::function<void(std::string_view)> on_message) {
    state_->submit(
        [state = state_.get(), channel = std::move(channel), on_message = std::move(on_message)] {
            std::vector<Target> targets;
            const ClientOptions& options = state->options;
            if (options.topology == Topology::kServers) {
                for (const Endpoint& address : options.addresses)
                    targets.push_back({.endpoints = {address}, .channel = channel});
            } else {
                // Of a cluster any server has what is published on any.
                targets.push_back({.endpoints = options.addresses,
                                   .master_name = options.master_name,
                                   .channel = channel});
            }
            for (Target& target : targets) {
                state->subscriptions.push_back(std::make_unique<Node>(
                    state->node_deps(), options.node, std::move(target), on_message));
                state->subscriptions.back()->start();
            }
            if (state->sentinel) state->sentinel->start();
        });
}

void Client::check_subscriptions() {
    state_->submit([state = state_.get()] {
        const auto check = [](Node& node) {
            node.execute(std::make_unique<Request>(
                Request{.wire = command({"PING"}), .done = [](const core::Result<Reply>&) {}}));
        };
        for (const auto& node : state->subscriptions)
            check(*node);
        if (state->sentinel) check(*state->sentinel);
    });
}

void Client::post(std::move_only_function<void()> work) {
    state_->submit(std::move(work));
}

void Client::after(std::chrono::nanoseconds pause, std::move_only_function<void()> work) {
    state_->submit([state = state_.get(), pause, work = std::move(work)]() mutable {
        if (state->is_stopping) return;
        auto timer = std::make_shared<asio::steady_timer>(state->io);
        timer->expires_after(pause);
        state->timers.push_back(timer);
        timer->async_wait(
            [state, timer, work = std::move(work)](const boost::system::error_code& error) mutable {
                std::erase(state->timers, timer);
                if (!error && !state->is_stopping) work();
            });
    });
}

const Traffic& Client::traffic() const {
    return state_->traffic;
}

}  // namespace zona::cache::redis
