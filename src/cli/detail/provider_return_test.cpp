#include "cli/detail/provider_return.h"

#include <future>

#include <gtest/gtest.h>

#include "os/fd.h"
#include "os/socket_io.h"
#include "os/tcp_socket.h"

namespace zona::cli {
namespace {

using namespace std::chrono_literals;
using core::Code;

/// What is answered to a request, to its end.
std::string ask(const ReturnAddress& at, const std::string& request) {
    const std::string authority =
        at.uri().substr(7, at.uri().find('/', 7) - 7);  // behind "http://"
    const auto connection =
        os::connect_tcp(os::TcpAddress::parse(authority).value(), std::chrono::seconds(10)).value();
    EXPECT_TRUE(os::send_some(connection.get(), request));
    std::string out;
    std::array<char, 1024> piece{};
    while (true) {
        EXPECT_TRUE(os::wait_ready(connection.get(), os::WaitFor::kReadable, 10s)->readable);
        const auto size = os::receive_some(connection.get(), piece);
        if (!size || !*size || **size == 0) return out;
        out.append(piece.data(), **size);
    }
}

// AUTH-26
TEST(ReturnAddress, OnlyTheAnswerThatWasAskedForCounts) {
    const core::RealClock clock;
    const auto at = ReturnAddress::open();
    ASSERT_TRUE(at) << at.error().message();
    EXPECT_TRUE(at->uri().starts_with("http://127.0.0.1:"));
    auto waited = std::async(std::launch::async, [&] {
        return at->wait("right", core::Deadline::after(clock, 60s), clock);
    });

    for (const char* other : {"GET /favicon.ico HTTP/1.1\r\n\r\n", "GET /back HTTP/1.1\r\n\r\n",
                              "POST /back?state=right&code=x HTTP/1.1\r\n\r\n",
                              "GET /back?state=wrong&code=x HTTP/1.1\r\n\r\n",
                              "GET /back?state=%zz HTTP/1.1\r\n\r\n", "\r\n\r\n"})
        EXPECT_TRUE(ask(*at, other).starts_with("HTTP/1.1 404")) << other;
    const std::string page = ask(*at,
                                 "GET /back?code=a%2Fb+c&state=right&iss=https%3A%2F%2Fi&more=1 "
                                 "HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_TRUE(page.starts_with("HTTP/1.1 200")) << page;
    EXPECT_FALSE(page.contains("a/b c"));
    const auto back = waited.get();
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->code.reveal(), "a/b c");
    EXPECT_EQ(back->issuer, "https://i");
    EXPECT_EQ(back->error, "");
}

TEST(ReturnAddress, NobodyIsAwaitedForEver) {
    const core::RealClock clock;
    const auto at = ReturnAddress::open().value();
    EXPECT_EQ(at.wait("x", core::Deadline::after(clock, 1ms), clock).error().code(),
              Code::kTimeout);
}

}  // namespace
}  // namespace zona::cli
