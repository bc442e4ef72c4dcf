// Users in the core database, as operations on tenants and their keys find them.
#include "identity/users/collections.h"
#include "identity/users/users.h"
#include "store/counters.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

constexpr identity::HashCost kCheap{.memory_kib = 64, .passes = 1};

class IdentityDataTest : public OperationsTest {
  protected:
    Result<identity::User> make(const std::string& tenant) {
        return Platform::wait<identity::User>([&](auto done) {
            users_.create(identity::super_admin(),
                          {.tenant = tenant,
                           .name = "anna",
                           .email = "anna@acme.example",
                           .password = core::Secret(std::string(kPassword))},
                          std::move(done));
        });
    }
    Result<identity::SignedIn> sign_in(const std::string& tenant) {
        return Platform::wait<identity::SignedIn>([&](auto done) {
            users_.sign_in({.tenant = tenant,
                            .name = "anna",
                            .password = core::Secret(std::string(kPassword))},
                           std::move(done));
        });
    }
    std::uint64_t documents_of(const std::string& tenant) {
        const auto scope =
            tenant.empty() ? store::Scope::core() : store::Scope::tenant(tenant).value();
        std::uint64_t count = 0;
        for (const store::CollectionSpec* spec : identity::user_collections_of_tenants()) {
            count +=
                store::read_and_wait(*platform_.tenants().core(), [&](Reader& r) {
                    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
                    return r.count({*spec, scope}, all);
                }).value();
        }
        return count;
    }

    static constexpr const char* kPassword = "tulip orbit kettle";
    core::MetricRegistry metrics_;
    asio::thread_pool pool_{1};
    identity::PasswordHasher hasher_{kCheap, 1, platform_.random, metrics_};
    identity::Roles roles_{{.core = [this] { return platform_.tenants().core(); }}};
    identity::Users users_{
        {.core = [this] { return platform_.tenants().core(); },
         .fields =
             [this](const std::string& tenant) {
                 return platform_.tenants().files()->fields(tenant.empty() ? kCoreOwner : tenant);
             },
         .run_blocking = [this](auto work) { asio::post(pool_, std::move(work)); },
         .roles = roles_,
         .hasher = hasher_,
         .clock = platform_.clock,
         .random = platform_.random,
         .log = {},
         .metrics = metrics_},
        {}};
};

// DATA-38
TEST_P(IdentityDataTest, ErasingATenantRemovesItsUsersAndNoOthers) {
    fill();
    ASSERT_TRUE(make("acme"));
    ASSERT_TRUE(make("globex"));

    const auto erased = operations().erase("acme", Backups::kKeep);

    ASSERT_TRUE(erased) << erased.error().message();
    EXPECT_EQ(documents_of("acme"), 0U);
    EXPECT_TRUE(sign_in("globex"));
}

// SEC-06
TEST_P(IdentityDataTest, NewKeysTakeTheSecretsOfUsersOver) {
    ASSERT_TRUE(platform_.create("acme"));
    ASSERT_TRUE(make("acme"));
    ASSERT_TRUE(make(""));
    KeyRotation rotation({.tenants = platform_.tenants(), .clock = platform_.clock, .log = {}});
    const auto turn = rotation.begin();

    for (const std::string& owner : {std::string("acme"), std::string(kCoreOwner)}) {
        const auto done = turn->rotate(owner, {.age = {}, .go_on = {}, .tell = {}});
        ASSERT_TRUE(done) << done.error().message();
        EXPECT_EQ(done->retired, 1U) << owner;
    }

    EXPECT_TRUE(sign_in("acme"));
    EXPECT_TRUE(sign_in(""));
}

INSTANTIATE_TEST_SUITE_P(BothModes, IdentityDataTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
