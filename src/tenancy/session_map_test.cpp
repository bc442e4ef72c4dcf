#include "tenancy/session_map.h"

#include <filesystem>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "store/testing/memory_database.h"

namespace zona::tenancy {
namespace {

using core::Code;
using core::Error;
using core::Result;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Databases that are there or not, as a test says.
class FakeDatabases final : public TenantDatabases {
  public:
    explicit FakeDatabases(const core::Clock& clock) : clock_(clock) {}

    Result<void> probe(const Tenant& tenant) override {
        const std::lock_guard lock(mutex_);
        ++probed[tenant.code];
        if (const auto down = outages.find(tenant.code); down != outages.end()) return down->second;
        return {};
    }
    Result<std::shared_ptr<store::Database>> open(const Tenant& tenant) override {
        ZONA_TRY_VOID(probe(tenant));
        const std::lock_guard lock(mutex_);
        ++opened[tenant.code];
        return std::make_shared<store::MemoryDatabase>(std::vector<const store::CollectionSpec*>(),
                                                       core::Secret(std::string(32, 'k')), clock_);
    }

    void set_login(store::Database&, const Tenant& tenant) override {
        const std::lock_guard lock(mutex_);
        logins.push_back(tenant.database.username);
    }

    std::map<std::string, Error> outages;
    std::vector<std::string> logins;
    std::map<std::string, int> probed;
    std::map<std::string, int> opened;

  private:
    const core::Clock& clock_;
    std::mutex mutex_;
};

class SessionMapTest : public testing::Test {
  protected:
    static Tenant tenant(const std::string& code, TenantStatus status = TenantStatus::kActive) {
        Tenant out;
        out.code = code;
        out.status = status;
        out.database.host = kEmbedded;
        return out;
    }
    Result<TenantData> find(std::string_view code) {
        std::optional<Result<TenantData>> answer;
        map_.find(code, [&](Result<TenantData> found) { answer = std::move(found); });
        return *std::move(answer);
    }
    std::vector<std::string> down() {
        std::vector<std::string> codes;
        for (const Outage& outage : map_.report().outages)
            codes.push_back(outage.code);
        return codes;
    }
    void break_down(const std::string& code) {
        databases_.outages.insert_or_assign(code, Error(Code::kUnavailable, "nobody answers"));
    }

    core::FakeClock clock_;
    core::SeededRandom random_{3};
    FakeDatabases databases_{clock_};
    std::vector<std::pair<std::string, ConnectionStatus>> changes_;
    SessionMap map_{{.databases = databases_,
                     .clock = clock_,
                     .random = random_,
                     .log = {},
                     .run_blocking = [](std::move_only_function<void()> work) { work(); },
                     .connection_changed =
                         [this](const std::string& code, ConnectionStatus status) {
                             changes_.emplace_back(code, status);
                         },
                     .hook = {}},
                    Backoff{.first = milliseconds(1000), .longest = milliseconds(8000)}};
};

// TEN-12, TEN-17, TEN-47
TEST_F(SessionMapTest, TenantThatCannotBeReachedIsSkippedAndReported) {
    break_down("b");
    for (const char* code : {"a", "b", "c"})
        map_.put(tenant(code));

    EXPECT_EQ(map_.report().ready, 2U);
    EXPECT_EQ(down(), std::vector<std::string>{"b"});
    EXPECT_EQ(map_.report().outages.at(0).reason, "nobody answers");
    EXPECT_EQ(find("a")->code(), "a");
    EXPECT_EQ(find("C")->code(), "c");
}

// TEN-28, TEN-29, TEN-36
TEST_F(SessionMapTest, SaysWhyThereIsNoSession) {
    break_down("down");
    map_.put(tenant("down"));
    map_.put(tenant("late", TenantStatus::kSuspended));
    map_.put(tenant("old", TenantStatus::kInactive));

    for (const char* code : {"nobody", "", "../a", "A.B"}) {
        const auto refused = find(code);
        ASSERT_FALSE(refused.has_value()) << code;
        EXPECT_EQ(refused.error().code(), Code::kInvalidTenant);
        EXPECT_EQ(refused.error().message(), "there is no such tenant");
    }
    EXPECT_EQ(find("late").error().message(), "the tenant late is suspended");
    EXPECT_EQ(find("old").error().code(), Code::kTenantInactive);
    EXPECT_EQ(find("down").error().code(), Code::kSessionError);
    EXPECT_TRUE(databases_.opened.empty());
    EXPECT_EQ(databases_.probed.size(), 1U) << "only an active tenant's database is looked at";
}

// TEN-25
TEST_F(SessionMapTest, PausesBetweenTriesGrowToACapAndBeginAnewAfterSuccess) {
    break_down("a");
    map_.put(tenant("a"));
    std::vector<milliseconds> pauses;
    for (int i = 0; i < 6; ++i) {
        const auto pause = *map_.next_retry() - clock_.system();
        pauses.push_back(std::chrono::duration_cast<milliseconds>(pause));
        clock_.advance(pause - milliseconds(1));
        EXPECT_EQ(map_.retry_due(), 0U);
        EXPECT_EQ(databases_.probed["a"], i + 1) << "too early";
        clock_.advance(milliseconds(1));
        map_.retry_due();
        EXPECT_EQ(databases_.probed["a"], i + 2);
    }
    const milliseconds longest[] = {seconds(1), seconds(2), seconds(4),
                                    seconds(8), seconds(8), seconds(8)};
    for (std::size_t i = 0; i < pauses.size(); ++i) {
        EXPECT_LE(pauses[i], longest[i]);
        EXPECT_GE(pauses[i], longest[i] * 4 / 5);
    }
    EXPECT_NE(pauses[4], pauses[5]) << "shortened at random";

    databases_.outages.clear();
    clock_.advance(seconds(8));
    EXPECT_EQ(map_.retry_due(), 1U);
    EXPECT_FALSE(map_.next_retry().has_value());
    break_down("a");
    map_.put(tenant("a"));
    EXPECT_LE(*map_.next_retry() - clock_.system(), seconds(1));
}

// TEN-25
TEST_F(SessionMapTest, ClockThatIsSetBackDelaysNoTry) {
    break_down("a");
    map_.put(tenant("a"));
    databases_.outages.clear();
    clock_.set_system(clock_.system() - std::chrono::hours(24));

    EXPECT_LE(*map_.next_retry(), clock_.system());
    EXPECT_EQ(map_.retry_due(), 1U);
    EXPECT_TRUE(find("a").has_value());
}

// TEN-26
TEST_F(SessionMapTest, TenantThatComesBackOrIsAddedGetsASession) {
    break_down("a");
    map_.put(tenant("a"));
    EXPECT_FALSE(find("a").has_value());
    databases_.outages.clear();
    clock_.advance(seconds(1));
    EXPECT_EQ(map_.retry_due(), 1U);
    EXPECT_TRUE(find("a").has_value());

    map_.put(tenant("new"));
    EXPECT_TRUE(find("new").has_value());
    map_.put(tenant("new", TenantStatus::kSuspended));
    EXPECT_EQ(find("new").error().code(), Code::kTenantInactive);
    map_.put(tenant("new"));
    EXPECT_TRUE(find("new").has_value());
}

// TEN-17
TEST_F(SessionMapTest, OpenDatabaseStaysOpenForAnotherUser) {
    Tenant now = tenant("a");
    now.database.username = "first";
    map_.put(now);
    const auto held = find("a");
    ASSERT_TRUE(held.has_value());
    now.version = 1;
    now.database.username = "second";

    break_down("a");
    EXPECT_EQ(map_.follow(now), News::kToProbe);
    EXPECT_TRUE(find("a").has_value()) << "until it was tried";
    EXPECT_TRUE(databases_.logins.empty());
    databases_.outages.clear();
    EXPECT_EQ(map_.put(now), ConnectionStatus::kConnected);

    EXPECT_EQ(databases_.logins, std::vector<std::string>{"second"});
    EXPECT_EQ(databases_.opened["a"], 1);
    EXPECT_EQ(map_.follow(now), News::kNothingNew);
    std::optional<Result<bool>> written;
    held->write([](store::Writer&) { return Result<bool>(true); },
                [&](Result<bool> done) { written = std::move(done); });
    EXPECT_TRUE(written && written->has_value()) << "who has it already keeps it";
}

// TEN-37
TEST_F(SessionMapTest, TellsWhenAConnectionComesOrGoes) {
    using enum ConnectionStatus;
    break_down("a");
    map_.put(tenant("a"));
    clock_.advance(seconds(1));
    map_.retry_due();  // still down: nothing new
    databases_.outages.clear();
    clock_.advance(seconds(8));
    map_.retry_due();
    databases_.outages.insert_or_assign("a", Error(Code::kInternal, "damaged"));
    map_.put(tenant("a"));

    EXPECT_EQ(changes_, (std::vector<std::pair<std::string, ConnectionStatus>>{
                            {"a", kDisconnected}, {"a", kConnected}, {"a", kError}}));
}

// TEN-14, TEN-44
TEST_F(SessionMapTest, DatabaseIsOpenedWhenItIsUsedFirstAndOnceForAll) {
    for (int i = 0; i < 120; ++i)
        map_.put(tenant("t" + std::to_string(i)));
    EXPECT_TRUE(databases_.opened.empty());
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([this] {
            for (int i = 0; i < 120; ++i) {
                const std::string code = "t" + std::to_string(i);
                std::promise<std::string> found;
                map_.find(code, [&](Result<TenantData> data) { found.set_value(data->code()); });
                EXPECT_EQ(found.get_future().get(), code);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(databases_.opened.size(), 120U);
    for (const auto& [code, times] : databases_.opened)
        EXPECT_EQ(times, 1) << code;
}

TEST_F(SessionMapTest, DatabaseThatCannotBeOpenedIsAnOutage) {
    map_.put(tenant("a"));
    databases_.outages.insert_or_assign("a", Error(Code::kInternal, "damaged"));

    const auto refused = find("a");

    EXPECT_EQ(refused.error().code(), Code::kSessionError);
    EXPECT_EQ(refused.error().message().find("damaged"), std::string::npos) << "for the log alone";
    EXPECT_EQ(down(), std::vector<std::string>{"a"});
}

class SeparateDatabasesTest : public testing::Test {
  protected:
    ~SeparateDatabasesTest() override { std::filesystem::remove_all(folder_); }

    Result<std::shared_ptr<store::Database>> open(const std::string& code,
                                                  std::string_view host = kEmbedded) {
        Tenant tenant;
        tenant.code = code;
        tenant.database.host = host;
        return databases_->open(tenant);
    }

    core::FakeClock clock_;
    static std::string make_folder() {
        std::string name = "/tmp/zona-tenants-XXXXXX";
        return ::mkdtemp(name.data());
    }

    std::string folder_ = make_folder();
    std::vector<std::string> paths_;
    std::unique_ptr<TenantDatabases> databases_ =
        separate_databases(folder_ + "/tenants",
                           [this](const std::string& path,
                                  std::string_view) -> Result<std::shared_ptr<store::Database>> {
                               paths_.push_back(path);
                               return std::make_shared<store::MemoryDatabase>(
                                   std::vector<const store::CollectionSpec*>(),
                                   core::Secret(std::string(32, 'k')), clock_);
                           });
};

// TEN-02, TEN-30
TEST_F(SeparateDatabasesTest, EachTenantHasAFileOfItsOwn) {
    const auto a = open("a").value();
    const auto b = open("b").value();

    EXPECT_NE(a, b);
    EXPECT_EQ(paths_,
              (std::vector{folder_ + "/tenants/a/data.db", folder_ + "/tenants/b/data.db"}));
    EXPECT_EQ(std::filesystem::status(folder_ + "/tenants/a").permissions(),
              std::filesystem::perms::owner_all);
}

// TEN-18
TEST_F(SeparateDatabasesTest, TenantWithoutAHostIsRefused) {
    EXPECT_EQ(open("a", "").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(open("a", "db.example:27017").error().code(), Code::kUnsupported);
    EXPECT_TRUE(paths_.empty());
}

// TEN-13
TEST_F(SeparateDatabasesTest, SharedDatabaseIsTheSameForAll) {
    const auto one = open("a").value();
    const auto shared = shared_database(one);
    Tenant b;
    b.code = "b";

    EXPECT_TRUE(shared->probe(b).has_value());
    EXPECT_EQ(shared->open(b).value(), one);
}

// REL-07
TEST_F(SessionMapTest, NobodyOpensADatabaseThatIsHeldButWhoeverHoldsIt) {
    std::vector<std::move_only_function<void()>> later;
    SessionMap map({.databases = databases_,
                    .clock = clock_,
                    .random = random_,
                    .log = {},
                    .run_blocking = [&](auto work) { later.push_back(std::move(work)); },
                    .connection_changed = {},
                    .hook = {}},
                   Backoff{.first = milliseconds(1000), .longest = milliseconds(8000)});
    map.put(tenant("a"));
    // Asked for before it is held, and opened behind that.
    std::optional<Result<TenantData>> asked;
    map.find("a", [&](Result<TenantData> found) { asked = std::move(found); });
    ASSERT_TRUE(map.hold("a", Error(Code::kUnavailable, "it is being changed")).has_value());
    for (auto& work : later)
        work();
    ASSERT_TRUE(asked && !asked->has_value());
    EXPECT_EQ(asked->error().message(), "it is being changed");
    EXPECT_EQ(map.database("a").error().message(), "it is being changed");
    EXPECT_TRUE(databases_.opened.empty());
    EXPECT_TRUE(map.is_held("a"));

    EXPECT_TRUE(map.database("a", WhileHeld::kOpen).has_value());
    EXPECT_FALSE(map.database("a").has_value()) << "open, but not for others";
    map.release(tenant("a"));
    EXPECT_FALSE(map.is_held("a"));
    EXPECT_TRUE(map.database("a").has_value());
}

}  // namespace
}  // namespace zona::tenancy
