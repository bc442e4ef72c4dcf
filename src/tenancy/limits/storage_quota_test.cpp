#include "tenancy/limits/storage_quota.h"

#include <gmock/gmock.h>

#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using core::Code;

class StorageQuotaTest : public OperationsTest {
  protected:
    Result<Tenant> set_quota(const std::string& code, std::optional<std::uint64_t> bytes) {
        return Platform::wait<Tenant>([&](auto done) {
            platform_.tenants().update(code, {.storage_bytes = bytes}, std::move(done));
        });
    }
    store::StorageUse use_of(const std::string& code) {
        return Platform::wait<store::StorageUse>(
                   [&](auto done) { platform_.data_of(code)->storage_use(std::move(done)); })
            .value();
    }
    Result<bool> remove(const std::string& code, std::int64_t id) {
        const TenantData data = platform_.data_of(code).value();
        return Platform::wait<bool>([&](auto done) {
            data.write([&](Writer& w) { return w.remove(data.collection(events()), id); },
                       std::move(done));
        });
    }
};

// TEN-40
TEST_P(StorageQuotaTest, WhatWouldGrowOverTheQuotaIsNotMadeAndAllElseIs) {
    fill();
    const store::StorageUse before = use_of("acme");
    EXPECT_EQ(before.documents, 3U);
    EXPECT_EQ(use_of("globex").documents, 1U);
    ASSERT_TRUE(set_quota("acme", before.bytes + 200).has_value());

    const auto refused = platform_.put("acme", 4, std::string(300, 'x'));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
    EXPECT_THAT(refused.error().message(),
                testing::AllOf(HasSubstr(std::to_string(before.bytes + 200)),
                               HasSubstr(std::to_string(before.bytes))));
    EXPECT_EQ(use_of("acme"), before);
    EXPECT_EQ(platform_.texts("acme"), as_filled());

    // Its neighbour, and what fits.
    EXPECT_TRUE(platform_.put("globex", 4, std::string(300, 'x')).has_value());
    EXPECT_TRUE(platform_.put("acme", 4, "x").has_value());
    // Far over it: reads, removals and documents that shrink.
    ASSERT_TRUE(set_quota("acme", 1).has_value());
    EXPECT_FALSE(platform_.put("acme", 5, "x").has_value());
    EXPECT_TRUE(platform_.put("acme", 2, "x").has_value());
    EXPECT_TRUE(remove("acme", 4).value());
    EXPECT_EQ(use_of("acme").documents, 3U);
    ASSERT_TRUE(set_quota("acme", std::nullopt).has_value());
    EXPECT_TRUE(platform_.put("acme", 5, "x").has_value());
}

// TEN-40
TEST_P(StorageQuotaTest, QuotaAndUseAreKnownAfterAStart) {
    fill();
    const store::StorageUse before = use_of("acme");
    ASSERT_TRUE(set_quota("acme", before.bytes).has_value());
    ASSERT_TRUE(platform_.open().has_value());
    EXPECT_EQ(use_of("acme"), before);
    EXPECT_EQ(platform_.put("acme", 4, "x").error().code(), Code::kResourceExhausted);
    // The platform's own work is not held up.
    const TenantData data = platform_.data_of("acme")->without_quota();
    EXPECT_TRUE(Platform::put(data, 4, "x").has_value());
}

// TEN-40
TEST_P(StorageQuotaTest, OneOfAllIsThatOfWhoHasNoneOfItsOwn) {
    fill();
    platform_.tenants().set_storage_quota(1);
    EXPECT_FALSE(platform_.put("acme", 4, "x").has_value());
    ASSERT_TRUE(set_quota("acme", 0).has_value());
    EXPECT_TRUE(platform_.put("acme", 4, "x").has_value());
    EXPECT_FALSE(platform_.put("globex", 4, "x").has_value());
    platform_.tenants().set_storage_quota(0);
    EXPECT_TRUE(platform_.put("globex", 4, "x").has_value());
}

INSTANTIATE_TEST_SUITE_P(BothModes, StorageQuotaTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
