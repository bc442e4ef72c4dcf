#include "net/limit_rate.h"

#include <thread>

#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

using std::chrono::milliseconds;

class LimitRateTest : public MiddlewareTest {
  protected:
    bool granted(std::string_view address) { return !limiter_.take(address).has_value(); }
    int granted_of(int count, std::string_view address) {
        int all = 0;
        for (int i = 0; i < count; ++i)
            all += granted(address) ? 1 : 0;
        return all;
    }

    core::FakeClock& clock_ = log_.clock();
    RateLimiter limiter_{clock_, {10, 5}};
};

// HTTP-20
TEST_F(LimitRateTest, GivesTheBurstAndThenTheRate) {
    EXPECT_EQ(granted_of(20, "192.0.2.1"), 5);
    EXPECT_EQ(limiter_.take("192.0.2.1"), milliseconds(100));

    clock_.advance(milliseconds(99));
    EXPECT_EQ(limiter_.take("192.0.2.1"), milliseconds(1));
    clock_.advance(milliseconds(1));
    EXPECT_EQ(granted_of(5, "192.0.2.1"), 1);
    clock_.advance(milliseconds(300));
    EXPECT_EQ(granted_of(5, "192.0.2.1"), 3);
    clock_.advance(std::chrono::hours(1));
    EXPECT_EQ(granted_of(20, "192.0.2.1"), 5) << "a rest saves up no more than the burst";
}

TEST_F(LimitRateTest, EveryAddressHasItsOwnBucket) {
    EXPECT_EQ(granted_of(9, "192.0.2.1"), 5);
    EXPECT_EQ(granted_of(9, "192.0.2.2"), 5);
}

TEST_F(LimitRateTest, ANetworkOfIpv6IsOneClient) {
    EXPECT_EQ(granted_of(3, "2001:db8:1:2::1"), 3);
    EXPECT_EQ(granted_of(9, "2001:db8:1:2:ffff::9"), 2);
    EXPECT_EQ(granted_of(9, "2001:db8:1:3::1"), 5);
    EXPECT_EQ(granted_of(3, "::ffff:192.0.2.7"), 3);
    EXPECT_EQ(granted_of(9, "192.0.2.7"), 2) << "the same client";
}

TEST_F(LimitRateTest, ALimitOfZeroIsNone) {
    limiter_.set_limit({0, 5});

    EXPECT_EQ(granted_of(1000, "192.0.2.1"), 1000);
    EXPECT_EQ(limiter_.clients(), 0U);
}

TEST_F(LimitRateTest, AChangedLimitHoldsAtOnce) {
    EXPECT_EQ(granted_of(9, "192.0.2.1"), 5);
    limiter_.set_limit({1000, 100});
    EXPECT_EQ(limiter_.limit(), (RateLimit{1000, 100}));
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(granted_of(200, "192.0.2.1"), 100);
}

TEST_F(LimitRateTest, RemembersABoundedNumberOfClientsAndThoseThatAreBusy) {
    const int many = 3 * static_cast<int>(RateLimiter::kMostClients);
    EXPECT_EQ(granted_of(5, "192.0.2.1"), 5);

    for (int i = 0; i < many; ++i) {
        granted("10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
                std::to_string(i % 256));
        EXPECT_FALSE(granted("192.0.2.1")) << "who goes on is not forgotten";
    }

    EXPECT_LE(limiter_.clients(), RateLimiter::kMostClients);
    EXPECT_GT(limiter_.clients(), RateLimiter::kMostClients / 2);
}

TEST_F(LimitRateTest, CountsExactlyFromSeveralThreads) {
    limiter_.set_limit({1, 1000});
    std::atomic<int> all = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] { all += granted_of(1000, "192.0.2.1"); });
    for (std::thread& thread : threads)
        thread.join();

    EXPECT_EQ(all, 1000);
}

// HTTP-20
TEST_F(LimitRateTest, TheRefusalNamesTheLimitAndWhenToComeAgain) {
    limiter_.set_limit({2, 1});
    request_.peer = TcpPeer{"192.0.2.1", 40000};
    const auto ask = [this] {
        std::vector<Middleware> all;
        all.push_back(limit_rate(limiter_));
        all.push_back(render_errors(log_.logger()));
        all.push_back(refuse_faults());
        Response response = run(std::move(all));
        request_.fault.reset();
        return response;
    };
    EXPECT_EQ(ask().status, 200);

    const Response response = ask();

    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.headers.find("Retry-After"), "1");
    EXPECT_TRUE(response.body.contains("TOO_MANY_REQUESTS"));
    EXPECT_TRUE(response.body.contains("more than 2 requests per second")) << response.body;
    EXPECT_EQ(seen_, 1);
    request_.peer = UnixPeer{};
    EXPECT_EQ(ask().status, 200) << "the unix socket has no limit";
}

}  // namespace
}  // namespace zona::net
