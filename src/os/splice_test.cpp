#include "os/splice.h"

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/fd.h"

namespace zona::os {
namespace {

class SplicePipe : public testing::Test {
  protected:
    void put(std::string_view text) { ASSERT_TRUE(write_all(pipe_.write.get(), text)); }
    std::string content() {
        std::string text(200'000, '\0');
        const auto n = read_at(file_.get(), std::as_writable_bytes(std::span(text)), 0);
        text.resize(n.value());
        return text;
    }
    Pipe pipe_ = make_pipe(O_NONBLOCK).value();
    UniqueFd file_ = UniqueFd::adopt(::memfd_create("splice-test", MFD_CLOEXEC));
};

TEST_F(SplicePipe, MovesUpToTheAskedLengthToTheOffset) {
    put("abcdef");

    const Transfer moved = splice_to_file(pipe_.read.get(), file_.get(), 2, 4);

    EXPECT_EQ(moved.bytes, 4U);
    EXPECT_EQ(content(), std::string("\0\0abcd", 6));
    EXPECT_EQ(bytes_in_pipe(pipe_.read.get()), 2U);
}

TEST_F(SplicePipe, SaysAgainWhenNothingIsThere) {
    EXPECT_EQ(splice_to_file(pipe_.read.get(), file_.get(), 0, 10).error_number, EAGAIN);
    EXPECT_EQ(tee_pipe(pipe_.read.get(), pipe_.write.get(), 0).bytes, 0U);
    EXPECT_EQ(bytes_in_pipe(pipe_.read.get()), 0U);
}

TEST_F(SplicePipe, SaysInvalidForAFileOpenedToAppend) {
    const UniqueFd append =
        open_file("/proc/self/fd/" + std::to_string(file_.get()), O_WRONLY | O_APPEND).value();
    put("abc");

    const Transfer moved = splice_to_file(pipe_.read.get(), append.get(), 0, 3);

    EXPECT_EQ(moved.error_number, EINVAL);
    EXPECT_EQ(bytes_in_pipe(pipe_.read.get()), 3U);
}

TEST_F(SplicePipe, KeepsTheBytesWhenTheTargetIsFull) {
    const UniqueFd full = open_file("/dev/full", O_WRONLY).value();
    const std::array<std::byte, 3> data{};

    EXPECT_EQ(write_once_at(full.get(), data, 0).error_number, ENOSPC);
}

TEST_F(SplicePipe, TeeLeavesTheSourceAsItWas) {
    const Pipe copy = make_pipe(O_NONBLOCK).value();
    put("abcdef");

    EXPECT_EQ(tee_pipe(pipe_.read.get(), copy.write.get(), 100).bytes, 6U);

    EXPECT_EQ(bytes_in_pipe(copy.read.get()), 6U);
    EXPECT_EQ(splice_to_file(pipe_.read.get(), file_.get(), 0, 100).bytes, 6U);
    EXPECT_EQ(content(), "abcdef");
}

TEST_F(SplicePipe, DeviceTakesBytesWithoutAnOffset) {
    const UniqueFd null = open_file("/dev/null", O_WRONLY).value();
    put("abcdef");

    EXPECT_EQ(splice_to_device(pipe_.read.get(), null.get(), 4).bytes, 4U);
    EXPECT_EQ(bytes_in_pipe(pipe_.read.get()), 2U);
}

TEST_F(SplicePipe, FullMeansNoFreeBufferEvenBelowTheCapacity) {
    EXPECT_FALSE(pipe_is_full(pipe_.write.get()));
    // Two of these never share a page, so each takes a buffer.
    const std::string odd(3000, 'x');
    std::size_t taken = 0;
    while (write_once(pipe_.write.get(), std::as_bytes(std::span(odd))).error_number == 0)
        taken += odd.size();

    EXPECT_TRUE(pipe_is_full(pipe_.write.get()));
    EXPECT_LT(taken, pipe_capacity(pipe_.write.get()));
    EXPECT_GT(grow_pipe(pipe_.write.get(), 1U << 18U), 65536U);
    EXPECT_FALSE(pipe_is_full(pipe_.write.get()));
}

TEST_F(SplicePipe, GrowKeepsTheOldCapacityWhenTheKernelRefuses) {
    const std::size_t before = pipe_capacity(pipe_.read.get());

    EXPECT_EQ(grow_pipe(pipe_.read.get(), std::size_t{1} << 31U), before);
}

}  // namespace
}  // namespace zona::os
