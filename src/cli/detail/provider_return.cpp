#include "cli/detail/provider_return.h"

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "net/form.h"
#include "os/listening_socket.h"
#include "os/socket_io.h"
#include "os/tcp_socket.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::string_view kPath = "/back";
constexpr int kBacklog = 8;
constexpr std::size_t kMostHead = 16 * 1024;
/// A browser that has connected and says nothing keeps nobody waiting for longer.
constexpr std::chrono::seconds kPatience{2};

/// The head of a request, as far as it came: a browser sends it at once.
std::string head_of(int fd, core::Deadline deadline, const core::Clock& clock) {
    std::string head;
    std::array<char, 4096> piece{};
    while (head.size() < kMostHead && !head.contains("\r\n\r\n")) {
        const auto ready = os::wait_ready(fd, os::WaitFor::kReadable, deadline.remaining(clock));
        if (!ready || !ready->readable) break;
        const auto size = os::receive_some(fd, std::span(piece));
        if (!size || (*size && **size == 0)) break;
        head.append(piece.data(), size->value_or(0));
    }
    return head;
}

void answer(int fd, std::string_view status, std::string_view words, core::Deadline deadline,
            const core::Clock& clock) {
    const std::string page = fmt::format(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>zona</title></head>"
        "<body><p>{}</p></body></html>\n",
        words);
    const std::string text = fmt::format(
        "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: "
        "default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n{}",
        status, page.size(), page);
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto ready = os::wait_ready(fd, os::WaitFor::kWritable, deadline.remaining(clock));
        if (!ready || !ready->writable) return;
        const auto sent = os::send_some(fd, rest);
        // The page is a courtesy: whoever has closed it has done what it says.
        if (!sent) return;
        rest.remove_prefix(sent->value_or(0));
    }
}

/// What "GET /back?state=... HTTP/1.1" brings; nullopt: something else.
std::optional<ProviderReturn> read_return(std::string_view head) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::string begin = fmt::format("GET {}?", kPath);
    const std::size_t end = line.rfind(" HTTP/1.");
    if (!line.starts_with(begin) || end == std::string_view::npos || end < begin.size())
        return std::nullopt;
    auto fields = net::parse_form(line.substr(begin.size(), end - begin.size()));
    if (!fields) return std::nullopt;
    ProviderReturn out;
    for (net::Parameter& field : *fields) {
        if (field.name == "state") out.state = std::move(field.value);
        if (field.name == "code") out.code = core::Secret(std::move(field.value));
        if (field.name == "iss") out.issuer = std::move(field.value);
        if (field.name == "error") out.error = std::move(field.value);
    }
    return out;
}

}  // namespace

Result<ReturnAddress> ReturnAddress::open() {
    ZONA_TRY(os::UniqueFd listening, os::listen_tcp({.host = "127.0.0.1", .port = 0}, kBacklog));
    ZONA_TRY_VOID(os::set_nonblocking(listening.get()));
    ZONA_TRY(const os::TcpAddress bound, os::local_address(listening.get()));
    std::string uri = fmt::format("http://{}{}", bound.to_string(), kPath);
    return ReturnAddress(std::move(listening), std::move(uri));
}

Result<ProviderReturn> ReturnAddress::wait(const std::string& state, core::Deadline deadline,
                                           const core::Clock& clock) const {
    while (true) {
        ZONA_TRY(
            const os::SocketReady ready,
            os::wait_ready(listening_.get(), os::WaitFor::kReadable, deadline.remaining(clock)));
        if (!ready.readable)
            return Error(Code::kTimeout, "nobody came back from the identity provider in time");
        ZONA_TRY(const auto connection, os::accept_connection(listening_.get()));
        if (!connection) continue;
        const core::Deadline soon =
            core::Deadline::earlier(deadline, core::Deadline::after(clock, kPatience));
        auto back = read_return(head_of(connection->get(), soon, clock));
        if (!back || back->state != state) {
            answer(connection->get(), "404 Not Found", "There is nothing here.", soon, clock);
            continue;
        }
        answer(connection->get(), "200 OK", "zona has what it needs: you may close this page.",
               soon, clock);
        return *std::move(back);
    }
}

}  // namespace zona::cli
