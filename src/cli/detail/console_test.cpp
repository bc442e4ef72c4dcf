#include "cli/detail/console.h"

#include <array>

#include <gtest/gtest.h>

#include "cli/testing/fakes.h"

namespace zona::cli {
namespace {

Screen terminals() {
    Screen screen;
    screen.out_is_terminal = true;
    screen.err_is_terminal = true;
    screen.columns = 80;
    return screen;
}

TEST(ScreenOf, ColoursNeedATerminalAndNobodyAgainstThem) {
    const std::array plain = {std::string("TERM=xterm")};
    const std::array no_color = {std::string("TERM=xterm"), std::string("NO_COLOR=1")};
    const std::array dumb = {std::string("TERM=dumb")};

    EXPECT_TRUE(screen_of(plain, Colours::kWhenTerminal, terminals()).colours);
    EXPECT_FALSE(screen_of(plain, Colours::kNever, terminals()).colours);
    EXPECT_FALSE(screen_of(no_color, Colours::kWhenTerminal, terminals()).colours);
    EXPECT_FALSE(screen_of(dumb, Colours::kWhenTerminal, terminals()).colours);
    EXPECT_FALSE(screen_of(plain, Colours::kWhenTerminal, Screen{}).colours);
}

TEST(ScreenOf, EncodingIsThatOfTheFirstSetVariable) {
    const std::array utf8 = {std::string("LANG=de_DE.UTF-8")};
    const std::array overruled = {std::string("LANG=de_DE.UTF-8"), std::string("LC_ALL=C")};
    const std::array empty_first = {std::string("LC_ALL="), std::string("LC_CTYPE=C.utf8")};

    EXPECT_TRUE(screen_of(utf8, Colours::kNever, {}).unicode);
    EXPECT_FALSE(screen_of(overruled, Colours::kNever, {}).unicode);
    EXPECT_TRUE(screen_of(empty_first, Colours::kNever, {}).unicode);
    EXPECT_FALSE(screen_of({}, Colours::kNever, {}).unicode);
}

TEST(Console, SilentKeepsAnswersAndErrorsOnly) {
    RecordingConsole console({}, Talk::kSilent);

    console.out("answer\n");
    console.remark("table\n");
    console.note("note\n");
    console.error("error\n");

    EXPECT_EQ(console.printed(), "answer\n");
    EXPECT_EQ(console.told(), "error\n");
}

TEST(Console, ProgressIsShownOnATerminalOnlyAndTakenAway) {
    RecordingConsole shown(terminals());
    RecordingConsole not_shown;

    for (RecordingConsole* console : {&shown, &not_shown}) {
        console->progress("stopping ... 1 s");
        console->error("done\n");
    }

    EXPECT_EQ(shown.told(), "\r\x1b[Kstopping ... 1 s\r\x1b[Kdone\n");
    EXPECT_EQ(not_shown.told(), "done\n");
}

TEST(Console, KeepsWhyStdoutCannotBeWritten) {
    RecordingConsole console;
    console.close_out();

    console.out("lost");
    console.flush();

    ASSERT_TRUE(console.broken().has_value());
    EXPECT_EQ(console.broken()->system_error(), EPIPE);
}

}  // namespace
}  // namespace zona::cli
