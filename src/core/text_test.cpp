#include "core/text.h"

#include <vector>

#include <gtest/gtest.h>

#include "core/uri.h"
#include "core/utf8.h"

namespace zona::core {
namespace {

using namespace std::chrono_literals;

TEST(Trimmed, LeavesWhatIsBetweenTheBlanks) {
    EXPECT_EQ(trimmed(" \t a b \t"), "a b");
    EXPECT_EQ(trimmed("a"), "a");
    EXPECT_EQ(trimmed(""), "");
    EXPECT_EQ(trimmed(" \t "), "");
    EXPECT_EQ(trimmed("\r\na\n"), "\r\na\n");
    EXPECT_EQ(trimmed("\r\na\n", "\r\n"), "a");
}

TEST(PercentEncoded, LeavesUnreservedCharactersAlone) {
    EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encoded("a b&c=/?\xff%"), "a%20b%26c%3D%2F%3F%FF%25");
}

TEST(ParseDuration, TakesMillisecondsAndUnits) {
    EXPECT_EQ(parse_duration("250").value(), 250ms);
    EXPECT_EQ(parse_duration("250ms").value(), 250ms);
    EXPECT_EQ(parse_duration(" 5s ").value(), 5s);
    EXPECT_EQ(parse_duration("1.5S").value(), 1500ms);
    EXPECT_EQ(parse_duration("1m30s").value(), 90s);
    EXPECT_EQ(parse_duration("1h 30m").value(), 90min);
    EXPECT_EQ(parse_duration("2d").value(), 48h);
    EXPECT_EQ(parse_duration("0").value(), 0ms);
    EXPECT_EQ(parse_duration("0.1s").value(), 100ms);
}

TEST(ParseDuration, RefusesEverythingElse) {
    for (const char* wrong : {"", " ", "-1", "s", "5x", "5 parsecs", "1m30", "1..5s", ".s", "1h-5m",
                              "36601d", "99999999999999999999999999999999999999", "5s!", "1e3"}) {
        EXPECT_FALSE(parse_duration(wrong).has_value()) << wrong;
    }
}

TEST(ParseSize, UnitsArePowersOf1024) {
    EXPECT_EQ(parse_size("1048576").value(), ByteCount::mib(1));
    EXPECT_EQ(parse_size("512k").value(), ByteCount::kib(512));
    EXPECT_EQ(parse_size("100MB").value(), ByteCount::mib(100));
    EXPECT_EQ(parse_size("1.5 G").value(), ByteCount::mib(1536));
    EXPECT_EQ(parse_size("10GiB").value(), ByteCount::gib(10));
    EXPECT_EQ(parse_size("1.5B").value(), ByteCount(1));
    EXPECT_EQ(parse_size("9223372036854775807").value().bytes(), 9223372036854775807);
}

TEST(ParseSize, RefusesEverythingElse) {
    for (const char* wrong :
         {"", "-1", "K", "5x", "5KK", "1 2", "8E", "9223372036854775808", "9000000T", "1M1K"}) {
        EXPECT_FALSE(parse_size(wrong).has_value()) << wrong;
    }
}

TEST(ParseInteger, TakesOneWholeNumber) {
    EXPECT_EQ(parse_integer("-42").value(), -42);
    EXPECT_EQ(parse_integer("+7").value(), 7);
    for (const char* wrong : {"", "+", "+-1", "4.0", "4 ", "0x10", "9223372036854775808"}) {
        EXPECT_FALSE(parse_integer(wrong).has_value()) << wrong;
    }
}

TEST(FormatDuration, ShowsTwoUnitsAtMost) {
    EXPECT_EQ(format_duration(0ms), "0ms");
    EXPECT_EQ(format_duration(999ms), "999ms");
    EXPECT_EQ(format_duration(4290ms), "4.2s");
    EXPECT_EQ(format_duration(59'999ms), "59s");
    EXPECT_EQ(format_duration(192s), "3m 12s");
    EXPECT_EQ(format_duration(5h + 2min + 59s), "5h 2m");
    EXPECT_EQ(format_duration(52h + 10min), "2d 4h");
    EXPECT_EQ(format_duration(-350ms), "-350ms");
    EXPECT_EQ(format_duration(std::chrono::milliseconds::min()), "-106751991167d 7h");
}

TEST(FormatSize, HasOneDecimalFromKilobytesOn) {
    EXPECT_EQ(format_size(ByteCount(0)), "0 B");
    EXPECT_EQ(format_size(ByteCount(1023)), "1023 B");
    EXPECT_EQ(format_size(ByteCount(1024)), "1.0 KB");
    EXPECT_EQ(format_size(ByteCount(12'897'485)), "12.3 MB");
    EXPECT_EQ(format_size(ByteCount(1024 * 1024 - 1)), "1.0 MB");
    EXPECT_EQ(format_size(ByteCount::gib(1)), "1.0 GB");
}

TEST(ExactForms, ReadBackAsTheyWere) {
    for (const auto duration :
         {0ms, 1ms, 1600ms, 5000ms, 120'000ms, 3'600'000ms, 172'800'000ms, 90'000ms}) {
        EXPECT_EQ(parse_duration(exact_duration(duration)).value(), duration);
    }
    for (const std::int64_t bytes : {0L, 1L, 1024L, 16384L, 1048577L, 1L << 40}) {
        EXPECT_EQ(parse_size(exact_size(ByteCount(bytes))).value(), ByteCount(bytes));
    }
    EXPECT_EQ(exact_duration(1600ms), "1600ms");
    EXPECT_EQ(exact_duration(120s), "2m");
    EXPECT_EQ(exact_size(ByteCount(16384)), "16K");
}

TEST(Nearest, FindsTheLikelyMeaning) {
    const std::vector<std::string> verbs = {"start", "stop",     "restart", "delete",
                                            "list",  "describe", "logs"};
    EXPECT_EQ(nearest("strat", verbs), "start");
    EXPECT_EQ(nearest("LIST", verbs), "list");
    EXPECT_EQ(nearest("restat", verbs), "restart");
    EXPECT_EQ(nearest("log", verbs), "logs");
    EXPECT_EQ(nearest("desc", verbs), "describe");
    EXPECT_EQ(nearest("st", verbs), std::nullopt);
    EXPECT_EQ(nearest("frobnicate", verbs), std::nullopt);
    EXPECT_EQ(nearest("", verbs), std::nullopt);
    EXPECT_EQ(nearest(std::string(100'000, 'x'), verbs), std::nullopt);
    EXPECT_EQ(suggestion("strat", verbs), "; did you mean 'start'?");
    EXPECT_EQ(suggestion("frobnicate", verbs), "");
}

TEST(Utf8, ReplacesMaximalIllFormedSequencesOnly) {
    EXPECT_EQ(to_valid_utf8("grüße €𝄞"), "grüße €𝄞");
    EXPECT_EQ(to_valid_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
    EXPECT_EQ(to_valid_utf8("\xE2\x82"), "\xEF\xBF\xBD");
    EXPECT_EQ(to_valid_utf8("\xE2\x82z"), "\xEF\xBF\xBDz");
    // An overlong form, a surrogate and a value above U+10FFFF: each byte by itself.
    EXPECT_EQ(to_valid_utf8("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(to_valid_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(to_valid_utf8("\xF4\x90\x80\x80").size(), 12U);
    EXPECT_TRUE(is_valid_utf8("grüße"));
    EXPECT_FALSE(is_valid_utf8("gr\xFC"));
}

TEST(Utf8, GivesBackTheCodePointsThatWereAppended) {
    const std::u32string points(U"\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
                                10);
    std::string text;
    for (const char32_t point : points)
        append_utf8(text, point);
    EXPECT_TRUE(is_valid_utf8(text));

    std::u32string taken;
    for (std::string_view rest = text; !rest.empty();)
        taken += take_code_point(rest);

    EXPECT_EQ(taken, points);
}

TEST(ControlCharacters, AreC0AndDel) {
    EXPECT_TRUE(has_control_characters("a\nb"));
    EXPECT_TRUE(has_control_characters(std::string_view("a\0b", 3)));
    EXPECT_TRUE(has_control_characters("\x7F"));
    EXPECT_FALSE(has_control_characters("grüße !~"));
}

}  // namespace
}  // namespace zona::core
