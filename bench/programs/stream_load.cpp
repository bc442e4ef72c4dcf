// Listens with many WebSocket clients while it changes a process, and prints how long the news
// took.
//   stream_load HOST PORT KEY NAME CLIENTS UPDATES RATE
// CLIENTS subscribe to the states of all processes; the first one never reads again. Each update
// resets the counters of the process NAME over HTTP; the time counts from the sending of that
// request until a client has the whole frame. Exit status 4: an answer that is none.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

namespace {

struct Target {
    const char* host;
    int port;
    std::string key;
};

int connect_to(const Target& target) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(target.port));
    if (::inet_pton(AF_INET, target.host, &address.sin_addr) != 1) fail("host");
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
        fail("connect");
    return fd;
}

void send_all(int fd, const std::string& bytes) {
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
        fail("send");
}

/// A masked text frame of at most 125 bytes; a mask of zeroes changes nothing.
std::string frame_of(std::string_view text) {
    std::string out = {'\x81', static_cast<char>(0x80 | text.size()), 0, 0, 0, 0};
    out += text;
    return out;
}

struct Client {
    int fd = -1;
    std::string bytes;
    std::size_t states = 0;  ///< frames of type process, the first state not counted
    bool begun = false;
};

/// The next whole frame in `bytes` from `at`; empty: not there yet.
std::string_view next_frame(std::string_view bytes, std::size_t& at) {
    const std::string_view rest = bytes.substr(at);
    if (rest.size() < 2) return {};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
    std::size_t length = byte(1) & 0x7F;
    std::size_t head = 2;
    if (length == 126) {
        if (rest.size() < 4) return {};
        length = static_cast<std::size_t>(byte(2)) << 8 | byte(3);
        head = 4;
    } else if (length == 127) {
        if (rest.size() < 10) return {};
        length = 0;
        for (std::size_t i = 2; i < 10; ++i)
            length = length << 8 | byte(i);
        head = 10;
    }
    if (rest.size() < head + length) return {};
    at += head + length;
    return rest.substr(head, length);
}

/// Reads what is there; false at the end.
bool read_some(int fd, std::string& bytes, int flags) {
    char block[65536];
    const ssize_t got = ::recv(fd, block, sizeof block, flags);
    if (got > 0) bytes.append(block, static_cast<std::size_t>(got));
    return got != 0;
}

void open_stream(Client& client, const Target& target) {
    client.fd = connect_to(target);
    send_all(client.fd, "GET /api/v1/stream HTTP/1.1\r\nHost: " + std::string(target.host) +
                            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: " +
                            target.key + "\r\n\r\n");
    std::size_t end = std::string::npos;
    while (end == std::string::npos) {
        if (!read_some(client.fd, client.bytes, 0)) break;
        end = client.bytes.find("\r\n\r\n");
    }
    if (!client.bytes.starts_with("HTTP/1.1 101")) {
        std::fprintf(stderr, "answer: %.300s\n", client.bytes.c_str());
        std::exit(4);
    }
    client.bytes.erase(0, end + 4);
    send_all(client.fd, frame_of(R"({"type":"subscribe","id":"a","topics":["processes"]})"));
}

/// The first state has come.
void await_first(Client& client) {
    while (!client.begun) {
        std::size_t at = 0;
        for (auto frame = next_frame(client.bytes, at); !frame.empty();
             frame = next_frame(client.bytes, at))
            client.begun |= frame.find(R"("type":"process")") != std::string_view::npos;
        client.bytes.erase(0, at);
        if (!client.begun && !read_some(client.fd, client.bytes, 0)) fail("stream ended");
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 8) {
        std::fputs("usage: stream_load HOST PORT KEY NAME CLIENTS UPDATES RATE\n", stderr);
        return 2;
    }
    const Target target{argv[1], std::atoi(argv[2]), argv[3]};
    const std::string body = std::string(R"({"action":"reset","select":[")") + argv[4] + R"("]})";
    const std::string request =
        "POST /api/v1/operations HTTP/1.1\r\nHost: " + std::string(target.host) +
        "\r\nX-API-Key: " + target.key +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    std::vector<Client> clients(static_cast<std::size_t>(std::atoi(argv[5])));
    const std::size_t updates = static_cast<std::size_t>(std::atoi(argv[6]));
    const long long pause = 1000000000LL / std::atoi(argv[7]);
    for (Client& client : clients)
        open_stream(client, target);
    for (Client& client : clients)
        await_first(client);
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 1; i < clients.size(); ++i) {
        epoll_event event = {.events = EPOLLIN, .data = {.u64 = i}};
        ::epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    const int writer = connect_to(target);
    epoll_event answers = {.events = EPOLLIN, .data = {.u64 = 0}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, writer, &answers);

    std::vector<long long> sent, took;
    std::string ignored;
    const std::size_t wanted = updates * (clients.size() - 1);
    long long due = now_ns();
    long long end = due + pause * static_cast<long long>(updates) + 10'000'000'000LL;
    while (took.size() < wanted && now_ns() < end) {
        if (sent.size() < updates && now_ns() >= due) {
            sent.push_back(now_ns());
            send_all(writer, request);
            due += pause;
        }
        epoll_event events[256];
        const long long left = sent.size() < updates ? (due - now_ns()) / 1000000 : 100;
        const int ready = ::epoll_wait(poll, events, 256, static_cast<int>(std::max(0LL, left)));
        for (int i = 0; i < ready; ++i) {
            if (events[i].data.u64 == 0) {
                read_some(writer, ignored, MSG_DONTWAIT);
                ignored.clear();
                continue;
            }
            Client& client = clients[events[i].data.u64];
            if (!read_some(client.fd, client.bytes, MSG_DONTWAIT)) {
                ::epoll_ctl(poll, EPOLL_CTL_DEL, client.fd, nullptr);
                continue;
            }
            const long long now = now_ns();
            std::size_t at = 0;
            for (auto frame = next_frame(client.bytes, at); !frame.empty();
                 frame = next_frame(client.bytes, at)) {
                if (frame.find(R"("type":"process")") == std::string_view::npos) continue;
                if (client.states < sent.size()) took.push_back(now - sent[client.states++]);
            }
            client.bytes.erase(0, at);
        }
    }
    std::ranges::sort(took);
    const auto at = [&](std::size_t percent) {
        return took.empty() ? 0 : took[(took.size() - 1) * percent / 100] / 1000;
    };
    std::printf(R"({"clients":%zu,"wanted":%zu,"received":%zu,"p50_us":%lld,"p99_us":%lld})"
                "\n",
                clients.size(), wanted, took.size(), at(50), at(99));
    return 0;
}
