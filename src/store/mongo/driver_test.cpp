// The driver as the product has it: loaded from the shared object.
#include <gtest/gtest.h>

#include "store/mongo/testing/mongo_fixture.h"

namespace zona::store {
namespace {

class MongoDriverTest : public MongoTest {};

TEST_F(MongoDriverTest, IsLoadedAndWorks) {
    MongoHome home;

    ASSERT_TRUE(probe_mongo(home.options()).has_value());
    const auto database = open_mongo(home.options(), home.clock, home.log.logger("store"));

    ASSERT_TRUE(database.has_value()) << database.error().message();
    const Collection tasks(tasks_spec(), Scope::tenant("acme").value());
    ASSERT_TRUE(write_and_wait(**database, [&](Writer& w) {
                    return w.insert(tasks, 1, task("open"));
                }).has_value());
    const auto found = read_and_wait(**database, [&](Reader& r) { return r.find(tasks, 1); });
    EXPECT_EQ(*found.value()->document, task("open"));
}

}  // namespace
}  // namespace zona::store
