#include <algorithm>
#include <array>
#include <cerrno>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/verbs.h"
#include "core/text.h"
#include "os/child.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr std::chrono::milliseconds kLookAgainAfter{100};
/// Without a word from another host for this long, nobody knows what became of its zona.
constexpr std::chrono::seconds kSilenceAtMost{60};

/// Who answers a ping.
struct Alive {
    std::int64_t daemon_pid = 0;
    std::int64_t keeper_pid = 0;
    std::string version;
    std::chrono::seconds uptime{0};
    std::string address;  ///< its URL in the network; empty: none
};

Alive read_alive(const json::value& data) {
    Alive alive;
    if (!data.is_object()) return alive;
    if (const json::value* daemon = data.get_object().if_contains("daemon");
        daemon != nullptr && daemon->is_object()) {
        alive.daemon_pid = integer_of(daemon->get_object(), "pid").value_or(0);
        alive.version = escape_control(text_of(daemon->get_object(), "version"));
        alive.uptime =
            std::chrono::seconds(integer_of(daemon->get_object(), "uptime_s").value_or(0));
    }
    if (const json::value* keeper = data.get_object().if_contains("keeper");
        keeper != nullptr && keeper->is_object()) {
        alive.keeper_pid = integer_of(keeper->get_object(), "pid").value_or(0);
    }
    if (const json::value* network = data.get_object().if_contains("network");
        network != nullptr && network->is_object()) {
        alive.address = escape_control(text_of(network->get_object(), "address"));
        const json::value* tls = network->get_object().if_contains("tls");
        const bool is_tls = tls != nullptr && tls->is_bool() && tls->get_bool();
        if (!alive.address.empty()) alive.address.insert(0, is_tls ? "https://" : "http://");
    }
    return alive;
}

/// Waits until the keeper, zona's last process, has ended; progress each second.
Result<void> wait_for_end(Context& context, const os::UniqueFd& keeper, std::int64_t processes,
                          int interrupts) {
    const core::SteadyTime since = context.clock.steady();
    const auto deadline = context.global.timeout
                              ? core::Deadline::after(context.clock, *context.global.timeout)
                              : core::Deadline::never();
    while (true) {
        const auto slice = std::min<std::chrono::nanoseconds>(deadline.remaining(context.clock),
                                                              std::chrono::seconds(1));
        const std::array fds = {keeper.get(), context.interrupts.fd()};
        ZONA_TRY(const auto which, os::wait_readable(fds, slice));
        if (which == std::size_t{0}) return {};
        if (interrupts > 0 && context.interrupts.count() >= interrupts) {
            return Error(Code::kCancelled, "interrupted");
        }
        if (deadline.expired(context.clock)) {
            return Error(Code::kTimeout, "zona has not ended yet; it goes on stopping");
        }
        const auto passed = context.clock.steady() - since;
        context.console.progress(fmt::format(
            "stopping {} and zona ... {} s",
            count_of(static_cast<std::size_t>(std::max<std::int64_t>(processes, 0)), "process"),
            std::chrono::duration_cast<std::chrono::seconds>(passed).count()));
    }
}

/// The same from another host, where no pid means anything: until nobody listens any more.
Result<void> wait_until_gone(Context& context) {
    const auto deadline = context.global.timeout
                              ? core::Deadline::after(context.clock, *context.global.timeout)
                              : core::Deadline::never();
    core::SteadyTime answered = context.clock.steady();
    while (true) {
        const auto pong = context.session.ask(get("/api/v1/ping"), {"stopping everything", 0, {}});
        const core::SteadyTime now = context.clock.steady();
        if (pong) answered = now;
        // While a part of it lives, it holds the listening socket.
        if (!pong && pong.error().system_error() == ECONNREFUSED) return {};
        if (!pong && now - answered > kSilenceAtMost) {
            return core::Error(pong.error())
                .detail({"", "it was told to stop; whether it has ended is unknown", ""});
        }
        if (deadline.expired(context.clock))
            return Error(Code::kTimeout, "zona has not ended yet; it goes on stopping");
        ZONA_TRY_VOID(os::wait_readable(std::array{-1}, kLookAgainAfter));
    }
}

}  // namespace

Status ping(Context& context) {
    ZONA_TRY(const Answer answer, context.session.ask(get("/api/v1/ping")));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const Alive alive = read_alive(data);
    std::string where =
        alive.address.empty() ? "API only on the unix socket" : "API on " + alive.address;
    if (context.remote != nullptr) where = "at " + context.remote->label();
    context.console.remark(fmt::format(
        "zona {} runs: daemon {}, for {}; keeper {}; {}\n", alive.version, alive.daemon_pid,
        core::format_duration(alive.uptime), alive.keeper_pid, where));
    return kAllWell;
}

Result<Answer> shut_down_and_wait(Context& context, int interrupts) {
    if (context.remote != nullptr) {
        ZONA_TRY(Answer answer,
                 context.session.ask(shut_down(), {"stopping everything", interrupts, {}}));
        ZONA_TRY_VOID(wait_until_gone(context));
        return answer;
    }
    ZONA_TRY(const Answer pong, context.session.ask(get("/api/v1/ping"), {"", interrupts, {}}));
    ZONA_TRY(const json::value who, pong.data());
    // Held before the request: afterwards the pid may be gone, or another's.
    const auto keeper = os::open_pidfd(static_cast<pid_t>(read_alive(who).keeper_pid));
    ZONA_TRY(Answer answer,
             context.session.ask(shut_down(), {"stopping everything", interrupts, {}}));
    ZONA_TRY(const json::value data, answer.data());
    if (!keeper) return answer;
    const auto stopping = data.is_object() ? integer_of(data.get_object(), "stopping") : 0;
    auto ended = wait_for_end(context, *keeper, stopping.value_or(0), interrupts);
    context.console.end_progress();
    if (!ended) return ended.take_error();
    return answer;
}

Status kill(Context& context) {
    auto done = shut_down_and_wait(context, 0);
    if (!done && Session::says_not_running(done.error())) {
        if (context.wants_json())
            context.console.out("{\"success\":true,\"data\":{\"stopping\":0}}\n");
        context.console.note("zona is not running\n");
        return kAllWell;
    }
    if (!done) return done.take_error();
    if (context.wants_json()) {
        print_body(context, *done);
    } else {
        context.console.remark("zona and all its processes have stopped\n");
    }
    return kAllWell;
}

Status web(Context& context, const WebOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(listen_on(options.address)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const std::string address =
        data.is_object() ? escape_control(text_of(data.get_object(), "address")) : "";
    context.console.out(fmt::format("http://{}\n", address));
    if (context.remote == nullptr) {
        context.console.remark(
            fmt::format("the API key of every request: the file {}/api-key\n", context.home));
    }
    context.console.remark(
        fmt::format("until zona ends; to keep it: api.pmdaemon_listen = \"{}\" in "
                    "zona.toml of zona's home\n",
                    address));
    return kAllWell;
}

}  // namespace zona::cli
