#include "net/outgoing/circuit_breaker.h"

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::net {
namespace {

using State = CircuitBreaker::State;
using std::chrono::milliseconds;

class CircuitBreakerTest : public testing::Test {
  protected:
    /// Whether a call is let through that ends so.
    bool call(bool well) {
        if (!breaker_.begin()) return false;
        breaker_.ended(well);
        return true;
    }
    void open() {
        for (int i = 0; i < 3; ++i)
            EXPECT_TRUE(call(false));
    }

    core::FakeClock clock_;
    CircuitBreaker breaker_{
        clock_, {.failures = 3, .open_for = milliseconds(100), .longest = milliseconds(250)}};
};

// REL-11
TEST_F(CircuitBreakerTest, OpensAfterFailuresInARowAndClosesAfterOneGoodCall) {
    call(false);
    call(false);
    call(true);
    call(false);
    call(false);
    EXPECT_EQ(breaker_.state(), State::kClosed) << "they were not in a row";
    call(false);
    EXPECT_EQ(breaker_.state(), State::kOpen);
    EXPECT_FALSE(call(true));
    clock_.advance(milliseconds(100));
    EXPECT_EQ(breaker_.state(), State::kHalfOpen);
    EXPECT_TRUE(call(true));
    EXPECT_EQ(breaker_.state(), State::kClosed);
    EXPECT_TRUE(call(true));
}

// REL-11
TEST_F(CircuitBreakerTest, HalfOpenLetsOneCallThrough) {
    open();
    clock_.advance(milliseconds(100));
    EXPECT_TRUE(breaker_.begin());
    const auto second = breaker_.begin();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), core::Code::kUnavailable);
    breaker_.ended(false);
    EXPECT_EQ(breaker_.state(), State::kOpen);
}

// REL-11
TEST_F(CircuitBreakerTest, StaysOpenLongerEachTimeUpToABound) {
    open();
    for (const int wait : {100, 200, 250, 250}) {
        clock_.advance(milliseconds(wait - 1));
        EXPECT_FALSE(call(false)) << wait;
        clock_.advance(milliseconds(1));
        EXPECT_TRUE(call(false)) << wait;
    }
}

TEST_F(CircuitBreakerTest, WhatWasUnderWayWhenItOpenedDoesNotProlongIt) {
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(breaker_.begin());
    for (int i = 0; i < 5; ++i)
        breaker_.ended(false);
    clock_.advance(milliseconds(100));
    EXPECT_EQ(breaker_.state(), State::kHalfOpen);
}

}  // namespace
}  // namespace zona::net
