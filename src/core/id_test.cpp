#include "core/id.h"

#include <unordered_set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/byte_count.h"

namespace zona::core {
namespace {

using ProcessNumber = StrongId<struct ProcessNumberTag, std::int64_t>;
using TenantNumber = StrongId<struct TenantNumberTag, std::int64_t>;
using Name = StrongId<struct NameTag, std::string>;

static_assert(!std::is_convertible_v<std::int64_t, ProcessNumber>);
static_assert(!std::is_convertible_v<ProcessNumber, std::int64_t>);
static_assert(!std::is_constructible_v<ProcessNumber, TenantNumber>);

TEST(StrongId, ComparesHashesAndPrintsLikeItsValue) {
    const std::unordered_set<ProcessNumber> set = {ProcessNumber(7), ProcessNumber(7),
                                                   ProcessNumber(8)};
    EXPECT_EQ(set.size(), 2U);
    EXPECT_LT(ProcessNumber(7), ProcessNumber(8));
    EXPECT_EQ(fmt::format("{:03} {}", ProcessNumber(7), Name("api")), "007 api");
    EXPECT_EQ(ProcessNumber().value(), 0);
}

TEST(ByteCount, AddsAndNamesItsUnits) {
    ByteCount size = ByteCount::kib(1) + ByteCount(24);
    size -= ByteCount(48);
    EXPECT_EQ(size.bytes(), 1000);
    EXPECT_EQ(ByteCount::gib(2).as_size(), 2147483648U);
    EXPECT_EQ(ByteCount(-1).as_size(), 0U);
    EXPECT_LT(ByteCount::kib(1023), ByteCount::mib(1));
}

}  // namespace
}  // namespace zona::core
