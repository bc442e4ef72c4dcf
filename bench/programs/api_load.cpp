// Asks a unix socket over HTTP/1.1 on kept connections and prints how long the answers took.
//   api_load SOCKET PATH CONNECTIONS RATE SECONDS
// RATE requests a second in all, each measured from when it was due, so that one slow answer counts
// for all that waited behind it; 0: each connection asks again as soon as it is answered.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"

namespace {

struct Connection {
    int fd = -1;
    long long due = 0;  ///< of the request that is under way; 0: none is
    std::string answer;
};

int connect_to(const char* path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof address.sun_path) {
        std::fputs("the path of the socket is too long\n", stderr);
        std::exit(2);
    }
    std::strcpy(address.sun_path, path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        fail("connect");
    }
    return fd;
}

/// Whether the answer is complete; exits if it is none, or says anything but 200.
bool is_complete(std::string_view answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string_view::npos) return false;
    if (!answer.starts_with("HTTP/1.1 200")) {
        std::fprintf(stderr, "answer: %.*s\n", static_cast<int>(std::min<std::size_t>(end, 200)),
                     answer.data());
        std::exit(4);
    }
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    const std::size_t at = answer.find(kLength);
    if (at > end) {
        std::fputs("an answer without Content-Length\n", stderr);
        std::exit(4);
    }
    const std::size_t length = std::strtoull(answer.data() + at + kLength.size(), nullptr, 10);
    return answer.size() >= end + 4 + length;
}

class Load {
  public:
    Load(const char* socket, const char* path, std::size_t connections, long long rate)
        : socket_(socket),
          request_(std::string("GET ") + path + " HTTP/1.1\r\nHost: zona\r\n\r\n"),
          interval_(rate > 0 ? 1000000000LL / rate : 0),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          connections_(connections) {
        if (epoll_ < 0) fail("epoll_create1");
        for (Connection& c : connections_)
            open(c);
    }

    void run(long long seconds) {
        const long long begin = now_ns();
        const long long end = begin + seconds * 1000000000LL;
        long long due = begin;
        while (now_ns() < end) {
            for (Connection& c : connections_) {
                const long long now = now_ns();
                if (c.due != 0 || (interval_ > 0 && due > now)) continue;
                ask(c, interval_ > 0 ? due : now);
                due += interval_;
            }
            wait(interval_ > 0 ? due : end);
        }
    }

    void print() {
        std::ranges::sort(latencies_);
        const auto percentile = [&](double p) {
            const auto n = static_cast<double>(latencies_.size());
            return latencies_.empty() ? 0 : latencies_[static_cast<std::size_t>((n - 1) * p)];
        };
        std::printf("{\"answers\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
                    latencies_.size(), percentile(0.5) / 1e3, percentile(0.99) / 1e3,
                    percentile(1) / 1e3);
    }

  private:
    void open(Connection& c) {
        c.fd = connect_to(socket_);
        epoll_event event = {.events = EPOLLIN, .data = {.ptr = &c}};
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) < 0) fail("epoll_ctl");
    }

    void ask(Connection& c, long long due) {
        c.due = due;
        c.answer.clear();
        if (::send(c.fd, request_.data(), request_.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request_.size())) {
            fail("send");
        }
    }

    /// For answers, until one is there or the next request is due.
    void wait(long long until) {
        const long long left = std::clamp(until - now_ns(), 0LL, 100000000LL);
        const timespec timeout = {.tv_sec = 0, .tv_nsec = left};
        epoll_event events[64];
        const int n = ::epoll_pwait2(epoll_, events, 64, &timeout, nullptr);
        if (n < 0 && errno != EINTR) fail("epoll_pwait2");
        for (int i = 0; i < n; ++i)
            receive(*static_cast<Connection*>(events[i].data.ptr));
    }

    void receive(Connection& c) {
        char buffer[65536];
        const ssize_t n = ::recv(c.fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("recv");
        c.answer.append(buffer, static_cast<std::size_t>(n));
        if (!is_complete(c.answer)) return;
        latencies_.push_back(static_cast<double>(now_ns() - c.due));
        c.due = 0;
        // After so many requests a connection is ended in order.
        if (c.answer.find("\r\nConnection: close\r\n") < c.answer.find("\r\n\r\n")) {
            ::close(c.fd);
            open(c);
        }
    }

    const char* socket_;
    std::string request_;
    long long interval_;
    int epoll_;
    std::vector<Connection> connections_;
    std::vector<double> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fputs("usage: api_load SOCKET PATH CONNECTIONS RATE SECONDS\n", stderr);
        return 2;
    }
    Load load(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10), std::atoll(argv[4]));
    load.run(std::atoll(argv[5]));
    load.print();
}
