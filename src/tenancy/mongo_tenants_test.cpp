// Tenants whose databases are in MongoDB, beside those whose are files, through the driver as the
// product has it.
#include <atomic>
#include <filesystem>
#include <future>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/mongo/testing/mongo_server.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/tenants.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using store::MongoServer;
using store::Reader;
using store::Record;
using store::Writer;
using testing::HasSubstr;
using testing::Not;

const store::CollectionSpec& events() {
    return *tenant_collections().at(3);
}

class MongoTenants : public testing::Test {
  protected:
    void SetUp() override {
        if (server_.uri().empty()) GTEST_SKIP() << server_.why_not();
    }
    ~MongoTenants() override {
        tenants_.reset();
        for (const std::string& database : databases_)
            server_.drop(database);
    }

    void make(BuildType type, const std::string& uri = "", const std::string& name = "") {
        tenants_.reset();
        store::MongoOptions mongo{.uri = uri,
                                  .database = name,
                                  .page_token_key = core::Secret(std::string(32, 'k')),
                                  .connect_timeout = std::chrono::milliseconds(500),
                                  .selection_timeout = std::chrono::milliseconds(500)};
        tenants_ = std::make_unique<Tenants>(
            TenantsOptions{.directory = directory_.path() + "/state",
                           .build_type = type,
                           .mongo = std::move(mongo)},
            TenantsDeps{
                .clock = clock_,
                .random = random_,
                .log = log_.logger("tenancy"),
                .open_files =
                    [this](RingPlace) {
                        return EncryptedFiles::open(
                            {.ring = directory_.path() + "/keys.json",
                             .root_keys = *root_keys_,
                             .clock = clock_,
                             .random = random_,
                             .log = {},
                             .page_token_key = core::Secret(std::string(32, 'k'))});
                    },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {}});
    }
    std::string new_database() {
        databases_.push_back(MongoServer::new_database_name());
        return databases_.back();
    }
    template <class T, class Ask>
    static Result<T> wait(Ask ask) {
        return detail::wait_for<T>(std::move(ask));
    }
    Result<Tenant> create(NewTenant wanted) {
        clock_.advance(std::chrono::milliseconds(1));
        return wait<Tenant>(
            [&](auto done) { tenants_->create(std::move(wanted), std::move(done)); });
    }
    NewTenant in_mongo(const std::string& code, const std::string& uri) {
        return {.code = code, .name = {}, .database = {.host = uri, .name = new_database()}};
    }
    /// Writes an event and reads all of them back.
    Result<std::size_t> use(const std::string& code, const char* text) {
        auto data = wait<TenantData>([&](auto done) { tenants_->data_of(code, std::move(done)); });
        if (!data) return data.take_error();
        auto written = wait<Record>([&](auto done) {
            data->write(
                [&data, text](Writer& w) {
                    return w.insert(data->collection(events()), text, {{"text", text}});
                },
                std::move(done));
        });
        if (!written) return written.take_error();
        return wait<std::size_t>([&](auto done) {
            data->read(
                [&data](Reader& r) -> Result<std::size_t> {
                    ZONA_TRY(const store::Page page,
                             r.find_page(data->collection(events()), {}, {}));
                    return page.records.size();
                },
                std::move(done));
        });
    }

    MongoServer& server_ = MongoServer::shared();
    std::vector<std::string> databases_;
    core::TemporaryDirectory directory_;
    core::FakeClock clock_;
    core::MemoryLog log_;
    core::SystemRandom random_;
    std::unique_ptr<vault::RootKeyProvider> root_keys_ =
        vault::make_file_provider(directory_.path() + "/root-key", random_);
    asio::thread_pool blocking_{2};
    std::unique_ptr<Tenants> tenants_;
};

// TEN-13, TEN-17
TEST_F(MongoTenants, ServesTenantsInMongoBesideThoseInFiles) {
    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    ASSERT_TRUE(create({.code = "file"}).has_value());
    for (const char* code : {"acme", "globex"}) {
        const auto made = create(in_mongo(code, server_.uri()));
        ASSERT_TRUE(made.has_value()) << made.error().message();
        EXPECT_EQ(made->connection_status, ConnectionStatus::kConnected);
    }

    EXPECT_EQ(use("acme", "one").value(), 1U);
    EXPECT_EQ(use("acme", "two").value(), 2U);
    EXPECT_EQ(use("globex", "one").value(), 1U);
    EXPECT_EQ(use("file", "one").value(), 1U);

    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    EXPECT_EQ(use("acme", "three").value(), 3U);
}

// TEN-17, TEN-19, TEN-26
TEST_F(MongoTenants, SkipsWhoseDatabaseIsNotThereUntilItComes) {
    const auto own = MongoServer::own_ferretdb();
    if (own->uri().empty()) GTEST_SKIP() << own->why_not();
    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    ASSERT_TRUE(create(in_mongo("away", own->uri())).has_value());
    ASSERT_TRUE(create(in_mongo("acme", server_.uri())).has_value());
    EXPECT_EQ(use("away", "one").value(), 1U);
    own->kill();

    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    ASSERT_EQ(tenants_->report().outages.size(), 1U);
    EXPECT_EQ(tenants_->report().outages[0].code, "away");
    EXPECT_EQ(use("acme", "one").value(), 1U);

    own->start_again();
    clock_.advance(std::chrono::seconds(2));
    tenants_->retry_due();
    EXPECT_EQ(use("away", "two").value(), 2U);
}

// TEN-20
TEST_F(MongoTenants, KeepsAllTenantsInOneDatabaseInTheOtherMode) {
    make(BuildType::kSingleTenant, server_.uri(), new_database());
    ASSERT_TRUE(tenants_->open().has_value());
    for (const char* code : {"acme", "globex"})
        ASSERT_TRUE(create({.code = code}).has_value());

    EXPECT_EQ(use("acme", "one").value(), 1U);
    EXPECT_EQ(use("globex", "one").value(), 1U);
    EXPECT_EQ(use("globex", "two").value(), 2U);
}

// TEN-01
TEST_F(MongoTenants, TheBuildTypeIsChangedThereAndBack) {
    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    ASSERT_TRUE(create({.code = "file"}).has_value());
    ASSERT_TRUE(create(in_mongo("acme", server_.uri())).has_value());
    ASSERT_EQ(use("file", "one").value(), 1U);
    ASSERT_EQ(use("acme", "one").value(), 1U);
    const std::string shared = new_database();

    ASSERT_TRUE(ask_for_build_type(*tenants_->core(), BuildType::kSingleTenant).has_value());
    make(BuildType::kSingleTenant, server_.uri(), shared);
    const auto joined = tenants_->open();
    ASSERT_TRUE(joined.has_value()) << joined.error().message();
    EXPECT_EQ(use("file", "two").value(), 2U);
    EXPECT_EQ(use("acme", "two").value(), 2U);

    ASSERT_TRUE(ask_for_build_type(*tenants_->core(), BuildType::kMssp).has_value());
    // Where the shared one is, is a setting: it is read from there.
    make(BuildType::kMssp, server_.uri(), shared);
    const auto parted = tenants_->open();
    ASSERT_TRUE(parted.has_value()) << parted.error().message();
    EXPECT_EQ(use("file", "three").value(), 3U);
    EXPECT_EQ(use("acme", "three").value(), 3U);
    EXPECT_FALSE(log_.has("stays"));
}

TEST_F(MongoTenants, RefusesHostsThatHoldCredentialsOrAreOfAnotherKind) {
    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());

    const auto with_password = create(in_mongo("a", "mongodb://me:s3cret@localhost/"));
    ASSERT_FALSE(with_password.has_value());
    EXPECT_EQ(with_password.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(with_password.error().message(), HasSubstr("db_username"));
    EXPECT_THAT(with_password.error().message(), Not(HasSubstr("s3cret")));
    EXPECT_EQ(create(in_mongo("b", "postgres://localhost/"))->connection_status,
              ConnectionStatus::kError);
}

/// Tenants of a server that wants to know who connects.
class MongoLogins : public MongoTenants {
  protected:
    void SetUp() override {
        if (own_->uri().empty()) GTEST_SKIP() << own_->why_not();
        own_->set_user("first", "s3cret-one");
        make(BuildType::kMssp);
        ASSERT_TRUE(tenants_->open().has_value());
        NewTenant wanted = in_mongo("acme", own_->uri());
        wanted.database.username = "first";
        wanted.database.password = core::Secret("s3cret-one");
        const auto made = create(std::move(wanted));
        ASSERT_TRUE(made.has_value()) << made.error().message();
        ASSERT_EQ(made->connection_status, ConnectionStatus::kConnected);
        ASSERT_EQ(use("acme", "before").value(), 1U);
    }
    ~MongoLogins() override { tenants_.reset(); }

    Tenant find(const std::string& code) {
        return wait<Tenant>([&](auto done) { tenants_->find(code, std::move(done)); }).value();
    }
    Result<Tenant> log_in(const std::string& code, const std::string& username,
                          const std::string& password) {
        TenantChange change{.name = "named with it", .database = find(code).database};
        change.database->username = username;
        change.database->password = core::Secret(password);
        return wait<Tenant>(
            [&](auto done) { tenants_->update(code, std::move(change), std::move(done)); });
    }
    /// All connections have to be made anew.
    void restart_server() {
        own_->kill();
        own_->start_again();
    }
    Result<Record> put(const TenantData& data, const std::string& text) {
        return wait<Record>([&](auto done) {
            data.write(
                [&](Writer& w) {
                    return w.insert(data.collection(events()), text, {{"text", text}});
                },
                std::move(done));
        });
    }

    std::unique_ptr<MongoServer> own_ = MongoServer::ferretdb_with_users();
};

// TEN-17, SEC-07
TEST_F(MongoLogins, WorkThatIsUnderWayEndsAndAllLaterWorkIsOfTheNewUser) {
    std::optional<TenantData> held =
        wait<TenantData>([&](auto done) { tenants_->data_of("acme", std::move(done)); }).value();
    std::promise<void> begun;
    std::promise<void> go_on;
    std::promise<Result<Record>> ended;
    std::atomic<int> calls = 0;  // it may be called again
    held->write(
        [&, going_on = go_on.get_future().share()](Writer& w) {
            if (calls++ == 0) begun.set_value();
            going_on.wait();
            return w.insert(held->collection(events()), "under way", {{"text", "x"}});
        },
        [&](Result<Record> answer) { ended.set_value(std::move(answer)); });
    begun.get_future().wait();
    own_->set_user("second", "s3cret-two");

    const auto changed = log_in("acme", "second", "s3cret-two");

    ASSERT_TRUE(changed.has_value()) << changed.error().message();
    EXPECT_EQ(changed->connection_status, ConnectionStatus::kConnected);
    go_on.set_value();
    EXPECT_TRUE(ended.get_future().get().has_value());
    own_->drop_user("first");
    EXPECT_TRUE(put(*held, "by who had it before").has_value());
    restart_server();
    const auto later = put(*held, "on a new connection");
    EXPECT_TRUE(later.has_value()) << later.error().message();
    EXPECT_EQ(use("acme", "after").value(), 5U);
    held.reset();  // else its database stays open
    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    EXPECT_EQ(use("acme", "after a restart").value(), 6U);
    for (const std::string& line : log_.lines())
        EXPECT_THAT(line, Not(HasSubstr("s3cret")));
}

// TEN-17, TEN-37, SEC-07
TEST_F(MongoLogins, WhatTheServerRefusesChangesNothing) {
    const Tenant before = find("acme");

    for (const auto& [username, password] :
         {std::pair("first", "s3cret-wrong"), std::pair("nobody", "s3cret-one")}) {
        const auto refused = log_in("acme", username, password);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code(), Code::kUnauthenticated) << refused.error().message();
        EXPECT_THAT(refused.error().message(), HasSubstr("acme stays as it was"));
        EXPECT_THAT(refused.error().message(), Not(HasSubstr("s3cret")));
    }

    const Tenant after = find("acme");
    EXPECT_EQ(after.version, before.version);
    EXPECT_EQ(after.database.username, "first");
    EXPECT_EQ(after.database.password.reveal(), "s3cret-one");
    EXPECT_EQ(after.name, before.name) << "not a part of it either";
    restart_server();
    EXPECT_EQ(use("acme", "after").value(), 2U);
}

// TEN-17, TEN-26
TEST_F(MongoLogins, OneWhoseLoginHasBecomeWrongIsServedAgainAtOnce) {
    tenants_.reset();
    own_->set_user("first", "s3cret-new");
    make(BuildType::kMssp);
    ASSERT_TRUE(tenants_->open().has_value());
    ASSERT_FALSE(use("acme", "refused").has_value());
    ASSERT_EQ(tenants_->report().outages.size(), 1U);

    const auto changed = log_in("acme", "first", "s3cret-new");

    ASSERT_TRUE(changed.has_value()) << changed.error().message();
    EXPECT_EQ(changed->connection_status, ConnectionStatus::kConnected);
    EXPECT_TRUE(tenants_->report().outages.empty());
    EXPECT_EQ(use("acme", "after").value(), 2U);
}

TEST_F(MongoLogins, OnlyADatabaseInMongoHasOne) {
    ASSERT_TRUE(create({.code = "file"}).has_value());

    const auto in_file = log_in("file", "second", "s3cret-two");
    EXPECT_EQ(in_file.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(in_file.error().details().at(0).hint, HasSubstr("zona tenant move file"));
    EXPECT_EQ(find("file").database.username, "");
    EXPECT_EQ(log_in("acme", "", "s3cret-two").error().code(), Code::kInvalidArgument);
}

TEST_F(MongoTenants, LoginOfTheOneDatabaseOfAllIsASetting) {
    make(BuildType::kSingleTenant, server_.uri(), new_database());
    ASSERT_TRUE(tenants_->open().has_value());

    const auto refused = wait<Tenant>([&](auto done) {
        tenants_->update("default", {.database = DatabaseAddress{.username = "me"}},
                         std::move(done));
    });

    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(refused.error().details().at(0).hint, HasSubstr("mongo.username"));
}

}  // namespace
}  // namespace zona::tenancy
