#include "jobs/loops.h"

#include <atomic>
#include <future>
#include <stdexcept>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"

namespace zona::jobs {
namespace {

using namespace std::chrono_literals;
using core::Result;

class LoopsTest : public testing::Test {
  protected:
    Loop counting(std::string name, std::chrono::milliseconds interval, int& turns) {
        return {.name = std::move(name), .interval = interval, .work = [&turns] {
                    ++turns;
                    return Result<void>();
                }};
    }
    core::FakeClock clock_;
    core::MemoryLog log_;
    core::MetricRegistry metrics_;
};

// BG-05
TEST_F(LoopsTest, EachTurnsAfterItsOwnInterval) {
    int health = 0;
    int collection = 0;
    Loops loops({counting("health", 30s, health), counting("collection", 15s, collection)}, clock_,
                log_.logger(), metrics_);
    loops.turn();
    EXPECT_EQ(health, 1);
    EXPECT_EQ(collection, 1);
    EXPECT_EQ(loops.turn() - clock_.steady(), 15s);
    clock_.advance(15s);
    EXPECT_EQ(loops.turn() - clock_.steady(), 15s);
    clock_.advance(15s);
    loops.turn();
    EXPECT_EQ(health, 2);
    EXPECT_EQ(collection, 3);
}

// BG-05
TEST_F(LoopsTest, NothingWakesUpForOneWithoutAnythingToDo) {
    int turns = 0;
    bool needed = false;
    Loop loop = counting("cleaning", 1s, turns);
    loop.needed = [&] { return needed; };
    Loops loops({std::move(loop)}, clock_, log_.logger(), metrics_);
    EXPECT_EQ(loops.turn(), core::SteadyTime::max());
    EXPECT_EQ(turns, 0);
    needed = true;
    EXPECT_EQ(loops.turn() - clock_.steady(), 1s);
    EXPECT_EQ(turns, 1);
}

// BG-05
TEST_F(LoopsTest, OneThatRestsTurnsWhenItIsPoked) {
    core::RealClock clock;
    std::atomic<bool> needed = false;
    std::promise<void> turned;
    int turns = 0;
    Loops loops({{.name = "cleaning",
                  .interval = 1ms,
                  .work = [&]() -> Result<void> {
                      if (++turns == 2) turned.set_value();
                      return {};
                  },
                  .needed = [&] { return needed.load(); }}},
                clock, log_.logger(), metrics_);
    loops.start();
    needed = true;
    loops.poke();
    turned.get_future().wait();
    loops.stop();
}

// BG-07
TEST_F(LoopsTest, OneThatFailsComesAgainAndLeavesTheOthersAlone) {
    int tries = 0;
    int turns = 0;
    Loops loops({{.name = "failing",
                  .interval = 1s,
                  .work = [&]() -> Result<void> {
                      if (++tries == 1) throw std::runtime_error("thrown");
                      if (tries == 2) return core::Error(core::Code::kUnavailable, "not now");
                      return {};
                  }},
                 counting("other", 1s, turns)},
                clock_, log_.logger(), metrics_);
    for (int i = 1; i <= 3; ++i) {
        loops.turn();
        EXPECT_EQ(tries, i);
        EXPECT_EQ(turns, i);
        clock_.advance(1s);
    }
    EXPECT_TRUE(log_.has("thrown"));
    EXPECT_TRUE(log_.has("not now"));
    const std::string metrics = metrics_.render_prometheus();
    EXPECT_NE(metrics.find("zona_loop_failures_total{loop=\"failing\"} 2"), std::string::npos);
    EXPECT_NE(metrics.find("zona_loop_failures_total{loop=\"other\"} 0"), std::string::npos);
}

// BG-01, BG-06
TEST_F(LoopsTest, TheyBeginInOrderAndAreWaitedForAtTheEnd) {
    core::RealClock clock;
    std::promise<void> inside;
    std::promise<void> leave;
    std::atomic<bool> finished = false;
    int turns = 0;
    int first = 0;
    Loops loops({counting("first", 1h, first),
                 {.name = "second",
                  .interval = 1ms,
                  .work = [&]() -> Result<void> {
                      if (++turns != 2) return {};
                      inside.set_value();
                      leave.get_future().wait();
                      finished = true;
                      return {};
                  }}},
                clock, log_.logger(), metrics_);
    loops.start();
    inside.get_future().wait();
    auto stopping = std::async(std::launch::async, [&] { loops.stop(); });
    leave.set_value();
    stopping.get();
    EXPECT_TRUE(finished);
    std::string begun;
    for (const std::string& line : log_.lines()) {
        for (const char* const what : {"begun", "ended"}) {
            if (line.find(what) == std::string::npos) continue;
            begun += line.find("first") != std::string::npos ? "first " : "second ";
            begun += what;
            begun += ", ";
        }
    }
    EXPECT_EQ(begun, "first begun, second begun, first ended, second ended, ");
}

}  // namespace
}  // namespace zona::jobs
