#include "audit/chain.h"

#include "audit/testing/books.h"

namespace zona::audit {
namespace {

using core::Code;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

class ChainTest : public AuditTest {
  protected:
    Batch batch(std::initializer_list<std::int64_t> numbers) {
        Batch out{.spool = "s", .entries = {}};
        for (const std::int64_t number : numbers)
            out.entries.push_back({.number = number, .entry = entry("n" + std::to_string(number))});
        return out;
    }
};

// AUDIT-05, DATA-13, AUDIT-04
TEST_F(ChainTest, GivesNumbersAndLinks) {
    append_some(acme_, 3);
    const Advanced done = advance_all(acme_);
    EXPECT_EQ(done.added, 3U);
    EXPECT_FALSE(done.more);
    EXPECT_EQ(done.head, head(acme_));
    const std::vector<Record> all = log(acme_);
    ASSERT_EQ(all.size(), 3U);
    std::string previous(kNoHash);
    for (const Record& record : all) {
        const store::Document& d = *record.document;
        EXPECT_EQ(d.at("previous").as_string(), previous);
        EXPECT_EQ(d.at("hash").as_string(), hash_of(d));
        previous = d.at("hash").as_string();
        for (const char* field : {"id", "tenantcode", "userid", "action", "resource", "timestamp"})
            EXPECT_TRUE(d.contains(field)) << field;
        EXPECT_EQ(d.at("tenantcode").as_string(), "acme");
    }
    EXPECT_EQ(done.head.hash, previous);
    EXPECT_EQ(advance_all(acme_).added, 0U) << "nothing is taken twice";
    EXPECT_EQ(actions(acme_), (std::vector<std::string>{"do0", "do1", "do2"}));
}

// AUDIT-01
TEST_F(ChainTest, EntryIsThereIfAndOnlyIfItsChangeIs) {
    const auto failed = books_.write(acme_, [&](Writer& w) -> Result<void> {
        ZONA_TRY_VOID(append(w, acme_, entry("undone")));
        return core::Error(Code::kConflict, "the change fails");
    });
    EXPECT_FALSE(failed);
    append_some(acme_, 1);
    advance_all(acme_);
    EXPECT_EQ(actions(acme_), (std::vector<std::string>{"do0"}));
}

// AUDIT-16
TEST_F(ChainTest, TakesEachEntryOfASpoolOnce) {
    EXPECT_EQ(advance_all(acme_, batch({1, 2, 4})).added, 3U);
    EXPECT_EQ(advance_all(acme_, batch({1})).added, 0U) << "as after a death in between";
    EXPECT_EQ(advance_all(acme_, batch({2, 4, 5})).added, 1U) << "the first batch set nothing back";
    EXPECT_EQ(actions(acme_), (std::vector<std::string>{"n1", "n2", "n4", "n5"}));
    ASSERT_TRUE(books_.write(acme_, [&](Writer& w) { return park(w, acme_, batch({5, 6})); }));
    ASSERT_TRUE(books_.write(acme_, [&](Writer& w) { return park(w, acme_, batch({5, 6})); }));
    EXPECT_EQ(advance_all(acme_).added, 1U);
    EXPECT_EQ(actions(acme_).back(), "n6");
}

// TEN-43
TEST_F(ChainTest, TenantsHaveChainsOfTheirOwn) {
    append_some(acme_, 2, "a");
    append_some(blue_, 1, "b");
    append_some(store::Scope::core(), 1, "c");
    advance_all(acme_);
    advance_all(blue_);
    advance_all(store::Scope::core());
    EXPECT_EQ(actions(acme_), (std::vector<std::string>{"a0", "a1"}));
    EXPECT_EQ(actions(blue_), (std::vector<std::string>{"b0"}));
    EXPECT_EQ(actions(store::Scope::core()), (std::vector<std::string>{"c0"}));
}

// AUDIT-05
TEST_F(ChainTest, WhoMayNotChangesNothing) {
    append_some(acme_, 1);
    const auto refused = books_.write(acme_, [&](Writer& w) -> Result<void> {
        const Permit permit = [](Writer&, const store::Scope&) -> Result<void> {
            return core::Error(Code::kConflict, "another has the lease");
        };
        ZONA_TRY(const Advanced done, advance(w, acme_, {}, subjects_, permit, clock_.system()));
        return {};
    });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_EQ(head(acme_).seq, 0);
}

// AUDIT-05
TEST_F(ChainTest, ManyAreTakenInTurns) {
    append_some(acme_, static_cast<int>(kMostAtOnce) + 1);
    EXPECT_TRUE(advance_all(acme_).more);
    EXPECT_FALSE(advance_all(acme_).more);
    EXPECT_EQ(head(acme_).seq, static_cast<std::int64_t>(kMostAtOnce) + 1);
}

// GAP-66
TEST_F(ChainTest, PersonalDataIsNotStoredInClear) {
    Entry one = entry("changed");
    one.subject = "user:18";
    one.after =
        std::make_shared<const store::Document>(store::Document{{"email", "bob@example.org"}});
    ASSERT_TRUE(books_.write(acme_, [&](Writer& w) { return append(w, acme_, one); }));
    advance_all(acme_);
    const auto stored = log(acme_).front().document;
    const std::string text = boost::json::serialize(*stored);
    for (const char* personal : {"Ann", "192.0.2.7", "s-1", "bob@example.org"})
        EXPECT_EQ(text.find(personal), std::string::npos) << text;
    ASSERT_TRUE(books_.read(acme_, [&](Reader& r) -> Result<void> {
        SubjectReader open(r, acme_);
        ZONA_TRY(const Recorded shown, recorded_in(*stored, acme_, open));
        EXPECT_EQ(shown.entry.actor, one.actor);
        EXPECT_EQ(*shown.entry.after, *one.after);
        EXPECT_EQ(shown.entry.correlation, "c-changed");
        EXPECT_FALSE(shown.erased);
        return {};
    }));
}

}  // namespace
}  // namespace zona::audit
