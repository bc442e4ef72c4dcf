#include "os/terminal.h"

#include <cstdlib>
#include <future>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "os/fd.h"

namespace zona::os {
namespace {

using std::chrono::nanoseconds;

TEST(Terminal, HasTheWidthOfItsWindow) {
    const auto terminal = UniqueFd::adopt(posix_openpt(O_RDWR | O_NOCTTY));
    ASSERT_TRUE(terminal.valid());
    const winsize size{24, 132, 0, 0};
    ASSERT_EQ(ioctl(terminal.get(), TIOCSWINSZ, &size), 0);

    EXPECT_TRUE(is_terminal(terminal.get()));
    EXPECT_EQ(terminal_columns(terminal.get()), 132U);
}

TEST(Terminal, PipeIsNone) {
    const auto pipe = make_pipe();

    EXPECT_FALSE(is_terminal(pipe->write.get()));
    EXPECT_EQ(terminal_columns(pipe->write.get()), std::nullopt);
}

/// A terminal, and who sits at it.
class UnseenLine : public testing::Test {
  protected:
    UnseenLine() {
        EXPECT_EQ(grantpt(person_.get()), 0);
        EXPECT_EQ(unlockpt(person_.get()), 0);
        terminal_ = UniqueFd::adopt(open(ptsname(person_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
        EXPECT_EQ(tcgetattr(terminal_.get(), &before_), 0);
    }
    /// What is read when this is typed after the question.
    core::Result<core::Secret> type(const std::string& text) {
        auto answer = std::async(std::launch::async, [this] {
            return read_unseen(terminal_.get(), terminal_.get(), "password: ");
        });
        std::string seen;
        while (!seen.ends_with("password: "))
            seen += next();
        EXPECT_TRUE(write_all(person_.get(), text));
        auto line = answer.get();
        while (!seen.ends_with('\n'))
            seen += next();
        EXPECT_EQ(seen, "password: \r\n") << "nothing of it is shown";
        termios now{};
        EXPECT_EQ(tcgetattr(terminal_.get(), &now), 0);
        EXPECT_EQ(now.c_lflag, before_.c_lflag);
        return line;
    }

  private:
    char next() {
        std::byte byte{};
        EXPECT_EQ(read_some(person_.get(), std::span(&byte, 1)).value(), 1U);
        return static_cast<char>(byte);
    }

    UniqueFd person_ = UniqueFd::adopt(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    UniqueFd terminal_;
    termios before_{};
};

TEST_F(UnseenLine, IsReadAndNotShown) {
    EXPECT_EQ(type("tulip orbit\n").value().reveal(), "tulip orbit");
    EXPECT_EQ(type("\r").value().reveal(), "");
    EXPECT_EQ(type("wrong\x15ka\u00e4\x7f\x7fy\n").value().reveal(), "ky") << "as it was mended";
    EXPECT_EQ(type("tulip\x04").value().reveal(), "tulip");
}

TEST_F(UnseenLine, EndsWithoutOneWhenItIsInterrupted) {
    for (const std::string text : {"tulip\x03", "\x04"})
        EXPECT_EQ(type(text).error().code(), core::Code::kCancelled);
    EXPECT_EQ(type(std::string(1025, 'x')).error().code(), core::Code::kTooLarge);
}

TEST(Terminal, NobodyIsAskedWhereThereIsNone) {
    const auto pipe = make_pipe();
    EXPECT_FALSE(read_unseen(pipe->read.get(), pipe->write.get(), "password: "));
}

TEST(WaitReadable, NamesTheDescriptorThatHasData) {
    const auto quiet = make_pipe();
    const auto busy = make_pipe();
    ASSERT_TRUE(write_all(busy->write.get(), "x"));

    const int fds[] = {-1, quiet->read.get(), busy->read.get()};
    const auto ready = wait_readable(fds, std::nullopt);

    ASSERT_TRUE(ready.has_value());
    EXPECT_EQ(*ready, std::optional<std::size_t>(2));
}

TEST(WaitReadable, EndOfFileCountsAsReadable) {
    auto pipe = make_pipe();
    pipe->write.reset();

    const int fds[] = {pipe->read.get()};
    EXPECT_EQ(wait_readable(fds, std::nullopt).value(), std::optional<std::size_t>(0));
}

TEST(WaitReadable, EndsWhenTheTimeIsOver) {
    const auto quiet = make_pipe();

    const int fds[] = {quiet->read.get()};
    EXPECT_EQ(wait_readable(fds, nanoseconds(1)).value(), std::nullopt);
}

}  // namespace
}  // namespace zona::os
