#include <algorithm>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "tenancy/core_collections.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;

const store::CollectionSpec& named(const std::vector<const store::CollectionSpec*>& all,
                                   std::string_view name) {
    return **std::ranges::find(all, name, [](const auto* spec) { return spec->name; });
}

std::vector<std::string> names_of(const std::vector<const store::CollectionSpec*>& all) {
    std::vector<std::string> out;
    for (const store::CollectionSpec* spec : all)
        out.push_back(spec->name);
    return out;
}

class TenantCollectionsTest : public testing::Test {
  protected:
    Result<store::Record> insert(const char* collection, const char* document) {
        return store::write_and_wait(database_, [&](store::Writer& w) {
            return w.insert({named(tenant_collections(), collection), scope_}, ++id_,
                            json::parse(document).get_object());
        });
    }
    Code refused(const char* collection, const char* document) {
        const auto stored = insert(collection, document);
        return stored ? Code{} : stored.error().code();
    }

    core::FakeClock clock_;
    store::MemoryDatabase database_{tenant_collections(), core::Secret(std::string(32, 'k')),
                                    clock_};
    const store::Scope scope_ = store::Scope::tenant("acme").value();
    std::int64_t id_ = 0;
};

// TEN-07
TEST(CoreCollections, AreThoseOfTheSpecification) {
    const std::vector<std::string> names = names_of(core_collections());
    for (const char* name : {"tenants", "license_info", "counters", "system_config"})
        EXPECT_EQ(std::ranges::count(names, name), 1) << name;
    for (const store::CollectionSpec* spec : core_collections())
        EXPECT_TRUE(store::validate(*spec).has_value()) << spec->name;
}

// TEN-08, TEN-09
TEST_F(TenantCollectionsTest, AreThoseOfTheSpecification) {
    const std::vector<std::string> names = names_of(tenant_collections());
    for (const char* name :
         {"integrations", "tasks", "active_instances", "events", "execution_history"})
        EXPECT_EQ(std::ranges::count(names, name), 1) << name;
    for (const store::CollectionSpec* spec : tenant_collections()) {
        EXPECT_TRUE(store::validate(*spec).has_value()) << spec->name;
        if (spec->retention) EXPECT_TRUE(spec->indexes.front().fields.empty()) << spec->name;
    }
}

// TEN-08
TEST_F(TenantCollectionsTest, FieldsHaveTheTypesAndStatesOfTheSpecification) {
    EXPECT_TRUE(insert("integrations", R"({"integration_id":1,"title":"t","description":"d",
        "version":"1","category":"c","tenant_code":"acme","fields":[{"id":"url"}],
        "status":"draft","logo":"l.png","generic_app":false,"user_id":3,"add_instance":true,
        "created_ts":1,"updated_ts":2,"metadata":{"tags":["x"]}})"));
    EXPECT_TRUE(insert("tasks", R"({"id":1,"integration_id":1,"name":"n","task_tag":"tag",
        "task_handler":"H","fields":{},"status":"active","tenant_code":"acme",
        "ingest_cases":false,"case_ingestion_config":{},"events_api_config":{},"logo_path":"l",
        "execution_order":1,"validation_rules":{},"error_handling":{},"created_ts":1,
        "updated_ts":2})"));
    EXPECT_TRUE(insert("active_instances", R"({"instance_id":1,"integration_id":1,"title":"t",
        "tenant_code":"acme","fields":{},"status":"maintenance","base_url":"https://x",
        "credentials_id":1,"user_id":1,"is_encrypted":true,"health_check_config":{},
        "rate_limiting":{},"monitoring_settings":{},"created_ts":1,"updated_ts":2,
        "last_health_check":3})"));
    EXPECT_TRUE(insert("execution_history", R"({"id":"a","instance_id":1,"tenant_code":"acme",
        "start_time":1,"end_time":2,"status":"timeout","results":[1],"error_details":{},
        "records_processed":4,"performance_metrics":{},"system_resources":{}})"));
    EXPECT_TRUE(insert("events", R"({"event_id":"e","tenant_code":"acme","instance_id":1,
        "occurred_at":1,"severity":"high","status":"new","payload":{},"alert_history":[]})"));

    EXPECT_EQ(refused("integrations", R"({"status":"gone"})"), Code::kInvalidArgument);
    EXPECT_EQ(refused("tasks", R"({"execution_order":"first"})"), Code::kInvalidArgument);
    EXPECT_EQ(refused("active_instances", R"({"is_encrypted":"yes"})"), Code::kInvalidArgument);
    EXPECT_EQ(refused("execution_history", R"({"status":"ok"})"), Code::kInvalidArgument);
    EXPECT_EQ(refused("tasks", R"({"task_tag":"tag"})"), Code::kConflict);
}

// DATA-39
TEST_F(TenantCollectionsTest, TheirCommonQueriesAreServedByIndexes) {
    using store::Filter;
    const auto search = [](const char* name) {
        return Filter::search(named(tenant_collections(), name).search, "disk full");
    };
    const std::tuple<const char*, Filter, const char*> queries[] = {
        {"tasks", Filter::eq("integration_id", 1), "execution_order"},
        {"tasks", Filter::eq("task_tag", "tag"), nullptr},
        {"active_instances", Filter::eq("integration_id", 1), nullptr},
        {"execution_history", Filter::eq("instance_id", 1), nullptr},
        {"events", Filter::eq("instance_id", 1), nullptr},
        {"integrations", Filter::eq("status", "active"), nullptr},
        {"integrations", search("integrations"), nullptr},
        {"tasks", search("tasks"), nullptr},
        {"active_instances", search("active_instances"), nullptr},
        {"events", search("events"), nullptr}};
    for (const auto& [name, filter, sort] : queries) {
        store::Query query{.filter = filter};
        // A sparse index serves what binds all of its fields.
        if (sort != nullptr) query.filter = Filter::all({filter, Filter::gte(sort, 0)});
        if (sort != nullptr) query.sort = {store::Path(sort)};
        const auto page = store::read_and_wait(database_, [&](store::Reader& r) {
            return r.find_page({named(tenant_collections(), name), scope_}, query, {});
        });
        EXPECT_TRUE(page.has_value()) << name << ": " << page.error().message();
    }
}

}  // namespace
}  // namespace zona::tenancy
