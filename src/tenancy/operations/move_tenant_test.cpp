// Moves of tenants between files and MongoDB: the same documents, in one place.
#include "store/mongo/testing/mongo_server.h"
#include "store/testing/child_process.h"
#include "tenancy/operations/document_copy.h"
#include "tenancy/session_map.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

namespace mongo = store::mongo;
using store::MongoServer;

constexpr const char* kHome = "ZONA_TEST_MOVES";
constexpr const char* kTarget = "ZONA_TEST_MOVE_TO";

/// acme and globex with documents, in files.
class MoveTest : public OperationsTest {
  protected:
    MoveTest() : name_(MongoServer::new_database_name()) {}
    void SetUp() override {
        if (server_.uri().empty()) GTEST_SKIP() << server_.why_not();
        fill();
    }
    ~MoveTest() override {
        platform_.close();
        if (!server_.uri().empty()) server_.drop(name_);
    }
    MoveRequest there() const {
        return {.tenant = "acme", .to = {.host = server_.uri(), .name = name_}};
    }
    static MoveRequest back() { return {.tenant = "acme", .to = {.host = "embedded"}}; }
    std::size_t documents_there() const {
        const auto factory = server_.factory(name_);
        mongo::Client client(*factory);
        mongo::Cursor cursor = client.find(events().name, mongo::Bson(), mongo::Bson());
        std::size_t out = 0;
        for (auto next = cursor.next(); next && *next != nullptr; next = cursor.next())
            ++out;
        return out;
    }
    static std::size_t files_of(const Platform& platform) {
        std::size_t out = 0;
        for (const std::string& file : platform.files()) {
            if (file.starts_with("state/tenants/acme/") && file.ends_with("data.db")) ++out;
        }
        return out;
    }

    MongoServer& server_ = MongoServer::shared();
    const std::string name_;
};

void expect_same(const std::vector<Record>& a, const std::vector<Record>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].id, b[i].id);
        EXPECT_EQ(a[i].version, b[i].version);
        EXPECT_EQ(a[i].created, b[i].created);
        EXPECT_EQ(a[i].updated, b[i].updated);
        EXPECT_EQ(*a[i].document, *b[i].document);
    }
}

// TEN-02, TEN-12, TEN-30
TEST_P(MoveTest, GoesToMongoAndBackWithTheSameDocuments) {
    const auto before = platform_.records("acme").value();

    const auto moved = operations().move(there());

    ASSERT_TRUE(moved.has_value()) << moved.error().message();
    EXPECT_EQ(moved->at(3).documents, 3U);
    EXPECT_EQ(documents_there(), 3U);
    EXPECT_EQ(files_of(platform_), 0U);
    expect_same(platform_.records("acme").value(), before);
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    const auto backup = operations().back_up_tenant("acme");
    ASSERT_TRUE(backup.has_value()) << backup.error().message();
    EXPECT_EQ(backup->documents, 3U);
    ASSERT_TRUE(platform_.open().has_value());  // a restart
    expect_same(platform_.records("acme").value(), before);
    EXPECT_EQ(operations().move(there()).error().code(), Code::kConflict) << "it is there";

    ASSERT_TRUE(operations().move(back()).has_value());

    EXPECT_EQ(documents_there(), 0U);
    EXPECT_EQ(files_of(platform_), 1U);
    expect_same(platform_.records("acme").value(), before);
    const auto record = Platform::wait<Tenant>(
        [&](auto done) { platform_.tenants().find("acme", std::move(done)); });
    EXPECT_EQ(record->database.host, "embedded");
    EXPECT_TRUE(operations().check()->findings.empty());
}

// TEN-12
TEST_P(MoveTest, ServesTheTenantWhileItIsCopiedAndTakesItsChangesAlong) {
    std::vector<std::string> steps;
    std::optional<core::Error> held;
    const auto moved = operations().move(there(), [&](const core::Progress& progress) {
        if (!steps.empty() && steps.back() == progress.step) return;
        steps.push_back(progress.step);
        if (progress.step == "verify") {
            const auto refused = platform_.put("acme", 8, "too late");
            if (!refused) held = refused.error();
            return;
        }
        platform_.clock.advance(std::chrono::milliseconds(1));
        EXPECT_TRUE(platform_.put("acme", 2, "changed while it was copied").has_value());
        EXPECT_TRUE(platform_.put("acme", 7, "made while it was copied").has_value());
    });

    ASSERT_TRUE(moved.has_value()) << moved.error().message();
    EXPECT_EQ(steps, (std::vector<std::string>{"copy", "verify"}));
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->code(), Code::kUnavailable);
    EXPECT_EQ(platform_.texts("acme"),
              (std::vector<std::string>{"secret of acme 1 changed", "changed while it was copied",
                                        "secret of acme 3", "made while it was copied"}));
}

// TEN-02
TEST_P(MoveTest, RefusesADatabaseThatIsSomebodysOrHasSuchDocuments) {
    ASSERT_TRUE(operations().move(there()).has_value());
    MoveRequest same = there();
    same.tenant = "globex";
    EXPECT_EQ(operations().move(same).error().code(), Code::kConflict);
    const auto made = Platform::wait<Tenant>([&](auto done) {
        platform_.tenants().create({.code = "third", .name = {}, .database = there().to},
                                   std::move(done));
    });
    EXPECT_EQ(made.error().code(), Code::kConflict);
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_EQ(documents_there(), 3U);

    Platform other(make_folder(), GetParam());
    ASSERT_TRUE(other.open().has_value());
    ASSERT_TRUE(other.create("acme").has_value());
    ASSERT_TRUE(other.put("acme", 1, "of another acme").has_value());
    EXPECT_EQ(other.operations().move(there()).error().code(), Code::kConflict);
    EXPECT_EQ(other.texts("acme"), std::vector<std::string>{"of another acme"});
    EXPECT_EQ(documents_there(), 3U);
    other.close();
    fs::remove_all(other.folder());
}

TEST_P(MoveTest, RefusesHostsOfAnotherKindAndCredentialsInThem) {
    const auto refused = [&](const std::string& host) {
        return operations().move({.tenant = "acme", .to = {.host = host}}).error();
    };
    EXPECT_EQ(refused("postgres://localhost/").code(), Code::kInvalidArgument);
    const auto told = refused("mongodb://me:s3cret@localhost/");
    EXPECT_EQ(told.code(), Code::kInvalidArgument);
    EXPECT_EQ(told.message().find("s3cret"), std::string::npos);
    EXPECT_EQ(platform_.texts("acme"), as_filled());
}

// REL-24
TEST_P(MoveTest, StaysWhereItIsWhenTheServerGoesAndGoesOnWhenItIsBack) {
    const auto own = MongoServer::own_ferretdb();
    if (own->uri().empty()) GTEST_SKIP() << own->why_not();
    const MoveRequest to{.tenant = "acme", .to = {.host = own->uri()}};
    bool killed = false;
    const auto moved = operations().move(to, [&](const core::Progress& progress) {
        if (progress.step == "verify" && !std::exchange(killed, true)) own->kill();
    });
    ASSERT_FALSE(moved.has_value());
    EXPECT_EQ(moved.error().code(), Code::kUnavailable) << moved.error().message();
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    ASSERT_TRUE(platform_.put("acme", 2, "written meanwhile").has_value());

    own->start_again();
    const auto again = operations().move(to);

    ASSERT_TRUE(again.has_value()) << again.error().message();
    EXPECT_EQ(platform_.texts("acme"),
              (std::vector<std::string>{"secret of acme 1 changed", "written meanwhile",
                                        "secret of acme 3"}));
    EXPECT_EQ(files_of(platform_), 0U);
    platform_.close();
}

// TEN-12
TEST_P(MoveTest, MigratesEveryTenantInTurnAndTellsWhoCouldNotBe) {
    std::vector<std::string> databases = {"zona_default", "zona_acme", "zona_globex"};
    for (const std::string& database : databases)
        server_.drop(database);
    ASSERT_TRUE(operations().move(there()).has_value());
    // Documents of some other globex.
    Platform other(make_folder(), GetParam());
    ASSERT_TRUE(other.open().has_value());
    ASSERT_TRUE(other.create("globex").has_value());
    ASSERT_TRUE(other.put("globex", 1, "of another globex").has_value());
    ASSERT_TRUE(other.operations().move({.tenant = "globex", .to = {.host = server_.uri()}}));
    std::vector<std::string> steps;

    const auto report = operations().migrate(
        {.host = server_.uri()},
        [&](const core::Progress& progress) { steps.push_back(progress.step); });

    ASSERT_TRUE(report.has_value()) << report.error().message();
    ASSERT_EQ(report->moved.size(), 1U);
    EXPECT_EQ(report->moved[0].tenant, "default");
    EXPECT_EQ(report->there, 1U);
    ASSERT_EQ(report->findings.size(), 1U);
    EXPECT_EQ(report->findings[0].where, "globex");
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_EQ(steps.at(0), "default: copy");
    other.close();
    fs::remove_all(other.folder());
    server_.drop("zona_globex");

    EXPECT_EQ(operations().migrate({.host = server_.uri()})->moved.size(), 1U);
    const auto back = operations().migrate({.host = "embedded"});
    EXPECT_EQ(back->moved.size(), 3U);
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    EXPECT_EQ(documents_there(), 0U);
    platform_.close();
    for (const std::string& database : databases)
        server_.drop(database);
}

// PERF-18, PERF-26
TEST_P(MoveTest, PlacesNewTenantsAndMovesOldOnesOnlyWhenItIsAskedTo) {
    const std::string table = "p: " + server_.uri() + "; other: embedded";
    ASSERT_TRUE(platform_.create("pear").has_value());
    ASSERT_TRUE(platform_.put("pear", 1, "of pear").has_value());
    platform_.placement = Placement::parse(table, {}).value();
    for (const char* database : {"zona_pear", "zona_plum"})
        server_.drop(database);
    ASSERT_TRUE(platform_.open().has_value());

    EXPECT_EQ(platform_.create("plum")->database.host, server_.uri());
    EXPECT_EQ(platform_.create("quince")->database.host, "embedded");
    ASSERT_TRUE(platform_.put("plum", 1, "of plum").has_value());
    const auto host_of = [&](const std::string& code) {
        return Platform::wait<Tenant>(
                   [&](auto done) { platform_.tenants().find(code, std::move(done)); })
            ->database.host;
    };
    EXPECT_EQ(host_of("pear"), "embedded");
    ASSERT_EQ(operations().migrate({})->moved.size(), 1U);
    EXPECT_EQ(host_of("pear"), server_.uri());
    EXPECT_EQ(platform_.texts("pear"), std::vector<std::string>{"of pear"});

    ASSERT_TRUE(operations().erase("pear", Backups::kErase).has_value());
    const auto factory = server_.factory("zona_pear");
    mongo::Client client(*factory);
    mongo::Cursor left = client.find(events().name, mongo::Bson(), mongo::Bson());
    EXPECT_EQ(left.next().value(), nullptr) << "erased there, too";
    platform_.close();
    for (const char* database : {"zona_pear", "zona_plum"})
        server_.drop(database);
}

// PERF-18
TEST_P(MoveTest, ATenantHasOnePlaceHoweverItsCodeIsTyped) {
    const Placement placement =
        Placement::parse("hash: embedded mongodb://127.0.0.1:1/", {}).value();
    const auto host_of = [&](char letter) {
        return placement.address_of(std::string("tenant") + letter).host;
    };
    char letter = 'a';
    while (host_of(letter) != "embedded" ||
           host_of(static_cast<char>(std::toupper(letter))) == "embedded")
        ASSERT_LE(++letter, 'z');
    platform_.placement = placement;
    ASSERT_TRUE(platform_.open().has_value());

    const auto made =
        platform_.create(std::string("tenant") + static_cast<char>(std::toupper(letter)));

    ASSERT_TRUE(made.has_value()) << made.error().message();
    EXPECT_EQ(made->code, std::string("tenant") + letter);
    EXPECT_EQ(made->database.host, "embedded");
}

// PERF-25
TEST(TenantDatabases, CopiesReadFromThePrimaryWhoeverAnswersOtherReads) {
    std::vector<store::ReadPreference> opened;
    const auto open =
        [&](const store::MongoOptions& options) -> Result<std::shared_ptr<store::Database>> {
        opened.push_back(options.read_preference);
        return core::Error(Code::kUnavailable, "");
    };
    const auto databases =
        separate_databases("/nowhere", {},
                           {.probe = {},
                            .open = open,
                            .defaults = {.read_preference = store::ReadPreference::kSecondary}});
    const Tenant there{.code = "acme", .database = {.host = "mongodb://host/"}};
    const Tenant here{.code = "acme", .database = {.host = "embedded"}};

    EXPECT_TRUE(databases->may_be_old(there));
    EXPECT_FALSE(databases->may_be_old(here));
    EXPECT_FALSE(databases->open(there).has_value());
    EXPECT_FALSE(databases->open_exact(there).has_value());

    using enum store::ReadPreference;
    EXPECT_EQ(opened, (std::vector<store::ReadPreference>{kSecondary, kPrimary}));
}

class MoveKilled : public testing::Test {};

ZONA_CHILD_TEST(MoveKilled, ChildMovesATenant) {
    const std::string target = std::getenv(kTarget);
    const auto blank = target.find(' ');
    Platform platform(std::getenv(kHome), BuildType::kMssp);
    ASSERT_TRUE(platform.open().has_value());
    const auto moved = platform.operations().move(
        {.tenant = "acme",
         .to = {.host = target.substr(0, blank), .name = target.substr(blank + 1)}});
    ASSERT_TRUE(moved.has_value()) << moved.error().message();
}

// TEN-12
TEST_P(MoveTest, KilledLeavesTheOldOrTheNewAndTheSameMoveGoesOn) {
    platform_.close();
    for (const auto& [fault, is_new] :
         std::vector<std::pair<std::string, bool>>{{"tenancy.move_begun:1", false},
                                                   {"tenancy.some_stored:1", false},
                                                   {"tenancy.move_followed:1", false},
                                                   {"tenancy.move_copied:1", false},
                                                   {"tenancy.move_switched:1", true},
                                                   {"tenancy.old_removed:1", true}}) {
        server_.drop(name_);
        const std::string copied = make_folder();
        fs::copy(platform_.folder(), copied,
                 fs::copy_options::recursive | fs::copy_options::overwrite_existing);
        const store::ChildProcess child(
            "MoveKilled.ChildMovesATenant",
            {std::string(kHome) + "=" + copied,
             std::string(kTarget) + "=" + server_.uri() + " " + name_, "ZONA_FAULT=" + fault});
        const int status = child.wait();
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << fault << " " << status;

        Platform after(copied, GetParam());
        const auto opened = after.open();
        ASSERT_TRUE(opened.has_value()) << fault << opened.error().message();

        EXPECT_EQ(after.texts("acme"), as_filled()) << fault;
        EXPECT_EQ(after.texts("globex"), std::vector<std::string>{"secret of globex"});
        EXPECT_EQ(files_of(after), is_new ? 0U : 1U) << fault;
        ASSERT_TRUE(after.put("acme", 2, "written later").has_value());
        if (!is_new) {
            const auto again = after.operations().move(there());
            ASSERT_TRUE(again.has_value()) << fault << again.error().message();
        }
        EXPECT_EQ(after.texts("acme"),
                  (std::vector<std::string>{"secret of acme 1 changed", "written later",
                                            "secret of acme 3"}));
        EXPECT_EQ(files_of(after), 0U) << fault;
        ASSERT_TRUE(after.operations().move(back()).has_value());
        EXPECT_EQ(documents_there(), 0U) << fault;
        after.close();
        fs::remove_all(copied);
    }
}

// TEN-12
TEST_P(MoveTest, RefusesACopyThatIsNotTheSame) {
    const auto parts = platform_.tenants().parts().value();
    const auto from = parts.sessions->database("acme").value();
    Tenant other{.code = "acme", .database = {.host = "embedded", .name = "other"}};
    const auto to = parts.databases->open(other).value();
    const store::Scope scope = scope_of("acme").value();

    // Somebody writes to what was copied already.
    const auto refused = copy_documents(
        *from, *to, tenant_collections(), scope, [&](std::uint64_t done) -> Result<void> {
            if (done == 3) EXPECT_TRUE(platform_.put("acme", 1, "written at the end").has_value());
            return {};
        });

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_THAT(refused.error().message(), HasSubstr("events"));
    EXPECT_TRUE(copy_documents(*from, *to, tenant_collections(), scope, {}).has_value());
}

INSTANTIATE_TEST_SUITE_P(Separate, MoveTest, testing::Values(BuildType::kMssp));

}  // namespace
}  // namespace zona::tenancy
