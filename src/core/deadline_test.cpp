#include "core/deadline.h"

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::core {
namespace {

using namespace std::chrono_literals;

TEST(Deadline, ExpiresWhenTheClockReachesIt) {
    FakeClock clock;
    const Deadline deadline = Deadline::after(clock, 5s);

    clock.advance(5s - 1ns);
    EXPECT_FALSE(deadline.expired(clock));
    EXPECT_EQ(deadline.remaining(clock), 1ns);

    clock.advance(1ns);
    EXPECT_TRUE(deadline.expired(clock));
    EXPECT_EQ(deadline.remaining(clock), 0ns);
}

TEST(Deadline, IsOverAtOnceWhenTheWaitIsNegative) {
    FakeClock clock;
    EXPECT_TRUE(Deadline::after(clock, -1s).expired(clock));
    EXPECT_EQ(Deadline::after(clock, -1s).remaining(clock), 0ns);
}

TEST(Deadline, NeverComesWhenTheWaitIsTooLongToAdd) {
    FakeClock clock;
    const Deadline deadline = Deadline::after(clock, std::chrono::nanoseconds::max());

    clock.advance(24h * 365);

    EXPECT_TRUE(deadline.is_never());
    EXPECT_FALSE(deadline.expired(clock));
    EXPECT_EQ(deadline.remaining(clock), std::chrono::nanoseconds::max());
}

TEST(Deadline, EarlierIsTheNearerOne) {
    FakeClock clock;
    const Deadline soon = Deadline::after(clock, 1s);
    EXPECT_EQ(Deadline::earlier(Deadline::never(), soon), soon);
    EXPECT_EQ(Deadline::earlier(soon, Deadline::after(clock, 2s)), soon);
}

TEST(FakeClock, SettingTheWallClockLeavesSteadyTimeAlone) {
    FakeClock clock;
    const SteadyTime before = clock.steady();
    clock.set_system(SystemTime(12h));
    EXPECT_EQ(clock.steady(), before);
    EXPECT_EQ(clock.system(), SystemTime(12h));
}

TEST(RealClock, SteadyTimeNeverDecreases) {
    RealClock clock;
    SteadyTime last = clock.steady();
    for (int i = 0; i < 1000; ++i) {
        const SteadyTime now = clock.steady();
        ASSERT_GE(now, last);
        last = now;
    }
}

}  // namespace
}  // namespace zona::core
