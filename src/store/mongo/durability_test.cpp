// No acknowledged write is lost, and none is there in part, when the process dies or the server
// does: against a server without transactions, so it is the outbox that is tried here.
// ZONA_TEST_KILLS=N makes it longer.
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/random.h"
#include "os/fd.h"
#include "store/mongo/testing/mongo_fixture.h"
#include "store/testing/child_process.h"

namespace zona::store {
namespace {

constexpr const char* kDatabase = "ZONA_TEST_MONGO_DATABASE";
constexpr const char* kServer = "ZONA_TEST_MONGO_URI";
constexpr int kAcknowledgements = 3;  // the child's descriptor
constexpr std::int64_t kTwin = std::int64_t{1} << 40U;
// An id that ends in 5 removes the pair so far behind it, which ends in 0.
constexpr std::int64_t kBack = 5;
constexpr std::int64_t kDebit = -1;
constexpr std::int64_t kCredit = -2;

class MongoKill : public MongoTest {
  protected:
    /// Two new documents, two that change by what the other does not, and now and then two that go.
    Result<std::int64_t> write_one(Database& database, std::int64_t id) const {
        return write_and_wait(database, [&](Writer& w) -> Result<std::int64_t> {
            ZONA_TRY(const Record one, w.insert(tasks_, id, task("open", id)));
            ZONA_TRY(const Record two, w.insert(tasks_, id + kTwin, task("open", id)));
            ZONA_TRY(const Record debit,
                     w.modify(tasks_, kDebit, Update().inc("priority", std::int64_t{-1})));
            ZONA_TRY(const Record credit,
                     w.modify(tasks_, kCredit, Update().inc("priority", std::int64_t{1})));
            if (id % 10 == 5) {
                ZONA_TRY(const bool gone, w.remove(tasks_, id - kBack));
                ZONA_TRY(const bool twin, w.remove(tasks_, id - kBack + kTwin));
                if (gone != twin) return Error(Code::kInternal, "a pair was torn");
            }
            return id;
        });
    }

    void begin(Database& database) const {
        ASSERT_TRUE(write_and_wait(database, [&](Writer& w) -> Result<int> {
                        for (const std::int64_t id : {kDebit, kCredit}) {
                            ZONA_TRY(const Record made, w.insert(tasks_, id, task("done", 0)));
                        }
                        return 0;
                    }).has_value());
    }

    /// Every transaction is there as a whole, and all of the acknowledged ones.
    void expect_kept(Database& database, const std::vector<std::int64_t>& acknowledged) const {
        const auto done = read_and_wait(database, [&](Reader& r) -> Result<int> {
            const auto there = [&](std::int64_t id) { return r.find(tasks_, id)->has_value(); };
            for (const std::int64_t id : acknowledged) {
                // By a later one, which may have been kept unanswered.
                const bool removed = id % 10 == 0 && there(id + kBack);
                EXPECT_EQ(there(id), !removed) << id;
            }
            PageRequest request{.limit = 1000};
            do {
                ZONA_TRY(const Page page, r.find_page(tasks_, {}, request));
                for (const Record& record : page.records) {
                    const std::int64_t id = std::get<std::int64_t>(record.id);
                    if (id < 0) continue;
                    EXPECT_TRUE(there(id < kTwin ? id + kTwin : id - kTwin)) << id;
                }
                request.token = page.next;
            } while (!request.token.empty());
            ZONA_TRY(const auto debit, r.find(tasks_, kDebit));
            ZONA_TRY(const auto credit, r.find(tasks_, kCredit));
            const std::int64_t count = credit->document->at("priority").as_int64();
            EXPECT_EQ(debit->document->at("priority").as_int64(), -count);
            EXPECT_GE(count, static_cast<std::int64_t>(acknowledged.size()));
            return 0;
        });
        EXPECT_TRUE(done.has_value()) << done.error().message();
    }

    /// Runs the child; kills it when it has acknowledged so many, unless a fault does. Appends what
    /// it acknowledged.
    void run_child(const MongoHome& home, std::size_t limit, const std::string& fault,
                   std::vector<std::int64_t>& acknowledged) const {
        os::Pipe pipe = os::make_pipe().value();
        std::vector<std::string> environment = {
            fmt::format("{}={}", kServer, MongoServer::shared().uri()),
            fmt::format("{}={}", kDatabase, home.name())};
        if (!fault.empty()) environment.push_back("ZONA_FAULT=" + fault);
        const ChildProcess child("MongoKill.ChildWritesUntilItIsKilled", environment,
                                 pipe.write.get());
        pipe.write.reset();
        const std::size_t before = acknowledged.size();
        std::int64_t id = 0;
        while (os::read_some(pipe.read.get(), std::as_writable_bytes(std::span(&id, 1)))
                   .value()
                   .value() == sizeof id) {
            acknowledged.push_back(id);
            if (acknowledged.size() - before == limit) child.kill();
        }
        const int status = child.wait();
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }

    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
};

ZONA_CHILD_TEST(MongoKill, ChildWritesUntilItIsKilled) {
    const char* const database_name = std::getenv(kDatabase);
    core::RealClock clock;
    core::MemoryLog log;
    const auto database =
        mongo::open_here(MongoServer::shared().options(database_name), clock, log.logger()).value();
    const Query last{.direction = Direction::kDescending};
    const auto found =
        read_and_wait(*database, [&](Reader& r) { return r.find_one(tasks_, last); }).value();
    std::int64_t id =
        found ? std::max<std::int64_t>(std::get<std::int64_t>(found->id) % kTwin, 0) : 0;
    for (id = id / 10 * 10 + 10;; ++id) {
        if (!write_one(*database, id).has_value()) std::abort();
        const std::string_view bytes(reinterpret_cast<const char*>(&id), sizeof id);
        if (!os::write_all(kAcknowledgements, bytes)) std::abort();
    }
}

TEST_F(MongoKill, LosesNoAcknowledgedWriteAndTearsNone) {
    const char* wanted = std::getenv("ZONA_TEST_KILLS");
    const int kills = wanted == nullptr ? 5 : std::atoi(wanted);
    MongoHome home;
    home.clock.set_system(core::RealClock().system());
    begin(*home.open().value());
    std::vector<std::int64_t> acknowledged;
    core::SeededRandom random(static_cast<std::uint64_t>(::getpid()));
    for (int i = 0; i < kills && !HasFailure(); ++i) {
        run_child(home, 1 + random.below(40), "", acknowledged);
        SCOPED_TRACE(fmt::format("kill {} after {} acknowledgements", i, acknowledged.size()));
        expect_kept(*home.open().value(), acknowledged);
    }
}

#ifdef ZONA_FAULTS

TEST_F(MongoKill, LosesNoAcknowledgedWriteAtAnyStep) {
    MongoHome home;
    home.clock.set_system(core::RealClock().system());
    begin(*home.open().value());
    std::vector<std::int64_t> acknowledged;
    // The sixth transaction is the first that removes.
    for (const char* fault :
         {"mongo.before_commit:3", "mongo.before_set:2", "mongo.set_written:3",
          "mongo.step_written:1", "mongo.step_written:3", "mongo.step_written:21",
          "mongo.step_written:23", "mongo.step_written:26", "mongo.set_decided:6",
          "mongo.tombstones_gone:6", "mongo.after_commit:4"}) {
        SCOPED_TRACE(fault);
        run_child(home, SIZE_MAX, fault, acknowledged);
        expect_kept(*home.open().value(), acknowledged);
        if (HasFailure()) return;
    }
    EXPECT_TRUE(home.log.has("a write set that was interrupted was brought to an end"));
}

#endif

// What failed half way is brought to an end before anything else is answered.
TEST_F(MongoKill, GoesOnWhenTheServerWasKilledInBetween) {
    const auto server = MongoServer::own_ferretdb();
    if (server->uri().empty()) GTEST_SKIP() << server->why_not();
    MongoHome home(*server);
    home.clock.set_system(core::RealClock().system());
    MongoOptions options = home.options();
    options.selection_timeout = std::chrono::milliseconds(200);
    const auto database = home.open(options).value();
    begin(*database);
    std::vector<std::int64_t> acknowledged;
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        for (std::int64_t id = 10; !stop; ++id) {
            if (write_one(*database, id).has_value()) acknowledged.push_back(id);
        }
    });
    for (int i = 0; i < 3; ++i) {
        const std::uint64_t before = database->stats().transactions;
        while (database->stats().transactions < before + 5)
            std::this_thread::yield();
        server->kill();
        server->start_again();
    }
    stop = true;
    writer.join();

    expect_kept(*database, acknowledged);
    expect_kept(*home.open().value(), acknowledged);
}

}  // namespace
}  // namespace zona::store
