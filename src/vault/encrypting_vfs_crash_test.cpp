// What was acknowledged is there after the death of the writer and after a power cut. More rounds:
// ZONA_TEST_CRASHES=N.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/testing/temporary_directory.h"
#include "os/fd.h"
#include "vault/encrypting_vfs.h"
#include "vault/testing/connection.h"
#include "vault/testing/fake_keys.h"
#include "vault/testing/losing_vfs.h"

namespace zona::vault {
namespace {

std::uint64_t rounds(std::uint64_t usual) {
    const char* const wanted = std::getenv("ZONA_TEST_CRASHES");
    return wanted == nullptr ? usual : std::strtoull(wanted, nullptr, 10);
}

/// A database encrypted under the keys of seed 1.
struct Store {
    Store(const std::string& path, const std::string& base,
          std::shared_ptr<FakeKeys> keys = std::make_shared<FakeKeys>(1)) {
        static core::SystemRandom random;
        vfs = EncryptingVfs::create({.name = "crashing", .base = base}, random).value();
        if (!vfs->add(path, core::Uuid{.bytes = {7}}, std::move(keys))) std::abort();
    }
    /// False when it could not be opened.
    bool connect(TestConnection& out, const std::string& path) const {
        return out.open(path, vfs->name()) == SQLITE_OK &&
               prepare_encrypted(out.get()).has_value() &&
               out.run(
                   "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                   "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v INTEGER, body TEXT);"
                   "CREATE INDEX IF NOT EXISTS by_v ON t(v)") == SQLITE_OK;
    }
    std::unique_ptr<EncryptingVfs> vfs;
};

using Model = std::map<std::uint64_t, std::uint64_t>;

std::string rendered(const Model& model) {
    std::string out;
    for (const auto& [k, v] : model)
        out += fmt::format("|{}|{}", k, v);
    return out;
}

/// A transaction of several rows, in SQL and in the model.
std::string random_transaction(core::Random& random, Model& model) {
    std::string sql = "BEGIN;";
    for (std::uint64_t i = 0; i <= random.below(6); ++i) {
        const std::uint64_t k = random.below(60);
        const std::uint64_t v = random.below(1'000'000);
        model[k] = v;
        sql += fmt::format("INSERT OR REPLACE INTO t VALUES({}, {}, '{:x>{}}');", k, v, "",
                           random.below(9000));
    }
    return sql + "COMMIT";
}

struct Outcome {
    Model acknowledged;
    Model begun;  ///< with the transaction that the power cut, or the same
};

Outcome write_until_the_power_goes(const Store& store, const std::string& path,
                                   core::Random& random, Model model) {
    TestConnection writer;
    TestConnection checkpointer;
    if (!store.connect(writer, path) || !store.connect(checkpointer, path)) return {model, model};
    for (int i = 0; i < 100; ++i) {
        Model next = model;
        if (writer.run(random_transaction(random, next)) != SQLITE_OK) return {model, next};
        model = std::move(next);
        if (random.below(4) == 0) checkpointer.run("PRAGMA wal_checkpoint(PASSIVE)");
    }
    return {model, model};
}

// REL-21, SEC-04
TEST(EncryptingVfsCrash, APowerCutCostsNothingThatWasAcknowledged) {
    std::uint64_t cuts = 0;
    const std::uint64_t all = rounds(60);
    for (std::uint64_t seed = 1; seed <= all; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        core::SeededRandom random(seed);
        const core::TemporaryDirectory directory;
        const std::string path = directory.path() + "/a.db";
        LosingVfs losing("losing");
        const Store store(path, "losing");
        Model model;
        for (int life = 0; life < 4; ++life) {
            losing.cut_power_after(1 + random.below(life == 0 ? 40 : 200));

            const Outcome outcome = write_until_the_power_goes(store, path, random, model);
            cuts += losing.power_is_gone() ? 1 : 0;
            losing.settle(random);

            TestConnection db;
            ASSERT_TRUE(store.connect(db, path)) << life;
            const std::string found = db.ask("SELECT k, v FROM t ORDER BY k");
            if (found == rendered(outcome.begun)) {
                model = outcome.begun;
            } else {
                ASSERT_EQ(found, rendered(outcome.acknowledged)) << life;
                model = outcome.acknowledged;
            }
            ASSERT_EQ(db.ask("PRAGMA integrity_check"), "|ok");
        }
    }
    EXPECT_GT(cuts, all);
}

// SEC-06, REL-21
TEST(EncryptingVfsCrash, APowerCutWhileRekeyingCostsNothing) {
    std::uint64_t finished = 0;
    const std::uint64_t all = rounds(60);
    for (std::uint64_t seed = 1; seed <= all; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        core::SeededRandom random(seed);
        const core::TemporaryDirectory directory;
        const std::string path = directory.path() + "/a.db";
        LosingVfs losing("losing");
        const auto keys = std::make_shared<FakeKeys>(1);
        Store store(path, "losing", keys);
        const Outcome outcome = write_until_the_power_goes(store, path, random, {});
        keys->rotate();
        losing.cut_power_after(1 + random.below(60));
        while (!store.vfs->rekey(path, 1 + random.below(9)).value_or(true)) {
        }
        losing.settle(random);
        finished += std::filesystem::exists(path + "-rekey") ? 1 : 0;

        store.vfs.reset();
        store = Store(path, "losing", keys);

        EXPECT_FALSE(std::filesystem::exists(path + "-rekey"));
        TestConnection db;
        ASSERT_TRUE(store.connect(db, path));
        ASSERT_EQ(db.ask("SELECT k, v FROM t ORDER BY k"), rendered(outcome.acknowledged));
        ASSERT_EQ(db.ask("PRAGMA integrity_check"), "|ok");
    }
    EXPECT_GT(finished, all / 4);
}

/// Writes row after row and one byte into `acknowledged` for each; never returns.
[[noreturn]] void write_until_killed(const std::string& path, int acknowledged) {
    const Store store(path, "unix-excl");
    TestConnection db;
    if (!store.connect(db, path)) ::_exit(1);
    // The death of a process needs no sync; what we gather must be with the kernel all the same.
    db.run("PRAGMA synchronous = NORMAL");
    for (std::uint64_t i = 0;; ++i) {
        const int code =
            db.run(fmt::format("BEGIN; INSERT INTO t SELECT count(*), {0}, '{0:x>3000}' FROM t;"
                               "INSERT INTO t SELECT count(*), {0}, '' FROM t; COMMIT",
                               i));
        if (code != SQLITE_OK || ::write(acknowledged, "+", 1) != 1) ::_exit(1);
        if (i % 16 == 15) db.run("PRAGMA wal_checkpoint(PASSIVE)");
    }
}

/// Starts a writer, kills it when it has acknowledged `after`, and says how many it did.
std::uint64_t kill_a_writer(const std::string& path, std::uint64_t after) {
    os::Pipe pipe = os::make_pipe().value();
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(path, pipe.write.get());
    pipe.write.reset();
    std::uint64_t acknowledged = 0;
    char byte = 0;
    while (acknowledged < after && ::read(pipe.read.get(), &byte, 1) == 1)
        ++acknowledged;
    ::kill(child, SIGKILL);
    while (::read(pipe.read.get(), &byte, 1) == 1)
        ++acknowledged;
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    return acknowledged;
}

// REL-21, SEC-04
TEST(EncryptingVfsCrash, AKilledWriterCostsNothingThatWasAcknowledged) {
    const core::TemporaryDirectory directory;
    core::SeededRandom random(1);
    std::uint64_t acknowledged = 0;
    for (std::uint64_t round = 0; round < rounds(15); ++round) {
        // A new one now and then: checking it all takes longer with each row.
        const std::string path = fmt::format("{}/{}.db", directory.path(), round / 20);
        if (round % 20 == 0) acknowledged = 0;
        acknowledged += kill_a_writer(path, 1 + random.below(40));

        const Store store(path, "unix-excl");
        TestConnection db;
        ASSERT_TRUE(store.connect(db, path));
        const std::uint64_t found =
            std::strtoull(db.ask("SELECT count(*) FROM t").substr(1).c_str(), nullptr, 10);
        ASSERT_EQ(found % 2, 0U) << "half a transaction";
        ASSERT_GE(found / 2, acknowledged);
        ASSERT_LE(found / 2, acknowledged + 1);
        ASSERT_EQ(db.ask("PRAGMA integrity_check"), "|ok");
        acknowledged = found / 2;
    }
}

}  // namespace
}  // namespace zona::vault
