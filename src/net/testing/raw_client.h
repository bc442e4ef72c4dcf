/// @file
/// A client for tests that sends raw bytes and reads responses.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "net/detail/response_parser.h"
#include "net/headers.h"
#include "os/socket_io.h"
#include "os/tcp_socket.h"
#include "os/unix_socket.h"

namespace zona::net {

/// How long a test waits for what must come before it gives up.
inline constexpr std::chrono::seconds kPatience{20};

/// What a raw client read.
struct RawResponse {
    int status = 0;
    Headers headers;
    std::string body;
    bool complete = false;  ///< its end was seen

    std::string header(std::string_view name) const {
        return std::string(headers.find(name).value_or("(none)"));
    }
};

/// Sends raw bytes and reads responses. Fails the test rather than wait longer than kPatience.
class RawClient {
  public:
    /// A path, or an address of TCP.
    explicit RawClient(const std::string& endpoint)
        : socket_(endpoint.starts_with('/')
                      ? os::connect_unix(endpoint).value()
                      : os::connect_tcp(os::TcpAddress::parse(endpoint).value()).value()) {}

    int fd() const { return socket_.get(); }

    /// False when the server has closed.
    bool send(std::string_view data) {
        while (!data.empty()) {
            const auto sent = os::send_some(socket_.get(), data);
            if (!sent.has_value()) return false;
            if (sent->has_value()) {
                data.remove_prefix(**sent);
            } else if (!wait(os::WaitFor::kWritable)) {
                return false;
            }
        }
        return true;
    }

    /// The next response; status 0 when the server closed instead.
    RawResponse read(std::string_view method = "GET") {
        RawResponse out;
        detail::ResponseParser parser(method);
        const auto take = [&out](std::string_view piece) {
            out.body.append(piece);
            return true;
        };
        while (!parser.done()) {
            if (pending_.empty() && !receive()) {
                (void)parser.end_of_input();
                break;
            }
            const auto used = parser.feed(pending_, take);
            if (!used.has_value()) {
                ADD_FAILURE() << used.error().message() << "\n" << pending_;
                return out;
            }
            pending_.erase(0, *used);
        }
        if (!parser.head_done()) return out;
        out.status = parser.status();
        out.headers = parser.headers();
        out.complete = parser.done();
        return out;
    }

    /// Sends a request and reads its response.
    RawResponse ask(std::string_view request, std::string_view method = "GET") {
        send(request);
        return read(method);
    }

    /// All bytes until the server closes.
    std::string read_to_end() {
        while (receive()) {
        }
        return std::exchange(pending_, {});
    }

    /// Bytes as they come, until `text` is among them.
    std::string read_until(std::string_view text) {
        while (!pending_.contains(text)) {
            if (!receive()) break;
        }
        const std::size_t at = pending_.find(text);
        const std::size_t count = at == std::string::npos ? pending_.size() : at + text.size();
        std::string out = pending_.substr(0, count);
        pending_.erase(0, count);
        return out;
    }

    /// As many bytes, fewer when the server closes first.
    std::string read_count(std::size_t count) {
        while (pending_.size() < count) {
            if (!receive()) break;
        }
        std::string out = pending_.substr(0, count);
        pending_.erase(0, count);
        return out;
    }

    /// Whether the server closes without sending anything more.
    bool closed_silently() { return pending_.empty() && !receive(); }

    void end_output() { ::shutdown(socket_.get(), SHUT_WR); }
    void close() { socket_.reset(); }

  private:
    bool wait(os::WaitFor what) {
        const auto ready = os::wait_ready(socket_.get(), what, kPatience);
        if (ready.has_value() && ready->any()) return true;
        ADD_FAILURE() << "the server said nothing for " << kPatience.count() << " s";
        return false;
    }
    bool receive() {
        if (!wait(os::WaitFor::kReadable)) return false;
        std::array<char, 16384> buffer{};
        const auto count = os::receive_some(socket_.get(), buffer);
        if (!count.has_value() || !count->has_value() || **count == 0) return false;
        pending_.append(buffer.data(), **count);
        return true;
    }

    os::UniqueFd socket_;
    std::string pending_;
};

}  // namespace zona::net
