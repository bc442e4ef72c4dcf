// The contract of all backends: searches for words.
#include <gmock/gmock.h>

#include "store/testing/contract.h"

namespace zona::store {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StoreSearch : public StoreContract {
  protected:
    static Filter words(std::string_view text) { return Filter::search(tasks_spec().search, text); }
    static json::object titled(std::string_view title) {
        json::object out = task("open");
        out["title"] = title;
        return out;
    }
    Result<Record> insert_next(const json::object& document) {
        clock().advance(milliseconds(1));
        return insert(++last_, document);
    }
    std::vector<std::string> found(std::string_view text) {
        return ids({.filter = words(text), .direction = Direction::kDescending}, 2);
    }

  private:
    std::int64_t last_ = 0;
};

// DATA-39, TEN-05
TEST_P(StoreSearch, FindsWhatHoldsAllWordsNewestFirst) {
    ASSERT_TRUE(insert_next(titled("Disk full on web-01")));
    ASSERT_TRUE(insert_next(titled("DISKS are full; \u00c9TAGE 3")));
    json::object deep = titled("the disk");
    deep["tags"] = json::array{"full", "Web"};
    deep["details"] = {{"cause", {{"text", "l\u00e9gion"}}}};
    ASSERT_TRUE(insert_next(deep));
    ASSERT_TRUE(insert_next(task("done")));
    ASSERT_TRUE(insert(others_, 9, titled("disk full web 01")));

    EXPECT_THAT(found("disk"), ElementsAre("3", "1"));
    EXPECT_THAT(found("FULL"), ElementsAre("3", "2", "1"));
    EXPECT_THAT(found("web full disk"), ElementsAre("3", "1"));
    EXPECT_THAT(found("dis*"), ElementsAre("3", "2", "1"));
    EXPECT_THAT(found("web dis*"), ElementsAre("3", "1"));
    EXPECT_THAT(found("\u00e9tage"), ElementsAre("2"));
    EXPECT_THAT(found("L\u00c9G*"), ElementsAre("3"));
    EXPECT_THAT(found("etage"), IsEmpty());
    EXPECT_THAT(found("acme"), IsEmpty());
    EXPECT_THAT(found("disk moon"), IsEmpty());
    EXPECT_EQ(count({.filter = words("full")}), 3U);
}

TEST_P(StoreSearch, GoesWithOtherConditionsAndOrders) {
    for (int i = 0; i < 6; ++i) {
        json::object document = titled(i % 2 == 0 ? "even number" : "odd number");
        document["status"] = i < 3 ? "open" : "done";
        document["score"] = 10 - i;
        ASSERT_TRUE(insert_next(document));
    }
    const Filter open = Filter::eq("status", "open");
    EXPECT_THAT(ids({.filter = Filter::all({open, words("even")})}, 1), ElementsAre("1", "3"));
    EXPECT_THAT(ids({.filter = words("odd"), .sort = {"score"}}, 2), ElementsAre("6", "4", "2"));
    EXPECT_THAT(ids({.filter = Filter::all({words("even"), words("num*")})}),
                ElementsAre("1", "3", "5"));
    EXPECT_THAT(ids({.filter = Filter::all({open, Filter::negate(words("even"))})}),
                ElementsAre("2"));
    EXPECT_THAT(
        ids({.filter = Filter::any({words("odd"), Filter::eq("score", 10)}), .walk = Walk::kAllow}),
        ElementsAre("1", "2", "4", "6"));
    const auto first = read([&](Reader& r) {
        return r.find_one(tasks_, {.filter = words("number"), .direction = Direction::kDescending});
    });
    EXPECT_EQ((*first)->id, Id(6));
    const auto groups = read([&](Reader& r) {
        return r.aggregate(tasks_, {.filter = words("even"),
                                    .group_by = "status",
                                    .measures = {{.kind = Measure::Kind::kCount}}});
    });
    EXPECT_EQ(groups->size(), 2U);
}

// DATA-39
TEST_P(StoreSearch, KnowsEachChangeWhenItIsAcknowledged) {
    const Record first = insert_next(titled("alpha")).value();
    EXPECT_THAT(found("alpha"), ElementsAre("1"));

    ASSERT_TRUE(
        write([&](Writer& w) { return w.modify(tasks_, 1, Update().set("title", "beta")); }));
    EXPECT_THAT(found("alpha"), IsEmpty());
    EXPECT_THAT(found("beta"), ElementsAre("1"));

    ASSERT_TRUE(write([&](Writer& w) {
        return w.update_many(tasks_, {.filter = words("beta")}, Update().set("title", "gamma"));
    }));
    EXPECT_THAT(found("beta"), IsEmpty());
    EXPECT_THAT(found("gamma"), ElementsAre("1"));

    ASSERT_TRUE(write([&](Writer& w) -> Result<int> {
        ZONA_TRY_VOID(w.restore(tasks_, first));
        return 0;
    }));
    EXPECT_THAT(found("gamma"), IsEmpty());
    EXPECT_THAT(found("alpha"), ElementsAre("1"));

    ASSERT_TRUE(
        write([&](Writer& w) { return w.remove_many(tasks_, {.filter = words("alpha")}); }));
    EXPECT_THAT(found("alpha"), IsEmpty());
    ASSERT_TRUE(insert_next(titled("delta")));
    EXPECT_THAT(found("alpha"), IsEmpty());
    EXPECT_THAT(found("delta"), ElementsAre("2"));
}

TEST_P(StoreSearch, SeesWhatItsTransactionChangedAndNothingThatWasUndone) {
    ASSERT_TRUE(insert_next(titled("kept before")));
    const auto undone = write([&](Writer& w) -> Result<int> {
        ZONA_TRY(const Record stored, w.insert(tasks_, 7, titled("new kept")));
        ZONA_TRY(const Record changed, w.modify(tasks_, 1, Update().set("title", "changed")));
        ZONA_TRY(const std::uint64_t kept, w.count(tasks_, {.filter = words("kept")}));
        ZONA_TRY(const std::uint64_t now, w.count(tasks_, {.filter = words("changed")}));
        EXPECT_EQ(kept, 1U);
        EXPECT_EQ(now, 1U);
        ZONA_TRY(const bool removed, w.remove(tasks_, 7));
        ZONA_TRY(const std::uint64_t none, w.count(tasks_, {.filter = words("new")}));
        EXPECT_TRUE(removed);
        EXPECT_EQ(none, 0U);
        return Error(Code::kCancelled, "undone");
    });
    EXPECT_EQ(undone.error().code(), Code::kCancelled);
    EXPECT_THAT(found("kept"), ElementsAre("1"));
    EXPECT_THAT(found("before"), ElementsAre("1"));
    EXPECT_THAT(found("changed"), IsEmpty());
    EXPECT_THAT(found("new"), IsEmpty());
}

TEST_P(StoreSearch, RefusesWhatIsNone) {
    const auto refusal = [&](const Filter& filter) {
        const auto answer = page({.filter = filter});
        return answer.has_value() ? "answered" : answer.error().message();
    };
    EXPECT_THAT(refusal(words("* --")), HasSubstr("without a word"));
    EXPECT_THAT(refusal(words("a b c d e f g h i j k l m n o p q")), HasSubstr("more than 16"));
    EXPECT_THAT(refusal(Filter::search({"title"}, "a")), HasSubstr("other texts"));
    EXPECT_THAT(refusal(Filter::any({words(""), words("a")})), HasSubstr("without a word"));
    const Collection numbers(numbers_spec(), acme());
    const auto none = read([&](Reader& r) {
        return r.count(numbers, {.filter = Filter::search({"title"}, "a"), .walk = Walk::kAllow});
    });
    EXPECT_EQ(none.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(none.error().message(), HasSubstr("declares no texts"));
    // What stands in a search has no meaning to the database.
    EXPECT_EQ(refusal(words("\" OR NEAR(a) NOT title:x - ^y $where")), "answered");
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreSearch, testing::ValuesIn(contract_backends()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace zona::store
