#include "net/country_database.h"

#include <fstream>

#include <gtest/gtest.h>

#include "core/testing/temporary_directory.h"

namespace zona::net {
namespace {

// A good one is asked by tests/e2e/test_addresses.py.
TEST(CountryDatabase, IsRefusedWithTheReasonWhenItIsNone) {
    const core::TemporaryDirectory directory;
    const auto missing = CountryDatabase::open(directory.path() + "/none.mmdb");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), core::Code::kNotFound);
    std::ofstream(directory.path() + "/text.mmdb") << "no database at all";
    const auto text = CountryDatabase::open(directory.path() + "/text.mmdb");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), core::Code::kInvalidArgument);
    EXPECT_NE(text.error().message().find("is no country database"), std::string::npos);
}

}  // namespace
}  // namespace zona::net
