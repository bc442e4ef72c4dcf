#include "cli/detail/http_api.h"

#include <utility>

#include <fmt/format.h>

namespace zona::cli {

using core::Code;
using core::Error;
using core::Result;

net::Headers HttpApi::headers_of(const ApiRequest& request) const {
    net::Headers headers = headers_;
    headers.add("User-Agent", "zona/" ZONA_VERSION);
    if (!request.token.empty())
        headers.set("Authorization", fmt::format("Bearer {}", request.token.reveal()));
    if (!request.body.empty()) headers.add("Content-Type", "application/json");
    return headers;
}

net::IdleWatch HttpApi::watch_of(const ApiWait& wait) {
    net::IdleWatch watch;
    if (wait.interrupts > 0) watch.fd = interrupts_.fd();
    watch.quiet = wait.quiet;
    watch.look = [this, wait](net::IdleReason reason) -> Result<std::chrono::nanoseconds> {
        if (wait.interrupts > 0 && interrupts_.count() >= wait.interrupts) {
            return Error(Code::kCancelled, "interrupted");
        }
        if (reason == net::IdleReason::kQuiet && wait.on_quiet) return wait.on_quiet();
        return wait.quiet;
    };
    return watch;
}

Result<net::ClientTransport*> HttpApi::way() {
    if (way_ == nullptr) {
        ZONA_TRY(auto made, make_way());
        way_ = made.get();
        client_.emplace(std::move(made), clock_);
    }
    return way_;
}

Result<ApiResponse> HttpApi::exchange(const ApiRequest& request, const ApiWait& wait) {
    ZONA_TRY_VOID(way());
    client_->watch(watch_of(wait));
    const net::Headers headers = headers_of(request);
    auto answer =
        client_->request({request.method, request.target, &headers, request.body}, wait.deadline);
    if (!answer) return told(answer.take_error());
    return ApiResponse{answer->status, std::move(answer->body)};
}

Result<ApiResponse> HttpApi::stream(const ApiRequest& request, const ApiSink& sink,
                                    const ApiWait& wait) {
    ZONA_TRY(auto way, make_way());
    ZONA_TRY_VOID(prepare(*way, wait.deadline));
    net::HttpClient client(std::move(way), clock_);
    client.watch(watch_of(wait));
    const net::Headers headers = headers_of(request);
    std::optional<Error> refused;
    const auto take = [&](std::string_view piece) {
        auto taken = sink(piece);
        if (!taken) refused = taken.take_error();
        return refused ? net::Flow::kStop : net::Flow::kContinue;
    };
    auto answer = client.stream({request.method, request.target, &headers, request.body}, take,
                                wait.deadline);
    if (refused) return *std::move(refused);
    if (!answer) return told(answer.take_error());
    return ApiResponse{answer->status, std::move(answer->body)};
}

}  // namespace zona::cli
