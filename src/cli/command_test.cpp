#include "cli/command.h"

#include <gtest/gtest.h>

namespace zona::cli {
namespace {

Surroundings user() {
    Surroundings surroundings;
    surroundings.cwd = "/srv/app";
    surroundings.uid = 1000;
    surroundings.environment = {"HOME=/home/u"};
    return surroundings;
}

// PM-57
TEST(HomeOf, FlagGoesBeforeEnvironmentBeforeTheUsual) {
    Surroundings surroundings = user();
    EXPECT_EQ(home_of(surroundings, ""), "/home/u/.zona");
    surroundings.environment.emplace_back("ZONA_HOME=/z");
    EXPECT_EQ(home_of(surroundings, ""), "/z");
    EXPECT_EQ(home_of(surroundings, "/flag"), "/flag");
}

TEST(HomeOf, RootHasTheSystemsPlace) {
    Surroundings surroundings = user();
    surroundings.uid = 0;
    EXPECT_EQ(home_of(surroundings, ""), "/var/lib/zona");
}

TEST(HomeOf, UserDatabaseCountsWhenHomeIsNotSet) {
    Surroundings surroundings = user();
    surroundings.environment.clear();
    EXPECT_EQ(home_of(surroundings, ""), "");
    surroundings.user_home = "/home/db";
    EXPECT_EQ(home_of(surroundings, ""), "/home/db/.zona");
}

TEST(HomeOf, RelativePathsStartFromTheWorkingDirectory) {
    EXPECT_EQ(home_of(user(), "./.zona/"), "/srv/app/.zona");
    EXPECT_EQ(home_of(user(), "../x/./y"), "/srv/x/y");
    EXPECT_EQ(home_of(user(), "/"), "/");
}

}  // namespace
}  // namespace zona::cli
