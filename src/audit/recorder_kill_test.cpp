// A process that records dies at any moment: each entry that was recorded is in the chain, once.
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "audit/recorder.h"
#include "audit/testing/books.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/sqlite_engine.h"
#include "store/testing/child_process.h"

namespace zona::audit {
namespace {

using core::Result;
using store::Scope;

constexpr const char* kFolder = "ZONA_TEST_AUDIT_KILL";

/// A recorder on a database file.
class Home {
  public:
    explicit Home(const std::string& folder)
        : engine_(store::SqliteEngine::create({}, clock_, log_.logger()).value()),
          database_(engine_
                        ->open({.path = folder + "/audit.db",
                                .collections = core_collections(),
                                .page_token_key = core::Secret(std::string(32, 'k'))})
                        .value()),
          recorder(
              Spool::open({.directory = folder + "/spool", .segment = core::ByteCount(20'000)},
                          random_, log_.logger())
                  .value(),
              {.clock = clock_, .random = random_, .log = log_.logger(), .metrics = metrics_}) {
        recorder.start(books, [] { return Result<std::optional<Permit>>(Permit()); }, {});
    }

  private:
    core::RealClock clock_;
    core::SystemRandom random_;
    core::MemoryLog log_;
    core::MetricRegistry metrics_;
    std::unique_ptr<store::SqliteEngine> engine_;
    std::unique_ptr<store::SqliteDatabase> database_;

  public:
    TestBooks books{*database_};
    Recorder recorder;
};

std::string told_file(const std::string& folder) {
    return folder + "/told";
}
std::int64_t told_in(const std::string& folder) {
    std::ifstream in(told_file(folder));
    std::int64_t count = 0;
    std::int64_t number = 0;
    while (in >> number)
        ++count;
    return count;
}

class AuditKilled : public testing::Test {};

ZONA_CHILD_TEST(AuditKilled, ChildRecords) {
    const std::string folder = std::getenv(kFolder);
    Home home(folder);
    std::ofstream told(told_file(folder), std::ios::app);
    for (std::int64_t number = told_in(folder);; ++number) {
        Entry entry = home.recorder.begin();
        entry.action = std::to_string(number);
        entry.actor.name = "Ann";
        home.recorder.record(number % 3 == 0 ? "blue" : "acme", entry);
        told << number << std::endl;
    }
}

class AuditKillTest : public testing::Test {
  protected:
    /// What is in the chains, which must be right: the numbers, and how often each entry.
    struct Recorded {
        std::set<std::int64_t> numbers;
        std::map<std::string, int> entries;
    };
    Recorded recorded() {
        Home home(directory_.path());
        Recorded out;
        for (const char* code : {"acme", "blue"}) {
            const Scope scope = Scope::tenant(code).value();
            EXPECT_TRUE(home.recorder.settle(scope));
            const auto done = verify(home.books, scope, public_keys(home.books).value()).value();
            EXPECT_EQ(done.flaw, std::nullopt) << done.flaw->problem;
            std::string token;
            do {
                EXPECT_TRUE(home.books.read(scope, [&](store::Reader& r) -> Result<void> {
                    const store::Query all{.sort = {"seq"}, .walk = store::Walk::kAllow};
                    ZONA_TRY(const store::Page page,
                             r.find_page(store::Collection(audit_log_spec(), scope), all,
                                         {.limit = 500, .token = token}));
                    for (const store::Record& record : page.records) {
                        const store::Document& d = *record.document;
                        out.numbers.insert(std::stoll(std::string(d.at("action").as_string())));
                        ++out.entries[std::string(d.at("id").as_string())];
                    }
                    token = page.next;
                    return {};
                }));
            } while (!token.empty());
        }
        return out;
    }
    void expect_each_once() {
        const Recorded found = recorded();
        const std::int64_t told = told_in(directory_.path());
        for (std::int64_t number = 0; number < told; ++number)
            ASSERT_TRUE(found.numbers.contains(number)) << number << " of " << told << " is lost";
        for (const auto& [id, times] : found.entries)
            EXPECT_EQ(times, 1) << id;
    }

    core::TemporaryDirectory directory_;
};

// AUDIT-16
TEST_F(AuditKillTest, KillAtAnyMomentLosesAndDoublesNothing) {
    for (std::int64_t wanted : {40, 300, 900, 1500}) {
        const store::ChildProcess child("AuditKilled.ChildRecords",
                                        {std::string(kFolder) + "=" + directory_.path()});
        ASSERT_TRUE(child.run_until([&] { return told_in(directory_.path()) >= wanted; }));
        child.kill();
        (void)child.wait();
    }
    expect_each_once();
}

// AUDIT-16
TEST_F(AuditKillTest, DeathBetweenSpoolAndChainLosesAndDoublesNothing) {
    for (const char* fault : {"audit.taken_over:1", "audit.spooled:7", "audit.taken_over:2"}) {
        const store::ChildProcess child(
            "AuditKilled.ChildRecords",
            {std::string(kFolder) + "=" + directory_.path(), std::string("ZONA_FAULT=") + fault});
        EXPECT_TRUE(WIFSIGNALED(child.wait())) << fault;
    }
    expect_each_once();
}

}  // namespace
}  // namespace zona::audit
