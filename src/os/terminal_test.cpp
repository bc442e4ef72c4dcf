#include "os/terminal.h"

#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
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
