#include "audit/subjects.h"

#include "audit/testing/books.h"

namespace zona::audit {
namespace {

using core::Result;

class SubjectsTest : public AuditTest {
  protected:
    std::vector<Recorded> all(const store::Scope& scope) {
        std::vector<Recorded> out;
        const std::vector<store::Record> records = log(scope);
        EXPECT_TRUE(books_.read(scope, [&](store::Reader& r) -> Result<void> {
            SubjectReader subjects(r, scope);
            for (const store::Record& record : records) {
                ZONA_TRY(Recorded one, recorded_in(*record.document, scope, subjects));
                out.push_back(std::move(one));
            }
            return {};
        }));
        return out;
    }
    bool erase(const store::Scope& scope, const std::string& subject) {
        bool erased = false;
        EXPECT_TRUE(books_.write(scope, [&](store::Writer& w) -> Result<void> {
            ZONA_TRY(erased, erase_subject(w, scope, subject, clock_.system()));
            return {};
        }));
        return erased;
    }
    void record(const store::Scope& scope, const std::string& user,
                const std::string& subject = {}) {
        Entry one = entry("do", user);
        one.subject = subject;
        if (!subject.empty())
            one.after = std::make_shared<const store::Document>(store::Document{{"email", "b@x"}});
        ASSERT_TRUE(books_.write(scope, [&](store::Writer& w) { return append(w, scope, one); }));
        advance_all(scope);
    }
};

// AUDIT-13, GAP-66
TEST_F(SubjectsTest, ErasedOneIsUnreadableAndTheChainStaysRight) {
    record(acme_, "1");
    record(acme_, "2", "user:1");
    record(acme_, "2");
    record(blue_, "1");
    sign(acme_);
    EXPECT_TRUE(erase(acme_, "user:1"));
    EXPECT_FALSE(erase(acme_, "user:1")) << "there is nothing left to erase";
    const std::vector<Recorded> left = all(acme_);
    EXPECT_TRUE(left[0].erased);
    EXPECT_EQ(left[0].entry.actor.name, "");
    EXPECT_EQ(left[0].entry.actor.address, "");
    EXPECT_EQ(left[0].entry.actor.subject(), "user:1") << "who did it stays known";
    EXPECT_TRUE(left[1].erased);
    EXPECT_EQ(left[1].entry.after, nullptr);
    EXPECT_EQ(left[1].entry.actor.name, "Ann Example") << "who changed it was not erased";
    EXPECT_FALSE(left[2].erased);
    EXPECT_FALSE(all(blue_)[0].erased) << "another tenant's";
    EXPECT_EQ(check(acme_).flaw, std::nullopt);
}

// AUDIT-13
TEST_F(SubjectsTest, WhoComesBackHasANewKey) {
    record(acme_, "1");
    EXPECT_TRUE(erase(acme_, "user:1"));
    record(acme_, "1");
    const std::vector<Recorded> left = all(acme_);
    EXPECT_TRUE(left[0].erased);
    EXPECT_FALSE(left[1].erased);
    EXPECT_EQ(left[1].entry.actor.name, "Ann Example");
}

// GAP-66
TEST_F(SubjectsTest, SealedTextOpensInItsPlaceAlone) {
    ASSERT_TRUE(books_.write(acme_, [&](store::Writer& w) -> Result<void> {
        ZONA_TRY(const SubjectKey key, subjects_.key_for(w, acme_, "user:1"));
        const std::string sealed =
            subjects_.seal(key, {.scope = "acme", .entry = "e", .field = "person"}, "Ann");
        SubjectReader reader(w, acme_);
        ZONA_TRY(const auto opened, reader.open("user:1", {"acme", "e", "person"}, sealed));
        EXPECT_EQ(opened, "Ann");
        EXPECT_FALSE(reader.open("user:1", {"blue", "e", "person"}, sealed));
        EXPECT_FALSE(reader.open("user:1", {"acme", "f", "person"}, sealed));
        EXPECT_FALSE(reader.open("user:1", {"acme", "e", "data"}, sealed));
        EXPECT_FALSE(reader.open("user:1", {"acme", "e", "person"}, "zp1.1.AAAA"));
        EXPECT_FALSE(reader.open("user:1", {"acme", "e", "person"}, "Ann"));
        return {};
    }));
}

}  // namespace
}  // namespace zona::audit
