#include "net/client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "net/detail/response_parser.h"
#include "os/socket_io.h"
#include "os/terminal.h"

namespace zona::net {
namespace {

constexpr std::size_t kReadBytes = 64U << 10U;

/// Whether a text can stand in the request line: no space, nothing outside of printable ASCII.
bool fits_request_line(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

bool fits_field(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

core::Error unusable(std::string_view what) {
    return {core::Code::kInvalidArgument, fmt::format("{} cannot be sent in a request", what)};
}

core::Result<std::string> head_of(const ClientRequest& request, std::string_view host) {
    if (!fits_request_line(request.method)) return unusable("the method");
    if (!fits_request_line(request.target)) return unusable("the target");
    std::string out =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target, host);
    if (request.headers != nullptr) {
        for (const Headers::Field field : *request.headers) {
            if (!fits_request_line(field.name) || field.name.contains(':') ||
                !fits_field(field.value)) {
                return unusable(fmt::format("the header {}", field.name.substr(0, 64)));
            }
            fmt::format_to(std::back_inserter(out), "{}: {}\r\n", field.name, field.value);
        }
    }
    if (!request.body.empty()) {
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", request.body.size());
    }
    out += "\r\n";
    return out;
}

core::Error late() {
    return {core::Code::kTimeout, "the daemon did not answer in time"};
}

}  // namespace

HttpClient::HttpClient(std::unique_ptr<ClientTransport> transport, const core::Clock& clock,
                       core::ByteCount max_body)
    : transport_(std::move(transport)), clock_(clock), max_body_(max_body) {}

core::Result<void> HttpClient::connect(core::Deadline deadline) {
    if (transport_->usable()) return {};
    return transport_->connect(deadline, clock_);
}

/// Sends all, or as much as the server takes before it answers: an early answer is a refusal.
core::Result<void> HttpClient::send(std::string_view data, core::Deadline deadline) {
    while (!data.empty()) {
        ZONA_TRY(const std::optional<std::size_t> sent, transport_->send(data));
        if (sent.has_value()) {
            data.remove_prefix(*sent);
            continue;
        }
        ZONA_TRY(const os::SocketReady ready, os::wait_ready(transport_->fd(), os::WaitFor::kEither,
                                                             deadline.remaining(clock_)));
        if (!ready.any()) return late();
        if (ready.readable && !ready.writable) return {};
    }
    return {};
}

/// Waits until the socket is readable, and looks up as the watch wants it.
core::Result<void> HttpClient::await_input(core::Deadline deadline) {
    if (transport_->has_pending()) return {};
    std::chrono::nanoseconds quiet = watch_.quiet;
    while (true) {
        const std::chrono::nanoseconds left = deadline.remaining(clock_);
        const std::array fds = {transport_->fd(), watch_.fd};
        ZONA_TRY(const auto ready, os::wait_readable(fds, std::min(left, quiet)));
        if (ready == std::size_t{0}) return {};
        if (ready.has_value() || quiet < left) {
            const IdleReason reason =
                ready.has_value() ? IdleReason::kReadable : IdleReason::kQuiet;
            ZONA_TRY(quiet, watch_.look(reason));
        } else if (deadline.expired(clock_)) {
            return late();
        }
    }
}

core::Result<ClientResponse> HttpClient::receive(std::string_view method, const ChunkSink* sink,
                                                 core::Deadline deadline) {
    ClientResponse response;
    detail::ResponseParser parser(method);
    bool too_large = false;
    const auto take = [&](std::string_view piece) {
        if (sink != nullptr && parser.status() / 100 == 2) return (*sink)(piece) == Flow::kContinue;
        too_large = response.body.size() + piece.size() > max_body_.as_size();
        if (!too_large) response.body.append(piece);
        return !too_large;
    };
    std::string buffer(kReadBytes, '\0');
    while (!parser.done() && !parser.stopped()) {
        ZONA_TRY_VOID(await_input(deadline));
        ZONA_TRY(const std::optional<std::size_t> count, transport_->receive(buffer));
        if (!count.has_value()) continue;
        if (*count == 0) {
            ZONA_TRY_VOID(parser.end_of_input());
            break;
        }
        const std::string_view data = std::string_view(buffer).substr(0, *count);
        ZONA_TRY(const std::size_t used, parser.feed(data, take));
        if (parser.done() && used < data.size()) transport_->close();
        if (parser.done()) break;
    }
    if (too_large) {
        return core::Error(
            core::Code::kTooLarge,
            fmt::format("the answer is over the limit of {} bytes", max_body_.bytes()));
    }
    if (!parser.done() || !parser.keep_alive()) transport_->close();
    response.status = parser.status();
    response.headers = std::move(parser.headers());
    return response;
}

core::Result<ClientResponse> HttpClient::exchange(const ClientRequest& request,
                                                  const ChunkSink* sink, core::Deadline deadline) {
    ZONA_TRY(std::string head, head_of(request, transport_->host()));
    ZONA_TRY_VOID(connect(deadline));
    const bool small = request.body.size() <= kReadBytes;
    if (small) head += request.body;
    core::Result<void> sent = send(head, deadline);
    if (sent.has_value() && !small) sent = send(request.body, deadline);
    // The server may have answered and closed before it had it all: what it said is still to be
    // read.
    const bool may_answer = sent.has_value() || sent.error().code() == core::Code::kUnavailable;
    core::Result<ClientResponse> answer =
        may_answer ? receive(request.method, sink, deadline) : sent.error();
    if (!answer.has_value()) transport_->close();
    // Why it takes nothing goes before that it does.
    const bool is_told =
        !answer.has_value() && answer.error().code() == core::Code::kUnauthenticated;
    if (!answer.has_value() && !sent.has_value() && !is_told) return sent.take_error();
    return answer;
}

core::Result<ClientResponse> HttpClient::request(const ClientRequest& request,
                                                 core::Deadline deadline) {
    return exchange(request, nullptr, deadline);
}

core::Result<ClientResponse> HttpClient::stream(const ClientRequest& request, const ChunkSink& sink,
                                                core::Deadline deadline) {
    return exchange(request, &sink, deadline);
}

}  // namespace zona::net
