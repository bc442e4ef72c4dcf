#include "net/detail/accept_encoding.h"

#include <vector>

#include <gtest/gtest.h>

namespace zona::net::detail {
namespace {

bool takes(std::vector<std::string_view> lines) {
    return prefers_gzip(lines);
}

TEST(AcceptEncoding, GzipHasToBeNamed) {
    EXPECT_FALSE(takes({}));
    EXPECT_FALSE(takes({""}));
    EXPECT_FALSE(takes({"br, zstd"}));
    EXPECT_FALSE(takes({"gzipped"}));
    EXPECT_TRUE(takes({"gzip"}));
    EXPECT_TRUE(takes({"deflate, GZIP, br"}));
    EXPECT_TRUE(takes({"br", "x-gzip"}));
    EXPECT_TRUE(takes({"*"}));
}

// HTTP-18
TEST(AcceptEncoding, WeightsDecide) {
    EXPECT_FALSE(takes({"gzip;q=0"}));
    EXPECT_FALSE(takes({"gzip; q=0.000"}));
    EXPECT_TRUE(takes({"gzip;q=0.001"}));
    EXPECT_TRUE(takes({"gzip ; Q=1.000"}));
    EXPECT_FALSE(takes({"*, gzip;q=0"}));
    EXPECT_FALSE(takes({"*;q=0"}));
    EXPECT_TRUE(takes({"gzip, *;q=0"}));
    EXPECT_FALSE(takes({"identity, gzip;q=0.5"}));
    EXPECT_TRUE(takes({"identity;q=0.5, gzip;q=0.5"}));
}

TEST(AcceptEncoding, AWeightThatIsNoneRefuses) {
    for (const std::string_view line :
         {"gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=-1", "gzip;q=0,5",
          "gzip;q=a", "gzip;quality=1", "gzip;", "gzip;q=1x", "gzip;q=0.x"}) {
        EXPECT_FALSE(takes({line})) << line;
    }
}

}  // namespace
}  // namespace zona::net::detail
