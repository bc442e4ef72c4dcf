// The contract of all backends: whose data, and what data may be.
#include <bit>
#include <cmath>

#include <gmock/gmock.h>

#include "core/random.h"
#include "store/testing/contract.h"

namespace zona::store {
namespace {

// TEN-04, TEN-05
TEST_P(StoreContract, ShowsAScopeNothingOfAnother) {
    ASSERT_TRUE(insert(1, task("open")).has_value());
    ASSERT_TRUE(insert(others_, 2, task("open")).has_value());
    const Query open{.filter = Filter::eq("status", "open")};

    EXPECT_FALSE(find(others_, 1).has_value());
    EXPECT_EQ(ids(open), std::vector<std::string>{"1"});
    EXPECT_EQ(count({}), 1U);
    EXPECT_EQ(write([&](Writer& w) { return w.replace(others_, 1, task("done")); }).error().code(),
              Code::kNotFound);
    EXPECT_FALSE(write([&](Writer& w) { return w.remove(others_, 1); }).value());
    EXPECT_EQ(write([&](Writer& w) {
                  return w.update_many(others_, open, Update().set("status", "done"));
              }).value(),
              1U);
    EXPECT_EQ(write([&](Writer& w) { return w.remove_many(others_, {}); }).value(), 1U);
    EXPECT_EQ(find(1)->document->at("status"), "open");
}

// TEN-33
TEST_P(StoreContract, StampsWhatItWritesWhateverTheDocumentSays) {
    auto document = task("open");
    document["tenant_code"] = "globex";
    document["scope"] = "globex";
    document["owner"] = {{"name", "globex"}};

    ASSERT_TRUE(insert(1, document).has_value());

    EXPECT_EQ(find(1)->scope, acme());
    EXPECT_EQ(*find(1)->document, document);
    EXPECT_FALSE(find(others_, 1).has_value());
}

TEST_P(StoreContract, KeepsNumbersToTheLastBit) {
    core::SeededRandom random(11);
    auto document = task("open");
    boost::json::array& numbers = document["numbers"].emplace_array();
    while (numbers.size() < 500) {
        const auto number = std::bit_cast<double>(random.next());
        if (std::isfinite(number)) numbers.emplace_back(number);
    }

    ASSERT_TRUE(insert(1, document).has_value());

    EXPECT_EQ(*find(1)->document, document);
}

// TEN-32
TEST_P(StoreContract, RefusesAForeignDocumentThatComesBack) {
    ASSERT_TRUE(insert(1, task("open")).has_value());
    ASSERT_TRUE(insert(others_, 2, task("open", 1, 5)).has_value());
    backend().plant(tasks_, *find(others_, 2));
    const Query open{.filter = Filter::eq("status", "open")};

    const auto code = [](const auto& answer) {
        return answer.has_value() ? Code::kInternal : answer.error().code();
    };
    EXPECT_EQ(code(read([&](Reader& r) { return r.find(tasks_, 2); })), Code::kForbidden);
    EXPECT_EQ(code(page(open)), Code::kForbidden);
    EXPECT_EQ(code(read([&](Reader& r) { return r.aggregate(tasks_, {.group_by = "status"}); })),
              Code::kForbidden);
    EXPECT_EQ(code(write([&](Writer& w) { return w.remove(tasks_, 2); })), Code::kForbidden);
    EXPECT_EQ(code(write([&](Writer& w) { return w.upsert(tasks_, 2, task("done")); })),
              Code::kForbidden);
    EXPECT_EQ(code(write([&](Writer& w) { return w.remove_many(tasks_, open); })),
              Code::kForbidden);
    EXPECT_TRUE(find(1).has_value());
}

TEST_P(StoreContract, KeepsOperatorsDotsAndPrototypesAsData) {
    const auto document = parsed(R"({"status":"open","priority":1,"score":1,
        "$ne":1,"$where":"1","a.b":{"$gt":""},"__proto__":{"x":1},"":"empty","a":{"b":2},
        "nul":"a\u0000b","quote":"';--\""})");

    ASSERT_TRUE(insert("$ne", document).has_value());

    EXPECT_EQ(*find("$ne")->document, document);
    const auto finds = [&](const Filter& filter) {
        return count({.filter = filter, .walk = Walk::kAllow}) == 1;
    };
    EXPECT_TRUE(finds(Filter::eq("$ne", 1)));
    EXPECT_TRUE(finds(Filter::eq("a.b", parsed(R"({"$gt":""})"))));
    EXPECT_TRUE(finds(Filter::eq({"a", "b"}, 2)));
    EXPECT_TRUE(finds(Filter::eq("", "empty")));
    EXPECT_FALSE(finds(Filter::eq("status", parsed(R"({"$ne":"done"})"))));
    EXPECT_FALSE(finds(Filter::eq("priority", parsed(R"({"$gt":0})"))));
    EXPECT_TRUE(finds(Filter::prefix("quote", "';")));
    EXPECT_FALSE(finds(Filter::prefix("status", "o%")));
    EXPECT_FALSE(finds(Filter::prefix("status", ".*")));
}

TEST_P(StoreContract, FindsTextsByTheirBytes) {
    using namespace std::string_literals;
    const std::vector<std::string> owners = {"",      "\0"s, "\0a"s,   "A",         "a",
                                             "a\0b"s, "ab",  "\u00e9", "\U0001F600"};
    int id = 0;
    for (const std::string& owner : owners) {
        auto document = task("open");
        document["owner"] = {{"name", owner}};
        ASSERT_TRUE(insert(++id, document).has_value());
    }

    for (std::size_t i = 0; i < owners.size(); ++i)
        EXPECT_EQ(ids({.filter = Filter::eq({"owner", "name"}, json::value(owners[i]))}),
                  std::vector<std::string>{std::to_string(i + 1)});
    EXPECT_EQ(ids({.filter = Filter::prefix({"owner", "name"}, "")}, 2).size(), owners.size());
    EXPECT_EQ(ids({.filter = Filter::prefix({"owner", "name"}, "a")}),
              (std::vector<std::string>{"5", "6", "7"}));
}

// DATA-40
TEST_P(StoreContract, RefusesDocumentsThatTheDeclarationDoesNotAllow) {
    const auto refused = [&](const json::object& document) {
        const auto answer = insert(1, document);
        return answer.has_value() ? "taken"
                                  : std::string(core::info(answer.error().code()).name) + " " +
                                        answer.error().message();
    };
    const auto with = [](const char* key, const json::value& value) {
        auto document = task("open");
        document[key] = value;
        return document;
    };
    json::value deep = 1;
    for (int i = 0; i < 8; ++i)
        deep = json::array{deep};
    using testing::AllOf;
    using testing::HasSubstr;

    EXPECT_THAT(refused(with("status", 5)), AllOf(HasSubstr("/status"), HasSubstr("a text")));
    EXPECT_THAT(refused(with("status", "opne")), HasSubstr("open"));
    EXPECT_THAT(refused(with("priority", nullptr)), HasSubstr("by_status_priority"));
    EXPECT_THAT(refused(with("priority", 1.5)), HasSubstr("/priority"));
    EXPECT_THAT(refused(with("tags", "x")), HasSubstr("/tags"));
    EXPECT_THAT(refused(with("email", json::string(1025, 'x'))), HasSubstr("1024"));
    EXPECT_THAT(refused(with("big", json::string(70000, 'x'))), HasSubstr("TOO_LARGE"));
    EXPECT_THAT(refused(with("deep", deep)), HasSubstr("8 levels"));
    EXPECT_THAT(refused(with("n", INFINITY)), HasSubstr("finite"));
    EXPECT_THAT(refused(with("n", NAN)), HasSubstr("finite"));
    EXPECT_THAT(refused(with("n", UINT64_MAX)), HasSubstr("9223372036854775807"));
    EXPECT_THAT(refused(with("n", "\xC0\x80")), HasSubstr("UTF-8"));
    EXPECT_THAT(refused(with("\xFF", 1)), HasSubstr("UTF-8"));
    EXPECT_THAT(refused(with("anything", json::array{1, "x"})), "taken");

    const Collection numbers(numbers_spec(), acme());
    EXPECT_EQ(insert(numbers, 1, parsed(R"({"group":"a","even":3})")).error().message(),
              "/even: is odd");
    EXPECT_TRUE(insert(numbers, 1, parsed(R"({"group":"a","even":4})")).has_value());
    EXPECT_EQ(insert(numbers, 2, parsed(R"({"group":"a","even":4})")).error().code(),
              Code::kConflict);
}

TEST_P(StoreContract, KeepsNumbersAsTheyAre) {
    const auto document = parsed(R"({"status":"open","priority":-9223372036854775808,"score":1.0,
                   "most":9223372036854775807,"tiny":5e-324,"third":0.1,"negative":-0.0})");

    ASSERT_TRUE(insert(1, document).has_value());

    const Document found = *find(1)->document;
    EXPECT_EQ(found, document);
    EXPECT_TRUE(found.at("score").is_double());
    EXPECT_TRUE(found.at("most").is_int64());
    // 2^53 and its neighbour are one double and two whole numbers.
    ASSERT_TRUE(insert(2, parsed(R"({"status":"open","priority":1,"score":9007199254740993})"))
                    .has_value());
    EXPECT_EQ(count({.filter = Filter::eq("score", 9007199254740992.0)}), 0U);
    EXPECT_EQ(count({.filter = Filter::gt("score", 9007199254740992.0)}), 1U);
}

TEST_P(StoreContract, RefusesCollectionsThatItWasNotOpenedWith) {
    const CollectionSpec stranger{.name = "tasks", .indexes = {{.name = "by_created"}}};
    const Collection collection(stranger, acme());

    EXPECT_EQ(insert(collection, 1, {}).error().code(), Code::kInvalidArgument);
    EXPECT_FALSE(read([&](Reader& r) { return r.find(collection, 1); }).has_value());
    EXPECT_FALSE(read([&](Reader& r) { return r.find_page(collection, {}, {}); }).has_value());
    EXPECT_FALSE(read([&](Reader& r) { return r.count(collection, {}); }).has_value());
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreContract, testing::ValuesIn(contract_backends()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace zona::store
