#include "store/query_meter.h"

#include <gmock/gmock.h>

#include "core/testing/memory_log.h"
#include "store/blocking.h"
#include "store/testing/contract.h"
#include "store/testing/memory_database.h"

namespace zona::store {
namespace {

using testing::HasSubstr;
using testing::Not;

class QueryMeterTest : public testing::Test {
  protected:
    template <class Body>
    auto read(Body body) {
        return read_and_wait(database_,
                             [&](Reader& reader) { return body(*meter_.measure(reader)); });
    }
    template <class Body>
    auto write(Body body) {
        return write_and_wait(database_,
                              [&](Writer& writer) { return body(*meter_.measure(writer)); });
    }
    std::uint64_t counted(const char* name, const char* label, const char* value) {
        return metrics_.counter(name, "Help.", {{"collection", tasks_.name()}, {label, value}})
            .value();
    }

    core::FakeClock clock_;
    core::MemoryLog log_;
    core::MetricRegistry metrics_;
    MemoryDatabase database_{test_specs(), core::Secret(std::string(32, 'k')), clock_};
    QueryMeter meter_{test_specs(), metrics_, clock_, log_.logger()};
    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
};

// OBS-04
TEST_F(QueryMeterTest, CountsTimeResultsFailuresAndTheIndexThatServed) {
    for (int id = 1; id <= 3; ++id) {
        ASSERT_TRUE(write([&](Writer& w) { return w.insert(tasks_, id, task("open")); }));
    }
    EXPECT_FALSE(write([&](Writer& w) { return w.insert(tasks_, 1, task("open")); }));
    const Query open{.filter = Filter::eq("status", "open")};
    ASSERT_EQ(read([&](Reader& r) { return r.find_page(tasks_, open, {}); })->records.size(), 3U);
    ASSERT_TRUE(read([&](Reader& r) {
        clock_.advance(std::chrono::milliseconds(2));
        return r.find(tasks_, 1);
    }));

    EXPECT_EQ(counted("zona_store_query_documents_total", "operation", "insert"), 3U);
    EXPECT_EQ(counted("zona_store_query_failures_total", "operation", "insert"), 1U);
    EXPECT_EQ(counted("zona_store_query_documents_total", "operation", "find_page"), 3U);
    std::uint64_t served = 0;
    for (const IndexSpec& index : tasks_.spec().indexes)
        served += counted("zona_store_index_queries_total", "index", index.name.c_str());
    EXPECT_EQ(served, 1U);
    EXPECT_THAT(metrics_.render_prometheus(),
                HasSubstr("zona_store_query_duration_seconds_count{collection=\"" + tasks_.name() +
                          "\",operation=\"insert\"} 4"));
}

/// Takes as long as it is told.
class SlowReader final : public Reader {
  public:
    SlowReader(Reader& inner, core::FakeClock& clock, std::chrono::milliseconds time)
        : inner_(inner), clock_(clock), time_(time) {}
    Result<std::optional<Record>> find(const Collection& c, const Id& id) override {
        return inner_.find(c, id);
    }
    Result<std::optional<Record>> find_one(const Collection& c, const Query& q) override {
        return inner_.find_one(c, q);
    }
    Result<Page> find_page(const Collection& c, const Query& q, const PageRequest& p) override {
        clock_.advance(time_);
        return inner_.find_page(c, q, p);
    }
    Result<std::uint64_t> count(const Collection& c, const Query& q) override {
        return inner_.count(c, q);
    }
    Result<std::vector<Group>> aggregate(const Collection& c, const Aggregation& a) override {
        return inner_.aggregate(c, a);
    }
    Result<StorageUse> storage_use(const Scope& scope) override {
        return inner_.storage_use(scope);
    }

  private:
    Reader& inner_;
    core::FakeClock& clock_;
    std::chrono::milliseconds time_;
};

// OBS-04
TEST_F(QueryMeterTest, TellsSlowQueriesByTheirShapeAndNeverTheirValues) {
    meter_.set_slow(std::chrono::milliseconds(100));
    const Query query{.filter = Filter::all(
                          {Filter::eq("status", "hidden-value"), Filter::gte("priority", 918273)})};
    const auto ask = [&](int ms) {
        return read_and_wait(database_, [&](Reader& reader) {
            SlowReader slow(reader, clock_, std::chrono::milliseconds(ms));
            return meter_.measure(slow)->find_page(tasks_, query, {});
        });
    };
    ASSERT_TRUE(ask(99).has_value());
    EXPECT_FALSE(log_.has("a slow query"));
    ASSERT_TRUE(ask(100).has_value());
    ASSERT_TRUE(log_.has("a slow query"));
    const std::string line = log_.lines().back();
    EXPECT_THAT(line, HasSubstr("all(eq /status, gte /priority)"));
    EXPECT_THAT(line, HasSubstr("\"tenant\":\"acme\""));
    EXPECT_THAT(line, HasSubstr("\"index\":\""));
    EXPECT_THAT(line, HasSubstr("\"ms\":100"));
    EXPECT_THAT(line, Not(HasSubstr("hidden-value")));
    EXPECT_THAT(line, Not(HasSubstr("918273")));
    meter_.set_slow(std::chrono::milliseconds(0));
    const std::size_t lines = log_.lines().size();
    ASSERT_TRUE(ask(1000).has_value());
    EXPECT_EQ(log_.lines().size(), lines);
}

// SEC-19
TEST_F(QueryMeterTest, TellsEveryAccessWhereThatIsAskedForAndNeverAValue) {
    const QueryMeter all(test_specs(), metrics_, clock_, log_.logger(),
                         log_.logger("store.access"));
    const auto insert = [&] {
        return write_and_wait(database_, [&](Writer& writer) {
            return all.measure(writer)->insert(tasks_, 918273, task("open"));
        });
    };
    const Query query{.filter = Filter::eq("status", "hidden-value")};
    const auto ask = [&] {
        return read_and_wait(database_, [&](Reader& reader) {
            return all.measure(reader)->find_page(tasks_, query, {});
        });
    };
    ASSERT_TRUE(log_.logging().set_level("store.access", core::LogLevel::kInfo));
    ASSERT_TRUE(ask());
    EXPECT_TRUE(log_.lines().empty()) << "off until the level of the category is trace";

    ASSERT_TRUE(log_.logging().set_level("store.access", core::LogLevel::kTrace));
    ASSERT_TRUE(insert());
    ASSERT_FALSE(insert());
    ASSERT_TRUE(ask());
    const std::vector<std::string> lines = log_.lines();
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_THAT(lines[0], HasSubstr(R"("tenant":"acme")"));
    EXPECT_THAT(lines[0], HasSubstr(R"("kind":"change","operation":"insert","shape":"id")"));
    EXPECT_THAT(lines[0], HasSubstr(R"("documents":1,"outcome":"OK")"));
    EXPECT_THAT(lines[1], HasSubstr(R"("outcome":"CONFLICT")"));
    EXPECT_THAT(lines[2],
                HasSubstr(R"("kind":"read","operation":"find_page","shape":"eq /status")"));
    for (const std::string& line : lines) {
        EXPECT_THAT(line, HasSubstr(R"("category":"store.access")"));
        EXPECT_THAT(line, Not(HasSubstr("hidden-value")));
        EXPECT_THAT(line, Not(HasSubstr("918273")));
    }
}

TEST(QueryShape, HasFieldsKindsAndOrder) {
    EXPECT_EQ(shape_of(Query{}), "everything");
    EXPECT_EQ(shape_of(Query{.filter = Filter::negate(Filter::any(
                                 {Filter::in("a", {1, 2}), Filter::prefix("b", "secret"),
                                  Filter::exists("c", Exists::kYes)})),
                             .sort = {Path("a"), Path("b")},
                             .direction = Direction::kDescending}),
              "not(any(in /a, prefix /b, exists /c)) by /a, /b descending");
}

}  // namespace
}  // namespace zona::store
