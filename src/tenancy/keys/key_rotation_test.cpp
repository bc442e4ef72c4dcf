#include "tenancy/keys/key_rotation.h"

#include <random>
#include <thread>

#include "store/testing/child_process.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

constexpr const char* kHome = "ZONA_TEST_ROTATION";
constexpr const char* kMode = "ZONA_TEST_ROTATION_MODE";
constexpr const char* kFirst = "ZONA_TEST_ROTATION_FIRST";

const store::CollectionSpec& integrations() {
    return *tenant_collections().at(0);
}

json::object secret_of(std::int64_t id) {
    return {{"secret_fields", {{"token", "correct horse " + std::to_string(id)}}}};
}

/// An event and an integration with a secret, in one transaction.
Result<Record> store_both(const TenantData& data, std::int64_t id) {
    return Platform::wait<Record>([&](auto done) {
        data.write(
            [&](Writer& w) -> Result<Record> {
                const json::object event = {{"text", std::to_string(id)}};
                ZONA_TRY(const Record one, w.insert(data.collection(events()), id, event));
                return w.insert(data.collection(integrations()), id, secret_of(id));
            },
            std::move(done));
    });
}

Result<json::object> read_secret(const TenantData& data, std::int64_t id) {
    return Platform::wait<json::object>([&](auto done) {
        data.read(
            [&](Reader& r) -> Result<json::object> {
                ZONA_TRY(const auto event, r.find(data.collection(events()), id));
                ZONA_TRY(const auto found, r.find(data.collection(integrations()), id));
                if (event && found) return *found->document;
                return core::Error(Code::kNotFound, "it is gone");
            },
            std::move(done));
    });
}

class KeyRotationTest : public OperationsTest {
  protected:
    static KeyRotationDeps deps(Platform& platform) {
        return {.tenants = platform.tenants(), .clock = platform.clock, .log = {}};
    }
    static std::vector<vault::DataKeyInfo> keys(Platform& platform, const std::string& owner) {
        return platform.tenants().files()->key_ring().keys(owner).value();
    }
    void expect_all(const std::vector<std::int64_t>& ids) {
        const TenantData data = platform_.data_of("acme").value();
        for (const std::int64_t id : ids) {
            const auto found = read_secret(data, id);
            ASSERT_TRUE(found.has_value()) << id << ": " << found.error().message();
            ASSERT_EQ(*found, secret_of(id));
        }
    }
};

// SEC-06, SEC-07
TEST_P(KeyRotationTest, NewKeyTakesOverAndTheOldOneIsForgotten) {
    ASSERT_TRUE(platform_.create("acme").has_value());
    for (std::int64_t id = 1; id <= 5; ++id)
        ASSERT_TRUE(store_both(platform_.data_of("acme").value(), id).has_value());
    KeyRotation rotation(deps(platform_));
    const auto before = keys(platform_, "acme").front().id;
    std::vector<std::string> steps;

    const auto turn = rotation.begin();
    const auto done = turn->rotate("acme", {.age = {}, .go_on = {}, .tell = [&](const auto& at) {
                                                steps.push_back(at.step);
                                            }});

    ASSERT_TRUE(done.has_value()) << done.error().message();
    EXPECT_EQ(done->rotated, 1U);
    EXPECT_EQ(done->retired, 1U);
    EXPECT_EQ(done->resealed, 5U);
    EXPECT_FALSE(steps.empty());
    ASSERT_EQ(keys(platform_, "acme").size(), 1U);
    EXPECT_NE(keys(platform_, "acme").front().id, before);
    EXPECT_EQ(turn->rotate("nobody", {}).error().code(), Code::kNotFound);
    ASSERT_TRUE(platform_.open().has_value());
    EXPECT_EQ(read_secret(platform_.data_of("acme").value(), 3).value(), secret_of(3));
}

// SEC-06
TEST_P(KeyRotationTest, OneAtATimeAndNoneAfterTheEnd) {
    KeyRotation rotation(deps(platform_));
    {
        const auto turn = rotation.begin();
        ASSERT_TRUE(turn.has_value());
        EXPECT_EQ(rotation.begin().error().code(), Code::kConflict);
    }
    const auto turn = rotation.begin();
    ASSERT_TRUE(turn.has_value());
    rotation.stop();
    EXPECT_EQ(turn->rotate("core", {}).error().code(), Code::kCancelled);
}

// SEC-06
TEST_P(KeyRotationTest, WhatFailsForOneDoesNotStopTheOthers) {
    ASSERT_TRUE(platform_.create("acme").has_value());
    ASSERT_TRUE(store_both(platform_.data_of("acme").value(), 1).has_value());
    KeyRotation rotation(deps(platform_));
    const auto before = keys(platform_, "acme").front().id;

    const auto done = rotation.begin()->rotate_all({"nobody", "acme"}, {});

    EXPECT_THAT(done.error().message(), HasSubstr("1 of 2 failed: nobody"));
    EXPECT_NE(keys(platform_, "acme").front().id, before);
}

class KeyRotationKilled : public testing::Test {};

/// Writes and rotates until it is killed; each acknowledged id goes to descriptor 3.
ZONA_CHILD_TEST(KeyRotationKilled, ChildWritesAndRotates) {
    Platform platform(std::getenv(kHome), parse_build_type(std::getenv(kMode)).value());
    ASSERT_TRUE(platform.open().has_value());
    const TenantData data = platform.data_of("acme").value();
    KeyRotation rotation({.tenants = platform.tenants(), .clock = platform.clock, .log = {}});
    const std::jthread rotating([&] {
        while (true)
            (void)rotation.begin()->rotate_all({"core", "acme"}, {});
    });
    for (std::int64_t id = std::atoll(std::getenv(kFirst));; ++id) {
        if (!store_both(data, id)) continue;
        if (::write(3, &id, sizeof id) != sizeof id) ::_exit(1);
    }
}

/// What the child has acknowledged until it was killed at a random moment.
std::vector<std::int64_t> write_until_killed(const std::vector<std::string>& environment,
                                             std::chrono::milliseconds after) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const store::ChildProcess child("KeyRotationKilled.ChildWritesAndRotates", environment,
                                    ends[1]);
    ::close(ends[1]);
    std::vector<std::int64_t> out;
    std::optional<std::jthread> killer;
    for (std::int64_t id = 0; ::read(ends[0], &id, sizeof id) == sizeof id;) {
        out.push_back(id);
        if (killer) continue;
        killer.emplace([&child, after] {
            std::this_thread::sleep_for(after);
            child.kill();
        });
    }
    ::close(ends[0]);
    child.wait();
    return out;
}

// SEC-06, REL-16
TEST_P(KeyRotationTest, KillsAtRandomMomentsLoseNoKeyAndNoDocument) {
    ASSERT_TRUE(platform_.create("acme").has_value());
    ASSERT_TRUE(store_both(platform_.data_of("acme").value(), 1).has_value());
    platform_.close();
    const char* const wanted = std::getenv("ZONA_TEST_CRASHES");
    const int rounds = wanted == nullptr ? 8 : std::atoi(wanted);
    std::minstd_rand random(static_cast<unsigned>(rounds));
    std::vector<std::int64_t> acknowledged = {1};
    for (int round = 0; round < rounds; ++round) {
        const auto written = write_until_killed(
            {std::string(kHome) + "=" + platform_.folder(),
             std::string(kMode) + "=" + std::string(to_string(GetParam())),
             std::string(kFirst) + "=" + std::to_string((round + 1) * 1'000'000)},
            std::chrono::milliseconds(random() % 300));
        ASSERT_FALSE(written.empty());
        acknowledged.insert(acknowledged.end(), written.begin(), written.end());

        const auto opened = platform_.open();
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
        expect_all(acknowledged);
        if (round % 2 != 0) {
            platform_.close();
            continue;
        }
        KeyRotation rotation(deps(platform_));
        const auto done =
            rotation.begin()->rotate_all({"core", "acme"}, {.age = std::chrono::hours(24)});
        ASSERT_TRUE(done.has_value()) << done.error().message();
        EXPECT_EQ(keys(platform_, "core").size(), 1U);
        EXPECT_EQ(keys(platform_, "acme").size(), 1U);
        expect_all(acknowledged);
        platform_.close();
    }
}

INSTANTIATE_TEST_SUITE_P(BothModes, KeyRotationTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
