/// @file
/// A conversation with the daemon: finds it, starts it if the verb wants that, asks, and turns
/// answers into values or errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cli/detail/api_client.h"
#include "cli/detail/console.h"
#include "cli/detail/daemon_start.h"
#include "cli/detail/interrupts.h"
#include "cli/detail/verb.h"
#include "core/clock.h"

namespace boost::json {
class value;
}  // namespace boost::json

namespace zona::cli {

/// A successful answer: the body as it came, an envelope with `"success": true`.
struct Answer {
    std::string body;
    /// The body parsed. Errors: kInternal when it is no JSON.
    core::Result<boost::json::value> parsed() const;
    /// `data` of the envelope; null when it has none.
    core::Result<boost::json::value> data() const;
};

/// What an answer is waited for with.
struct Patience {
    std::string doing;   ///< shown when it takes over a second: "stopping api"
    int interrupts = 0;  ///< kCancelled at this many; 0: at none
    /// Instead of the session's own limit, which is --timeout or else 10 s for GET and none for
    /// changes.
    std::optional<core::Deadline> deadline;
};

/// What a session is made of. All references outlive it.
struct SessionParts {
    Api& api;
    DaemonStarter& starter;
    Console& console;
    const core::Clock& clock;
    Interrupts& interrupts;
    std::string label{};  ///< of another zona, for messages; empty: this host's
};

/// One command's conversation. One thread.
class Session {
  public:
    Session(SessionParts parts, DaemonNeed need, std::optional<std::chrono::milliseconds> timeout)
        : parts_(std::move(parts)), need_(need), timeout_(timeout) {}

    /// Asks and waits for the whole answer.
    ///
    /// Without a daemon, one is started first if the verb's row says so; but none that went away in
    /// mid-conversation. A connection that breaks
    /// before the answer is tried anew, up to 10 s, for requests that may be repeated and for those
    /// that nobody has read: the socket stays open over the daemon's death.
    /// Errors: the API's own, as decoded from the envelope. kUnavailable: zona does not run (and is
    /// not to be started), or the connection broke; for a change the details say that its outcome
    /// is unknown and what shows it. kTimeout, kCancelled: the wait ended. Those of the start of
    /// the daemon.
    core::Result<Answer> ask(const ApiRequest& request, const Patience& patience = {});

    /// Gives the body of a stream to `sink`, with one attempt. Starts no daemon. `wait` is used as
    /// it is. Errors: as ask(); those of the sink and of `wait`.
    core::Result<void> stream(const ApiRequest& request, const ApiSink& sink, const ApiWait& wait);

    /// The HTTP status of the last answer; 0 before the first.
    int last_status() const { return last_status_; }
    /// Whether this session's ask() started the daemon.
    bool started_daemon() const { return started_daemon_; }
    /// Whether `error` says that no daemon runs and none was to be started.
    static bool says_not_running(const core::Error& error);

    /// For how long a read is tried anew after the connection broke.
    static constexpr std::chrono::seconds kRetryFor{10};

  private:
    core::Result<ApiResponse> exchange(const ApiRequest& request, const Patience& patience);
    core::Error error_of(const ApiResponse& response) const;
    core::Result<void> ensure_daemon();
    ApiWait wait_for(const ApiRequest& request, const Patience& patience) const;

    SessionParts parts_;
    DaemonNeed need_;
    std::optional<std::chrono::milliseconds> timeout_;
    /// A daemon has answered or was started: if it goes away now, somebody wanted that.
    bool met_ = false;
    int last_status_ = 0;
    bool started_daemon_ = false;
    bool joins_other_start_ = false;            ///< until that daemon has answered
    std::optional<core::Error> start_failure_;  // said again by every later request
};

}  // namespace zona::cli
