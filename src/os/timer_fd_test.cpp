#include "os/timer_fd.h"

#include <chrono>

#include <gtest/gtest.h>

#include "os/socket_io.h"

namespace zona::os {
namespace {

using namespace std::chrono_literals;

bool readable(const UniqueFd& timer, std::chrono::nanoseconds limit) {
    return wait_ready(timer.get(), WaitFor::kReadable, limit).value().readable;
}

TEST(TimerFd, ExpiresOnce) {
    const UniqueFd timer = make_timer_fd().value();
    ASSERT_FALSE(readable(timer, 0ns));

    ASSERT_TRUE(arm_timer_fd(timer.get(), -1s).has_value());

    EXPECT_TRUE(readable(timer, 10s));
    EXPECT_EQ(drain_eventfd(timer.get()), 1U);
    EXPECT_FALSE(readable(timer, 0ns));
    EXPECT_EQ(drain_eventfd(timer.get()), 0U);
}

TEST(TimerFd, DoesNotExpireOnceItIsDisarmed) {
    const UniqueFd timer = make_timer_fd().value();
    ASSERT_TRUE(arm_timer_fd(timer.get(), 1ns).has_value());
    ASSERT_TRUE(readable(timer, 10s));

    ASSERT_TRUE(disarm_timer_fd(timer.get()).has_value());

    EXPECT_FALSE(readable(timer, 0ns));
}

TEST(TimerFd, ReportsADescriptorThatIsNoTimer) {
    const Pipe pipe = make_pipe().value();

    EXPECT_EQ(arm_timer_fd(pipe.read.get(), 1s).error().code(), core::Code::kInvalidArgument);
}

}  // namespace
}  // namespace zona::os
