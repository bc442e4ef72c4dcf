#include "net/middleware.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "net/detail/upgrade.h"
#include "net/public_error.h"

namespace zona::net {
namespace {

constexpr std::string_view kCorrelationHeader = "X-Correlation-Id";
constexpr std::string_view kStrictTransport = "Strict-Transport-Security";
constexpr std::size_t kMaxCorrelationId = 64;
constexpr std::size_t kMaxUserAgent = 200;
constexpr std::size_t kMaxLoggedPath = 1024;

bool is_correlation_id(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= kMaxCorrelationId && std::ranges::all_of(text, allowed);
}

/// The path for a log. Nobody can look for secrets in a target that could not be read, so it is not
/// told; the error says what is wrong with it.
std::string_view logged_path(const Request& request, const SecretTest& is_secret) {
    if (request.path.empty()) return "(unreadable)";
    if (is_secret && is_secret(request.path)) return "(secret)";
    return std::string_view(request.path).substr(0, kMaxLoggedPath);
}

class Correlate {
  public:
    explicit Correlate(core::Random& random)
        : state_(std::make_shared<State>(fmt::format("{:016x}", random.next()))) {}

    Decision operator()(Request& request) const {
        if (!request.correlation_id.empty()) return {};
        const auto given = request.headers.find(kCorrelationHeader);
        if (given.has_value() && is_correlation_id(*given)) {
            request.correlation_id = *given;
        } else {
            const fmt::format_int count(++state_->count);
            request.correlation_id = state_->run;
            request.correlation_id += '-';
            request.correlation_id.append(count.data(), count.size());
        }
        return {};
    }

  private:
    struct State {
        explicit State(std::string id) : run(std::move(id)) {}
        std::string run;
        std::uint64_t count = 0;
    };
    std::shared_ptr<State> state_;  // std::function wants copies; they must count together
};

/// Keeps its lines until the event loop has served all that were ready with the one it logs: a line
/// of an idle server is written at once, those of a busy one together.
class AccessLog {
  public:
    AccessLog(core::Logger log, const core::Clock& clock, SecretTest is_secret)
        : kept_(std::make_shared<Kept>(std::move(log))),
          clock_(&clock),
          is_secret_(std::move(is_secret)) {}

    Decision learn_executor() const {
        if (kept_->executor) return {};
        return [](std::shared_ptr<Kept> kept) -> asio::awaitable<std::optional<Response>> {
            kept->executor = co_await asio::this_coro::executor;
            co_return std::nullopt;
        }(kept_);
    }

    void log_when_sent(Response& response) const {
        response.on_finish.emplace_back(
            [this](const Request& r, const Response& answer, const Transfer& transfer) {
                write(r, answer, transfer);
            });
    }

  private:
    struct Kept {
        explicit Kept(core::Logger log) : lines(std::move(log)) {}
        core::LogBatch lines;
        std::optional<asio::any_io_executor> executor;
    };

    void write(const Request& request, const Response& response, const Transfer& transfer) const {
        if (!kept_->lines.enabled(core::LogLevel::kInfo)) return;
        if (kept_->lines.empty())
            asio::post(*kept_->executor, [kept = kept_] { kept->lines.flush(); });
        const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(
            clock_->steady() - request.received);
        const std::string_view agent = request.headers.find("User-Agent").value_or("");
        kept_->lines.log(core::LogLevel::kInfo, "request",
                         {{"method", request.method_name},
                          {"path", logged_path(request, is_secret_)},
                          {"route", request.route},
                          {"status", response.status},
                          {"bytes_in", request.bytes_in.bytes()},
                          {"bytes_out", transfer.bytes_out.bytes()},
                          {"duration_us", std::int64_t{duration.count()}},
                          {"peer", to_string(request.peer)},
                          {"principal", request.principal},
                          {"user_agent", agent.substr(0, kMaxUserAgent)},
                          {"correlation_id", request.correlation_id},
                          {"outcome", to_string(transfer.outcome)}});
    }

    std::shared_ptr<Kept> kept_;
    const core::Clock* clock_;
    SecretTest is_secret_;
};

class RecordMetrics {
  public:
    RecordMetrics(core::MetricRegistry& registry, const core::Clock& clock)
        : clock_(&clock), state_(std::make_shared<State>(registry)) {}

    void begin(Request& request) const { request.in_flight = Counted(state_->in_flight); }

    void end(Request& request, Response& response) const {
        const std::chrono::duration<double> duration = clock_->steady() - request.received;
        Series& series = state_->series(request, response.status);
        series.duration.observe(duration.count());
        response.on_finish.emplace_back(
            [&series, open = std::move(request.in_flight)](const Request& r, const Response&,
                                                           const Transfer& transfer) {
                series.bytes_in.add(static_cast<std::uint64_t>(r.bytes_in.bytes()));
                series.bytes_out.add(static_cast<std::uint64_t>(transfer.bytes_out.bytes()));
            });
    }

  private:
    struct Series {
        core::Histogram& duration;
        core::Counter& bytes_in;
        core::Counter& bytes_out;
    };
    using Key = std::tuple<Method, int, std::string>;

    /// Series by what they count: the registry's own look-up takes a lock and builds labels.
    struct State {
        explicit State(core::MetricRegistry& metrics)
            : registry(metrics),
              in_flight(metrics.gauge("zona_http_requests_in_flight",
                                      "Requests whose answer is not sent completely.")) {}

        Series& series(const Request& request, int status);

        core::MetricRegistry& registry;
        core::Gauge& in_flight;
        std::map<Key, Series, std::less<>> known;
    };

    const core::Clock* clock_;
    std::shared_ptr<State> state_;  // shared by the copies that std::function makes
};

RecordMetrics::Series& RecordMetrics::State::series(const Request& request, int status) {
    const std::tuple<Method, int, std::string_view> wanted(request.method, status, request.route);
    if (const auto found = known.find(wanted); found != known.end()) return found->second;
    const std::string method(to_string(request.method));
    const std::string route = request.route.empty() ? "unmatched" : request.route;
    const core::Labels labels = {{"method", method}, {"route", route}};
    core::Labels with_status = labels;
    with_status.emplace_back("status", std::to_string(status));
    Series made{registry.histogram("zona_http_request_duration_seconds",
                                   "Time from a request's first byte until its answer was ready.",
                                   core::Histogram::latency_bounds(), std::move(with_status)),
                registry.counter("zona_http_request_bytes_total",
                                 "Bytes of requests, heads included.", labels),
                registry.counter("zona_http_response_bytes_total",
                                 "Bytes of answers, heads included.", labels)};
    return known.emplace(Key(request.method, status, request.route), made).first->second;
}

void add_security_headers(const Request& request, Response& response) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kFields = {{
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
    }};
    for (const auto& [name, value] : kFields) {
        if (!response.headers.has(name)) response.headers.add(name, value);
    }
    // Over plain HTTP browsers ignore it (RFC 6797 section 8.1).
    if (request.over_tls && !response.headers.has(kStrictTransport))
        response.headers.add(kStrictTransport, "max-age=31536000");
}

Decision answer_fault(const Request& request) {
    if (!request.fault.has_value()) return {};
    const Fault& fault = *request.fault;
    Response response = Response::failed(fault.error, fault.status);
    if (fault.retry_after)
        response.headers.set("Retry-After", std::to_string(fault.retry_after->count()));
    return answer_with(std::move(response));
}

void negotiate(const Request& request, Response& response) {
    if (response.upgrade == nullptr) return;
    if (auto refusal = detail::refuse_upgrade(request)) {
        refusal->on_finish = std::move(response.on_finish);
        response = std::move(*refusal);
        return;
    }
    WebSocketOffer& offer = *response.upgrade;
    offer.subprotocol = detail::choose_subprotocol(request, offer.options.subprotocols);
    if (!offer.subprotocol.empty()) {
        response.headers.set("Sec-WebSocket-Protocol", offer.subprotocol);
    }
}

class RenderErrors {
  public:
    RenderErrors(core::Logger log, ErrorForm form, SecretTest is_secret)
        : log_(std::move(log)), form_(std::move(form)), is_secret_(std::move(is_secret)) {}

    void render(const Request& request, Response& response) const {
        if (!response.failure.has_value()) return;
        const Fault failure = std::move(*response.failure);
        response.failure.reset();
        // A message may quote the path.
        const bool is_secret = is_secret_ && is_secret_(request.path);
        log_.report("request failed",
                    is_secret ? core::Error(failure.error.code(), "(secret)") : failure.error,
                    {{"method", request.method_name},
                     {"path", logged_path(request, is_secret_)},
                     {"status", response.status},
                     {"correlation_id", request.correlation_id}});
        Response rendered = rendered_for(request, failure);
        for (const Headers::Field field : response.headers) {
            if (!rendered.headers.has(field.name)) rendered.headers.add(field.name, field.value);
        }
        rendered.on_finish = std::move(response.on_finish);
        response = std::move(rendered);
    }

    Response caught(const Request& request, const std::exception_ptr& thrown) const {
        std::string text;
        try {
            std::rethrow_exception(thrown);
        } catch (const boost::system::system_error& error) {
            if (error.code() == boost::asio::error::operation_aborted) {
                return Response::failed(core::Error(
                    core::Code::kCancelled, "the request was cancelled before it was done"));
            }
            text = error.what();
        } catch (const std::exception& error) {
            text = error.what();
        } catch (...) {
            text = "an exception of an unknown type";
        }
        log_.error("an exception ended a request", {{"exception", text},
                                                    {"route", request.route},
                                                    {"correlation_id", request.correlation_id}});
        return Response::failed(core::Error(
            core::Code::kInternal,
            "Something went wrong inside zona; its log has the cause under this correlation id."));
    }

  private:
    Response rendered_for(const Request& request, const Fault& failure) const {
        const core::Error shown = shown_to(request, failure.error);
        const int status =
            failure.status != 0 ? failure.status : core::info(shown.code()).http_status;
        if (auto own = form_ ? form_(request, shown, status) : std::nullopt) return *std::move(own);
        return Response::error(shown, request.correlation_id, status);
    }

    core::Logger log_;
    ErrorForm form_;
    SecretTest is_secret_;
};

/// Counts what is rendered by its code.
Middleware counting_errors(Middleware rendering, core::MetricRegistry& metrics) {
    // Shared by the copies that std::function makes; the registry's own look-up takes a lock.
    auto known = std::make_shared<std::map<core::Code, core::Counter&>>();
    const auto counter = [known = std::move(known), &metrics](core::Code code) -> core::Counter& {
        if (const auto found = known->find(code); found != known->end()) return found->second;
        core::Counter& made =
            metrics.counter("zona_http_errors_total", "Requests that were answered by an error.",
                            {{"code", std::string(core::info(code).name)}});
        return known->emplace(code, made).first->second;
    };
    rendering.after = [render = std::move(rendering.after), counter](Request& request,
                                                                     Response& response) {
        if (response.failure) counter(response.failure->error.code()).add();
        render(request, response);
    };
    return rendering;
}

/// Measures the router's handlers: the last of all. One executor, as the chain.
class MeasureHandlers {
  public:
    MeasureHandlers(const core::Clock& clock, core::MetricRegistry& registry)
        : clock_(clock), registry_(registry) {}

    void begin(Request& request) const { request.passed = clock_.steady(); }
    void end(const Request& request) {
        const std::chrono::duration<double> taken = clock_.steady() - request.passed;
        series(request).observe(taken.count());
    }

  private:
    using Key = std::tuple<Method, std::string>;

    core::Histogram& series(const Request& request) {
        const std::tuple<Method, std::string_view> wanted(request.method, request.route);
        if (const auto found = known_.find(wanted); found != known_.end()) return found->second;
        core::Histogram& made = registry_.histogram(
            "zona_http_handler_duration_seconds",
            "Time that the operation itself took: without what every request passes before it and "
            "its answer after it.",
            core::Histogram::latency_bounds(),
            {{"method", std::string(to_string(request.method))}, {"route", request.route}});
        known_.emplace(Key(request.method, request.route), made);
        return made;
    }

    const core::Clock& clock_;
    core::MetricRegistry& registry_;
    std::map<Key, core::Histogram&, std::less<>> known_;
};

Middleware measure_handlers(const ApplicationDeps& deps) {
    // A function is copied with what it owns: its series are shared.
    const auto measure = std::make_shared<MeasureHandlers>(deps.clock, deps.metrics);
    return {[measure](Request& request) -> Decision {
                measure->begin(request);
                return {};
            },
            [measure](Request& request, Response&) { measure->end(request); }};
}

asio::awaitable<std::optional<Response>> answered(Response response) {
    co_return response;
}

}  // namespace

Decision answer_with(Response response) {
    return answered(std::move(response));
}

asio::awaitable<Response> Chain::operator()(Request& request) const {
    std::optional<Response> answer;
    std::size_t reached = 0;  // those before it have looked at the request
    std::exception_ptr thrown;
    try {
        while (reached < middlewares_.size() && !answer) {
            const Middleware& next = middlewares_[reached++];
            if (!next.before) continue;
            if (Decision decision = next.before(request)) answer = co_await std::move(*decision);
        }
        if (!answer) {
            core::Result<Response> last = co_await endpoint_(request);
            answer = last ? std::move(*last) : Response::failed(last.take_error());
        }
    } catch (...) {
        thrown = std::current_exception();
    }
    request.held.clear();
    if (thrown) answer = catch_at(reached, request, thrown);
    while (reached-- > 0) {
        if (middlewares_[reached].after) middlewares_[reached].after(request, *answer);
    }
    co_return std::move(*answer);
}

/// What the innermost one before `index` that catches answers; it is the last before `index` then.
Response Chain::catch_at(std::size_t& index, const Request& request,
                         const std::exception_ptr& thrown) const {
    while (index > 0 && !middlewares_[index - 1].caught)
        --index;
    if (index == 0) std::rethrow_exception(thrown);
    return middlewares_[index - 1].caught(request, thrown);
}

Middleware correlate(core::Random& random) {
    return {Correlate(random), [](const Request& request, Response& response) {
                response.headers.set(kCorrelationHeader, request.correlation_id);
            }};
}

Middleware access_log(core::Logger log, const core::Clock& clock, SecretTest is_secret) {
    // Finish hooks refer to it.
    const auto shared =
        std::make_shared<const AccessLog>(std::move(log), clock, std::move(is_secret));
    return {[shared](Request&) { return shared->learn_executor(); },
            [shared](Request&, Response& response) { shared->log_when_sent(response); }};
}

Middleware record_metrics(core::MetricRegistry& metrics, const core::Clock& clock) {
    const RecordMetrics record(metrics, clock);
    return {[record](Request& request) -> Decision {
                record.begin(request);
                return {};
            },
            [record](Request& request, Response& response) { record.end(request, response); }};
}

Middleware security_headers() {
    return add_security_headers;
}

Middleware render_errors(core::Logger log, ErrorForm form, SecretTest is_secret) {
    const auto shared =
        std::make_shared<const RenderErrors>(std::move(log), std::move(form), std::move(is_secret));
    return {{},
            [shared](Request& request, Response& response) { shared->render(request, response); },
            [shared](const Request& request, const std::exception_ptr& thrown) {
                return shared->caught(request, thrown);
            }};
}

Middleware refuse_faults() {
    return answer_fault;
}

Middleware refuse_unrouted(const Router& router) {
    return [routes = &router](const Request& request) -> Decision {
        if (request.matched != nullptr) return {};
        return answer_with(routes->refusal(request));
    };
}

Middleware negotiate_websocket() {
    return negotiate;
}

Application make_application(const Router& router, const ApplicationDeps& deps,
                             std::vector<Middleware> inner, std::vector<Middleware> outer) {
    std::vector<Middleware> all;
    all.push_back(correlate(deps.random));
    all.push_back(access_log(deps.access, deps.clock, deps.is_secret));
    all.push_back(record_metrics(deps.metrics, deps.clock));
    all.push_back(security_headers());
    std::ranges::move(outer, std::back_inserter(all));
    all.push_back(
        counting_errors(render_errors(deps.log, deps.error_form, deps.is_secret), deps.metrics));
    all.push_back(refuse_faults());
    all.push_back(negotiate_websocket());
    all.push_back(refuse_unrouted(router));
    std::ranges::move(inner, std::back_inserter(all));
    all.push_back(measure_handlers(deps));
    const Router* routes = &router;
    return {Chain(std::move(all), [routes](Request& request) { return routes->dispatch(request); }),
            [routes](Request& head) { return routes->match(head); }};
}

}  // namespace zona::net
