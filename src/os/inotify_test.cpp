#include "os/inotify.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace zona::os {
namespace {

namespace fs = std::filesystem;

class InotifyTest : public ::testing::Test {
  protected:
    InotifyTest()
        : directory_(fs::temp_directory_path() / fmt::format("zona-inotify-{}", ::getpid())) {
        fs::create_directories(directory_);
    }
    ~InotifyTest() override { fs::remove_all(directory_); }
    void append(const std::string& name) const {
        std::ofstream(directory_ / name, std::ios::app) << "line\n";
    }

    fs::path directory_;
    Inotify inotify_ = *Inotify::open();
};

TEST_F(InotifyTest, HasNothingBeforeAnythingHappens) {
    ASSERT_TRUE(inotify_.add(directory_, IN_MODIFY));

    EXPECT_TRUE(inotify_.take()->empty());
}

TEST_F(InotifyTest, TellsWhichEntryOfADirectoryChanged) {
    const int watch = *inotify_.add(directory_, IN_CREATE | IN_MODIFY);

    append("some.log");

    const auto events = *inotify_.take();
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].watch, watch);
    EXPECT_EQ(events[0].mask, static_cast<std::uint32_t>(IN_CREATE));
    EXPECT_EQ(events[0].name, "some.log");
    EXPECT_EQ(events[1].mask, static_cast<std::uint32_t>(IN_MODIFY));
    EXPECT_FALSE(events[1].overflow());
    EXPECT_TRUE(inotify_.take()->empty());
}

TEST_F(InotifyTest, PairsTheTwoEventsOfARename) {
    append("a");
    ASSERT_TRUE(inotify_.add(directory_, IN_MOVE));

    fs::rename(directory_ / "a", directory_ / "b");

    const auto events = *inotify_.take();
    ASSERT_EQ(events.size(), 2U);
    EXPECT_NE(events[0].cookie, 0U);
    EXPECT_EQ(events[0].cookie, events[1].cookie);
    EXPECT_EQ(events[1].name, "b");
}

TEST_F(InotifyTest, TakesMoreEventsThanOneReadHolds) {
    ASSERT_TRUE(inotify_.add(directory_, IN_CREATE));

    for (int i = 0; i < 600; ++i)
        append(fmt::format("a-file-with-a-rather-long-name-{}", i));

    EXPECT_EQ(inotify_.take()->size(), 600U);
}

TEST_F(InotifyTest, EndsAWatchAndToleratesOneThatHasEnded) {
    const int watch = *inotify_.add(directory_, IN_CREATE);

    EXPECT_TRUE(inotify_.remove(watch));
    EXPECT_TRUE(inotify_.remove(watch));
    append("unseen");

    const auto events = *inotify_.take();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].mask, static_cast<std::uint32_t>(IN_IGNORED));
}

TEST_F(InotifyTest, NamesThePathThatIsNotThere) {
    const auto watch = inotify_.add("/nonexistent/log", IN_MODIFY);

    ASSERT_FALSE(watch);
    EXPECT_EQ(watch.error().code(), core::Code::kNotFound);
    EXPECT_NE(watch.error().message().find("/nonexistent/log"), std::string::npos);
}

}  // namespace
}  // namespace zona::os
