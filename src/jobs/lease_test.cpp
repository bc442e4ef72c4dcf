#include "jobs/lease.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "jobs/collections.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"

namespace zona::jobs {
namespace {

using core::Code;
using core::Result;
using store::Writer;

const Holder kA{.instance = "a", .life = "1"};
const Holder kB{.instance = "b", .life = "1"};

class LeaseTest : public testing::Test {
  protected:
    Fence take(const Holder& holder) {
        return store::write_and_wait(
                   core_, [&](Writer& w) { return take_lease(w, "purge", holder, "line"); })
            .value();
    }
    LeaseState state() {
        return store::read_and_wait(core_, [](store::Reader& r) { return find_lease(r, "purge"); })
            .value();
    }
    Code code_of(auto body) {
        auto done = store::write_and_wait(core_, [&](Writer& w) -> Result<bool> {
            ZONA_TRY_VOID(body(w));
            return true;
        });
        return done ? Code{} : done.error().code();
    }
    Result<bool> admit(const Fence& fence) {
        return store::write_and_wait(tenant_, [&](Writer& w) -> Result<bool> {
            const store::Collection fences(job_fences_spec(), store::Scope::tenant("acme").value());
            ZONA_TRY_VOID(fence.admit(w, fences));
            return true;
        });
    }

    core::FakeClock clock_;
    store::MemoryDatabase core_{core_collections(), core::Secret(std::string(32, 'k')), clock_};
    store::MemoryDatabase tenant_{{&job_fences_spec()}, core::Secret(std::string(32, 'k')), clock_};
};

// BG-12
TEST_F(LeaseTest, NumberGrowsEachTimeThatItIsTaken) {
    const Fence first = take(kA);
    const Fence second = take(kB);
    const Fence third = take(kB);
    EXPECT_EQ(first.number(), 1);
    EXPECT_EQ(second.number(), 2);
    EXPECT_EQ(third.number(), 3);
    EXPECT_EQ(state().holder, kB);
}

// BG-12
TEST_F(LeaseTest, FormerHolderIsRefusedInTheSameTransaction) {
    const Fence old = take(kA);
    const Fence now = take(kB);
    auto write = [&](const Fence& fence) {
        return store::write_and_wait(core_, [&](Writer& w) -> Result<bool> {
            const store::Collection fences(job_fences_spec(), store::Scope::core());
            const boost::json::object document = {{"line", "x"}, {"fence", 1}};
            ZONA_TRY(const auto stored, w.upsert(fences, "mark", document));
            ZONA_TRY_VOID(fence.check(w));
            return true;
        });
    };
    EXPECT_EQ(write(old).error().code(), Code::kConflict);
    const auto found = store::read_and_wait(core_, [](store::Reader& r) {
        return r.find(store::Collection(job_fences_spec(), store::Scope::core()), "mark");
    });
    EXPECT_FALSE(found->has_value());
    EXPECT_TRUE(write(now));
}

// BG-12
TEST_F(LeaseTest, FormerHolderIsRefusedInAnotherDatabaseOnceItsSuccessorHasWrittenThere) {
    const Fence old = take(kA);
    EXPECT_TRUE(admit(old));
    const Fence now = take(kB);
    EXPECT_TRUE(admit(old));  // nobody there knows better yet
    EXPECT_TRUE(admit(now));
    EXPECT_EQ(admit(old).error().code(), Code::kConflict);
    EXPECT_TRUE(admit(now));
}

TEST_F(LeaseTest, NumbersOfAnotherInstallationDoNotCount) {
    const Fence foreign("purge", "another line", 500);
    EXPECT_TRUE(admit(foreign));
    EXPECT_TRUE(admit(take(kA)));
}

TEST_F(LeaseTest, HolderBeatsAndHearsThatItShallStop) {
    const Fence fence = take(kA);
    const auto beat = [&](const Fence& with) {
        return store::write_and_wait(core_,
                                     [&](Writer& w) { return beat_lease(w, "purge", with); });
    };
    const LeaseState before = state();
    EXPECT_FALSE(beat(fence)->cancel);
    EXPECT_NE(state(), before);
    EXPECT_TRUE(
        store::write_and_wait(core_, [](Writer& w) { return cancel_lease(w, "purge"); }).value());
    EXPECT_TRUE(beat(fence)->cancel);
    take(kB);
    EXPECT_EQ(beat(fence).error().code(), Code::kConflict);
}

TEST_F(LeaseTest, OnlyItsHolderFreesIt) {
    const Fence old = take(kA);
    const Fence now = take(kB);
    EXPECT_EQ(code_of([&](Writer& w) { return free_lease(w, "purge", old); }), Code{});
    EXPECT_EQ(state().holder, kB);
    EXPECT_EQ(code_of([&](Writer& w) { return free_lease(w, "purge", now); }), Code{});
    EXPECT_TRUE(state().is_free());
    EXPECT_EQ(code_of([&](Writer& w) { return now.check(w); }), Code::kConflict);
    EXPECT_EQ(take(kA).number(), 3);
}

}  // namespace
}  // namespace zona::jobs
