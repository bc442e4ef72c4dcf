#include "tenancy/audit_books.h"

#include "audit/collections.h"
#include "audit/notary.h"
#include "audit/subjects.h"
#include "audit/verify.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using audit::Entry;
using store::Scope;

class AuditBooksTest : public OperationsTest {
  protected:
    Result<void> record(const Scope& scope, const std::string& action) {
        Entry entry = audit::new_entry(platform_.clock, platform_.random);
        entry.actor = {.kind = "user", .id = "1", .name = "Ann"};
        entry.action = action;
        entry.resource = "/";
        return books_.write(scope, [&](Writer& writer) -> Result<void> {
            ZONA_TRY_VOID(audit::append(writer, scope, entry));
            ZONA_TRY(const audit::Advanced done,
                     audit::advance(writer, scope, {}, subjects_, {}, platform_.clock.system()));
            return {};
        });
    }
    /// Names of the actors, in the order of the chain, which must be right.
    std::vector<std::string> names(const Scope& scope) {
        const auto keys = audit::public_keys(books_);
        EXPECT_TRUE(keys) << keys.error().message();
        const auto done = audit::verify(books_, scope, keys ? *keys : audit::PublicKeys());
        EXPECT_TRUE(done && !done->flaw);
        std::vector<std::string> out;
        EXPECT_TRUE(books_.read(scope, [&](Reader& reader) -> Result<void> {
            const store::Query all{.sort = {"seq"}, .walk = store::Walk::kAllow};
            ZONA_TRY(const store::Page page,
                     reader.find_page(store::Collection(audit::audit_log_spec(), scope), all,
                                      {.limit = 100, .token = {}}));
            audit::SubjectReader subjects(reader, scope);
            for (const Record& record : page.records) {
                ZONA_TRY(const audit::Recorded one,
                         audit::recorded_in(*record.document, scope, subjects));
                out.push_back(one.entry.actor.name);
            }
            return {};
        }));
        return out;
    }
    void sign(const Scope& scope) {
        const auto notary = audit::Notary::open(books_, platform_.random);
        ASSERT_TRUE(notary) << notary.error().message();
        ASSERT_TRUE(books_.write(Scope::core(), [&](Writer& core) -> Result<void> {
            audit::Head head;
            ZONA_TRY(head, audit::find_head(core, Scope::core()));
            ZONA_TRY_VOID(
                audit::keep_head(core, notary->sign(scope, head, platform_.clock.system())));
            return {};
        }));
    }

    AuditBooks books_{platform_.tenants(), {}};
    const audit::Subjects subjects_{platform_.random};
    const Scope acme_ = Scope::tenant("acme").value();
};

// TEN-43, AUDIT-05
TEST_P(AuditBooksTest, EachHasARecordOfItsOwn) {
    fill();
    ASSERT_TRUE(record(acme_, "a"));
    ASSERT_TRUE(record(Scope::core(), "c"));
    ASSERT_TRUE(record(acme_, "a"));
    EXPECT_EQ(names(acme_).size(), 2U);
    EXPECT_EQ(names(Scope::core()).size(), 1U);
    EXPECT_TRUE(names(Scope::tenant("globex").value()).empty());
    EXPECT_EQ(books_.scopes()->size(), 4U) << "the core, default, acme, globex";
}

// AUDIT-16
TEST_P(AuditBooksTest, WhoIsNotServedIsToldApart) {
    fill();
    ASSERT_TRUE(Platform::wait<Tenant>([&](auto done) {
        platform_.tenants().set_status("acme", TenantStatus::kSuspended, std::move(done));
    }));
    EXPECT_EQ(record(acme_, "a").error().code(), Code::kTenantInactive);
    EXPECT_EQ(record(Scope::tenant("nobody").value(), "a").error().code(), Code::kTenantInactive);
}

// AUDIT-05, AUDIT-13, SEC-06
TEST_P(AuditBooksTest, RotationKeepsWhatIsSealedReadable) {
    fill();
    ASSERT_TRUE(record(acme_, "a"));
    ASSERT_TRUE(record(Scope::core(), "c"));
    sign(Scope::core());
    const std::string key = audit::Notary::open(books_, platform_.random)->key();
    KeyRotation rotation({.tenants = platform_.tenants(), .clock = platform_.clock, .log = {}});
    const auto done = rotation.begin()->rotate_all({"core", "acme"}, {});
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_GE(done->retired, 1U);
    ASSERT_TRUE(platform_.open());
    EXPECT_EQ(names(acme_), std::vector<std::string>{"Ann"});
    EXPECT_EQ(names(Scope::core()), std::vector<std::string>{"Ann"});
    EXPECT_EQ(audit::Notary::open(books_, platform_.random)->key(), key) << "signed on with it";
}

// AUDIT-05
TEST_P(AuditBooksTest, AloneItIsAlwaysOurTurn) {
    AuditTurn turn(platform_.tenants(), platform_.clock, platform_.random, "a");
    const auto ours = turn();
    ASSERT_TRUE(ours);
    EXPECT_TRUE(ours->has_value());
}

INSTANTIATE_TEST_SUITE_P(Modes, AuditBooksTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant));

}  // namespace
}  // namespace zona::tenancy
