#include "net/firewall/firewall.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>
#include <variant>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/firewall/detail/own_rules.h"
#include "net/firewall/detail/rule_set.h"

namespace zona::net {

using core::Code;
using core::Error;

namespace {

constexpr std::array<std::string_view, 3> kModes = {"off", "detect", "block"};

/// What a rule looks for: the core rules are numbered by it.
std::string_view kind_of(std::int64_t rule) {
    if (rule == detail::kUnreadableRule) return "unreadable";
    if (rule == detail::kArgumentsRule) return "arguments";
    constexpr std::int64_t kInEach = 1000;
    switch (rule / kInEach) {
        case 911:
            return "method";
        case 913:
            return "scanner";
        case 920:
        case 921:
        case 922:
            return "protocol";
        case 930:
            return "file";
        case 931:
            return "inclusion";
        case 932:
            return "command";
        case 933:
        case 934:
        case 944:
            return "code";
        case 941:
            return "script";
        case 942:
            return "sql";
        case 943:
            return "session";
        default:
            return "own";
    }
}

}  // namespace

std::string_view to_string(FirewallMode mode) {
    return kModes[static_cast<std::size_t>(mode)];
}

FirewallMode firewall_mode(std::string_view name) {
    const auto* const found = std::ranges::find(kModes, name);
    return found == kModes.end() ? FirewallMode::kOff
                                 : static_cast<FirewallMode>(found - kModes.begin());
}

FirewallMode FirewallModes::of(const Peer& peer) const {
    const auto* const remote = std::get_if<TcpPeer>(&peer);
    if (remote == nullptr) return FirewallMode::kOff;
    return remote->to_port == main_port ? main : others;
}

Firewall::Firewall(FirewallDeps deps)
    : deps_(std::move(deps)), in_force_(std::make_shared<const InForce>()) {}

Firewall::~Firewall() {
    stop();
}

core::Result<void> Firewall::load(const FirewallRules& rules, FirewallModes modes) {
    InForce next{.modes = modes, .rules = nullptr, .body = rules.body};
    if (modes.any()) {
        ZONA_TRY(next.rules, detail::RuleSet::load(rules));
    }
    set(std::move(next));
    return {};
}

void Firewall::load_nothing(FirewallModes modes) {
    set({.modes = modes, .rules = nullptr, .body = {}});
}

void Firewall::set(InForce next) {
    const bool is_on = next.modes.any();
    auto now = std::make_shared<const InForce>(std::move(next));
    const std::scoped_lock lock(mutex_);
    in_force_.swap(now);
    is_on_ = is_on;
}

std::shared_ptr<const Firewall::InForce> Firewall::in_force() const {
    const std::scoped_lock lock(mutex_);
    return in_force_;
}

FirewallModes Firewall::modes() const {
    return in_force()->modes;
}

std::size_t Firewall::rules() const {
    const auto now = in_force();
    return now->rules ? now->rules->size() : 0;
}

void Firewall::stop() {
    if (threads_) threads_->join();
}

void Firewall::count(std::string_view outcome) {
    deps_.metrics
        .counter("zona_firewall_requests_total",
                 "Requests that came to the web application firewall.",
                 {{"outcome", std::string(outcome)}})
        .add();
}

Decision Firewall::inspect(const Request& request) {
    if (!is_on_) return {};
    auto now = in_force();
    const FirewallMode mode = now->modes.of(request.peer);
    if (mode == FirewallMode::kOff) return {};
    return ask(request, mode, std::move(now));
}

/// Nothing was found out about the request.
std::optional<Response> Firewall::unserved(std::string_view why, FirewallMode mode,
                                           core::Error error) {
    count(why);
    if (mode != FirewallMode::kBlock) return std::nullopt;
    const bool is_for_now = error.code() == Code::kUnavailable;
    Response out = Response::failed(std::move(error));
    if (is_for_now) out.headers.set("Retry-After", "1");
    return out;
}

asio::awaitable<std::optional<Response>> Firewall::ask(const Request& request, FirewallMode mode,
                                                       std::shared_ptr<const InForce> in_force) {
    if (!in_force->rules) {
        co_return unserved("no_rules", mode,
                           Error(Code::kUnavailable,
                                 "the firewall has no rules, so nothing is served here; `zona "
                                 "doctor` on the host says why"));
    }
    if (request.body.size() > static_cast<std::size_t>(in_force->body.bytes())) {
        co_return unserved(
            "too_large", mode,
            Error(Code::kTooLarge,
                  fmt::format("a body of more than {} bytes is not inspected, and so not taken "
                              "here (api.firewall_body_bytes)",
                              in_force->body.bytes())));
    }
    const Verdict verdict = co_await judge(request, in_force->rules);
    if (!verdict) {
        co_return unserved(
            "overloaded", mode,
            Error(Code::kUnavailable, "the firewall has too many requests to inspect at the time"));
    }
    if (verdict->empty()) {
        count("passed");
        co_return std::nullopt;
    }
    report(request, mode, *verdict);
    if (mode != FirewallMode::kBlock) co_return std::nullopt;
    co_return Response::failed(
        Error(Code::kRequestBlocked,
              "the request looks like an attack and was not served; whoever runs zona finds out "
              "why by its correlation id"));
}

/// The rules that make it an attack, if any do; nothing: there was no room to find out.
asio::awaitable<Firewall::Verdict> Firewall::judge(const Request& request,
                                                   std::shared_ptr<const detail::RuleSet> rules) {
    if (at_once_.fetch_add(1) >= kMostAtOnce) {
        --at_once_;
        co_return std::nullopt;
    }
    std::call_once(begun_, [this] { threads_.emplace(deps_.threads); });
    const auto executor = co_await asio::this_coro::executor;
    auto initiate = [this, executor, sample = detail::Sample(request),
                     rules = std::move(rules)](auto handler) mutable {
        asio::post(*threads_, [this, executor, sample = std::move(sample), rules = std::move(rules),
                               handler = std::move(handler)]() mutable {
            Verdict verdict = measure(*rules, sample);
            --at_once_;
            asio::post(executor,
                       [handler = std::move(handler), verdict = std::move(verdict)]() mutable {
                           std::move(handler)(std::move(verdict));
                       });
        });
    };
    auto token = asio::use_awaitable;
    Verdict verdict =
        co_await asio::async_initiate<decltype(token), void(Verdict)>(std::move(initiate), token);
    co_return verdict;
}

/// On a thread of the firewall.
Firewall::Verdict Firewall::measure(const detail::RuleSet& rules, const detail::Sample& sample) {
    const auto begun = deps_.clock.steady();
    Verdict out;
    try {
        out = rules.judge(sample);
    } catch (...) {  // for want of memory; the library's exceptions are not of our types
        deps_.log.error("the firewall could not inspect a request");
    }
    deps_.metrics
        .histogram("zona_firewall_duration_seconds",
                   "Time that the rules of the web application firewall took for a request.",
                   core::Histogram::latency_bounds())
        .observe(std::chrono::duration<double>(deps_.clock.steady() - begun).count());
    return out;
}

void Firewall::report(const Request& request, FirewallMode mode,
                      const std::vector<std::int64_t>& rules) {
    count(mode == FirewallMode::kBlock ? "blocked" : "detected");
    std::set<std::string_view> kinds;
    for (const std::int64_t rule : rules)
        kinds.insert(kind_of(rule));
    deps_.log.warn("a request looks like an attack",
                   {{"mode", to_string(mode)},
                    {"kinds", fmt::format("{}", fmt::join(kinds, ", "))},
                    {"rules", fmt::format("{}", fmt::join(rules, ", "))},
                    {"method", to_string(request.method)},
                    {"route", request.route},
                    {"address", std::get<TcpPeer>(request.peer).address},
                    {"correlation_id", request.correlation_id}});
    if (deps_.attacked) deps_.attacked(request);
}

Middleware inspect_requests(Firewall& firewall) {
    return [&firewall](const Request& request) { return firewall.inspect(request); };
}

}  // namespace zona::net
