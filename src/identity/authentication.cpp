#include "identity/authentication.h"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <variant>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "identity/caller.h"
#include "identity/secret_text.h"
#include "identity/sessions/session_store.h"
#include "identity/tokens/jws.h"
#include "net/client_certificate.h"
#include "net/cookie.h"
#include "store/coroutine.h"

namespace zona::identity {
namespace {

namespace asio = boost::asio;
using core::Code;
using core::Error;
using net::Request;
using net::Response;

constexpr std::string_view kForms =
    "'Authorization: Bearer KEY', 'Authorization: ApiKey KEY' or 'X-API-Key: KEY'";
/// RFC 6750 section 3.1.
constexpr const char* kTokenChallenge = "Bearer realm=\"zona\", error=\"invalid_token\"";
constexpr std::string_view kProtocolHeader = "Sec-WebSocket-Protocol";
constexpr std::string_view kKeyProtocol = "zona.key.";
constexpr std::size_t kMostAddresses = 1024;

/// Names under which people put keys into URLs.
constexpr std::string_view kQueryNames[] = {"api_key", "api-key",      "apikey",
                                            "token",   "access_token", "authorization"};

/// What a request shows.
struct Shown {
    std::vector<std::string_view> keys;  ///< in the request's headers, and those offered
    bool another_scheme = false;         ///< Authorization with a scheme that is not ours
    bool as_bearer = false;              ///< the last of them may be a token
    bool opens_socket = false;
};

/// Takes the keys out of the subprotocols that a WebSocket's client offers, so that nothing behind
/// can answer or log them.
std::vector<std::string> take_offered_keys(Request& request) {
    std::vector<std::string> keys;
    std::string others;
    for (const std::string_view offered : net::offered_subprotocols(request)) {
        if (offered.starts_with(kKeyProtocol)) {
            keys.emplace_back(offered.substr(kKeyProtocol.size()));
            continue;
        }
        if (!others.empty()) others += ", ";
        others += offered;
    }
    if (keys.empty()) return keys;
    request.headers.remove(kProtocolHeader);
    if (!others.empty()) request.headers.add(kProtocolHeader, others);
    return keys;
}

Shown shown_by(const Request& request, const std::vector<std::string>& offered) {
    Shown out;
    out.opens_socket = net::asks_for_websocket(request);
    out.keys.assign(offered.begin(), offered.end());
    out.as_bearer = !offered.empty();
    for (const std::string_view value : request.headers.find_all("Authorization")) {
        const std::size_t space = value.find(' ');
        const std::string_view scheme = value.substr(0, space);
        if (space == std::string_view::npos || (!net::equal_ignoring_case(scheme, "Bearer") &&
                                                !net::equal_ignoring_case(scheme, "ApiKey"))) {
            out.another_scheme = true;
            continue;
        }
        out.as_bearer = net::equal_ignoring_case(scheme, "Bearer");
        const std::size_t key = value.find_first_not_of(' ', space);
        out.keys.push_back(key == std::string_view::npos ? "" : value.substr(key));
    }
    for (const std::string_view value : request.headers.find_all("X-API-Key")) {
        out.keys.push_back(value);
        out.as_bearer = false;
    }
    return out;
}

bool is_open(const Request& request) {
    const net::RouteOptions* const route = net::options_of(request);
    return route != nullptr && route->open;
}

bool is_secret(std::string_view text) {
    return holds_api_key(text) || holds_token(text);
}

crypto::Digest digest_of(const net::ClientCertificate& certificate) {
    const auto bytes = crypto::from_hex(certificate.facts().fingerprint);
    crypto::Digest out{};
    if (bytes && bytes->size() == out.size())
        std::ranges::copy(std::as_bytes(std::span(*bytes)), out.begin());
    return out;
}

/// But for the token of the one route that takes one in its path, and a provider's code.
bool has_key_in_url(const Request& request) {
    const bool takes_token =
        request.path.starts_with(kTokenPath) && net::options_of(request) != nullptr;
    const bool in_path = takes_token ? holds_api_key(request.path) : is_secret_path(request.path);
    const bool takes_code = request.path == kReturnPath;
    return in_path || std::ranges::any_of(request.query, [&](const net::Parameter& parameter) {
               if (takes_code && parameter.name == "code") return holds_api_key(parameter.value);
               return is_secret(parameter.name) || is_secret(parameter.value) ||
                      std::ranges::any_of(kQueryNames, [&](std::string_view name) {
                          return net::equal_ignoring_case(parameter.name, name);
                      });
           });
}

/// How often an address has failed lately. Bounded, whatever the network sends. Any thread.
class Failures {
  public:
    Failures(std::chrono::seconds forgiven_after, const core::Clock& clock)
        : forgiven_after_(forgiven_after), clock_(clock) {}

    /// The count with this one.
    unsigned add(const std::string& address) {
        const std::lock_guard lock(mutex_);
        const core::SteadyTime now = clock_.steady();
        if (by_address_.size() >= kMostAddresses && !by_address_.contains(address)) make_room(now);
        Entry& entry = by_address_[address];
        if (now - entry.last > forgiven_after_) entry.count = 0;
        entry.last = now;
        return ++entry.count;
    }

  private:
    struct Entry {
        unsigned count = 0;
        core::SteadyTime last{};
    };

    void make_room(core::SteadyTime now) {
        std::erase_if(by_address_,
                      [&](const auto& one) { return now - one.second.last > forgiven_after_; });
        if (by_address_.size() < kMostAddresses) return;
        by_address_.erase(std::ranges::min_element(
            by_address_, {}, [](const auto& one) { return one.second.last; }));
    }

    std::chrono::seconds forgiven_after_;
    const core::Clock& clock_;
    std::mutex mutex_;  // guards by_address_; taken for failures only
    std::map<std::string, Entry> by_address_;
};

/// What has opened something, as long as that is open.
struct OpenedBy {
    std::function<asio::awaitable<bool>()> is_good;
    std::chrono::milliseconds recheck;
};
constexpr std::string_view kNoMore = "the key or token is not valid any more";

using Ended = asio::awaitable<core::Result<void>>;

/// Returns when it is good no more; `by` outlives it.
asio::awaitable<void> end_of_key(const OpenedBy& by) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (bool good = true; good; good = co_await by.is_good()) {
        // All wake together: the rest of the time a quiet server sleeps.
        const auto now = asio::steady_timer::clock_type::now();
        timer.expires_at(now + by.recheck - now.time_since_epoch() % by.recheck);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

/// The body's end, or that of `watch`, which cancels it.
Ended first_of(Ended body, asio::awaitable<void> watch) {
    const auto executor = co_await asio::this_coro::executor;
    auto both = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(body), asio::deferred),
        asio::co_spawn(executor, std::move(watch), asio::deferred));
    auto [order, thrown, ended, watch_thrown] =
        co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (order[0] == 1 && !watch_thrown)
        co_return Error(Code::kUnauthenticated, std::string(kNoMore));
    if (thrown) std::rethrow_exception(thrown);
    co_return std::move(ended);
}

/// Closes the socket, whose body then ends by itself.
asio::awaitable<void> close_with_key(net::WebSocket& socket, const OpenedBy& by) {
    co_await end_of_key(by);
    socket.close(net::CloseCode::kPolicy, kNoMore);
    asio::steady_timer never(co_await asio::this_coro::executor, core::SteadyTime::max());
    co_await never.async_wait(asio::use_awaitable);
}

/// Lets what the key has opened end with it.
void end_with_key(Response& response, const OpenedBy& by) {
    if (response.upgrade != nullptr) {
        response.upgrade->body =
            [by, body = std::move(response.upgrade->body)](net::WebSocket& socket) mutable {
                return first_of(body(socket), close_with_key(socket, by));
            };
    } else if (response.stream && response.stream_end == net::StreamEnd::kOnDrain) {
        response.stream = [by, body = std::move(response.stream)](net::BodyWriter& writer) mutable {
            return first_of(body(writer), end_of_key(by));
        };
    }
}

asio::awaitable<core::Result<std::shared_ptr<const Permissions>>> permissions_of(
    PermissionCache& cache, const Principal& who) {
    if (auto known = cache.find(who.tenant, who.roles)) co_return known;
    auto ask = [&cache, &who](store::Callback<std::shared_ptr<const Permissions>> done) {
        cache.get(who.tenant, who.roles, std::move(done));
    };
    co_return co_await store::await_answer<std::shared_ptr<const Permissions>>(std::move(ask));
}

/// Whether a token is good, and allows what it did. Who cannot be asked now may come again.
asio::awaitable<bool> is_as_before(Sessions& sessions, PermissionCache& cache,
                                   const std::string& token, const Permissions& before) {
    const core::Result<Principal> who = co_await sessions.async_verify(token);
    if (!who) co_return who.error().code() == Code::kUnavailable;
    const auto now = co_await permissions_of(cache, *who);
    co_return !now || **now == before;
}

class Authenticate {
  public:
    Authenticate(Authorities authorities, AuthenticationOptions options, const core::Clock& clock,
                 core::Logger log, core::MetricRegistry& metrics)
        : authorities_(std::move(authorities)),
          options_(std::move(options)),
          log_(std::move(log)),
          metrics_(metrics),
          failures_(options_.forgiven_after, clock) {}

    net::Decision identify(Request& request) const {
        std::vector<std::string> offered;
        if (net::asks_for_websocket(request)) offered = take_offered_keys(request);
        if (const auto* local = std::get_if<net::UnixPeer>(&request.peer)) {
            set_unbounded(request, fmt::format("uid {}", local->uid));
            return {};
        }
        if (has_key_in_url(request)) {
            return refuse(
                Code::kInvalidArgument,
                fmt::format("a key or token does not belong into a URL, which proxies and browsers "
                            "keep; send it as {}",
                            kForms));
        }
        if (request.certificate) {
            if (auto good = request.certificate->check(); !good)
                return hold_back(request, good.take_error(), "certificate");
        }
        const Shown shown = shown_by(request, offered);
        if (const auto cookie = cookie_of(request, shown))
            return identify_user(request, *cookie, is_cookie_shaped(*cookie));
        if (shown.keys.empty() && request.certificate && options_.demand == Demand::kKey)
            return identify_key(request, std::nullopt);
        if (shown.keys.empty() && (is_open(request) || options_.demand == Demand::kNothing)) {
            if (options_.demand == Demand::kNothing) {
                set_unbounded(request, "anybody");
            } else {
                request.principal = "anybody";
            }
            return {};
        }
        if (shown.keys.empty()) return hold_back(request, none_shown(shown), "missing");
        if (std::ranges::adjacent_find(shown.keys, std::not_equal_to{}) != shown.keys.end())
            return refuse(Code::kInvalidArgument, "the request shows two different keys");
        const std::string_view text = shown.keys.front();
        if (authorities_.sessions && shown.as_bearer && !text.starts_with(kApiKeyPrefix))
            return identify_user(request, text, is_token_shaped(text));
        return identify_key(request, std::string(text));
    }

    void bind_to_key(const Request& request, Response& response) const {
        if (request.credential && is_refusal(response))
            authorities_.keys.note_refusal(*request.credential);
        const bool lasts = response.upgrade != nullptr ||
                           (response.stream && response.stream_end == net::StreamEnd::kOnDrain);
        if (!lasts) return;
        if (request.credential) {
            auto is_good = [keys = &authorities_.keys, key = *request.credential,
                            certificate = request.certificate]() -> asio::awaitable<bool> {
                co_return keys->is_good(key) && is_still_good(certificate);
            };
            end_with_key(response, {std::move(is_good), options_.recheck});
        } else if (!request.token.empty()) {
            auto is_good = [sessions = authorities_.sessions(), cache = authorities_.permissions,
                            token = request.token, before = subject_of(request).permissions,
                            certificate = request.certificate]() -> asio::awaitable<bool> {
                if (!is_still_good(certificate)) co_return false;
                co_return co_await is_as_before(*sessions, *cache, token, *before);
            };
            end_with_key(response, {std::move(is_good), options_.recheck});
        }
    }

  private:
    using Verified = std::variant<KeyHolder, KeyRefusal>;
    /// The text of a key; nullopt: the connection's certificate is the key.
    using Text = std::optional<std::string>;

    static bool is_still_good(const std::shared_ptr<const net::ClientCertificate>& certificate) {
        return certificate == nullptr || certificate->check().has_value();
    }

    /// Whether somebody who is known asked for what they may not have, or too often.
    static bool is_refusal(const Response& response) {
        if (!response.failure) return false;
        const Code code = response.failure->error.code();
        return code == Code::kAccessDenied || code == Code::kInvalidTenant ||
               code == Code::kTooManyRequests;
    }

    Verified verify(const Request& request, const Text& key) const {
        const std::string& address = std::get<net::TcpPeer>(request.peer).address;
        if (key) return authorities_.keys.verify(*key, address);
        return authorities_.keys.verify(digest_of(*request.certificate), address);
    }

    net::Decision identify_key(Request& request, Text key) const {
        Verified found = verify(request, key);
        if (auto* const holder = std::get_if<KeyHolder>(&found)) {
            if (!holder->permissions && authorities_.permissions != nullptr) {
                holder->permissions =
                    authorities_.permissions->find(holder->who.tenant, holder->who.roles);
            }
            if (holder->permissions) {
                take_in(request, key, *holder);
                return {};
            }
        }
        return look_up_key(request, std::move(key), std::move(found));
    }

    asio::awaitable<std::optional<Response>> look_up_key(Request& request, Text key,
                                                         Verified found) const {
        const auto is_unknown = [&] {
            const auto* const refusal = std::get_if<KeyRefusal>(&found);
            return refusal != nullptr && *refusal == KeyRefusal::kUnavailable;
        };
        if (is_unknown() && authorities_.keys.is_opening()) {
            auto ask = [this](store::Callback<void> done) {
                authorities_.keys.when_known(std::move(done));
            };
            const auto known = co_await store::await_answer<void>(std::move(ask));
            if (!known) co_return Response::failed(known.error());
            found = verify(request, key);
        }
        if (!key && is_open(request) && std::holds_alternative<KeyRefusal>(found)) {
            request.principal = "anybody";
            co_return std::nullopt;
        }
        if (is_unknown()) {
            co_return Response::failed(
                Error(Code::kUnavailable,
                      "which keys there are is not known while the core database is away; the unix "
                      "socket needs none"));
        }
        if (const auto* const refusal = std::get_if<KeyRefusal>(&found)) {
            Error error = key ? error_of(*refusal) : error_of(*request.certificate);
            co_return co_await hold_back(request, std::move(error), reason_of(*refusal));
        }
        auto& holder = std::get<KeyHolder>(found);
        if (!holder.permissions) {
            auto ask = [this, &holder](store::Callback<std::shared_ptr<const Permissions>> done) {
                authorities_.permissions->get(holder.who.tenant, holder.who.roles, std::move(done));
            };
            auto permissions =
                co_await store::await_answer<std::shared_ptr<const Permissions>>(std::move(ask));
            if (!permissions) co_return Response::failed(permissions.take_error());
            holder.permissions = std::move(*permissions);
        }
        take_in(request, key, holder);
        co_return std::nullopt;
    }

    void take_in(Request& request, const Text& key, KeyHolder& holder) const {
        set_key(request, holder.who, std::move(holder.permissions),
                key ? identity::Method::kKey : identity::Method::kCertificate);
        if (key) count_certificate(request);
    }

    /// Beside a key or token of the same tenant.
    void count_certificate(Request& request) const {
        if (!request.certificate) return;
        const auto tenant = authorities_.keys.tenant_of(digest_of(*request.certificate));
        if (tenant && *tenant == request.tenant)
            add_method(request, identity::Method::kCertificate);
    }

    /// Of a session in a browser, where nothing else says who asks and somebody has to.
    std::optional<std::string_view> cookie_of(const Request& request, const Shown& shown) const {
        if (!shown.keys.empty() || shown.another_scheme || is_open(request)) return std::nullopt;
        return authorities_.sessions ? net::find_own_cookie(request, kSessionCookie) : std::nullopt;
    }

    net::Decision identify_user(Request& request, std::string_view token, bool is_shaped) const {
        if (!is_shaped) {
            return hold_back(request,
                             Error(Code::kInvalidToken, "what the request shows is no token"),
                             "invalid_token");
        }
        const auto sessions = authorities_.sessions();
        if (sessions == nullptr) {
            return refuse(Code::kUnavailable,
                          "the database of users is not open yet; try again in a moment");
        }
        request.token = token;
        if (auto who = sessions->find_known(token)) {
            auto permissions = authorities_.permissions->find(who->tenant, who->roles);
            if (permissions) {
                set_caller(request, std::move(who), std::move(permissions));
                count_certificate(request);
                return {};
            }
        }
        return look_up_user(request, sessions);
    }

    asio::awaitable<std::optional<Response>> look_up_user(
        Request& request, std::shared_ptr<Sessions> sessions) const {
        core::Result<Principal> who = co_await sessions->async_verify(request.token);
        if (!who) {
            const Code code = who.error().code();
            request.token.clear();
            if (code == Code::kInvalidToken)
                co_return co_await hold_back(request, who.take_error(), "invalid_token");
            if (code == Code::kUnknownToken)
                co_return co_await hold_back(request, who.take_error(), "unknown_token");
            if (code == Code::kTokenExpired) count("token_expired");
            Response response = Response::failed(who.take_error());
            if (code == Code::kTokenExpired)
                response.headers.set("WWW-Authenticate", kTokenChallenge);
            co_return response;
        }
        auto permissions = co_await permissions_of(*authorities_.permissions, *who);
        if (!permissions) co_return Response::failed(permissions.take_error());
        set_caller(request, std::make_shared<const Principal>(std::move(*who)),
                   std::move(*permissions));
        count_certificate(request);
        co_return std::nullopt;
    }

    void count(std::string reason) const {
        metrics_
            .counter("zona_authentication_failures_total", "Requests whose sender is not known.",
                     {{"reason", std::move(reason)}})
            .add();
    }

    static Error none_shown(const Shown& shown) {
        return {
            Code::kUnauthenticated,
            fmt::format(
                "{}; send an API key as {}{}",
                shown.another_scheme ? "the Authorization header has another scheme"
                                     : "the request shows no API key",
                kForms,
                shown.opens_socket ? ", or from a browser as the subprotocol 'zona.key.KEY'" : "")};
    }

    static Error error_of(KeyRefusal refusal) {
        switch (refusal) {
            case KeyRefusal::kMalformed:
                return {Code::kUnauthenticated,
                        fmt::format("what the request shows is no API key of zona, which begins "
                                    "with '{}'",
                                    kApiKeyPrefix)};
            case KeyRefusal::kExpired:
                return {Code::kUnauthenticated, "the API key has expired"};
            case KeyRefusal::kUnknown:
            case KeyRefusal::kUnavailable:
                break;
        }
        return {Code::kUnauthenticated, "the API key is not valid here"};
    }

    static Error error_of(const net::ClientCertificate& certificate) {
        return {Code::kUnauthenticated,
                fmt::format("the client's certificate {} is registered for nobody here (zona key "
                            "create NAME --certificate FILE), or has ended; the request shows no "
                            "API key beside it",
                            certificate.facts().subject)};
    }

    static std::string reason_of(KeyRefusal refusal) {
        switch (refusal) {
            case KeyRefusal::kMalformed:
                return "malformed";
            case KeyRefusal::kExpired:
                return "expired";
            case KeyRefusal::kUnknown:
            case KeyRefusal::kUnavailable:
                break;
        }
        return "unknown";
    }

    static net::Decision refuse(Code code, std::string message) {
        return net::answer_with(Response::failed(Error(code, std::move(message))));
    }

    asio::awaitable<std::optional<Response>> hold_back(const Request& request, Error error,
                                                       std::string reason) const {
        count(reason);
        const auto& peer = std::get<net::TcpPeer>(request.peer);
        const unsigned count = failures_.add(peer.address);
        if (std::has_single_bit(count)) {
            log_.warn("a request was refused: its sender is not known",
                      {{"address", peer.address}, {"reason", reason}, {"failures", count}});
        }
        // Nothing was tried by a request without a key.
        if (reason != "missing") {
            const auto delay = std::min<std::chrono::milliseconds>(
                options_.first_delay * (1LL << std::min(count - 1, 20U)), options_.longest_delay);
            asio::steady_timer timer(co_await asio::this_coro::executor, delay);
            co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        const bool was_token = error.code() != Code::kUnauthenticated;
        Response response = Response::failed(std::move(error));
        response.headers.set("WWW-Authenticate", was_token ? kTokenChallenge : kChallenge);
        co_return response;
    }

    const Authorities authorities_;
    AuthenticationOptions options_;
    core::Logger log_;
    core::MetricRegistry& metrics_;
    mutable Failures failures_;
};

}  // namespace

net::Middleware authenticate(Authorities authorities, AuthenticationOptions options,
                             const core::Clock& clock, core::Logger log,
                             core::MetricRegistry& metrics) {
    const auto shared = std::make_shared<const Authenticate>(
        std::move(authorities), std::move(options), clock, std::move(log), metrics);
    return {[shared](Request& request) { return shared->identify(request); },
            [shared](const Request& request, Response& response) {
                shared->bind_to_key(request, response);
            }};
}

}  // namespace zona::identity
