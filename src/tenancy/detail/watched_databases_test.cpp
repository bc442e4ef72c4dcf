#include "tenancy/detail/watched_databases.h"

#include <gmock/gmock.h>

#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using testing::AllOf;

class WatchedDatabasesTest : public OperationsTest {};

// OBS-04
TEST_P(WatchedDatabasesTest, PoolsOfTenantsAndOfTheCoreDatabaseAreShownAndItsQueriesMeasured) {
    fill();
    const std::string shown = platform_.metrics.render_prometheus();
    const std::string tenants = GetParam() == BuildType::kMssp ? "acme" : "shared";
    for (const std::string& name : {std::string("core"), tenants}) {
        EXPECT_THAT(shown, AllOf(HasSubstr("zona_database_connections{database=\"" + name + "\"}"),
                                 HasSubstr("{database=\"" + name + "\",outcome=\"committed\"}")));
    }
    EXPECT_THAT(shown, HasSubstr("zona_store_query_duration_seconds_count{collection=\"tenants\","
                                 "operation=\"insert\"}"));
}

INSTANTIATE_TEST_SUITE_P(BothModes, WatchedDatabasesTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
