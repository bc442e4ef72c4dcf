#include "net/outgoing/http_caller.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/network.h"
#include "net/outgoing/detail/curl.h"
#include "os/tcp_socket.h"

namespace zona::net {

using core::Code;
using core::Error;
using core::Result;
using detail::CurlLibrary;

namespace {

/// Handles with their connections that wait for the next call.
constexpr std::size_t kMostIdle = 8;
/// Origins that are remembered; beyond it those that work are forgotten.
constexpr std::size_t kMostOrigins = 1024;
constexpr long kConnectMs = 10'000;

/// Where a URL leads, as far as it may be told.
struct Origin {
    std::string text;  ///< "https://idp.example:8443"
    bool is_plain = false;
};

/// One part of a URL; empty if it is not there.
std::string part_of(const CurlLibrary& curl, CURLU* url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl.url_get(url, part, &text, flags) != CURLUE_OK) return "";
    std::string out(text);
    curl.free(text);
    return out;
}

Result<Origin> origin_of(const CurlLibrary& curl, const std::string& text) {
    const std::unique_ptr<CURLU, decltype(curl.url_cleanup)> url(curl.url(), curl.url_cleanup);
    const auto wrong = [](const char* why) {
        return Error(Code::kInvalidArgument, fmt::format("the URL to call {}", why))
            .detail({"", "", "one looks like https://idp.example/path"});
    };
    if (!url || curl.url_set(url.get(), CURLUPART_URL, text.c_str(),
                             CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return wrong("cannot be read, or has a user or password in it");
    const std::string scheme = part_of(curl, url.get(), CURLUPART_SCHEME);
    if (scheme != "https" && scheme != "http") return wrong("is neither https nor http");
    return Origin{
        .text = fmt::format("{}://{}:{}", scheme, part_of(curl, url.get(), CURLUPART_HOST),
                            part_of(curl, url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)),
        .is_plain = scheme == "http"};
}

enum class Place : std::uint8_t { kElsewhere, kThisHost, kLinkLocal };

/// Those of IPv4 also as IPv6 has them: compatible (RFC 4291) and translated (RFC 6052); mapped
/// ones are IPv4 for Network.
NetworkSet networks(std::initializer_list<std::string> texts) {
    return NetworkSet::parse(std::vector(texts)).value();
}

/// The zone of a link-local address does not matter; anything that is no address is not called.
Place place_of(const sockaddr& address) {
    static const NetworkSet this_host =
        networks({"127.0.0.0/8", "0.0.0.0/8", "::/127", "::7f00:0/104", "64:ff9b::7f00:0/104",
                  "64:ff9b::/104"});
    // The last one is where a cloud keeps secrets of its hosts, too.
    static const NetworkSet link_local = networks(
        {"169.254.0.0/16", "fe80::/10", "::a9fe:0/112", "64:ff9b::a9fe:0/112", "fd00:ec2::254"});
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* const bytes =
        address.sa_family == AF_INET6
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
            : &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    const bool is_internet = address.sa_family == AF_INET || address.sa_family == AF_INET6;
    if (!is_internet || ::inet_ntop(address.sa_family, bytes, text.data(), text.size()) == nullptr)
        return Place::kLinkLocal;
    if (this_host.contains(text.data())) return Place::kThisHost;
    return link_local.contains(text.data()) ? Place::kLinkLocal : Place::kElsewhere;
}

/// What one try fills, and what its functions of curl's look at.
struct Try {
    const OutgoingOptions& options;
    bool is_plain;
    bool is_refused = false;  ///< the address may not be called
    bool is_over = false;     ///< the body is too long
    bool has_met = false;     ///< a connection was begun
    OutgoingResponse response{};
};

curl_socket_t open_socket(void* context, curlsocktype /*purpose*/, curl_sockaddr* address) {
    Try& one = *static_cast<Try*>(context);
    const Place place = place_of(address->addr);
    const bool allowed = place == Place::kElsewhere
                             ? !one.is_plain
                             : place == Place::kThisHost && one.options.reach == Reach::kThisHost;
    if (!allowed) {
        one.is_refused = true;
        return CURL_SOCKET_BAD;
    }
    one.has_met = true;
    auto socket = os::tcp_socket(address->family);
    return socket ? std::move(*socket).release() : CURL_SOCKET_BAD;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* context) {
    Try& one = *static_cast<Try*>(context);
    const std::size_t bytes = size * count;
    if (one.response.body.size() + bytes > static_cast<std::size_t>(one.options.max_body.bytes())) {
        one.is_over = true;
        return 0;
    }
    one.response.body.append(data, bytes);
    return bytes;
}

/// Whether a call of this end may be made again.
bool is_worth_another(const Result<OutgoingResponse>& got, Repeat repeat, bool has_met) {
    if (!got)
        return got.error().code() == Code::kUnavailable && (repeat == Repeat::kMay || !has_met);
    return repeat == Repeat::kMay && (got->status == 429 || got->status >= 500);
}

/// Whether it shows that somebody works there.
bool is_well(const Result<OutgoingResponse>& got) {
    if (got) return got->status != 429 && got->status < 500;
    return got.error().code() == Code::kInvalidArgument || got.error().code() == Code::kTooLarge;
}

}  // namespace

struct HttpCaller::Body {
    Body(OutgoingOptions given, const core::Clock& the_clock, core::Random& the_random,
         core::MetricRegistry& metrics)
        : options(std::move(given)),
          clock(the_clock),
          random(the_random),
          answered(count(metrics, "answered")),
          failed(count(metrics, "failed")),
          held_back(count(metrics, "held_back")),
          retries(metrics.counter("zona_outgoing_retries_total",
                                  "Calls of other servers that were made again.")) {}

    static core::Counter& count(core::MetricRegistry& metrics, const char* outcome) {
        return metrics.counter("zona_outgoing_calls_total",
                               "Calls of other servers, each try, by how they ended; held_back: "
                               "not made, since the server has failed before.",
                               {{"outcome", outcome}});
    }

    std::shared_ptr<CircuitBreaker> breaker_of(const std::string& origin);
    CURL* take_handle(const CurlLibrary& curl);
    void give_back(const CurlLibrary& curl, CURL* handle);
    Result<OutgoingResponse> try_once(const CurlLibrary& curl, const OutgoingRequest& request,
                                      const Origin& origin, core::Deadline deadline, bool& has_met);
    Result<OutgoingResponse> call(const OutgoingRequest& request, core::Deadline deadline);
    Result<void> pause(int tries, core::Deadline deadline);
    Error failure(CURLcode code, const Try& one, const Origin& origin, const char* why) const;

    const OutgoingOptions options;
    const core::Clock& clock;
    core::Random& random;
    core::Counter& answered;
    core::Counter& failed;
    core::Counter& held_back;
    core::Counter& retries;
    std::mutex mutex;
    std::condition_variable stopping;
    /// @{
    /// Guarded by mutex.
    bool stopped = false;
    std::vector<CURL*> idle;
    std::map<std::string, std::shared_ptr<CircuitBreaker>> breakers;
    /// @}
};

std::shared_ptr<CircuitBreaker> HttpCaller::Body::breaker_of(const std::string& origin) {
    const std::lock_guard lock(mutex);
    if (breakers.size() >= kMostOrigins) {
        std::erase_if(breakers, [](const auto& one) {
            return one.second->state() == CircuitBreaker::State::kClosed;
        });
    }
    std::shared_ptr<CircuitBreaker>& one = breakers[origin];
    if (!one) one = std::make_shared<CircuitBreaker>(clock, options.circuit);
    return one;
}

CURL* HttpCaller::Body::take_handle(const CurlLibrary& curl) {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return curl.easy_init();
    // The one that was used last: its connections are the freshest.
    CURL* const handle = idle.back();
    idle.pop_back();
    return handle;
}

void HttpCaller::Body::give_back(const CurlLibrary& curl, CURL* handle) {
    curl.easy_reset(handle);  // keeps connections
    {
        const std::lock_guard lock(mutex);
        if (!stopped && idle.size() < kMostIdle) {
            idle.push_back(handle);
            return;
        }
    }
    curl.easy_cleanup(handle);
}

Error HttpCaller::Body::failure(CURLcode code, const Try& one, const Origin& origin,
                                const char* why) const {
    if (one.is_refused && one.is_plain && options.reach == Reach::kThisHost) {
        return {Code::kInvalidArgument,
                fmt::format("{} is not this host: only https is spoken to others", origin.text)};
    }
    if (one.is_refused) {
        return {Code::kInvalidArgument,
                fmt::format("{} leads to an address that zona does not call: this host itself, a "
                            "link-local one, or anyone without TLS",
                            origin.text)};
    }
    if (one.is_over) {
        return {Code::kTooLarge, fmt::format("the answer of {} is over {} bytes", origin.text,
                                             options.max_body.bytes())};
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        return {Code::kTimeout, fmt::format("{} did not answer in time", origin.text)};
    return {Code::kUnavailable, fmt::format("{} cannot be called: {}", origin.text, why)};
}

Result<OutgoingResponse> HttpCaller::Body::try_once(const CurlLibrary& curl,
                                                    const OutgoingRequest& request,
                                                    const Origin& origin, core::Deadline deadline,
                                                    bool& has_met) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(std::clamp<std::chrono::nanoseconds>(
            deadline.remaining(clock), std::chrono::milliseconds(1), std::chrono::hours(1)));
    CURL* const handle = take_handle(curl);
    if (handle == nullptr) return Error(Code::kResourceExhausted, "libcurl gives no handle");

    Try one{.options = options, .is_plain = origin.is_plain};
    curl_slist* lines = nullptr;
    for (const auto& [name, value] : request.headers)
        lines = curl.slist_append(lines, fmt::format("{}: {}", name, value.reveal()).c_str());
    lines = curl.slist_append(lines, "Expect:");
    char why[CURL_ERROR_SIZE] = "";
    const auto set = [&](CURLoption option, auto value) {
        curl.easy_setopt(handle, option, value);
    };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_CUSTOMREQUEST, std::string(request.method).c_str());
    set(CURLOPT_HTTPHEADER, lines);
    if (!request.body.empty()) {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.reveal().size()));
        set(CURLOPT_POSTFIELDS, request.body.reveal().data());
    }
    set(CURLOPT_PROTOCOLS_STR, origin.is_plain ? "http" : "https");
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    if (!options.ca_file.empty()) {
        set(CURLOPT_CAINFO, options.ca_file.c_str());
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "zona");
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, std::min(kConnectMs, static_cast<long>(left.count())));
    set(CURLOPT_ERRORBUFFER, &why[0]);
    set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set(CURLOPT_OPENSOCKETDATA, &one);
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, &one);
    const CURLcode code = curl.easy_perform(handle);
    curl.slist_free_all(lines);

    Result<OutgoingResponse> out = [&]() -> Result<OutgoingResponse> {
        if (code != CURLE_OK)
            return failure(code, one, origin, why[0] != '\0' ? &why[0] : curl.easy_strerror(code));
        long status = 0;
        const char* type = nullptr;
        curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
        curl.easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
        one.response.status = static_cast<int>(status);
        if (type != nullptr) one.response.content_type = type;
        return std::move(one.response);
    }();
    has_met = one.has_met || code == CURLE_OK;
    give_back(curl, handle);
    return out;
}

/// Full jitter. Source: GAP-50.
Result<void> HttpCaller::Body::pause(int tries, core::Deadline deadline) {
    const auto longest = std::min(options.longest_pause,
                                  options.first_pause * (std::int64_t{1} << std::min(tries, 16)));
    const std::chrono::milliseconds wait(
        random.below(static_cast<std::uint64_t>(longest.count()) + 1));
    if (wait >= deadline.remaining(clock)) return Error(Code::kTimeout, "no time is left");
    std::unique_lock lock(mutex);
    if (stopping.wait_for(lock, wait, [&] { return stopped; }))
        return Error(Code::kCancelled, "zona is stopping");
    return {};
}

Result<OutgoingResponse> HttpCaller::Body::call(const OutgoingRequest& request,
                                                core::Deadline deadline) {
    ZONA_TRY(const CurlLibrary* const curl, CurlLibrary::open());
    ZONA_TRY(const Origin origin, origin_of(*curl, request.url));
    const std::shared_ptr<CircuitBreaker> breaker = breaker_of(origin.text);
    for (int tries = 0;; ++tries) {
        {
            const std::lock_guard lock(mutex);
            if (stopped) return Error(Code::kCancelled, "zona is stopping");
        }
        if (deadline.expired(clock))
            return Error(Code::kTimeout, fmt::format("no time is left to call {}", origin.text));
        if (auto begun = breaker->begin(); !begun) {
            held_back.add();
            return begun.take_error().context(origin.text + " is left alone");
        }
        bool has_met = false;
        auto got = try_once(*curl, request, origin, deadline, has_met);
        breaker->ended(is_well(got));
        (got ? answered : failed).add();
        if (tries + 1 >= options.attempts || !is_worth_another(got, request.repeat, has_met))
            return got;
        if (auto waited = pause(tries, deadline); !waited) {
            if (waited.error().code() == Code::kCancelled) return waited.take_error();
            return got;  // what was wrong says more than that no time is left
        }
        retries.add();
    }
}

HttpCaller::HttpCaller(OutgoingOptions options, const core::Clock& clock, core::Random& random,
                       core::MetricRegistry& metrics)
    : body_(std::make_unique<Body>(std::move(options), clock, random, metrics)) {}

HttpCaller::~HttpCaller() {
    stop();
}

Result<OutgoingResponse> HttpCaller::call(const OutgoingRequest& request, core::Deadline deadline) {
    return body_->call(request, deadline);
}

void HttpCaller::stop() {
    std::vector<CURL*> idle;
    {
        const std::lock_guard lock(body_->mutex);
        body_->stopped = true;
        idle.swap(body_->idle);
    }
    body_->stopping.notify_all();
    if (idle.empty()) return;
    const auto curl = CurlLibrary::open();
    for (CURL* const handle : idle)
        (*curl)->easy_cleanup(handle);
}

}  // namespace zona::net
