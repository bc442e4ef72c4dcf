#include "core/time_format.h"

#include <gtest/gtest.h>

namespace zona::core {
namespace {

using namespace std::chrono_literals;

SystemTime at(std::int64_t milliseconds) {
    return SystemTime(std::chrono::milliseconds(milliseconds));
}

TEST(ToRfc3339, IsUtcWithMilliseconds) {
    EXPECT_EQ(to_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(to_rfc3339(at(1'772'000'000'031)), "2026-02-25T06:13:20.031Z");
    EXPECT_EQ(to_rfc3339(at(951'782'399'999)), "2000-02-28T23:59:59.999Z");
    EXPECT_EQ(to_rfc3339(at(951'782'400'000)), "2000-02-29T00:00:00.000Z");
}

TEST(ToRfc3339, RoundsDownAlsoBefore1970) {
    EXPECT_EQ(to_rfc3339(SystemTime(999'999ns)), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(to_rfc3339(SystemTime(-1ns)), "1969-12-31T23:59:59.999Z");
}

TEST(ParseRfc3339, ReadsBackWhatWasWritten) {
    for (const std::int64_t ms : {0L, 1'772'000'000'031L, -1L, 4'102'444'799'999L}) {
        EXPECT_EQ(parse_rfc3339(to_rfc3339(at(ms))).value(), at(ms));
    }
}

TEST(ParseRfc3339, TakesOffsetsFractionsAndLeapSeconds) {
    EXPECT_EQ(parse_rfc3339("2026-02-25t07:13:20.031+01:00").value(), at(1'772'000'000'031));
    EXPECT_EQ(parse_rfc3339("2026-02-25 00:43:20.031-05:30").value(), at(1'772'000'000'031));
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.0000000019z").value(), SystemTime(1ns));
    EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z").value(),
              parse_rfc3339("2017-01-01T00:00:00Z").value());
}

TEST(ParseRfc3339, RefusesEverythingElse) {
    for (const char* wrong :
         {"", "2026", "2026-02-25", "2026-02-25T06:13:20", "2026-02-30T06:13:20Z",
          "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
          "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
          "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Z ",
          "+026-01-01T00:00:00Z", "2026-01-01T00:00:00+0100", "0001-01-01T00:00:00Z",
          "9999-01-01T00:00:00Z"}) {
        EXPECT_FALSE(parse_rfc3339(wrong).has_value()) << wrong;
    }
    EXPECT_EQ(parse_rfc3339("x").error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace zona::core
