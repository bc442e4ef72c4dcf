#include "vault/key_ring.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/temporary_directory.h"
#include "vault/detail/ring_file.h"
#include "vault/testing/connection.h"

namespace zona::vault {
namespace {

namespace fs = std::filesystem;
using core::Code;

class KeyRingTest : public testing::Test {
  protected:
    core::Result<std::unique_ptr<KeyRing>> open() { return KeyRing::open(ring_, *roots_, around_); }
    std::unique_ptr<KeyRing> create() { return KeyRing::create(ring_, *roots_, around_).value(); }

    /// All keys of all tenants, to compare before and after.
    static std::map<KeyId, std::string> everything(const KeyRing& ring,
                                                   std::initializer_list<const char*> tenants) {
        std::map<KeyId, std::string> out;
        for (const char* tenant : tenants) {
            for (const DataKeyInfo& info : ring.keys(tenant).value()) {
                const auto key = ring.tenant(tenant).value()->get(info.id).value();
                out[info.id] = root_key_id(key);
            }
        }
        return out;
    }

    core::TemporaryDirectory directory_;
    core::FakeClock clock_;
    core::SystemRandom random_;
    KeyRing::Surroundings around_{.clock = clock_, .random = random_};
    std::string ring_ = directory_.path() + "/keys.json";
    std::string previous_ = ring_ + ".previous";
    std::string root_ = directory_.path() + "/root-key";
    std::unique_ptr<RootKeyProvider> roots_ = make_file_provider(root_, random_);
};

// SEC-01, SEC-07
TEST_F(KeyRingTest, KeepsTheKeysOfEachTenantOverARestart) {
    auto ring = create();
    const KeyId acme = ring->add_tenant("acme").value();
    const KeyId other = ring->add_tenant("other").value();
    EXPECT_NE(acme, other);
    const auto before = everything(*ring, {"acme", "other"});
    ring.reset();

    ring = open().value();

    EXPECT_EQ(everything(*ring, {"acme", "other"}), before);
    EXPECT_EQ(ring->tenant("acme").value()->current().value(), acme);
    EXPECT_EQ(ring->tenant("acme").value()->get(other).error().code(), Code::kNotFound)
        << "a tenant has no other tenant's keys";
    EXPECT_EQ(ring->tenant("nobody").error().code(), Code::kNotFound);
    EXPECT_EQ(ring->add_tenant("acme").error().code(), Code::kConflict);
    EXPECT_EQ(ring->add_tenant("").error().code(), Code::kInvalidArgument);
}

// SEC-07
TEST_F(KeyRingTest, IsOfNoUseWithoutTheRootKeyAndReadableByTheOwnerAlone) {
    auto ring = create();
    ASSERT_TRUE(ring->add_tenant("acme").has_value());
    const auto key = ring->tenant("acme").value()->get(ring->keys("acme").value()[0].id).value();
    const std::string bytes = bytes_of(ring_);
    const auto* raw = reinterpret_cast<const char*>(key.reveal().data());
    EXPECT_EQ(bytes.find(std::string(raw, crypto::kKeySize)), std::string::npos);
    for (const std::string& path : {ring_, root_})
        EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    ring.reset();

    fs::rename(root_, root_ + ".away");
    auto opened = open();
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), Code::kNotFound);
    EXPECT_NE(opened.error().message().find("key shares"), std::string::npos)
        << opened.error().message();
    ASSERT_TRUE(roots_->make().has_value());
    EXPECT_EQ(open().error().code(), Code::kNotFound) << "another root key";
    fs::rename(root_ + ".away", root_);
    EXPECT_TRUE(open().has_value());
}

// SEC-06
TEST_F(KeyRingTest, RotatesWhileOldKeysStayUntilTheyAreRetired) {
    auto ring = create();
    const KeyId first = ring->add_tenant("acme").value();
    const auto keys = ring->tenant("acme").value();
    EXPECT_TRUE(ring->rotations().empty());

    const KeyId second = ring->rotate("acme").value();

    EXPECT_EQ(keys->current().value(), second) << "who has the keys sees the new one";
    EXPECT_TRUE(keys->get(first).has_value());
    EXPECT_EQ(ring->retire("acme", second).error().code(), Code::kConflict);
    ring = open().value();
    const auto rotations = ring->rotations();
    ASSERT_EQ(rotations.size(), 1U) << "found again after a restart";
    EXPECT_EQ(rotations[0].tenant, "acme");
    EXPECT_EQ(rotations[0].old, std::vector{first});
    ASSERT_TRUE(ring->retire("acme", first).has_value());
    EXPECT_TRUE(ring->rotations().empty());
    EXPECT_EQ(ring->tenant("acme").value()->get(first).error().code(), Code::kNotFound);
    EXPECT_EQ(ring->retire("acme", first).error().code(), Code::kNotFound);
    EXPECT_EQ(bytes_of(previous_), bytes_of(ring_)) << "the previous generation has it no more";
}

// SEC-07
TEST_F(KeyRingTest, ErasesATenantFromBothGenerationsAndForGood) {
    auto ring = create();
    ASSERT_TRUE(ring->add_tenant("acme").has_value());
    ASSERT_TRUE(ring->add_tenant("other").has_value());
    ASSERT_TRUE(ring->rotate("acme").has_value());
    const auto keys = ring->tenant("acme").value();
    const auto infos = ring->keys("acme").value();
    const auto image = detail::parse_ring(bytes_of(ring_)).value().image;

    ASSERT_TRUE(ring->erase("acme").has_value());
    EXPECT_EQ(ring->tenant("acme").error().code(), Code::kNotFound);

    EXPECT_EQ(keys->current().error().code(), Code::kNotFound);
    EXPECT_EQ(keys->get(infos[0].id).error().code(), Code::kNotFound);
    for (const std::string& path : {ring_, previous_}) {
        for (const detail::WrappedKey& key : image.tenants[0].keys)
            EXPECT_EQ(bytes_of(path).find(key.wrapped), std::string::npos) << path;
    }
    EXPECT_TRUE(ring->erase("acme").has_value()) << "once more";
    ring = open().value();
    EXPECT_EQ(ring->tenant("acme").error().code(), Code::kNotFound);
    EXPECT_EQ(ring->add_tenant("acme").error().code(), Code::kConflict);
    EXPECT_TRUE(ring->tenant("other").has_value());
}

// SEC-07
TEST_F(KeyRingTest, ForgettingThatACrashInterruptedIsUndoneAndCanBeRepeated) {
    auto ring = create();
    const KeyId first = ring->add_tenant("acme").value();
    ASSERT_TRUE(ring->rotate("acme").has_value());
    const std::string before = bytes_of(ring_);
    ASSERT_TRUE(ring->retire("acme", first).has_value());
    ring.reset();
    put_bytes(ring_, before);  // the second of the two files was not written

    ring = open().value();

    EXPECT_EQ(ring->rotations().size(), 1U);
    EXPECT_TRUE(ring->tenant("acme").value()->get(first).has_value());
    ASSERT_TRUE(ring->retire("acme", first).has_value());
    EXPECT_EQ(bytes_of(previous_), bytes_of(ring_));
}

// SEC-06
TEST_F(KeyRingTest, RotatesWhileOthersUseTheKeys) {
    auto ring = create();
    ASSERT_TRUE(ring->add_tenant("acme").has_value());
    std::atomic<bool> done = false;
    std::atomic<int> uses = 0;
    std::vector<std::jthread> users;
    for (int i = 0; i < 2; ++i) {
        users.emplace_back([&, keys = ring->tenant("acme").value()] {
            while (!done) {
                EXPECT_TRUE(keys->get(keys->current().value()).has_value());
                EXPECT_TRUE(ring->tenant("acme").has_value());
                ++uses;
                uses.notify_all();
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        const int before = uses;
        ASSERT_TRUE(ring->rotate("acme").has_value());
        uses.wait(before);
    }
    done = true;
    users.clear();
    EXPECT_EQ(ring->keys("acme").value().size(), 21U);
}

// SEC-06, SEC-07
TEST_F(KeyRingTest, RotatesTheRootKeyAndKeepsAllDataKeys) {
    auto ring = create();
    ASSERT_TRUE(ring->add_tenant("acme").has_value());
    ASSERT_TRUE(ring->rotate("acme").has_value());
    const auto before = everything(*ring, {"acme"});
    const std::string old_root = ring->root();
    const std::string old_root_file = bytes_of(root_);
    const std::string old_ring = bytes_of(ring_);

    ASSERT_TRUE(ring->rotate_root(*roots_).has_value());

    EXPECT_NE(ring->root(), old_root);
    EXPECT_EQ(roots_->get(old_root).error().code(), Code::kNotFound);
    ASSERT_TRUE(ring->add_tenant("later").has_value());
    ring = open().value();
    EXPECT_EQ(everything(*ring, {"acme"}), before);
    // Interrupted after the new root key was stored: the ring is still under the old one.
    ring.reset();
    put_bytes(root_, old_root_file + bytes_of(root_));
    put_bytes(ring_, old_ring);
    fs::permissions(root_, fs::perms::owner_read | fs::perms::owner_write);
    ring = open().value();
    EXPECT_EQ(everything(*ring, {"acme"}), before);
}

// SEC-07
TEST_F(KeyRingTest, RefusesADamagedFileAndSaysWhatToDo) {
    auto ring = create();
    ASSERT_TRUE(ring->add_tenant("acme").has_value());
    ASSERT_TRUE(ring->rotate("acme").has_value());
    ring.reset();
    const std::string good = bytes_of(ring_);
    for (std::size_t at = 0; at < good.size(); at += 3) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        put_bytes(ring_, bad);
        const auto opened = open();
        // A flipped digit in the root key's id asks for a root key that is not there.
        ASSERT_FALSE(opened.has_value()) << at;
        ASSERT_TRUE(opened.error().code() == Code::kConflict ||
                    opened.error().code() == Code::kNotFound)
            << at;
        ASSERT_EQ(bytes_of(ring_), bad) << "left as it is";
    }
    put_bytes(ring_, good.substr(0, good.size() / 2));
    auto opened = open();
    ASSERT_EQ(opened.error().details().size(), 1U);
    EXPECT_NE(opened.error().details()[0].hint.find(previous_), std::string::npos);
    fs::remove(ring_);
    opened = open();
    EXPECT_EQ(opened.error().code(), Code::kConflict);
    EXPECT_NE(opened.error().message().find("copy " + previous_), std::string::npos)
        << opened.error().message();
    EXPECT_EQ(KeyRing::create(ring_, *roots_, around_).error().code(), Code::kConflict);
    fs::copy_file(previous_, ring_);
    EXPECT_TRUE(open().has_value()) << "what the message says works";
}

// SEC-07
TEST_F(KeyRingTest, NobodyPutsKeysTogetherAnewWithoutTheRootKey) {
    auto ring = create();
    ASSERT_TRUE(ring->add_tenant("acme").has_value());
    ASSERT_TRUE(ring->add_tenant("other").has_value());
    ring.reset();
    auto image = detail::parse_ring(bytes_of(ring_)).value().image;
    std::swap(image.tenants[0].keys, image.tenants[1].keys);
    put_bytes(ring_, detail::render_ring(image, crypto::Key::random(random_)));
    EXPECT_EQ(open().error().code(), Code::kConflict);
}

// SEC-07
TEST_F(KeyRingTest, AChangeThatCannotBeWrittenIsNotInForce) {
    auto ring = create();
    const KeyId first = ring->add_tenant("acme").value();
    fs::create_directory(ring_ + ".tmp");  // where the new generation would be written

    EXPECT_FALSE(ring->rotate("acme").has_value());
    EXPECT_FALSE(ring->add_tenant("other").has_value());

    EXPECT_EQ(ring->tenant("acme").value()->current().value(), first);
    EXPECT_EQ(ring->tenant("other").error().code(), Code::kNotFound);
    fs::remove(ring_ + ".tmp");
    EXPECT_TRUE(ring->rotate("acme").has_value());
    EXPECT_TRUE(open().has_value());
}

// SEC-07
TEST_F(KeyRingTest, WhatWasErasedStaysSoWhenItCouldNotBeStored) {
    auto ring = create();
    const KeyId id = ring->add_tenant("acme").value();
    const auto keys = ring->tenant("acme").value();
    fs::create_directory(ring_ + ".tmp");  // where the new generation would be written
    EXPECT_FALSE(ring->erase("acme").has_value());
    fs::remove(ring_ + ".tmp");

    ASSERT_TRUE(ring->add_tenant("other").has_value());

    EXPECT_EQ(ring->tenant("acme").error().code(), Code::kNotFound);
    EXPECT_EQ(keys->current().error().code(), Code::kNotFound);
    EXPECT_EQ(keys->get(id).error().code(), Code::kNotFound);
    ASSERT_TRUE(ring->erase("acme").has_value());
    EXPECT_EQ(open().value()->tenant("acme").error().code(), Code::kNotFound);
}

/// A place that several hosts share, with one document for each version of a ring.
struct SharedPlace {
    std::mutex mutex;
    std::optional<RingStorage::Stored> stored;  // guarded by mutex
    std::atomic<bool> is_away = false;
    std::atomic<int> reads = 0;  ///< of the text
    std::atomic<int> looks = 0;
    std::atomic<bool> stores_and_fails = false;
    std::function<void()> while_read;  ///< set while nobody reads
};

class SharedStorage final : public RingStorage {
  public:
    explicit SharedStorage(SharedPlace& place) : place_(place) {}
    const std::string& name() const override { return name_; }
    bool is_shared() const override { return true; }
    core::Result<std::optional<Stored>> read() override {
        if (place_.is_away) return core::Error(Code::kUnavailable, "nobody answers");
        ++place_.reads;
        if (place_.while_read) place_.while_read();
        const std::scoped_lock lock(place_.mutex);
        return place_.stored;
    }
    core::Result<bool> is_newer(std::int64_t known) override {
        if (place_.is_away) return core::Error(Code::kUnavailable, "nobody answers");
        ++place_.looks;
        if (place_.while_read) place_.while_read();
        const std::scoped_lock lock(place_.mutex);
        return place_.stored && place_.stored->generation > known;
    }
    core::Result<std::int64_t> replace(std::int64_t before, const std::string& text,
                                       Previous) override {
        if (place_.is_away) return core::Error(Code::kUnavailable, "nobody answers");
        const std::scoped_lock lock(place_.mutex);
        const std::int64_t there = place_.stored ? place_.stored->generation : 0;
        if (there != before) return core::Error(Code::kConflict, "another version");
        place_.stored = Stored{.text = text, .generation = before + 1};
        if (place_.stores_and_fails)
            return core::Error(Code::kUnavailable, "the former one is still there");
        return before + 1;
    }

  private:
    SharedPlace& place_;
    const std::string name_ = "the shared ring";
};

class SharedRingTest : public KeyRingTest {
  protected:
    SharedRingTest() { clock_.advance(std::chrono::hours(1)); }
    std::unique_ptr<KeyRing> open_shared() {
        return KeyRing::open(std::make_unique<SharedStorage>(place_), *roots_, around_).value();
    }

    SharedPlace place_;
    std::unique_ptr<KeyRing> a_ =
        KeyRing::create(std::make_unique<SharedStorage>(place_), *roots_, around_).value();
    std::unique_ptr<KeyRing> b_ = open_shared();
};

// SEC-06, SEC-07
TEST_F(SharedRingTest, ChangesOfTwoHostsAtOnceLoseNoKey) {
    ASSERT_TRUE(a_->add_tenant("acme").has_value());
    constexpr int kEach = 20;
    std::vector<std::map<std::string, KeyId>> made(2);
    std::vector<std::jthread> hosts;
    for (KeyRing* ring : {a_.get(), b_.get()}) {
        hosts.emplace_back([ring, &mine = made[hosts.size()], host = hosts.size()] {
            for (int i = 0; i < kEach; ++i) {
                mine[std::to_string(i)] = ring->rotate("acme").value();
                const std::string own = std::to_string(host) + "-" + std::to_string(i);
                mine[own] = ring->add_tenant(own).value();
            }
        });
    }
    hosts.clear();

    ASSERT_TRUE(a_->follow().has_value());
    ASSERT_TRUE(b_->follow().has_value());
    const auto fresh = open_shared();
    for (const KeyRing* ring : {a_.get(), b_.get(), fresh.get()}) {
        EXPECT_EQ(ring->keys("acme").value().size(), 2 * kEach + 1U);
        EXPECT_EQ(ring->owners().size(), 2 * kEach + 1U);
        for (const auto& mine : made) {
            for (const auto& [owner, id] : mine) {
                const std::string of = owner.contains('-') ? owner : "acme";
                EXPECT_TRUE(ring->tenant(of).value()->get(id).has_value()) << of;
            }
        }
    }
    EXPECT_EQ(everything(*a_, {"acme"}), everything(*b_, {"acme"}));
}

// SEC-06, SEC-07
TEST_F(SharedRingTest, AHostFindsWhatAnotherHasMadeAndForgetsWhatAnotherHasForgotten) {
    const KeyId first = a_->add_tenant("acme").value();
    const auto seen = b_->tenant("acme").value();
    EXPECT_EQ(seen->current().value(), first);
    ASSERT_TRUE(b_->follow().has_value());

    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(seen->get(a_->rotate("acme").value()).has_value()) << "asked for, it looks";
    const KeyId second = a_->rotate("acme").value();
    EXPECT_TRUE(seen->get(second).has_value());
    const int looks = place_.looks;
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(seen->get(KeyId{1}).error().code(), Code::kNotFound);
    EXPECT_EQ(place_.looks, looks + 1) << "it does not look all the time for what nobody has";
    EXPECT_EQ(seen->current().value(), second);
    ASSERT_TRUE(a_->retire("acme", first).has_value());
    EXPECT_TRUE(seen->get(first).has_value()) << "not told yet";
    EXPECT_TRUE(b_->follow().value());
    EXPECT_FALSE(b_->follow().value());
    EXPECT_EQ(seen->get(first).error().code(), Code::kNotFound);
    ASSERT_TRUE(a_->erase("acme").has_value());
    ASSERT_TRUE(b_->follow().has_value());
    EXPECT_EQ(seen->current().error().code(), Code::kNotFound);
    EXPECT_EQ(b_->add_tenant("acme").error().code(), Code::kConflict);
}

// SEC-06
TEST_F(SharedRingTest, AHostThatCannotLookReadsAndEncryptsNothing) {
    const KeyId first = a_->add_tenant("acme").value();
    const auto keys = b_->tenant("acme").value();
    place_.is_away = true;
    clock_.advance(kRingTrust);
    EXPECT_TRUE(keys->current().has_value());

    clock_.advance(std::chrono::seconds(1));

    EXPECT_EQ(keys->current().error().code(), Code::kUnavailable);
    EXPECT_TRUE(keys->get(first).has_value());
    EXPECT_FALSE(b_->follow().has_value());
    EXPECT_FALSE(b_->rotate("acme").has_value());
    place_.is_away = false;
    ASSERT_TRUE(b_->follow().has_value());
    EXPECT_EQ(keys->current().value(), first);
}

// SEC-06
TEST_F(SharedRingTest, AHostTrustsWhatItReadFromBeforeItRead) {
    ASSERT_TRUE(a_->add_tenant("acme").has_value());
    ASSERT_TRUE(b_->follow().has_value());
    const auto keys = b_->tenant("acme").value();
    place_.while_read = [this] { clock_.advance(kRingTrust + std::chrono::seconds(1)); };

    ASSERT_TRUE(b_->follow().has_value());

    EXPECT_EQ(keys->current().error().code(), Code::kUnavailable);
    ASSERT_TRUE(a_->rotate("acme").has_value());
    ASSERT_TRUE(b_->follow().has_value());
    EXPECT_EQ(keys->current().error().code(), Code::kUnavailable);
    place_.while_read = {};
    ASSERT_TRUE(b_->follow().has_value());
    EXPECT_TRUE(keys->current().has_value());
}

// SEC-06
TEST_F(SharedRingTest, AHostReadsTheTextOnlyWhenThereIsANewOne) {
    ASSERT_TRUE(a_->add_tenant("acme").has_value());
    ASSERT_TRUE(b_->follow().value());
    const int reads = place_.reads;

    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(b_->follow().value());

    EXPECT_EQ(place_.reads, reads);
}

// SEC-06, SEC-07
TEST_F(SharedRingTest, AChangeThatWasStoredIsInForceAlsoWhenItFailed) {
    const KeyId first = a_->add_tenant("acme").value();
    place_.stores_and_fails = true;

    EXPECT_EQ(a_->rotate("acme").error().code(), Code::kUnavailable);

    place_.stores_and_fails = false;
    const auto keys = a_->keys("acme").value();
    ASSERT_EQ(keys.size(), 2U) << "made once, and known";
    EXPECT_EQ(keys.front().id, first);
    EXPECT_EQ(a_->tenant("acme").value()->current().value(), keys.back().id);
    ASSERT_TRUE(a_->rotate("acme").has_value());
    EXPECT_EQ(open_shared()->keys("acme").value().size(), 3U);
}

// SEC-06
TEST_F(SharedRingTest, ANewKeyIsSettledWhenNoHostWritesWithTheOldOne) {
    ASSERT_TRUE(a_->add_tenant("acme").has_value());
    clock_.advance(kRingSettles);
    ASSERT_TRUE(b_->follow().has_value());
    EXPECT_TRUE(a_->is_settled("acme"));

    ASSERT_TRUE(a_->rotate("acme").has_value());

    EXPECT_FALSE(a_->is_settled("acme"));
    clock_.advance(kRingSettles - std::chrono::seconds(1));
    ASSERT_TRUE(b_->follow().has_value());
    EXPECT_FALSE(a_->is_settled("acme"));
    clock_.advance(std::chrono::seconds(1));
    EXPECT_TRUE(a_->is_settled("acme"));
    EXPECT_FALSE(b_->is_settled("acme")) << "by what it has seen itself";
}

// SEC-06, SEC-07
TEST_F(SharedRingTest, ANewRootKeyIsFollowedByWhoHasIt) {
    ASSERT_TRUE(a_->add_tenant("acme").has_value());
    ASSERT_TRUE(b_->follow().has_value());
    const auto before = everything(*b_, {"acme"});

    ASSERT_TRUE(a_->rotate_root(*roots_).has_value());
    fs::rename(root_, root_ + ".away");
    EXPECT_EQ(b_->follow().error().code(), Code::kNotFound);
    EXPECT_EQ(everything(*b_, {"acme"}), before) << "it reads with what it knows";
    fs::rename(root_ + ".away", root_);

    EXPECT_TRUE(b_->follow().value());
    EXPECT_EQ(b_->root(), a_->root());
    ASSERT_TRUE(b_->rotate("acme").has_value());
    ASSERT_TRUE(a_->follow().has_value());
    EXPECT_EQ(everything(*a_, {"acme"}), everything(*open_shared(), {"acme"}));
}

}  // namespace
}  // namespace zona::vault
