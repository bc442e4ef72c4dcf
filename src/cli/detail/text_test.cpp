#include "cli/detail/text.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "core/text.h"

namespace zona::cli {
namespace {

TEST(EscapeControl, ShowsWhatWouldMoveTheCursor) {
    EXPECT_EQ(escape_control("a\nb\tc\r"), "a\\nb\\tc\\r");
    EXPECT_EQ(escape_control("\x1b[2J"), "\\x1b[2J");
    EXPECT_EQ(escape_control("\xc2\x9b"
                             "2J"),
              "\\x9b2J")
        << "CSI of the C1 set";
    EXPECT_EQ(escape_control("\xe2\x80\xae"
                             "x"),
              "\\u{202e}x")
        << "right-to-left override";
    EXPECT_EQ(escape_control("\x7f"), "\\x7f");
}

TEST(EscapeControl, LeavesTextInAnyLanguage) {
    EXPECT_EQ(escape_control("grün 日本 🚀"), "grün 日本 🚀");
}

TEST(EscapeControl, ReplacesWhatIsNotUtf8) {
    EXPECT_EQ(escape_control("a\xff"
                             "b"),
              "a\xef\xbf\xbd"
              "b");
}

TEST(PrintableLine, KeepsColoursAndResetsThemBehindTheLine) {
    EXPECT_EQ(printable_line("\x1b[31mred", Sgr::kKeep), "\x1b[31mred\x1b[0m");
    EXPECT_EQ(printable_line("\x1b[1;38:5:2mx\x1b[0m", Sgr::kKeep),
              "\x1b[1;38:5:2mx\x1b[0m\x1b[0m");
}

TEST(PrintableLine, DropsColoursWhereTheyAreNotWanted) {
    EXPECT_EQ(printable_line("\x1b[31mred\x1b[0m", Sgr::kDrop), "red");
}

TEST(PrintableLine, EscapesEveryOtherSequence) {
    EXPECT_EQ(printable_line("\x1b[2Jx\x1b]0;title\x07", Sgr::kKeep),
              "\\x1b[2Jx\\x1b]0;title\\x07");
    EXPECT_EQ(printable_line("end\x1b", Sgr::kKeep), "end\\x1b");
    EXPECT_EQ(printable_line("\x1b[31", Sgr::kKeep), "\\x1b[31");
}

TEST(PrintableLine, KeepsTabsAndTakesTheCarriageReturnAtTheEnd) {
    EXPECT_EQ(printable_line("a\tb\r", Sgr::kDrop), "a\tb");
    EXPECT_EQ(printable_line("10%\r20%", Sgr::kDrop), "10%\\r20%");
}

TEST(PrintableLine, LetsNothingThroughThatMovesTheCursor) {
    std::minstd_rand random(7);
    for (int round = 0; round < 2000; ++round) {
        std::string line;
        for (int i = 0; i < 24; ++i) {
            constexpr std::string_view kLikely = "\x1b[]m;0123\xc2\x9b\x85\r\n\t\x08\x7f";
            line += random() % 2 == 0 ? kLikely[random() % kLikely.size()]
                                      : static_cast<char>(random() % 256);
        }
        const std::string shown = printable_line(line, Sgr::kDrop);
        EXPECT_TRUE(core::is_valid_utf8(shown));
        EXPECT_TRUE(std::ranges::none_of(shown, [](char c) {
            return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
        })) << escape_control(line);
        EXPECT_EQ(shown.find("\xc2\x9b"), std::string::npos);
    }
}

TEST(DisplayWidth, CountsColumns) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("grün"), 4U);
    EXPECT_EQ(display_width("日本"), 4U);
    EXPECT_EQ(display_width("e\xcc\x81"), 1U) << "a combining accent";
}

TEST(Shorten, PutsAnEllipsisWhereTheTextIsCut) {
    EXPECT_EQ(shorten("abcdef", 6, Ellipsis::kUnicode), "abcdef");
    EXPECT_EQ(shorten("abcdef", 4, Ellipsis::kUnicode), "abc…");
    EXPECT_EQ(shorten("abcdef", 4, Ellipsis::kAscii), "abc~");
    EXPECT_EQ(shorten("日本語", 4, Ellipsis::kAscii), "日~");
    EXPECT_EQ(shorten("abc", 0, Ellipsis::kAscii), "");
}

TEST(Wrap, BreaksAtSpaces) {
    EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
    EXPECT_EQ(wrap("extraordinary x", 5), (std::vector<std::string>{"extraordinary", "x"}));
    EXPECT_TRUE(wrap("", 5).empty());
}

TEST(CountOf, AgreesWithTheNumber) {
    EXPECT_EQ(count_of(1, "process"), "1 process");
    EXPECT_EQ(count_of(2, "process"), "2 processes");
    EXPECT_EQ(count_of(0, "line"), "0 lines");
}

}  // namespace
}  // namespace zona::cli
