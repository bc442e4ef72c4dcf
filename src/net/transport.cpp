#include "net/transport.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"
#include "net/detail/tcp_connect.h"
#include "os/fd.h"
#include "os/socket_io.h"
#include "os/tcp_socket.h"
#include "os/unix_socket.h"

namespace zona::net {
namespace {

/// What unix and TCP have in common.
class PlainTransport : public ClientTransport {
  public:
    core::Result<void> connect(core::Deadline deadline, const core::Clock& clock) override {
        socket_.reset();
        ZONA_TRY(socket_, make(deadline, clock));
        return {};
    }
    bool usable() override {
        if (!socket_.valid()) return false;
        // Readable between requests: the server has closed it, or sends what nobody asked for.
        const auto ready =
            os::wait_ready(socket_.get(), os::WaitFor::kReadable, std::chrono::nanoseconds(0));
        return ready.has_value() && !ready->readable;
    }
    void close() override { socket_.reset(); }
    core::Result<std::optional<std::size_t>> send(std::string_view data) override {
        return os::send_some(socket_.get(), data);
    }
    core::Result<std::optional<std::size_t>> receive(std::span<char> into) override {
        return os::receive_some(socket_.get(), into);
    }
    int fd() const override { return socket_.get(); }

  private:
    virtual core::Result<os::UniqueFd> make(core::Deadline deadline, const core::Clock& clock) = 0;

    os::UniqueFd socket_;
};

class UnixTransport final : public PlainTransport {
  public:
    explicit UnixTransport(std::string path) : path_(std::move(path)) {}
    std::string_view host() const override { return "zona"; }

  private:
    core::Result<os::UniqueFd> make(core::Deadline /*deadline*/,
                                    const core::Clock& /*clock*/) override {
        core::Result<os::UniqueFd> made = os::connect_unix(path_);
        if (made.has_value() || made.error().code() != core::Code::kNotFound) return made;
        return made.take_error().recode(core::Code::kUnavailable);
    }

    std::string path_;
};

class TcpTransport final : public PlainTransport {
  public:
    explicit TcpTransport(RemoteEndpoint endpoint)
        : endpoint_(std::move(endpoint)), host_(endpoint_.authority()) {}
    std::string_view host() const override { return host_; }

  private:
    core::Result<os::UniqueFd> make(core::Deadline deadline, const core::Clock& clock) override {
        return detail::connect_to(endpoint_, deadline, clock);
    }

    RemoteEndpoint endpoint_;
    std::string host_;
};

/// A name of RFC 1123, or what a numeric address is made of.
bool may_be_host(std::string_view text) {
    return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    });
}

}  // namespace

namespace detail {

core::Result<os::UniqueFd> connect_to(const RemoteEndpoint& endpoint, core::Deadline deadline,
                                      const core::Clock& clock) {
    ZONA_TRY(const auto addresses, os::resolve(endpoint.host, endpoint.port));
    core::Error last(core::Code::kUnavailable,
                     fmt::format("the host '{}' has no address", endpoint.host));
    for (const os::TcpAddress& address : addresses) {
        core::Result<os::UniqueFd> made = os::connect_tcp(address, deadline.remaining(clock));
        if (made.has_value()) {
            ZONA_TRY_VOID(os::prepare_connection(made->get()));
            return made;
        }
        last = made.take_error();
    }
    // An unreachable network (ENETUNREACH, EHOSTUNREACH) may be reachable later.
    if (last.code() == core::Code::kInternal)
        return std::move(last).recode(core::Code::kUnavailable);
    return last;
}

}  // namespace detail

core::Result<RemoteEndpoint> RemoteEndpoint::parse(std::string_view url) {
    const core::Error wrong(
        core::Code::kInvalidArgument,
        fmt::format("'{}' is no address of a zona, like https://zona.example:8063 or "
                    "http://127.0.0.1:8063",
                    url));
    RemoteEndpoint out;
    std::string_view rest = url;
    if (rest.starts_with("http://")) out.scheme = Scheme::kHttp;
    if (!rest.starts_with("http://") && !rest.starts_with("https://")) return wrong;
    rest.remove_prefix(rest.find("//") + 2);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.starts_with('[')) {
        const std::size_t end = rest.find(']');
        if (end == std::string_view::npos) return wrong;
        out.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        if (!os::TcpAddress::parse(fmt::format("[{}]:1", out.host))) return wrong;
    } else {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        out.host = rest.substr(0, end);
        rest.remove_prefix(end);
        if (!may_be_host(out.host)) return wrong;
    }
    if (rest.empty()) return out;
    rest.remove_prefix(1);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.port);
    const bool whole = error == std::errc() && end == rest.data() + rest.size();
    if (!whole || out.port == 0 || *(rest.data() - 1) != ':') return wrong;
    return out;
}

std::string RemoteEndpoint::authority() const {
    return host.contains(':') ? fmt::format("[{}]:{}", host, port)
                              : fmt::format("{}:{}", host, port);
}

bool RemoteEndpoint::is_loopback() const {
    return host == "localhost" || os::TcpAddress{host, port}.is_loopback();
}

core::Result<std::string> parse_fingerprint(std::string_view text) {
    constexpr std::size_t kDigits = 64;
    std::string digits = core::lower_ascii(text);
    std::erase(digits, ':');
    if (digits.size() == kDigits &&
        digits.find_first_not_of("0123456789abcdef") == std::string::npos)
        return digits;
    return core::Error(
        core::Code::kInvalidArgument,
        fmt::format("'{}' is no SHA-256 fingerprint: 64 digits in hex, with or without colons",
                    core::to_valid_utf8(text.substr(0, 2 * kDigits))));
}

std::unique_ptr<ClientTransport> unix_transport(std::string path) {
    return std::make_unique<UnixTransport>(std::move(path));
}

std::unique_ptr<ClientTransport> tcp_transport(const RemoteEndpoint& endpoint) {
    return std::make_unique<TcpTransport>(endpoint);
}

}  // namespace zona::net
