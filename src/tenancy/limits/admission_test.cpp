#include "tenancy/limits/admission.h"

#include <functional>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using core::Code;

constexpr std::chrono::milliseconds kBrief{1};

class AdmissionTest : public testing::Test {
  protected:
    using Ticket = Admission::Ticket;

    /// A request of this tenant, which notes `name` when it gets its place.
    void ask(const std::string& code, const std::string& name) {
        asio::co_spawn(context_, enter(code, name), asio::detached);
        settle();
    }
    asio::awaitable<void> enter(std::string code, std::string name) {
        auto place = co_await admission_.enter(code);
        if (!place.has_value()) {
            EXPECT_EQ(place.error().code(), refusal_);
            refusals_.push_back(place.error().message());
            co_return;
        }
        order_.push_back(name);
        places_[name] = std::move(*place);
    }
    /// Everything that can happen now does.
    void settle() {
        context_.restart();
        context_.poll();
    }
    /// Everything that was asked gets an answer.
    void finish() {
        context_.restart();
        context_.run();
    }
    void leave(const std::string& name) {
        places_.erase(name);
        settle();
    }
    std::uint64_t counted(const std::string& tenant, const std::string& outcome) {
        return metrics_
            .counter("zona_tenant_requests_total", "Requests by keys of tenants.",
                     {{"tenant", tenant}, {"outcome", outcome}})
            .value();
    }

    core::FakeClock clock_;
    core::MetricRegistry metrics_;
    asio::io_context context_;
    Admission admission_{{.refusal_pause = kBrief}, clock_, metrics_};
    std::map<std::string, Ticket> places_;
    std::vector<std::string> order_;
    std::vector<std::string> refusals_;
    Code refusal_ = Code::kTooManyRequests;
};

using Names = std::vector<std::string>;

// TEN-40
TEST_F(AdmissionTest, NobodyGetsAPlaceBeforeTheQuotasAreKnown) {
    admission_.hold();
    for (const char* name : {"a1", "a2"})
        ask("acme", name);
    EXPECT_EQ(order_, Names{});
    admission_.set_quota("acme", OwnQuota{.requests_per_second = {}, .concurrency = 1});
    admission_.release();
    settle();
    EXPECT_EQ(order_, Names{"a1"});
    leave("a1");
    EXPECT_EQ(order_, (Names{"a1", "a2"}));
}

// TEN-40
TEST_F(AdmissionTest, WhoWaitsForTheQuotasHasPatienceAndABound) {
    admission_.set_options({.waiting = 1, .patience = kBrief, .refusal_pause = kBrief});
    refusal_ = Code::kUnavailable;
    admission_.hold();
    for (const char* name : {"a1", "a2"})
        ask("acme", name);
    EXPECT_EQ(refusals_.size(), 1U);
    finish();
    EXPECT_EQ(refusals_.size(), 2U);
    EXPECT_EQ(order_, Names{});
}

// TEN-40
TEST_F(AdmissionTest, RequestsBeyondTheConcurrencyWaitForAPlaceOfTheirOwnTenant) {
    admission_.set_quota("acme", OwnQuota{.requests_per_second = {}, .concurrency = 2});
    for (const char* name : {"a1", "a2", "a3", "a4"})
        ask("acme", name);
    ask("globex", "g1");
    EXPECT_EQ(order_, (Names{"a1", "a2", "g1"}));
    const auto usage = admission_.usage();
    ASSERT_EQ(usage.size(), 2U);
    EXPECT_EQ(usage[0].running, 2U);
    EXPECT_EQ(usage[0].waiting, 2U);
    leave("g1");
    EXPECT_EQ(order_.size(), 3U) << "another tenant's place is none of theirs";
    leave("a2");
    EXPECT_EQ(order_, (Names{"a1", "a2", "g1", "a3"}));
    leave("a1");
    EXPECT_EQ(order_.back(), "a4");
    EXPECT_EQ(counted("acme", "admitted"), 2U);
    EXPECT_EQ(counted("acme", "waited"), 2U);
}

// TEN-40
TEST_F(AdmissionTest, TenantsTakeTurnsWhereAllTogetherAreAtTheLimit) {
    admission_.set_options({.concurrency = 1});
    ask("noisy", "n1");
    for (const char* name : {"n2", "n3", "n4"})
        ask("noisy", name);
    ask("quiet", "q1");
    ask("other", "o1");
    for (const char* name : {"n1", "n2", "q1", "o1", "n3"})
        leave(name);
    EXPECT_EQ(order_, (Names{"n1", "n2", "q1", "o1", "n3", "n4"}));
}

// TEN-40
TEST_F(AdmissionTest, WhoAsksTooFastIsPacedAndOthersAreNot) {
    admission_.set_quota("noisy", OwnQuota{.requests_per_second = 50, .concurrency = {}});
    // The clock stands still: 50 ms ahead are three requests.
    for (int i = 0; i < 5; ++i)
        ask("noisy", "n" + std::to_string(i));
    EXPECT_EQ(order_, (Names{"n0", "n1", "n2"}));
    ask("quiet", "q");
    EXPECT_EQ(order_.back(), "q");
    finish();
    EXPECT_EQ(order_, (Names{"n0", "n1", "n2", "q", "n3", "n4"})) << "in the order of their asking";
    EXPECT_EQ(counted("noisy", "waited"), 2U);
    clock_.advance(1s);
    ask("noisy", "later");
    EXPECT_EQ(order_.back(), "later");
}

// TEN-40
TEST_F(AdmissionTest, TooManyWhoWaitAreRefusedWithTheQuota) {
    admission_.set_options({.waiting = 1, .refusal_pause = kBrief});
    admission_.set_quota("acme", OwnQuota{.requests_per_second = {}, .concurrency = 1});
    for (const char* name : {"a1", "a2", "a3"})
        ask("acme", name);
    while (refusals_.empty())
        context_.run_one();
    EXPECT_TRUE(refusals_[0].contains("'acme'") && refusals_[0].contains("1 at a time"))
        << refusals_[0];
    EXPECT_EQ(counted("acme", "refused"), 1U);
    leave("a1");
    EXPECT_EQ(order_, (Names{"a1", "a2"}));
}

TEST_F(AdmissionTest, WhoWaitsForTooLongIsRefusedAndItsPlaceStaysFree) {
    admission_.set_options({.patience = kBrief, .refusal_pause = kBrief});
    admission_.set_quota("acme", OwnQuota{.requests_per_second = {}, .concurrency = 1});
    ask("acme", "a1");
    ask("acme", "a2");
    finish();
    EXPECT_EQ(refusals_.size(), 1U);
    leave("a1");
    EXPECT_TRUE(admission_.usage().empty());
    ask("acme", "a3");
    EXPECT_EQ(order_, (Names{"a1", "a3"}));
}

TEST_F(AdmissionTest, PaceThatIsTooFarAwayIsRefused) {
    admission_.set_options({.patience = kBrief, .refusal_pause = kBrief});
    admission_.set_quota("acme", OwnQuota{.requests_per_second = 1, .concurrency = {}});
    ask("acme", "a1");
    ask("acme", "a2");
    finish();
    EXPECT_EQ(order_, Names{"a1"});
    EXPECT_EQ(refusals_.size(), 1U);
    EXPECT_TRUE(refusals_[0].contains("1 a second")) << refusals_[0];
}

TEST_F(AdmissionTest, WhoIsCancelledOrDestroyedHoldsNothing) {
    admission_.set_quota("acme", OwnQuota{.requests_per_second = {}, .concurrency = 1});
    ask("acme", "a1");
    asio::cancellation_signal signal;
    asio::co_spawn(context_, enter("acme", "cancelled"),
                   asio::bind_cancellation_slot(signal.slot(), asio::detached));
    settle();
    EXPECT_EQ(admission_.usage()[0].waiting, 1U);
    signal.emit(asio::cancellation_type::terminal);
    finish();
    EXPECT_EQ(admission_.usage()[0].waiting, 0U);
    {
        asio::io_context other;
        asio::co_spawn(other, enter("acme", "destroyed"), asio::detached);
        other.poll();
        EXPECT_EQ(admission_.usage()[0].waiting, 1U);
        // It gets its place, and is destroyed before it can take it.
        places_.clear();
    }
    EXPECT_TRUE(admission_.usage().empty());
    EXPECT_EQ(order_, Names{"a1"});
}

TEST_F(AdmissionTest, GivenAQuotaOthersOfTheTenantGetTheirPlacesAtOnce) {
    admission_.set_quota("acme", OwnQuota{.requests_per_second = {}, .concurrency = 1});
    ask("acme", "a1");
    ask("acme", "a2");
    EXPECT_EQ(order_.size(), 1U);
    admission_.set_quota("acme", OwnQuota{});
    settle();
    EXPECT_EQ(order_, (Names{"a1", "a2"}));
}

}  // namespace
}  // namespace zona::tenancy
