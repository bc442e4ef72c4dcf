#include "tenancy/tenants.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "store/blocking.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "vault/field_sealer.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using store::Reader;
using store::Record;
using store::Writer;

/// A collection of the product, as the code of a module has it: nothing here asks for the mode.
const store::CollectionSpec& events() {
    return *tenant_collections().at(3);
}

/// Real files, in either mode.
class TenantsTest : public testing::TestWithParam<BuildType> {
  protected:
    ~TenantsTest() override {
        close();
        std::filesystem::remove_all(folder_);
    }

    Result<void> open() { return open(GetParam()); }
    Result<void> open(BuildType type) {
        make(type);
        return tenants_->open();
    }
    void make() { make(GetParam()); }
    void make(BuildType type) {
        close();
        logged_ = log_.lines().size();
        tenants_ = std::make_unique<Tenants>(
            TenantsOptions{.directory = folder_ + "/state", .build_type = type},
            TenantsDeps{
                .clock = clock_,
                .random = random_,
                .log = log_.logger(),
                .open_files = [this](RingPlace) { return open_files(); },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {},
                .watch =
                    [this](const std::shared_ptr<store::Database>& core) {
                        if (watch_) watch_(core);
                    }});
    }
    Result<std::unique_ptr<EncryptedFiles>> open_files() {
        return EncryptedFiles::open({.ring = folder_ + "/keys.json",
                                     .root_keys = *root_keys_,
                                     .clock = clock_,
                                     .random = random_,
                                     .log = {},
                                     .page_token_key = core::Secret(std::string(32, 'k'))});
    }
    void close() { tenants_.reset(); }
    template <class T, class Ask>
    static Result<T> wait(Ask ask) {
        return detail::wait_for<T>(std::move(ask));
    }
    Result<Tenant> create(const std::string& code) {
        clock_.advance(std::chrono::milliseconds(1));
        return wait<Tenant>([&](auto done) { tenants_->create({.code = code}, std::move(done)); });
    }
    Result<Tenant> set_status(const std::string& code, TenantStatus status) {
        return wait<Tenant>(
            [&](auto done) { tenants_->set_status(code, status, std::move(done)); });
    }
    Result<TenantData> data_of(const std::string& code) {
        return wait<TenantData>([&](auto done) { tenants_->data_of(code, std::move(done)); });
    }
    static Result<Record> insert(const TenantData& data, std::int64_t id, const std::string& text) {
        const json::object document = {{"text", text}};
        return wait<Record>([&](auto done) {
            data.write([&](Writer& w) { return w.insert(data.collection(events()), id, document); },
                       std::move(done));
        });
    }
    static Result<std::vector<std::string>> texts(const TenantData& data) {
        return wait<std::vector<std::string>>([&](auto done) {
            data.read(
                [&](Reader& r) -> Result<std::vector<std::string>> {
                    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
                    ZONA_TRY(const store::Page page,
                             r.find_page(data.collection(events()), all, {.limit = 100}));
                    std::vector<std::string> out;
                    for (const Record& record : page.records)
                        out.emplace_back(record.document->at("text").get_string());
                    return out;
                },
                std::move(done));
        });
    }
    std::vector<std::string> codes() {
        auto all = wait<std::vector<Tenant>>([&](auto done) { tenants_->list(std::move(done)); });
        std::vector<std::string> out;
        for (const Tenant& tenant : all.value())
            out.push_back(tenant.code);
        return out;
    }
    /// What open() has logged since the last make().
    std::vector<std::string> messages() const {
        std::vector<std::string> out;
        for (const std::string& line : log_.lines())
            out.emplace_back(json::parse(line).at("message").as_string());
        return {out.begin() + static_cast<std::ptrdiff_t>(logged_), out.end()};
    }
    static std::string make_folder() {
        std::string name = "/tmp/zona-tenants-XXXXXX";
        return ::mkdtemp(name.data());
    }

    std::string folder_ = make_folder();
    core::FakeClock clock_;
    core::SystemRandom random_;
    core::MemoryLog log_;
    std::size_t logged_ = 0;  ///< lines before the last make()
    std::function<void(const std::shared_ptr<store::Database>&)> watch_;
    asio::thread_pool blocking_{2};
    std::unique_ptr<vault::RootKeyProvider> root_keys_ =
        vault::make_file_provider(folder_ + "/root-key", random_);
    std::unique_ptr<Tenants> tenants_;
};

// TEN-22
TEST_P(TenantsTest, ConnectionsAreTriedThenWatchedAndOnlyThenReady) {
    ASSERT_TRUE(open());
    ASSERT_TRUE(create("acme"));
    make();
    std::vector<std::string> before;
    std::optional<std::string> not_ready;
    std::future<Result<TenantData>> asked;
    watch_ = [&](const std::shared_ptr<store::Database>& core) {
        EXPECT_NE(core, nullptr);
        before = messages();
        not_ready = tenants_->problem();
        asked = std::async(std::launch::async, [&] { return data_of("acme"); });
        EXPECT_EQ(asked.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    };
    ASSERT_TRUE(tenants_->open());
    EXPECT_TRUE(not_ready.has_value());
    EXPECT_EQ(tenants_->problem(), std::nullopt);
    EXPECT_TRUE(asked.get());
    std::vector<std::string> wanted = {"the core database is open", "the build type is settled",
                                       "the tenants are listed",    "the connections are set",
                                       "a tenant has a session",    "a tenant has a session",
                                       "the connections were tried"};
    EXPECT_EQ(before, wanted);
    wanted.insert(wanted.end(), {"the pools are watched", "the tenants' data is ready"});
    EXPECT_EQ(messages(), wanted);
}

// SEC-01, SEC-03
TEST_P(TenantsTest, FlaggedFieldsAreSealedUnderTheTenantsOwnKeysInEitherMode) {
    ASSERT_TRUE(open());
    ASSERT_TRUE(create("acme"));
    ASSERT_TRUE(create("globex"));
    const store::CollectionSpec& spec = *tenant_collections().at(0);
    const json::object integration = {{"secret_fields", {{"token", "correct-horse"}}}};
    for (const char* code : {"acme", "globex"}) {
        const TenantData data = data_of(code).value();
        const auto stored = wait<Record>([&](auto done) {
            data.write([&](Writer& w) { return w.insert(data.collection(spec), 1, integration); },
                       std::move(done));
        });
        EXPECT_EQ(*stored.value().document, integration);
    }
    close();

    // Whoever has opened the file sees this.
    const bool shared = GetParam() == BuildType::kSingleTenant;
    std::set<std::uint32_t> keys;
    for (const char* code : {"acme", "globex"}) {
        const auto files = open_files().value();
        const std::string folder = folder_ + "/state/tenants/";
        const auto database =
            shared ? files->open_database(folder + "shared.db", "core", tenant_collections())
                   : files->open_database(folder + code + "/data.db", code, tenant_collections());
        const store::Collection raw(spec, scope_of(code).value());
        const auto found =
            store::read_and_wait(**database, [&](Reader& r) { return r.find(raw, 1); });
        const json::string text = found.value()->document->at("secret_fields").get_string();
        EXPECT_EQ(text.find("correct-horse"), json::string::npos);
        keys.insert(std::to_underlying(vault::FieldSealer::key_of(text).value()));
    }
    EXPECT_EQ(keys.size(), 2U);
}

/// Where each tenant has a file of its own.
class SeparateTenantsTest : public TenantsTest {};

// TEN-06, TEN-27
TEST_P(TenantsTest, FirstStartMakesTheDefaultTenantAndALaterOneFindsIt) {
    for (int start = 0; start < 2; ++start) {
        ASSERT_TRUE(open().has_value());
        EXPECT_EQ(codes(), std::vector<std::string>{"default"});
        EXPECT_EQ(tenants_->report().ready, 1U);
        EXPECT_TRUE(data_of("default").has_value());
    }
}

// TEN-01, TEN-13, TEN-14
TEST_P(TenantsTest, EachTenantSeesItsOwnDocumentsAlone) {
    ASSERT_TRUE(open().has_value());
    for (const char* code : {"acme", "globex"})
        ASSERT_TRUE(create(code).has_value());
    const TenantData acme = data_of("acme").value();
    const TenantData globex = data_of("globex").value();

    ASSERT_TRUE(insert(acme, 1, "of acme").has_value());
    ASSERT_TRUE(insert(globex, 1, "of globex").has_value());
    ASSERT_TRUE(insert(globex, 2, "more of globex").has_value());

    EXPECT_EQ(texts(acme).value(), std::vector<std::string>{"of acme"});
    EXPECT_EQ(texts(globex).value(), (std::vector<std::string>{"of globex", "more of globex"}));
    EXPECT_TRUE(texts(data_of("default").value()).value().empty());
}

// TEN-02, SEC-04
TEST_P(TenantsTest, NothingLiesInClearAndEachTenantHasAFileInItsMode) {
    ASSERT_TRUE(open().has_value());
    for (const char* code : {"acme", "globex"}) {
        ASSERT_TRUE(create(code).has_value());
        ASSERT_TRUE(insert(data_of(code).value(), 1, std::string("secret of ") + code).has_value());
    }
    const auto look = [&] {
        std::set<std::string> databases;
        for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
            if (!file.is_regular_file()) continue;
            std::ifstream in(file.path(), std::ios::binary);
            const std::string bytes((std::istreambuf_iterator<char>(in)), {});
            EXPECT_EQ(bytes.find("secret of "), std::string::npos) << file.path();
            if (file.path().extension() == ".db")
                databases.insert(std::filesystem::relative(file.path(), folder_ + "/state"));
        }
        return databases;
    };
    look();  // while it is open
    close();

    const std::set<std::string> own{"core.db", "tenants/acme/data.db", "tenants/globex/data.db"};
    const std::set<std::string> shared{"core.db", "tenants/shared.db"};
    EXPECT_EQ(look(), GetParam() == BuildType::kSingleTenant ? shared : own);
}

// SEC-01, SEC-04
TEST_P(SeparateTenantsTest, FileOfATenantOpensForNoOther) {
    ASSERT_TRUE(open().has_value());
    for (const char* code : {"acme", "globex"}) {
        ASSERT_TRUE(create(code).has_value());
        ASSERT_TRUE(insert(data_of(code).value(), 1, code).has_value());
    }
    close();
    const std::string tenants = folder_ + "/state/tenants";
    std::filesystem::copy_file(tenants + "/acme/data.db", tenants + "/globex/data.db",
                               std::filesystem::copy_options::overwrite_existing);
    ASSERT_TRUE(open().has_value());

    EXPECT_EQ(data_of("globex").error().code(), Code::kSessionError);
    EXPECT_EQ(texts(data_of("acme").value()).value(), std::vector<std::string>{"acme"});
}

// SEC-07
TEST_P(TenantsTest, WithoutTheRootKeyNothingOpens) {
    ASSERT_TRUE(open().has_value());
    close();
    const std::string key = folder_ + "/root-key";
    std::filesystem::rename(key, key + ".away");

    const auto refused = open();

    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(tenants_->problem()->find("root-key"), std::string::npos) << *tenants_->problem();
    EXPECT_FALSE(std::filesystem::exists(key)) << "no other key is made";
    std::filesystem::rename(key + ".away", key);
    EXPECT_TRUE(open().has_value());
}

TEST_P(TenantsTest, WhatIsAskedBeforeItIsOpenWaits) {
    ASSERT_TRUE(open().has_value());
    make();
    std::promise<Result<Tenant>> answer;
    auto future = answer.get_future();
    tenants_->create({.code = "acme", .name = {}},
                     [&](Result<Tenant> made) { answer.set_value(std::move(made)); });
    EXPECT_NE(tenants_->problem()->find("being opened"), std::string::npos);
    EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);

    ASSERT_TRUE(tenants_->open().has_value());

    EXPECT_EQ(future.get()->code, "acme");

    make();
    std::promise<Result<Tenant>> never;
    tenants_->find("acme", [&](Result<Tenant> found) { never.set_value(std::move(found)); });
    tenants_.reset();  // without having been opened
    EXPECT_EQ(never.get_future().get().error().code(), Code::kUnavailable);
}

// TEN-36, TEN-11
TEST_P(TenantsTest, SuspendedTenantIsNotServedAndKeepsItsData) {
    ASSERT_TRUE(open().has_value());
    ASSERT_EQ(create("acme")->connection_status, ConnectionStatus::kConnected);
    ASSERT_TRUE(insert(data_of("acme").value(), 1, "kept").has_value());

    const Tenant suspended = set_status("acme", TenantStatus::kSuspended).value();

    EXPECT_EQ(suspended.connection_status, ConnectionStatus::kDisconnected);
    EXPECT_EQ(data_of("acme").error().code(), Code::kTenantInactive);
    ASSERT_TRUE(open().has_value());  // a restart
    EXPECT_EQ(data_of("acme").error().code(), Code::kTenantInactive);
    EXPECT_EQ(codes(), (std::vector<std::string>{"default", "acme"}));
    ASSERT_TRUE(set_status("acme", TenantStatus::kActive).has_value());
    EXPECT_EQ(texts(data_of("acme").value()).value(), std::vector<std::string>{"kept"});
}

// TEN-01
TEST_P(TenantsTest, AnotherBuildTypeIsRefusedAndChangesNothing) {
    ASSERT_TRUE(open().has_value());
    ASSERT_TRUE(insert(data_of("default").value(), 1, "kept").has_value());
    const auto other = GetParam() == BuildType::kMssp ? BuildType::kSingleTenant : BuildType::kMssp;

    const auto refused = open(other);

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_EQ(create("acme").error().code(), Code::kUnavailable);
    EXPECT_NE(tenants_->problem()->find("build type"), std::string::npos);
    ASSERT_TRUE(open().has_value());
    EXPECT_EQ(texts(data_of("default").value()).value(), std::vector<std::string>{"kept"});
}

// TEN-21
TEST_P(TenantsTest, DamagedCoreDatabaseIsTheEndOfIt) {
    ASSERT_TRUE(open().has_value());
    close();
    std::ofstream(folder_ + "/state/core.db", std::ios::binary | std::ios::trunc)
        << std::string(100000, 'x');

    EXPECT_FALSE(open().has_value());
    EXPECT_TRUE(tenants_->problem().has_value());
    EXPECT_EQ(data_of("default").error().code(), Code::kUnavailable);
}

// TEN-17, TEN-26, TEN-47, REL-24
TEST_P(SeparateTenantsTest, DamagedTenantIsAnOutageOfItsOwn) {
    ASSERT_TRUE(open().has_value());
    for (const char* code : {"acme", "globex"})
        ASSERT_TRUE(create(code).has_value());
    close();
    const std::string file = folder_ + "/state/tenants/acme/data.db";
    std::filesystem::rename(file, file + ".good");
    std::ofstream(file, std::ios::binary) << std::string(100000, 'x');
    ASSERT_TRUE(open().has_value());

    EXPECT_EQ(data_of("acme").error().code(), Code::kSessionError);
    EXPECT_TRUE(data_of("globex").has_value());
    ASSERT_EQ(tenants_->report().outages.size(), 1U);
    EXPECT_EQ(tenants_->report().outages[0].code, "acme");

    std::filesystem::rename(file + ".good", file);
    clock_.advance(std::chrono::minutes(5));
    tenants_->retry_due();
    EXPECT_TRUE(data_of("acme").has_value());
    EXPECT_TRUE(tenants_->report().outages.empty());
}

// TEN-44, PERF-12
TEST_P(TenantsTest, ServesAHundredTenants) {
    ASSERT_TRUE(open().has_value());
    for (int i = 0; i < 100; ++i) {
        const std::string code = "t" + std::to_string(i);
        ASSERT_TRUE(create(code).has_value()) << code;
        ASSERT_TRUE(insert(data_of(code).value(), 1, code).has_value());
    }
    ASSERT_TRUE(open().has_value());
    EXPECT_EQ(tenants_->report().ready, 101U);
    for (int i = 0; i < 100; ++i) {
        const std::string code = "t" + std::to_string(i);
        EXPECT_EQ(texts(data_of(code).value()).value(), std::vector<std::string>{code});
    }
}

INSTANTIATE_TEST_SUITE_P(OneMode, SeparateTenantsTest, testing::Values(BuildType::kMssp));
INSTANTIATE_TEST_SUITE_P(BothModes, TenantsTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
