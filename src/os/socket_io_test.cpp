#include "os/socket_io.h"

#include <array>
#include <chrono>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "os/fd.h"

namespace zona::os {
namespace {

using namespace std::chrono_literals;

class SocketIo : public testing::Test {
  protected:
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        ours_ = UniqueFd::adopt(ends[0]);
        theirs_ = UniqueFd::adopt(ends[1]);
    }

    UniqueFd ours_;
    UniqueFd theirs_;
};

TEST_F(SocketIo, WaitSeesNothingWhenNothingCame) {
    const auto ready = wait_ready(ours_.get(), WaitFor::kReadable, 0ns);

    ASSERT_TRUE(ready.has_value());
    EXPECT_FALSE(ready->any());
}

TEST_F(SocketIo, WaitSeesBytesAndRoom) {
    ASSERT_TRUE(send_some(theirs_.get(), "x").has_value());

    const auto ready = wait_ready(ours_.get(), WaitFor::kEither, std::chrono::nanoseconds::max());

    ASSERT_TRUE(ready.has_value());
    EXPECT_TRUE(ready->readable);
    EXPECT_TRUE(ready->writable);
}

TEST_F(SocketIo, ReceiveReturnsWhatWasSentThenNothingThenTheEnd) {
    std::array<char, 16> buffer{};
    ASSERT_TRUE(send_some(theirs_.get(), "hello").has_value());

    const auto first = receive_some(ours_.get(), buffer);
    const auto second = receive_some(ours_.get(), buffer);
    theirs_.reset();
    const auto third = receive_some(ours_.get(), buffer);

    EXPECT_EQ(first.value(), std::optional<std::size_t>(5));
    EXPECT_EQ(second.value(), std::nullopt);
    EXPECT_EQ(third.value(), std::optional<std::size_t>(0));
}

TEST_F(SocketIo, SendReportsAFullSocketByNothing) {
    const std::string block(1U << 16U, 'x');
    std::optional<std::size_t> sent = 1;
    while (sent.has_value()) {
        const auto result = send_some(ours_.get(), block);
        ASSERT_TRUE(result.has_value());
        sent = *result;
    }

    const auto ready = wait_ready(ours_.get(), WaitFor::kWritable, 0ns);

    ASSERT_TRUE(ready.has_value());
    EXPECT_FALSE(ready->writable);
}

TEST_F(SocketIo, SendToAClosedPeerIsUnavailableWithoutASignal) {
    theirs_.reset();

    const auto result = send_some(ours_.get(), "x");

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), core::Code::kUnavailable);
}

}  // namespace
}  // namespace zona::os
