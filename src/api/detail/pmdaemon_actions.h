// What PMDaemon's clients can have done, over HTTP and over the WebSocket.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/json/fwd.hpp>

#include "core/result.h"
#include "net/http.h"
#include "process/supervisor.h"

namespace zona::api::pmdaemon {

/// What PMDaemon calls an action; a reload is a restart.
enum class Verb : std::uint8_t { kStart, kStop, kRestart, kReload, kDelete };
/// "start", ... in the order of Verb.
std::optional<Verb> verb_from(std::string_view name);
/// "started successfully", ...
std::string_view past(Verb verb);

/// What became of an action that was carried out.
struct Done {
    std::string name;
    /// Why nothing runs although it should; empty: all is well.
    std::string reason{};
    std::optional<process::ProcessView> process{};
};

/// Any thread; the coroutines run on their caller's executor. `supervisor` must outlive them.
class Actions {
  public:
    Actions(process::Supervisor& supervisor, int cpus) : supervisor_(supervisor), cpus_(cpus) {}

    template <class T>
    using Later = boost::asio::awaitable<core::Result<T>>;

    Later<std::vector<process::ProcessView>> all() const;
    /// By UUID, pm_id or name, never by what else a selector may say. Errors: those of
    /// Supervisor::find().
    Later<process::ProcessView> find(std::string id) const;
    /// One action on the one process of that id; `body` as in read_restart(). Errors: those of
    /// find(), read_restart(), with_port() and of the supervisor; kConflict: a start of what runs.
    Later<Done> act(std::string id, Verb verb, boost::json::value body) const;
    /// Starts a new app. Errors: those of read_app() and Supervisor::start().
    Later<Done> create(boost::json::value app) const;

  private:
    process::Supervisor& supervisor_;
    int cpus_;
};

}  // namespace zona::api::pmdaemon
