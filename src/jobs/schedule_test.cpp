#include "jobs/schedule.h"

#include <set>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::jobs {
namespace {

using namespace std::chrono;
using core::SystemTime;

// BG-05
TEST(Schedule, ShortensAnIntervalByItsJitterAtMost) {
    core::SeededRandom random(1);
    const SystemTime now = core::FakeClock().system();
    const Schedule schedule = Schedule::every(10s, 0.5);
    std::set<SystemTime> moments;
    for (int i = 0; i < 100; ++i) {
        const SystemTime next = schedule.next(now, random).value();
        EXPECT_GE(next, now + 5s);
        EXPECT_LE(next, now + 10s);
        moments.insert(next);
    }
    EXPECT_GT(moments.size(), 50U);
    EXPECT_EQ(Schedule::every(10s, 0).next(now, random), now + 10s);
    EXPECT_EQ(schedule.text(), "every 10s");
}

// BG-05
TEST(Schedule, FollowsACronExpression) {
    core::SeededRandom random(1);
    const SystemTime now = core::FakeClock().system();
    const Schedule schedule = Schedule::cron(core::CronExpression::parse("30 4 * * *").value());
    EXPECT_EQ(schedule.next(now, random), now + 4h + 30min);
    EXPECT_EQ(schedule.text(), "cron 30 4 * * *");
}

TEST(Schedule, NeverComesByItselfWhenAsked) {
    core::SeededRandom random(1);
    EXPECT_EQ(Schedule::when_asked().next(core::FakeClock().system(), random), std::nullopt);
    EXPECT_EQ(Schedule::when_asked().text(), "when asked");
}

// REL-12
TEST(Retries, DoublesItsPausesToTheLongestAndShortensThemALittle) {
    core::SeededRandom random(1);
    const Retries retries{.attempts = 9, .first = 1s, .longest = 5s};
    const auto around = [&](int attempt, milliseconds whole) {
        const milliseconds pause = retries.pause(attempt, random);
        EXPECT_LE(pause, whole) << attempt;
        EXPECT_GE(pause, whole * 4 / 5) << attempt;
    };
    around(1, 1s);
    around(2, 2s);
    around(3, 4s);
    around(4, 5s);
    around(1000, 5s);
}

}  // namespace
}  // namespace zona::jobs
