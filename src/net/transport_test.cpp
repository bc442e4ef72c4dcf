#include "net/transport.h"

#include <string>

#include <gtest/gtest.h>

#include "net/client.h"
#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
using Scheme = RemoteEndpoint::Scheme;

const core::RealClock kClock;

TEST(RemoteEndpoint, ReadsAddresses) {
    const struct {
        std::string_view url;
        RemoteEndpoint endpoint;
        std::string_view authority;
    } cases[] = {
        {"https://zona.example", {Scheme::kHttps, "zona.example", 8063}, "zona.example:8063"},
        {"https://zona.example/", {Scheme::kHttps, "zona.example", 8063}, "zona.example:8063"},
        {"http://127.0.0.1:80", {Scheme::kHttp, "127.0.0.1", 80}, "127.0.0.1:80"},
        {"https://[::1]:443/", {Scheme::kHttps, "::1", 443}, "[::1]:443"},
        {"https://[fe80::2]", {Scheme::kHttps, "fe80::2", 8063}, "[fe80::2]:8063"},
    };
    for (const auto& one : cases) {
        const auto parsed = RemoteEndpoint::parse(one.url);
        ASSERT_TRUE(parsed.has_value()) << one.url;
        EXPECT_EQ(*parsed, one.endpoint) << one.url;
        EXPECT_EQ(parsed->authority(), one.authority);
    }
}

TEST(RemoteEndpoint, RefusesEverythingElse) {
    for (const std::string_view url : {"",
                                       "zona.example",
                                       "ftp://zona.example",
                                       "https://",
                                       "https://:80",
                                       "https:///",
                                       "https://user@zona.example",
                                       "https://zona.example/path",
                                       "https://zona.example?x",
                                       "https://zona.example:",
                                       "https://zona.example:0",
                                       "https://zona.example:65536",
                                       "https://zona.example:80x",
                                       "https://[::1",
                                       "https://[zona]",
                                       "https://[::1]80",
                                       "https://::1",
                                       "https://a b",
                                       "https://a\r\nb",
                                       "HTTPS://zona.example"}) {
        const auto parsed = RemoteEndpoint::parse(url);
        ASSERT_FALSE(parsed.has_value()) << url;
        EXPECT_EQ(parsed.error().code(), core::Code::kInvalidArgument);
        EXPECT_TRUE(parsed.error().message().contains("like https://zona.example:8063"));
    }
}

TEST(RemoteEndpoint, KnowsLoopback) {
    for (const std::string_view url : {"http://localhost", "http://127.3.0.1", "http://[::1]"})
        EXPECT_TRUE(RemoteEndpoint::parse(url)->is_loopback()) << url;
    for (const std::string_view url : {"http://zona.example", "http://10.0.0.1", "http://0.0.0.0"})
        EXPECT_FALSE(RemoteEndpoint::parse(url)->is_loopback()) << url;
}

TEST(TcpTransport, AsksByNameAndAddress) {
    TestServer server(patient_options(), Transport::kTcp);
    server.route(Method::kGet, "/host", [](Request& request) {
        return core::Result<Response>(
            Response::text(std::string(*request.headers.find("Host")), "text/plain"));
    });
    server.start();
    const std::string port = server.endpoint().substr(server.endpoint().rfind(':'));
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        HttpClient client(tcp_transport(RemoteEndpoint::parse("http://" + host + port).value()),
                          kClock);
        for (int i = 0; i < 2; ++i) {
            const auto answer =
                client.request({.target = "/host"}, core::Deadline::after(kClock, kPatience));
            ASSERT_TRUE(answer.has_value()) << answer.error().message();
            EXPECT_EQ(answer->body, host + port);
        }
    }
}

TEST(TcpTransport, SaysThatNobodyListens) {
    const auto closed = os::listen_tcp({"127.0.0.1", 0}, 1).value();
    RemoteEndpoint endpoint{Scheme::kHttp, "127.0.0.1",
                            os::local_address(closed.get()).value().port};
    ::shutdown(closed.get(), SHUT_RDWR);
    HttpClient refused(tcp_transport(endpoint), kClock);
    endpoint.host = "no-such-host.invalid";
    HttpClient lost(tcp_transport(endpoint), kClock);

    const auto nobody = refused.request({.target = "/"}, core::Deadline::after(kClock, kPatience));
    const auto nowhere = lost.request({.target = "/"}, core::Deadline::after(kClock, kPatience));

    EXPECT_EQ(nobody.error().code(), core::Code::kUnavailable) << nobody.error().message();
    EXPECT_EQ(nowhere.error().code(), core::Code::kUnavailable);
    EXPECT_TRUE(nowhere.error().message().contains("'no-such-host.invalid' cannot be found"));
}

TEST(TcpTransport, GivesUpAtTheDeadline) {
    // A queue that is full and never served: the handshake of TCP is not finished.
    const auto full = os::listen_tcp({"127.0.0.1", 0}, 0).value();
    const os::TcpAddress address = os::local_address(full.get()).value();
    std::vector<os::UniqueFd> queued;
    for (int i = 0; i < 4; ++i) {
        auto one = os::connect_tcp(address, 50ms);
        if (!one) break;
        queued.push_back(std::move(*one));
    }

    const auto late = os::connect_tcp(address, 10ms);

    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code(), core::Code::kTimeout) << late.error().message();
}

}  // namespace
}  // namespace zona::net
