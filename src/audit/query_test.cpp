#include "audit/query.h"

#include "audit/testing/books.h"

namespace zona::audit {
namespace {

using core::Result;
using store::Direction;

class QueryTest : public AuditTest {
  protected:
    void SetUp() override {
        for (int i = 0; i < 12; ++i) {
            Entry one = entry(i % 2 == 0 ? "create" : "delete", i % 3 == 0 ? "1" : "2");
            one.resource = i < 6 ? "/a" : "/b";
            one.category = i % 4 == 0 ? Category::kSecurity : Category::kProcess;
            one.details = std::to_string(i);
            ASSERT_TRUE(
                books_.write(acme_, [&](store::Writer& w) { return append(w, acme_, one); }));
            clock_.advance(std::chrono::seconds(1));
        }
        advance_all(acme_);
    }

    EntryPage page(const Wanted& wanted, const store::PageRequest& request,
                   const store::Scope& scope) {
        EntryPage out;
        EXPECT_TRUE(books_.read(scope, [&](store::Reader& r) -> Result<void> {
            ZONA_TRY(out, find_entries(r, scope, wanted, request));
            return {};
        }));
        return out;
    }
    std::vector<int> found(const Wanted& wanted) {
        std::vector<int> out;
        std::string token;
        do {
            const EntryPage part = page(wanted, {.limit = 3, .token = token}, acme_);
            for (const Recorded& one : part.entries)
                out.push_back(std::stoi(one.entry.details));
            token = part.next;
        } while (!token.empty());
        return out;
    }
    core::SystemTime start_ = clock_.system();
};

// SEC-08
TEST_F(QueryTest, MasksWhatIsPersonalAndNothingElse) {
    const Wanted third{.seq = 3};
    const EntryPage found = page(third, {.limit = 3, .token = {}}, acme_);
    ASSERT_EQ(found.entries.size(), 1U);
    Recorded one = found.entries.front();
    EXPECT_EQ(one.seq, 3);
    one.entry.actor.name = "anna";
    one.entry.actor.address = "";
    one.entry.after = std::make_shared<const store::Document>(store::Document{{"a", 1}});
    Recorded masked = one;
    mask_personal(masked);
    EXPECT_EQ(masked.entry.actor.name, kMasked);
    EXPECT_EQ(masked.entry.actor.address, "");
    EXPECT_EQ(masked.entry.actor.subject(), one.entry.actor.subject());
    EXPECT_EQ(masked.entry.after, one.entry.after) << "it is nobody's";
    masked.entry.subject = "user:17";
    mask_personal(masked);
    EXPECT_FALSE(masked.entry.after->contains("a"));
    EXPECT_FALSE(masked.entry.before);
}

// AUDIT-07, AUDIT-08
TEST_F(QueryTest, FindsByEachOfThem) {
    using Numbers = std::vector<int>;
    EXPECT_EQ(found({}), (Numbers{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
    EXPECT_EQ(found({.actor = "user:1"}), (Numbers{9, 6, 3, 0}));
    EXPECT_EQ(found({.action = "delete"}), (Numbers{11, 9, 7, 5, 3, 1}));
    EXPECT_EQ(found({.resource = "/b"}), (Numbers{11, 10, 9, 8, 7, 6}));
    EXPECT_EQ(found({.category = Category::kSecurity}), (Numbers{8, 4, 0}));
    EXPECT_EQ(found({.action = "create", .outcome = Outcome::kRefused}), Numbers());
    EXPECT_EQ(
        found({.from = start_ + std::chrono::seconds(3), .to = start_ + std::chrono::seconds(5)}),
        (Numbers{4, 3}));
    EXPECT_EQ(found({.actor = "user:1",
                     .from = start_ + std::chrono::seconds(4),
                     .direction = Direction::kAscending}),
              (Numbers{6, 9}));
    EXPECT_EQ(found({.actor = "user:1", .action = "delete", .resource = "/a"}), (Numbers{3}));
}

// TEN-43
TEST_F(QueryTest, GivesATenantItsOwnEntries) {
    EXPECT_TRUE(page({}, {.limit = 100, .token = {}}, blue_).entries.empty());
}

// AUDIT-08
TEST_F(QueryTest, TakesNoTokenOfAnotherQuestion) {
    const std::string token = page({}, {.limit = 1, .token = {}}, acme_).next;
    ASSERT_FALSE(token.empty());
    const auto done = books_.read(acme_, [&](store::Reader& r) -> Result<void> {
        ZONA_TRY(const EntryPage other,
                 find_entries(r, acme_, {.action = "create"}, {.limit = 1, .token = token}));
        return {};
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), core::Code::kInvalidArgument);
}

// AUDIT-08
TEST(AuditCsv, HoldsNoFormulaAndNoBrokenLine) {
    Recorded one{.seq = 7, .previous = "0", .hash = "ab", .entry = {}};
    one.entry.id = "id";
    one.entry.tenant = "acme";
    one.entry.actor = {.kind = "user", .id = "1", .number = -5, .name = "=cmd|' /C calc'!A0"};
    one.entry.action = "+1";
    one.entry.resource = "a,b";
    one.entry.details = "say \"no\"\r\nor";
    one.entry.correlation = "@x";
    const std::string line = csv_line(one);
    EXPECT_EQ(line,
              "7,1970-01-01T00:00:00.000Z,id,acme,data_access,success,user:1,-5,'=cmd|' /C "
              "calc'!A0,,,'+1,\"a,b\",\"say \"\"no\"\"\r\nor\",'@x,,,,,ab\r\n");
    EXPECT_EQ(std::ranges::count(csv_header(), ','), 19);
}

// AUDIT-08
TEST(AuditJson, HoldsAllOfAnEntry) {
    Recorded one{.seq = 7, .previous = "0", .hash = "ab", .entry = {}};
    one.entry.actor = {.kind = "user", .id = "1", .number = 5, .name = "Ann"};
    const auto object = boost::json::parse(to_json_text(one)).as_object();
    EXPECT_EQ(object.at("actor").as_string(), "user:1");
    EXPECT_EQ(object.at("userid").as_int64(), 5);
    EXPECT_EQ(object.at("name").as_string(), "Ann");
    EXPECT_EQ(object.at("timestamp").as_string(), "1970-01-01T00:00:00.000Z");
    EXPECT_FALSE(object.at("erased").as_bool());
}

}  // namespace
}  // namespace zona::audit
