// The contract of all backends: filters, orders, pages, aggregation.
#include <gmock/gmock.h>

#include "store/testing/contract.h"

namespace zona::store {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class StoreQuery : public StoreContract {
  protected:
    /// Ids 1 to 6, created one after the other.
    void SetUp() override {
        StoreContract::SetUp();
        if (IsSkipped()) return;
        std::int64_t id = 0;
        for (const char* text :
             {R"({"status":"open","priority":2,"score":2.5,"owner":{"name":"ann"}})",
              R"({"status":"done","priority":1,"score":-1,"flag":true})",
              R"({"status":"open","priority":1,"score":2,"tags":["x"]})",
              R"({"status":"open2","priority":1,"score":1e3,"flag":false})",
              R"({"status":"failed","priority":9,"score":0,"email":"x@y"})",
              R"({"status":"open","priority":1,"score":2.5,"owner":{"name":"anna"}})"}) {
            ASSERT_TRUE(insert(++id, parsed(text)).has_value());
            clock().advance(milliseconds(1));
        }
        // What belongs to others is in no answer.
        ASSERT_TRUE(insert(others_, 1, task("open", 1, 2)).has_value());
    }

    std::vector<std::string> walk(const Filter& filter) {
        return ids({.filter = filter, .walk = Walk::kAllow});
    }
};

TEST_P(StoreQuery, AnswersEachKindOfCondition) {
    EXPECT_THAT(ids({.filter = Filter::eq("status", "open")}), ElementsAre("1", "3", "6"));
    EXPECT_THAT(ids({.filter = Filter::in("status", {"done", "failed", "none", "done"})}),
                ElementsAre("2", "5"));
    EXPECT_THAT(ids({.filter = Filter::in("status", {})}), IsEmpty());
    EXPECT_THAT(ids({.filter = Filter::prefix("status", "open")}), ElementsAre("1", "3", "6", "4"));
    EXPECT_THAT(ids({.filter = Filter::gt("score", 2)}), ElementsAre("1", "6", "4"));
    EXPECT_THAT(ids({.filter = Filter::gte("score", 2.0)}), ElementsAre("3", "1", "6", "4"));
    EXPECT_THAT(ids({.filter = Filter::lt("score", 0)}), ElementsAre("2"));
    EXPECT_THAT(ids({.filter = Filter::all({Filter::lte("score", 2), Filter::gt("score", -1)})}),
                ElementsAre("5", "3"));
    EXPECT_THAT(ids({.filter = Filter::eq("flag", true)}), ElementsAre("2"));
    EXPECT_THAT(ids({.filter = Filter::prefix({"owner", "name"}, "ann")}), ElementsAre("1", "6"));
    EXPECT_THAT(ids({.filter = Filter::eq("email", "x@y")}), ElementsAre("5"));
    EXPECT_THAT(walk(Filter::ne("status", "open")), ElementsAre("2", "4", "5"));
    EXPECT_THAT(walk(Filter::exists("flag", Exists::kYes)), ElementsAre("2", "4"));
    EXPECT_THAT(walk(Filter::exists({"owner", "name"}, Exists::kNo)),
                ElementsAre("2", "3", "4", "5"));
    EXPECT_THAT(walk(Filter::any({Filter::eq("priority", 9), Filter::eq("flag", true)})),
                ElementsAre("2", "5"));
    EXPECT_THAT(walk(Filter::negate(Filter::gte("priority", 2))), ElementsAre("2", "3", "4", "6"));
    EXPECT_THAT(walk(Filter::eq("tags", json::array{"x"})), ElementsAre("3"));
    EXPECT_THAT(walk(Filter::any({})), IsEmpty());
}

TEST_P(StoreQuery, ComparesByKindAndNeverAcross) {
    EXPECT_THAT(ids({.filter = Filter::eq("score", 2)}), ElementsAre("3"));
    EXPECT_THAT(walk(Filter::eq("score", "2")), IsEmpty());
    EXPECT_THAT(walk(Filter::gt("status", 5)), IsEmpty());
    EXPECT_THAT(walk(Filter::lt("priority", "a")), IsEmpty());
    EXPECT_THAT(walk(Filter::eq("flag", 1)), IsEmpty());
    EXPECT_THAT(walk(Filter::eq("flag", nullptr)), IsEmpty());
}

TEST_P(StoreQuery, ChecksWhatTheIndexDoesNotAnswer) {
    const Filter filter =
        Filter::all({Filter::eq("status", "open"), Filter::exists("tags", Exists::kNo)});

    EXPECT_THAT(ids({.filter = filter}), ElementsAre("1", "6"));
    EXPECT_EQ(count({.filter = filter}), 2U);
}

TEST_P(StoreQuery, SortsByTheIndexAndThenByCreation) {
    const Filter open = Filter::eq("status", "open");

    EXPECT_THAT(ids({.filter = open, .sort = {"priority"}}), ElementsAre("3", "6", "1"));
    EXPECT_THAT(ids({.filter = open, .sort = {"priority"}, .direction = Direction::kDescending}),
                ElementsAre("1", "6", "3"));
    EXPECT_THAT(ids({.sort = {"score"}}), ElementsAre("2", "5", "3", "1", "6", "4"));
    EXPECT_THAT(ids({}), ElementsAre("1", "2", "3", "4", "5", "6"));
    EXPECT_THAT(ids({.filter = Filter::in("status", {"open", "done"}),
                     .direction = Direction::kDescending}),
                ElementsAre("6", "3", "2", "1"));
    EXPECT_THAT(
        ids({.filter = Filter::in("status", {"open", "failed", "done"}), .sort = {"priority"}}),
        ElementsAre("2", "3", "6", "1", "5"));
}

TEST_P(StoreQuery, RefusesWhatNoIndexServesAndSaysSo) {
    const auto code = [&](const Query& query) {
        const auto answer = page(query);
        return answer.has_value() ? Code::kInternal : answer.error().code();
    };

    EXPECT_EQ(code({.filter = Filter::eq("priority", 1)}), Code::kInvalidArgument);
    EXPECT_EQ(code({.sort = {"priority"}}), Code::kInvalidArgument);
    EXPECT_EQ(code({.filter = Filter::eq("status", "open"), .sort = {"score"}}),
              Code::kInvalidArgument);
    EXPECT_EQ(code({.sort = {"email"}}), Code::kInvalidArgument) << "a sparse index lacks some";
    EXPECT_NE(page({.filter = Filter::eq("priority", 1)}).error().message().find("/priority"),
              std::string::npos);
}

TEST_P(StoreQuery, RefusesFiltersOverTheirLimits) {
    Filter deep = Filter::eq("status", "open");
    for (std::size_t i = 0; i < kMaxFilterDepth; ++i)
        deep = Filter::negate(deep);
    const std::vector<Filter> many(kMaxConditions, Filter::eq("status", "open"));

    EXPECT_FALSE(page({.filter = deep, .walk = Walk::kAllow}).has_value());
    EXPECT_FALSE(page({.filter = Filter::any(many), .walk = Walk::kAllow}).has_value());
    EXPECT_FALSE(
        page({.filter = Filter::in("status", std::vector<Value>(65, "open"))}).has_value());
    EXPECT_FALSE(page({.filter = Filter::eq("score", std::uint64_t{1} << 63U)}).has_value());
    EXPECT_FALSE(page({}, {.limit = 0}).has_value());
    EXPECT_FALSE(page({}, {.limit = 1001}).has_value());
}

TEST_P(StoreQuery, GivesTheSameInPagesOfAnySize) {
    clock().set_system(core::SystemTime{});  // many of one moment: the id decides
    for (int i = 100; i < 130; ++i) {
        auto document = task(i % 3 == 0 ? "open" : "done", i % 4, i % 5);
        document["owner"] = {{"name", std::string(1, static_cast<char>('a' + i % 3))}};
        document["email"] = "e" + std::to_string(i);
        document["flag"] = i % 2 == 0;
        ASSERT_TRUE(insert(i % 2 == 0 ? Id(i) : Id(std::to_string(i)), document).has_value());
    }
    const std::vector<Query> queries = {
        {},
        {.direction = Direction::kDescending},
        {.filter = Filter::eq("status", "done")},
        {.filter = Filter::in("status", {"done", "open", "failed"})},
        {.filter = Filter::in("status", {"done", "open"}),
         .sort = {"priority"},
         .direction = Direction::kDescending},
        {.filter = Filter::eq("status", "done"), .sort = {"priority"}},
        {.sort = {"score"}, .direction = Direction::kDescending},
        {.filter = Filter::all({Filter::gte("score", 1), Filter::lt("score", 4)})},
        {.filter = Filter::all({Filter::gte("score", 1), Filter::lt("score", 4)}),
         .direction = Direction::kDescending},
        {.filter = Filter::gte({"owner", "name"}, "a")},
        {.filter = Filter::lt({"owner", "name"}, "c"), .direction = Direction::kDescending},
        {.filter = Filter::prefix("email", "e1")},
        {.filter = Filter::prefix("email", "e1"), .direction = Direction::kDescending},
        {.filter = Filter::in("email", {"e101", "e103", "e105", "e107", "e109", "e111", "e112",
                                        "e113", "e114", "e115", "e116", "x"})},
        {.filter = Filter::in("flag", {true, false})},
        {.filter = Filter::negate(Filter::eq("priority", 1)), .walk = Walk::kAllow}};

    for (std::size_t i = 0; i < queries.size(); ++i) {
        SCOPED_TRACE(i);
        const auto all = ids(queries[i], 1000);
        EXPECT_GT(all.size(), 10U);
        EXPECT_EQ(all.size(), count(queries[i]));
        for (const std::size_t limit : {1U, 2U, 7U})
            EXPECT_EQ(ids(queries[i], limit), all) << limit;
    }
}

TEST_P(StoreQuery, KeepsItsPlaceWhileDocumentsComeAndGo) {
    const auto first = page({}, {.limit = 3}).value();
    ASSERT_TRUE(write([&](Writer& w) { return w.remove(tasks_, 3); }).value());
    ASSERT_TRUE(write([&](Writer& w) { return w.remove(tasks_, 1); }).value());
    ASSERT_TRUE(insert(7, task("open")).has_value());

    const auto second = page({}, {.limit = 3, .token = first.next}).value();
    const auto third = page({}, {.limit = 3, .token = second.next}).value();

    ASSERT_EQ(second.records.size(), 3U);
    EXPECT_EQ(second.records.front().id, Id(4));
    ASSERT_EQ(third.records.size(), 1U);
    EXPECT_EQ(third.records.front().id, Id(7));
    EXPECT_EQ(third.next, "");
}

TEST_P(StoreQuery, RefusesAPageTokenThatIsNotOfThisQueryAndScope) {
    const Query query{.filter = Filter::eq("status", "open")};
    const std::string token = page(query, {.limit = 1}).value().next;
    ASSERT_NE(token, "");
    const auto refused = [&](const Query& other, const std::string& with,
                             const Collection& collection) {
        const auto answer = read(
            [&](Reader& r) { return r.find_page(collection, other, {.limit = 1, .token = with}); });
        return !answer.has_value() && answer.error().code() == Code::kInvalidArgument;
    };

    EXPECT_FALSE(refused(query, token, tasks_));
    EXPECT_TRUE(refused(query, token, others_)) << "another scope";
    EXPECT_TRUE(refused({.filter = Filter::eq("status", "done")}, token, tasks_));
    EXPECT_TRUE(
        refused({.filter = query.filter, .direction = Direction::kDescending}, token, tasks_));
    EXPECT_TRUE(refused({.filter = query.filter, .sort = {"priority"}}, token, tasks_));
    EXPECT_TRUE(refused(query, "x", tasks_));
    EXPECT_TRUE(refused(query, token + "A", tasks_));
    EXPECT_TRUE(refused(query, std::string(100000, 'A'), tasks_));
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string forged = token;
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        EXPECT_TRUE(refused(query, forged, tasks_)) << i;
    }
}

using Values = std::vector<std::optional<std::variant<std::int64_t, double>>>;

// DATA-43
TEST_P(StoreQuery, AddsUpByGroups) {
    using Kind = Measure::Kind;
    const Aggregation by_status{.group_by = "status",
                                .measures = {{.kind = Kind::kCount},
                                             {.kind = Kind::kSum, .path = "priority"},
                                             {.kind = Kind::kMin, .path = "score"},
                                             {.kind = Kind::kMax, .path = "score"},
                                             {.kind = Kind::kAverage, .path = "priority"},
                                             {.kind = Kind::kMax, .path = "nothing"}}};

    const auto groups = read([&](Reader& r) { return r.aggregate(tasks_, by_status); }).value();

    ASSERT_EQ(groups.size(), 4U);
    EXPECT_EQ(*groups[0].key, "done");
    EXPECT_EQ(*groups[2].key, "open");
    EXPECT_EQ(groups[2].values, (Values{3, 4, 2, 2.5, 4.0 / 3, std::nullopt}));

    const auto all =
        read([&](Reader& r) {
            return r.aggregate(tasks_, {.filter = Filter::eq("status", "open"),
                                        .measures = {{.kind = Kind::kSum, .path = "score"}}});
        }).value();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].key, nullptr);
    EXPECT_EQ(all[0].values, (Values{7.0}));
}

// DATA-43
TEST_P(StoreQuery, AddsUpWholeNumbersExactly) {
    using Kind = Measure::Kind;
    const Aggregation wanted{.filter = Filter::eq("status", "failed"),
                             .group_by = "status",
                             .measures = {{.kind = Kind::kSum, .path = "priority"},
                                          {.kind = Kind::kAverage, .path = "priority"},
                                          {.kind = Kind::kMin, .path = "priority"},
                                          {.kind = Kind::kMax, .path = "priority"},
                                          {.kind = Kind::kCount}}};
    const auto groups = [&] {
        return read([&](Reader& r) { return r.aggregate(tasks_, wanted); });
    };
    ASSERT_TRUE(write([&](Writer& w) { return w.remove_many(tasks_, {.filter = wanted.filter}); }));
    EXPECT_TRUE(groups()->empty());
    // On their way to the sum they are over 64 bits.
    int id = 100;
    for (const std::int64_t number : {INT64_MAX, INT64_MAX, INT64_MIN, INT64_MIN, std::int64_t{9}})
        ASSERT_TRUE(insert(id++, task("failed", number)).has_value());
    const double average = 7.0 / 5;
    EXPECT_EQ(groups()->at(0).values, (Values{7, average, INT64_MIN, INT64_MAX, 5}));
    ASSERT_TRUE(insert(id, task("failed", INT64_MAX - 6)).has_value());
    EXPECT_EQ(groups().error().code(), Code::kInvalidArgument) << "by one";
}

TEST_P(StoreQuery, RefusesAggregationsThatItCannotAnswer) {
    using Kind = Measure::Kind;
    const auto code = [&](const Aggregation& aggregation) {
        const auto answer = read([&](Reader& r) { return r.aggregate(tasks_, aggregation); });
        return answer.has_value() ? Code::kInternal : answer.error().code();
    };

    EXPECT_EQ(code({.group_by = "nothing"}), Code::kInvalidArgument);
    EXPECT_EQ(code({.measures = {{.kind = Kind::kSum}}}), Code::kInvalidArgument);
    EXPECT_EQ(code({.group_by = "status", .max_groups = 3}), Code::kTooLarge);
    ASSERT_TRUE(insert(90, task("done", INT64_MAX)).has_value());
    EXPECT_EQ(code({.measures = {{.kind = Kind::kSum, .path = "priority"}}}),
              Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreQuery, testing::ValuesIn(contract_backends()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace zona::store
