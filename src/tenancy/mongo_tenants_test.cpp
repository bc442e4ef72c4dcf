// Tenants whose databases are in MongoDB, beside those whose are files, through the driver as the
// product has it.
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
        std::promise<Result<T>> answer;
        auto future = answer.get_future();
        ask(store::Callback<T>([&](Result<T> result) { answer.set_value(std::move(result)); }));
        return future.get();
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

}  // namespace
}  // namespace zona::tenancy
