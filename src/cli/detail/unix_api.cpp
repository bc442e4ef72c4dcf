#include "cli/detail/unix_api.h"

#include <cerrno>
#include <optional>
#include <utility>

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;

net::Headers headers_of(const ApiRequest& request) {
    net::Headers headers;
    headers.add("User-Agent", "zona/" ZONA_VERSION);
    if (!request.body.empty()) headers.add("Content-Type", "application/json");
    return headers;
}

/// Nobody listens is told apart from a connection that broke: only connect(2) gives these numbers.
Error told_apart(Error error) {
    const int number = error.system_error();
    const bool nobody = number == ENOENT || number == ENOTDIR || number == ECONNREFUSED;
    return nobody ? std::move(error).recode(Code::kNotFound) : std::move(error);
}

}  // namespace

net::IdleWatch UnixApi::watch_of(const ApiWait& wait) {
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

Result<ApiResponse> UnixApi::exchange(const ApiRequest& request, const ApiWait& wait) {
    client_.watch(watch_of(wait));
    const net::Headers headers = headers_of(request);
    auto answer =
        client_.request({request.method, request.target, &headers, request.body}, wait.deadline);
    if (!answer) return told_apart(answer.take_error());
    return ApiResponse{answer->status, std::move(answer->body)};
}

Result<ApiResponse> UnixApi::stream(const ApiRequest& request, const ApiSink& sink,
                                    const ApiWait& wait) {
    net::HttpClient client(net::unix_transport(path_), clock_);
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
    if (!answer) return told_apart(answer.take_error());
    return ApiResponse{answer->status, std::move(answer->body)};
}

}  // namespace zona::cli
