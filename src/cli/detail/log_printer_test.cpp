#include "cli/detail/log_printer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/testing/fakes.h"

namespace zona::cli {
namespace {

std::string line(int pm_id, const std::string& stream, const std::string& text) {
    return fmt::format(
        R"({{"pm_id":{},"name":"p{}","instance":0,"stream":"{}","time":null,"line":"{}"}})"
        "\n",
        pm_id, pm_id, stream, text);
}

std::string cursor(const std::string& at) {
    return R"({"cursor":")" + at + "\"}\n";
}

std::vector<Process> two_processes() {
    std::vector<Process> processes(2);
    for (int i = 0; i < 2; ++i) {
        Process& process = processes[static_cast<std::size_t>(i)];
        process.pm_id = i;
        process.name = fmt::format("p{}", i);
        process.out_file = fmt::format("/l/p{}-out.log", i);
        process.error_file = fmt::format("/l/p{}-error.log", i);
    }
    return processes;
}

class LogPrinterTest : public testing::Test {
  protected:
    LogPrinter printer(LogsOptions options = {}, OutputFormat format = OutputFormat::kText) {
        return LogPrinter(options, format, two_processes(), console_);
    }
    RecordingConsole console_;
};

TEST_F(LogPrinterTest, HistoryStandsFileByFileUnderHeaders) {
    LogPrinter printer = this->printer();

    ASSERT_TRUE(printer.feed(line(0, "out", "a") + line(1, "out", "x") + line(0, "err", "bad") +
                             line(0, "out", "b")));
    EXPECT_EQ(console_.printed(), "") << "held back until it is complete";
    ASSERT_TRUE(printer.feed(cursor("c1") + line(1, "out", "y")));

    EXPECT_EQ(console_.printed(),
              "/l/p0-out.log:\n0|p0 | a\n0|p0 | b\n"
              "/l/p1-out.log:\n1|p1 | x\n"
              "/l/p0-error.log:\n0|p0 | bad\n"
              "1|p1 | y\n");
}

TEST_F(LogPrinterTest, LinesMayArriveInAnyPortions) {
    LogPrinter printer = this->printer({.prefix = LogPrefix::kRaw});
    const std::string bytes = cursor("c1") + line(0, "out", "one") + line(0, "out", "two");

    for (const char byte : bytes)
        ASSERT_TRUE(printer.feed(std::string(1, byte)));

    EXPECT_EQ(console_.printed(), "one\ntwo\n");
}

// PM-57
TEST_F(LogPrinterTest, LosesAndRepeatsNothingOverABrokenConnection) {
    LogPrinter printer = this->printer({.prefix = LogPrefix::kRaw});
    ASSERT_TRUE(printer.feed(cursor("c1") + line(0, "out", "1") + line(1, "out", "x") +
                             line(0, "out", "2") + R"({"pm_id":0,"na)"));

    printer.begin_again();
    EXPECT_EQ(printer.cursor(), "c1");
    EXPECT_TRUE(printer.can_resume());
    // The same lines again, in another order between the files, then new ones.
    ASSERT_TRUE(printer.feed(line(1, "out", "x") + line(1, "out", "y") + line(0, "out", "1") +
                             line(0, "out", "2") + line(0, "out", "3")));

    EXPECT_EQ(console_.printed(), "1\nx\n2\ny\n3\n");
}

TEST_F(LogPrinterTest, CursorInsideOfWhatIsRepeatedKeepsTheCount) {
    LogPrinter printer = this->printer({.prefix = LogPrefix::kRaw});
    ASSERT_TRUE(printer.feed(cursor("c1") + line(0, "out", "1") + line(0, "out", "2") +
                             line(0, "out", "3")));

    printer.begin_again();
    ASSERT_TRUE(printer.feed(line(0, "out", "1") + cursor("c2") + line(0, "out", "2")));
    printer.begin_again();
    EXPECT_EQ(printer.cursor(), "c2");
    ASSERT_TRUE(printer.feed(line(0, "out", "2") + line(0, "out", "3") + line(0, "out", "4")));

    EXPECT_EQ(console_.printed(), "1\n2\n3\n4\n");
}

TEST_F(LogPrinterTest, BreakInsideTheHistoryStartsItAnew) {
    LogPrinter printer = this->printer({.prefix = LogPrefix::kRaw});
    ASSERT_TRUE(printer.feed(line(0, "out", "1") + line(0, "out", "2")));

    printer.begin_again();
    EXPECT_EQ(printer.cursor(), "");
    ASSERT_TRUE(printer.feed(line(0, "out", "2") + line(0, "out", "3") + cursor("c1")));

    EXPECT_EQ(console_.printed(), "2\n3\n");
}

TEST_F(LogPrinterTest, JsonLinesPassAsTheyCameWithoutCursors) {
    LogPrinter printer = this->printer({}, OutputFormat::kJson);
    const std::string one = line(0, "out", "\\u001b[2J");

    ASSERT_TRUE(printer.feed(one + cursor("c1") + one));

    EXPECT_EQ(console_.printed(), one + one);
}

TEST_F(LogPrinterTest, NamesArePaddedToTheLongest) {
    LogPrinter printer = this->printer();
    printer.release();

    ASSERT_TRUE(printer.feed(R"({"pm_id":7,"name":"long-name","stream":"out","line":"a"})"
                             "\n" +
                             line(0, "out", "b")));

    EXPECT_EQ(console_.printed(), "7|long-name | a\n0|p0        | b\n");
}

TEST_F(LogPrinterTest, TerminalSequencesInLinesAreShownNotObeyed) {
    LogPrinter printer = this->printer();
    printer.release();

    ASSERT_TRUE(printer.feed(line(0, "out", "\\u001b[31mred\\u001b[2J")));

    EXPECT_EQ(console_.printed(), "0|p0 | red\\x1b[2J\n");
}

TEST_F(LogPrinterTest, RawLinesGoUnchangedIntoAPipeOnly) {
    LogPrinter piped = this->printer({.prefix = LogPrefix::kRaw});
    piped.release();
    ASSERT_TRUE(piped.feed(line(0, "out", "\\u001b[2Jx")));
    EXPECT_EQ(console_.printed(), "\x1b[2Jx\n");

    Screen screen;
    screen.out_is_terminal = true;
    RecordingConsole terminal(screen);
    LogPrinter shown({.prefix = LogPrefix::kRaw}, OutputFormat::kText, {}, terminal);
    shown.release();
    ASSERT_TRUE(shown.feed(line(0, "out", "\\u001b[2Jx")));
    EXPECT_EQ(terminal.printed(), "\\x1b[2Jx\n");
}

TEST_F(LogPrinterTest, LineThatIsNoObjectIsAnError) {
    LogPrinter printer = this->printer();
    EXPECT_EQ(printer.feed("[]\n").error().code(), core::Code::kInternal);
}

}  // namespace
}  // namespace zona::cli
