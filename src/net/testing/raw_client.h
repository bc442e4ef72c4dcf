/// @file
/// A client for tests that sends raw bytes and reads responses.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "net/detail/response_parser.h"
#include "net/detail/tls_session.h"
#include "net/headers.h"
#include "os/fd.h"
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

/// Before an address: TLS is spoken there.
inline constexpr std::string_view kTlsPrefix = "tls:";

/// A TLS of clients that trust everybody.
inline std::shared_ptr<SSL_CTX> trusting_tls() {
    std::shared_ptr<SSL_CTX> out(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_mode(out.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return out;
}

/// Sends raw bytes and reads responses, over TLS where the endpoint says so. Fails the test rather
/// than wait longer than kPatience.
class RawClient {
  public:
    /// A path, or an address of TCP, or that behind "tls:".
    explicit RawClient(const std::string& endpoint) : socket_(connect(endpoint)) {
        if (!endpoint.starts_with(kTlsPrefix)) return;
        start_tls(trusting_tls());
        EXPECT_TRUE(shake_hands());
    }

    /// An address without "tls:", and the TLS to speak; shake_hands() comes next.
    RawClient(const std::string& endpoint, std::shared_ptr<SSL_CTX> tls)
        : socket_(connect(endpoint)) {
        start_tls(std::move(tls));
    }

    int fd() const { return socket_.get(); }
    detail::TlsSession& tls() { return *tls_; }

    /// False when it came to nothing.
    bool shake_hands() {
        while (true) {
            const detail::TlsProgress progress = tls_->handshake();
            if (progress.step == detail::TlsStep::kDone) return true;
            if (!wait_for(progress.step)) return false;
        }
    }

    /// False when the server has closed.
    bool send(std::string_view data) {
        while (tls_ && !data.empty()) {
            const detail::TlsProgress progress = tls_->write(data);
            data.remove_prefix(progress.count);
            if (progress.step != detail::TlsStep::kDone && !wait_for(progress.step)) return false;
        }
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

    void end_output() {
        if (tls_) tls_->close_notify();
        ::shutdown(socket_.get(), SHUT_WR);
    }
    void close() {
        if (tls_) tls_->close_notify();
        tls_.reset();
        socket_.reset();
    }
    /// Goes without a word of TLS.
    void break_off() {
        tls_.reset();
        socket_.reset();
    }
    /// Whether the end came as TLS wants it, rather than by a connection that just ended.
    bool ended_properly() const {
        return tls_ && SSL_get_shutdown(tls_->native()) == SSL_RECEIVED_SHUTDOWN;
    }

  private:
    static os::UniqueFd connect(const std::string& endpoint) {
        if (endpoint.starts_with('/')) return os::connect_unix(endpoint).value();
        const bool tls = endpoint.starts_with(kTlsPrefix);
        const auto address = os::TcpAddress::parse(endpoint.substr(tls ? kTlsPrefix.size() : 0));
        return os::connect_tcp(address.value()).value();
    }
    void start_tls(std::shared_ptr<SSL_CTX> context) {
        EXPECT_TRUE(os::set_nonblocking(socket_.get()).has_value());
        tls_ = std::make_unique<detail::TlsSession>(std::move(context), detail::TlsRole::kClient,
                                                    socket_.get());
    }
    bool wait_for(detail::TlsStep step) {
        if (step == detail::TlsStep::kWantsRead) return wait(os::WaitFor::kReadable);
        return step == detail::TlsStep::kWantsWrite && wait(os::WaitFor::kWritable);
    }
    /// Bytes of TLS; 0 when there are no more.
    std::size_t receive_tls(std::span<char> into) {
        while (true) {
            const detail::TlsProgress progress = tls_->read(into);
            if (progress.step == detail::TlsStep::kDone) return progress.count;
            if (!wait_for(progress.step)) return 0;
        }
    }
    bool wait(os::WaitFor what) {
        const auto ready = os::wait_ready(socket_.get(), what, kPatience);
        if (ready.has_value() && ready->any()) return true;
        ADD_FAILURE() << "the server said nothing for " << kPatience.count() << " s";
        return false;
    }
    bool receive() {
        std::array<char, 16384> buffer{};
        if (tls_) {
            const std::size_t got = receive_tls(buffer);
            pending_.append(buffer.data(), got);
            return got > 0;
        }
        if (!wait(os::WaitFor::kReadable)) return false;
        const auto count = os::receive_some(socket_.get(), buffer);
        if (!count.has_value() || !count->has_value() || **count == 0) return false;
        pending_.append(buffer.data(), **count);
        return true;
    }

    os::UniqueFd socket_;
    std::unique_ptr<detail::TlsSession> tls_;
    std::string pending_;
};

}  // namespace zona::net
