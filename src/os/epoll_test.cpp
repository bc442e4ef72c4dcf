#include "os/epoll.h"

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

namespace zona::os {
namespace {

constexpr std::chrono::nanoseconds kNow{0};

class EpollPipe : public testing::Test {
  protected:
    void put(std::string_view text) { ASSERT_TRUE(write_all(pipe_.write.get(), text)); }
    std::vector<std::uint64_t> ready() {
        const auto keys = epoll_.wait(kNow);
        return {keys.begin(), keys.end()};
    }
    Epoll epoll_ = Epoll::open().value();
    Pipe pipe_ = make_pipe(O_NONBLOCK).value();
};

TEST_F(EpollPipe, LevelIsReportedAsLongAsSomethingIsThere) {
    ASSERT_TRUE(epoll_.add(pipe_.read.get(), 7, Trigger::kLevel));
    EXPECT_TRUE(ready().empty());

    put("x");

    EXPECT_EQ(ready(), std::vector<std::uint64_t>{7});
    EXPECT_EQ(ready(), std::vector<std::uint64_t>{7});
}

TEST_F(EpollPipe, EdgeIsReportedOncePerArrivalAlsoWhenThePipeWasNotEmpty) {
    ASSERT_TRUE(epoll_.add(pipe_.read.get(), 7, Trigger::kEdge));
    put("x");
    EXPECT_EQ(ready().size(), 1U);
    EXPECT_TRUE(ready().empty());

    put("y");

    EXPECT_EQ(ready().size(), 1U);
    EXPECT_TRUE(ready().empty());
}

TEST_F(EpollPipe, OffIsNotReportedUntilChanged) {
    ASSERT_TRUE(epoll_.add(pipe_.read.get(), 7, Trigger::kLevel));
    ASSERT_TRUE(epoll_.change(pipe_.read.get(), 7, Trigger::kOff));
    put("x");
    EXPECT_TRUE(ready().empty());

    ASSERT_TRUE(epoll_.change(pipe_.read.get(), 8, Trigger::kEdge));

    EXPECT_EQ(ready(), std::vector<std::uint64_t>{8});
}

TEST_F(EpollPipe, RemovedIsNeverReported) {
    ASSERT_TRUE(epoll_.add(pipe_.read.get(), 7, Trigger::kLevel));
    put("x");

    epoll_.remove(pipe_.read.get());
    epoll_.remove(pipe_.read.get());

    EXPECT_TRUE(ready().empty());
}

TEST_F(EpollPipe, ErrorsNameTheReason) {
    ASSERT_TRUE(epoll_.add(pipe_.read.get(), 7, Trigger::kLevel));

    EXPECT_EQ(epoll_.add(pipe_.read.get(), 8, Trigger::kLevel).error().code(),
              core::Code::kConflict);
    EXPECT_EQ(epoll_.change(pipe_.write.get(), 8, Trigger::kLevel).error().code(),
              core::Code::kNotFound);
}

}  // namespace
}  // namespace zona::os
