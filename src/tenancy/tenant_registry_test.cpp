#include "tenancy/tenant_registry.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "tenancy/backup/backup_records.h"
#include "tenancy/build_type.h"
#include "tenancy/core_collections.h"
#include "vault/field_sealer.h"
#include "vault/testing/fake_keys.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;
using core::Secret;

class TenantRegistryTest : public testing::Test {
  protected:
    Result<Tenant> create(NewTenant wanted) {
        return wait<Tenant>([&](auto done) { registry_.create(wanted, std::move(done)); });
    }
    Result<std::optional<Tenant>> find(const std::string& code) {
        return wait<std::optional<Tenant>>(
            [&](auto done) { registry_.find(code, std::move(done)); });
    }
    Result<Tenant> set_status(const std::string& code, TenantStatus status) {
        return wait<Tenant>(
            [&](auto done) { registry_.set_status(code, status, std::move(done)); });
    }
    std::vector<std::string> listed() {
        auto all =
            wait<std::vector<Tenant>>([&](auto done) { registry_.list(std::move(done)); }).value();
        std::vector<std::string> codes;
        for (const Tenant& tenant : all)
            codes.push_back(tenant.code);
        return codes;
    }
    Result<BuildType> settle(BuildType wanted) {
        ZONA_TRY(const BuildTypeRecord record, settle_build_type(*core_, wanted));
        return record.type;
    }
    template <class T, class Ask>
    static Result<T> wait(Ask ask) {
        std::promise<Result<T>> answer;
        auto future = answer.get_future();
        ask(store::Callback<T>(
            [&answer](Result<T> result) { answer.set_value(std::move(result)); }));
        return future.get();
    }
    /// The stored record, as an administrator of the database sees it.
    std::string stored(const std::string& code) {
        auto record = store::read_and_wait(*core_, [&](store::Reader& r) {
                          return r.find({tenants_spec(), store::Scope::core()}, code);
                      }).value();
        return core::to_json(*record->document);
    }

    core::FakeClock clock_;
    std::shared_ptr<store::Database> core_ = std::make_shared<store::MemoryDatabase>(
        core_collections(), Secret(std::string(32, 'k')), clock_);
    core::SystemRandom random_;
    vault::FieldSealer sealer_{"core", std::make_shared<vault::FakeKeys>(1), random_};
    TenantRegistry registry_{core_, clock_, &sealer_};
};

// DATA-01, DATA-10, DATA-14
TEST_F(TenantRegistryTest, KeepsEveryFieldOfATenant) {
    const auto made =
        create({.code = "Acme",
                .name = "Acme Ltd.",
                .database = {"db.example", "acme_data", "zona", Secret("hunter2")},
                .contact_email = "ops@acme.example",
                .configuration = std::make_shared<const json::object>(json::object{{"theme", "x"}}),
                .compliance_settings = std::make_shared<const json::object>(
                    json::object{{"retention_days", {{"events", 30}}}})});
    ASSERT_TRUE(made.has_value()) << made.error().message();

    const Tenant found = find("ACME").value().value();

    EXPECT_EQ(found.id, 1);
    EXPECT_EQ(found.code, "acme");
    EXPECT_EQ(found.name, "Acme Ltd.");
    EXPECT_EQ(found.status, TenantStatus::kActive);
    EXPECT_EQ(found.connection_status, ConnectionStatus::kDisconnected);
    EXPECT_EQ(found.database.host, "db.example");
    EXPECT_EQ(found.database.name, "acme_data");
    EXPECT_EQ(found.database.username, "zona");
    EXPECT_EQ(found.database.password.reveal(), "hunter2");
    EXPECT_EQ(found.contact_email, "ops@acme.example");
    EXPECT_EQ(*found.configuration, (json::object{{"theme", "x"}}));
    EXPECT_EQ(*found.compliance_settings, (json::object{{"retention_days", {{"events", 30}}}}));
    EXPECT_EQ(found.created_at, clock_.system());
}

// SEC-03, DATA-14
TEST_F(TenantRegistryTest, PasswordIsStoredSealedForItsPlace) {
    ASSERT_TRUE(create({.code = "acme", .database = {"db", "", "", Secret("hunter2")}}));

    EXPECT_EQ(stored("acme").find("hunter2"), std::string::npos);
    EXPECT_NE(stored("acme").find("\"db_password\":\"zenc1."), std::string::npos);

    TenantRegistry without_keys(core_, clock_, nullptr);
    const auto refused = wait<Tenant>([&](auto done) {
        without_keys.create({.code = "b", .database = {"db", "", "", Secret("x")}},
                            std::move(done));
    });
    EXPECT_EQ(refused.error().code(), Code::kUnsupported);
    EXPECT_FALSE(find("b").value().has_value());
}

TEST_F(TenantRegistryTest, RefusesWhatIsNoCodeAndCodesThatAreTaken) {
    ASSERT_TRUE(create({.code = "acme"}));
    EXPECT_EQ(create({.code = "ACME"}).error().code(), Code::kConflict);
    ASSERT_TRUE(set_status("acme", TenantStatus::kInactive));
    EXPECT_EQ(create({.code = "acme"}).error().code(), Code::kConflict) << "never reused";
    for (const std::string& code :
         {std::string(), std::string("a.b"), std::string("../x"), std::string("core"),
          std::string("Core"), std::string("a b"), std::string("\xC3\xA4"), std::string("-a"),
          std::string(200, 'a'), std::string("a\0b", 3)}) {
        EXPECT_EQ(create({.code = code}).error().code(), Code::kInvalidArgument) << code;
    }
    EXPECT_EQ(create({.code = "b", .name = std::string(201, 'n')}).error().code(),
              Code::kInvalidArgument);
    EXPECT_EQ(listed(), std::vector<std::string>{"acme"});
}

// TEN-11
TEST_F(TenantRegistryTest, KeepsTenantsThatAreNotServedAndWhatTheyWere) {
    ASSERT_TRUE(create({.code = "acme", .database = {"db", "", "", Secret("hunter2")}}));
    ASSERT_TRUE(create({.code = "globex"}));
    ASSERT_TRUE(set_status("acme", TenantStatus::kSuspended));
    ASSERT_TRUE(set_status("acme", TenantStatus::kSuspended));  // nothing new
    ASSERT_TRUE(set_status("acme", TenantStatus::kInactive));

    EXPECT_EQ(listed(), (std::vector<std::string>{"acme", "globex"}));
    const auto past = wait<std::vector<Tenant>>([&](auto done) {
                          registry_.history("acme", std::move(done));
                      }).value();
    ASSERT_EQ(past.size(), 2U);
    EXPECT_EQ(past[0].status, TenantStatus::kActive);
    EXPECT_EQ(past[1].status, TenantStatus::kSuspended);
    EXPECT_TRUE(past[0].database.password.empty());
    EXPECT_EQ(find("acme").value()->database.password.reveal(), "hunter2");
    EXPECT_EQ(set_status("nobody", TenantStatus::kActive).error().code(), Code::kNotFound);
}

// TEN-37
TEST_F(TenantRegistryTest, KeepsWhetherTheDatabaseCouldBeUsed) {
    ASSERT_TRUE(create({.code = "acme"}));
    const auto set = [&](ConnectionStatus status) {
        return wait<Tenant>(
            [&](auto done) { registry_.set_connection("acme", status, std::move(done)); });
    };

    for (const auto status : {ConnectionStatus::kConnected, ConnectionStatus::kError,
                              ConnectionStatus::kDisconnected}) {
        ASSERT_TRUE(set(status).has_value());
        EXPECT_EQ(find("acme").value()->connection_status, status);
    }
}

// TEN-11, TEN-38
TEST_F(TenantRegistryTest, ChangesWhatIsToldAndKeepsWhatItWas) {
    ASSERT_TRUE(create({.code = "acme", .name = "Acme", .contact_email = "a@acme.example"}));
    const auto update = [&](TenantChange change) {
        return wait<Tenant>(
            [&](auto done) { registry_.update("ACME", std::move(change), std::move(done)); });
    };
    const auto theme = std::make_shared<const store::Document>(store::Document{{"theme", "dark"}});

    EXPECT_EQ(update({.configuration = theme, .concurrency = std::optional(3U)})->quota.concurrency,
              3U);
    const Tenant after = *update({.name = "Acme Ltd.", .requests_per_second = std::optional(7U)});
    EXPECT_EQ(after.name, "Acme Ltd.");
    EXPECT_EQ(after.contact_email, "a@acme.example");
    EXPECT_EQ(*after.configuration, *theme);
    EXPECT_EQ(after.quota, (OwnQuota{.requests_per_second = 7, .concurrency = 3}));
    EXPECT_EQ(*find("acme").value()->configuration, *theme);
    EXPECT_EQ(find("acme").value()->quota, after.quota);

    EXPECT_EQ(update({.concurrency = std::optional<std::uint32_t>()})->quota,
              (OwnQuota{.requests_per_second = 7, .concurrency = {}}));
    const auto states =
        *wait<std::vector<Tenant>>([&](auto done) { registry_.history("acme", std::move(done)); });
    ASSERT_EQ(states.size(), 3U);
    EXPECT_EQ(states[0].name, "Acme");
    EXPECT_EQ(states[2].quota.concurrency, 3U);
    ASSERT_TRUE(update({.name = "Acme Ltd."}).has_value());
    EXPECT_EQ(wait<std::vector<Tenant>>([&](auto done) {
                  registry_.history("acme", std::move(done));
              })->size(),
              3U)
        << "nothing has changed";
    EXPECT_EQ(update({.name = std::string(201, 'x')}).error().code(), Code::kInvalidArgument);
}

// TEN-11, SEC-03, SEC-07
TEST_F(TenantRegistryTest, AnotherLoginIsSealedAndNotAnotherPlace) {
    const Tenant made = *create(
        {.code = "acme", .database = {"mongodb://db/", "acme", "first", Secret("hunter2")}});
    const BackupRecords works(core_, clock_, &sealer_);
    ASSERT_TRUE(works.begin({.tenant = "acme",
                             .kind = TenantWork::Kind::kMove,
                             .from = made.database,
                             .to = {"mongodb://other/", "acme", "there", Secret("other")}}));
    const auto log_in = [&](DatabaseAddress address) {
        return wait<Tenant>([&](auto done) {
            registry_.update("acme", {.database = std::move(address)}, std::move(done));
        });
    };

    EXPECT_EQ(log_in({"mongodb://db/", "else", "second", Secret("hunter3")}).error().code(),
              Code::kConflict);
    ASSERT_TRUE(log_in({"mongodb://db/", "acme", "second", Secret("hunter3")}).has_value());

    const Tenant found = **find("acme");
    EXPECT_EQ(found.database.username, "second");
    EXPECT_EQ(found.database.password.reveal(), "hunter3");
    EXPECT_EQ(found.version, made.version + 1);
    EXPECT_EQ(stored("acme").find("hunter3"), std::string::npos);
    const auto states =
        *wait<std::vector<Tenant>>([&](auto done) { registry_.history("acme", std::move(done)); });
    ASSERT_EQ(states.size(), 1U);
    EXPECT_EQ(states[0].database.username, "first");
    EXPECT_TRUE(states[0].database.password.empty());
    const auto databases = *wait<std::vector<DatabaseRecord>>(
        [&](auto done) { works.databases("acme", std::move(done)); });
    ASSERT_EQ(databases.size(), 1U);
    EXPECT_EQ(databases[0].database.username, "second");
    const TenantWork move = **works.under_way("acme");
    EXPECT_EQ(move.from.username, "second");
    EXPECT_EQ(move.from.password.reveal(), "hunter3");
    EXPECT_EQ(move.to.username, "there");
    ASSERT_TRUE(log_in({"mongodb://db/", "acme", "", Secret()}).has_value());
    EXPECT_EQ(stored("acme").find("db_password"), std::string::npos);
}

// TEN-01
TEST_F(TenantRegistryTest, BuildTypeIsSettledOnce) {
    EXPECT_EQ(settle(BuildType::kMssp).value(), BuildType::kMssp);
    EXPECT_EQ(settle(BuildType::kMssp).value(), BuildType::kMssp);

    const auto other = settle(BuildType::kSingleTenant);

    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().code(), Code::kConflict);
    EXPECT_NE(other.error().message().find("MSSP"), std::string::npos);
    EXPECT_EQ(settle(BuildType::kMssp).value(), BuildType::kMssp);
}

TEST(TenantNames, AreReadBack) {
    for (const auto type : {BuildType::kMssp, BuildType::kSingleTenant})
        EXPECT_EQ(parse_build_type(to_string(type)).value(), type);
    for (const auto status :
         {TenantStatus::kActive, TenantStatus::kInactive, TenantStatus::kSuspended})
        EXPECT_EQ(parse_tenant_status(to_string(status)).value(), status);
    EXPECT_EQ(parse_build_type("mssp").error().message(),
              "'mssp' is no build type: it is one of MSSP, SINGLE_TENANT");
}

}  // namespace
}  // namespace zona::tenancy
