// Every kind of query of the test collections with the plan that SQLite makes of it: each searches
// an index and none sorts or scans a table.
#include "store/detail/plan.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/layout.h"
#include "store/testing/sqlite_file.h"

namespace zona::store::detail {
namespace {

class QueryPlan : public testing::Test {
  protected:
    QueryPlan() {
        file_.open().value();
        connection_ = Connection::open({.path = file_.path()}, Access::kRead).value();
    }

    std::string explain(const std::string& sql) {
        Statement statement = connection_->prepare("EXPLAIN QUERY PLAN " + sql).value();
        std::string out;
        while (statement.step().value()) {
            if (!out.empty()) out += "; ";
            out += statement.text(3);
        }
        return out;
    }

    /// The plans of a query of a page, first and later, both ways, and of all its rows.
    std::vector<std::string> plans(const Query& query) {
        std::vector<std::string> out;
        const Layout layout(tasks_spec());
        const auto chosen = plan(tasks_spec(), query, Ordered::kYes);
        EXPECT_TRUE(chosen.has_value()) << chosen.error().message();
        for (const Direction direction : {Direction::kAscending, Direction::kDescending}) {
            for (const bool after : {false, true})
                out.push_back(explain(layout.select(*chosen, direction, after)));
        }
        const Plan unordered = plan(tasks_spec(), query, Ordered::kNo).value();
        out.push_back(explain(layout.select_unordered(unordered, "COUNT(*)")));
        out.push_back(explain(layout.select_unordered(unordered, Layout::row_columns())));
        return out;
    }

    SqliteFile file_;
    std::unique_ptr<Connection> connection_;
};

// DATA-39
TEST_F(QueryPlan, OfEveryQuerySearchesAnIndexAndNeverScansOrSorts) {
    const Path owner({"owner", "name"});
    const Filter open = Filter::eq("status", "open");
    const std::vector<Query> queries = {
        {},
        {.filter = Filter::negate(open), .walk = Walk::kAllow},
        {.filter = open},
        {.filter = open, .sort = {"priority"}},
        {.filter = Filter::all({open, Filter::eq("priority", 1)})},
        {.filter = Filter::all({open, Filter::gt("priority", 1)})},
        {.filter = Filter::all({open, Filter::gte("priority", 1), Filter::lt("priority", 5)})},
        {.filter = Filter::all({open, Filter::exists("tags", Exists::kYes)})},
        {.filter = Filter::in("status", {"open", "done", "failed"})},
        {.filter = Filter::in("status", {"open", "done"}), .sort = {"priority"}},
        {.filter = Filter::prefix("status", "op")},
        {.sort = {"score"}},
        {.filter = Filter::lte("score", 5)},
        {.filter = Filter::eq("email", "a@b")},
        {.filter = Filter::prefix("email", "a@")},
        {.filter = Filter::eq(owner, "ann")},
        {.filter = Filter::gte(owner, "ann")},
        {.filter = Filter::eq("flag", true)}};
    std::string listing;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        SCOPED_TRACE(i);
        for (const std::string& plan : plans(queries[i])) {
            listing += std::to_string(i) + ": " + plan + "\n";
            EXPECT_THAT(plan, testing::HasSubstr("SEARCH c_tasks USING"));
            EXPECT_THAT(plan, testing::Not(testing::HasSubstr("SCAN")));
            EXPECT_THAT(plan, testing::Not(testing::HasSubstr("TEMP B-TREE")));
            EXPECT_THAT(plan, testing::HasSubstr("(scope=?"));
        }
    }
    if (std::getenv("ZONA_TEST_LIST_PLANS") != nullptr) RecordProperty("plans", listing);
}

TEST_F(QueryPlan, OfALaterPageBeginsAtItsPlace) {
    const auto later = [&](const Query& query) { return plans(query)[1]; };

    // The place bounds the search itself, so that page 1,000 costs what page 1 does.
    EXPECT_EQ(later({.filter = Filter::eq("status", "open")}),
              "SEARCH c_tasks USING INDEX tasks.by_status (scope=? AND /status=? AND "
              "(created,id)>(?,?))");
    EXPECT_EQ(
        later({.filter = Filter::all({Filter::eq("status", "open"), Filter::gte("priority", 1)})}),
        "SEARCH c_tasks USING INDEX tasks.by_status_priority (scope=? AND /status=? AND "
        "(/priority,created,id)>(?,?,?))");
    EXPECT_EQ(
        later({.filter = Filter::gte("score", 1)}),
        "SEARCH c_tasks USING INDEX tasks.by_score (scope=? AND (/score,created,id)>(?,?,?))");
    EXPECT_EQ(later({}),
              "SEARCH c_tasks USING INDEX tasks.by_created (scope=? AND "
              "(created,id)>(?,?))");
}

TEST_F(QueryPlan, OfACountReadsTheIndexAlone) {
    EXPECT_EQ(plans({.filter = Filter::eq("status", "open")})[4],
              "SEARCH c_tasks USING COVERING INDEX tasks.by_status (scope=? AND /status=?)");
}

// DATA-39
TEST_F(QueryPlan, OfASearchAsksTheIndexOfWords) {
    const Layout layout(tasks_spec());
    // FTS5 says with M that it is given what is to match.
    EXPECT_THAT(explain(layout.find_words()),
                testing::MatchesRegex("SCAN w_tasks\\. VIRTUAL TABLE INDEX 0:M[0-9]+"));
    const Plan chosen =
        plan(tasks_spec(), {.filter = Filter::search(tasks_spec().search, "Full dis*")},
             Ordered::kYes)
            .value();
    EXPECT_THAT(chosen.words, testing::ElementsAre("full", "dis*"));
    EXPECT_EQ(chosen.index->name, "by_created");
    EXPECT_FALSE(chosen.exact);
}

TEST_F(QueryPlan, OfSingleDocumentsSearchesTheirKey) {
    const Layout layout(tasks_spec());
    const std::string by_key = "SEARCH c_tasks USING INTEGER PRIMARY KEY (rowid=?)";

    EXPECT_EQ(explain(layout.find()), "SEARCH c_tasks USING INDEX tasks.id (scope=? AND id=?)");
    EXPECT_EQ(explain(layout.find_foreign()),
              "SEARCH c_tasks USING INDEX tasks..foreign (scope=?)");
    for (const std::string* sql :
         {&layout.find_row(), &layout.update(), &layout.update_body(), &layout.remove()})
        EXPECT_EQ(explain(*sql), by_key);
}

}  // namespace
}  // namespace zona::store::detail
