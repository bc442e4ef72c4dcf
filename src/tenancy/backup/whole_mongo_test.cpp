// Whole restores of installations with documents in MongoDB.
#include "store/mongo/testing/mongo_server.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

/// acme in MongoDB, and globex in a file.
class WholeMongoTest : public OperationsTest {
  protected:
    void SetUp() override {
        if (server_.uri().empty()) GTEST_SKIP() << server_.why_not();
        fill();
    }
    ~WholeMongoTest() override {
        fresh_.close();
        fs::remove_all(fresh_.folder());
        platform_.close();
        server_.drop(database_);
    }
    Result<void> move(const std::string& host) {
        const DatabaseAddress to{.host = host, .name = host == kEmbedded ? "" : database_};
        auto moved = operations().move({.tenant = "acme", .to = to});
        if (!moved) return moved.take_error();
        return {};
    }
    WholeBackup back_up() {
        platform_.clock.advance(std::chrono::minutes(1));
        auto made = operations().back_up_all();
        EXPECT_TRUE(made.has_value()) << made.error().message();
        return made.value_or(WholeBackup());
    }
    core::SystemTime log() {
        platform_.clock.advance(std::chrono::minutes(1));
        EXPECT_TRUE(operations().log_changes().has_value());
        return operations().whole_backups()->front().until;
    }
    Result<WholeList> restore_to_fresh(const WholeBackup& whole,
                                       std::optional<core::SystemTime> at = {}) {
        fs::copy(platform_.folder() + "/root-key", fresh_.folder() + "/root-key");
        return restore_whole({.backup = whole.directory,
                              .state = fresh_.state(),
                              .root_keys = *fresh_.root_keys,
                              .clock = platform_.clock,
                              .random = fresh_.random,
                              .log = {},
                              .at = at},
                             {});
    }
    /// The only tenant that was left out, restored by what was said of it.
    void restore_the_rest(const WholeList& restored) {
        ASSERT_THAT(restored.not_restored, ElementsAre(Field(&NotRestored::tenant, "acme")));
        EXPECT_FALSE(fs::exists(fresh_.state() + "/tenants/shared.db"));
        EXPECT_FALSE(fs::exists(fresh_.state() + "/tenants/_proof"));
        platform_.close();
        ASSERT_TRUE(fresh_.open().has_value());
        EXPECT_EQ(fresh_.texts("globex"), std::vector<std::string>{"secret of globex"});
        const auto done = fresh_.operations().restore({.tenant = "acme",
                                                       .backup = restored.not_restored[0].file,
                                                       .existing = Existing::kReplace});
        ASSERT_TRUE(done.has_value()) << done.error().message();
        EXPECT_EQ(fresh_.texts("acme"), as_filled());
    }

    store::MongoServer& server_ = store::MongoServer::shared();
    std::string database_ = store::MongoServer::new_database_name();
    Platform fresh_{make_folder(), GetParam()};
};

// REL-07, TEN-41
TEST_P(WholeMongoTest, LeavesTheDatabaseAloneAndSaysWhatRestoresIt) {
    ASSERT_TRUE(move(server_.uri()).has_value());
    const WholeBackup whole = back_up();
    ASSERT_TRUE(platform_.put("acme", 1, "written later").has_value());

    const auto restored = restore_to_fresh(whole);

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_EQ(restored->not_restored.at(0).documents, 3U);
    EXPECT_EQ(platform_.texts("acme").at(0), "written later");
    restore_the_rest(*restored);
}

// REL-07, TEN-41
TEST_P(WholeMongoTest, AtAMomentItIsSaidToo) {
    ASSERT_TRUE(move(server_.uri()).has_value());
    const WholeBackup whole = back_up();
    const auto restored = restore_to_fresh(whole, log());

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    restore_the_rest(*restored);
}

// REL-07, REL-08
TEST_P(WholeMongoTest, MomentAfterAMoveToMongoCanBeRestored) {
    const WholeBackup whole = back_up();
    ASSERT_TRUE(move(server_.uri()).has_value());
    const core::SystemTime then = log();

    const auto checked = operations().check_restore();
    const auto restored = restore_to_fresh(whole, then);

    EXPECT_TRUE(checked.has_value()) << checked.error().message();
    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    restore_the_rest(*restored);
}

// REL-07
TEST_P(WholeMongoTest, MomentAfterAMoveToAFileIsInNoLog) {
    ASSERT_TRUE(move(server_.uri()).has_value());
    const WholeBackup whole = back_up();
    ASSERT_TRUE(move(std::string(kEmbedded)).has_value());

    const auto restored = restore_to_fresh(whole, log());

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    restore_the_rest(*restored);
}

// REL-07
TEST_P(WholeMongoTest, TenantMadeThereAfterTheBackupIsNamed) {
    const WholeBackup whole = back_up();
    const auto made = Platform::wait<Tenant>([&](auto done) {
        platform_.tenants().create(
            {.code = "late", .database = {.host = server_.uri(), .name = database_}},
            std::move(done));
    });
    ASSERT_TRUE(made.has_value()) << made.error().message();

    const auto restored = restore_to_fresh(whole, log());

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_THAT(restored->not_restored, IsEmpty());
    EXPECT_THAT(restored->whole.missing, ElementsAre(Field(&MissingTenant::tenant, "late")));
}

// REL-07, REL-08
TEST_P(WholeMongoTest, CheckProvesThatItsDocumentsCanBeHadBack) {
    ASSERT_TRUE(move(server_.uri()).has_value());
    const WholeBackup whole = back_up();
    EXPECT_TRUE((*operations().check_restore())->missing.empty());

    std::fstream file(whole.directory + "/acme.zbk", std::ios::in | std::ios::out);
    file.seekp(-20, std::ios::end) << 'x';
    file.close();

    EXPECT_EQ(operations().check_restore().error().code(), Code::kConflict);
}

INSTANTIATE_TEST_SUITE_P(Separate, WholeMongoTest, testing::Values(BuildType::kMssp));

}  // namespace
}  // namespace zona::tenancy
