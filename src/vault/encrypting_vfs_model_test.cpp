// The VFS against SQLite's own: the same random statements, the same answers.
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/testing/temporary_directory.h"
#include "vault/encrypting_vfs.h"
#include "vault/testing/connection.h"
#include "vault/testing/fake_keys.h"

namespace zona::vault {
namespace {

/// A statement on `t(k, body)`; transactions, savepoints and what makes the log begin anew
/// included.
std::string random_statement(core::Random& random) {
    const std::uint64_t key = random.below(200);
    switch (random.below(16)) {
        case 0:
            return "BEGIN";
        case 1:
        case 2:
            return "COMMIT";
        case 3:
            return "ROLLBACK";
        case 4:
            return "SAVEPOINT s";
        case 5:
            return "ROLLBACK TO s";
        case 6:
            return "RELEASE s";
        case 7:
            return fmt::format("DELETE FROM t WHERE k BETWEEN {} AND {}", key, key + 20);
        case 8:
            return fmt::format("UPDATE t SET body = substr(body, 3) || k WHERE k > {}", key);
        default: {
            const auto letter = static_cast<char>('a' + random.below(26));
            return fmt::format("INSERT OR REPLACE INTO t VALUES({}, '{}{}')", key,
                               random.below(1000), std::string(random.below(6000), letter));
        }
    }
}

constexpr std::string_view kSchema =
    "CREATE TABLE t(k INTEGER PRIMARY KEY, body TEXT); CREATE INDEX by_body ON t(body)";
constexpr std::string_view kEverything =
    "SELECT count(*), sum(length(body)), group_concat(k || substr(body, 1, 9)) FROM t";

/// A cache of five pages: the log gets pages, and pages again, in the midst of transactions.
constexpr std::string_view kSmallCache = "PRAGMA cache_spill = 1; PRAGMA cache_size = 5";

// SEC-04
TEST(EncryptingVfsModel, AnswersAsSqliteDoesWhateverIsWritten) {
    core::SystemRandom keys_random;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        core::SeededRandom random(seed);
        const core::TemporaryDirectory directory;
        const auto vfs = EncryptingVfs::create({}, keys_random).value();
        const auto keys = std::make_shared<FakeKeys>(seed);
        const std::string path = directory.path() + "/a.db";
        ASSERT_TRUE(vfs->add(path, core::Uuid::v4(keys_random), keys).has_value());
        TestConnection ours[2];
        TestConnection theirs[2];
        const std::string plain = directory.path() + "/plain.db";
        for (int i = 0; i < 2; ++i) {
            ASSERT_EQ(ours[i].open(path, vfs->name()), SQLITE_OK);
            ASSERT_TRUE(prepare_encrypted(ours[i].get()).has_value());
            ASSERT_EQ(theirs[i].open(plain, "unix-excl"), SQLITE_OK);
            theirs[i].run("PRAGMA journal_mode = WAL");
            for (TestConnection* db : {&ours[i], &theirs[i]}) {
                db->run(std::string(kSmallCache));
                ::sqlite3_busy_timeout(db->get(), 0);
            }
        }
        ASSERT_EQ(ours[0].run(std::string(kSchema)), theirs[0].run(std::string(kSchema)));

        for (int step = 0; step < 400; ++step) {
            const auto who = random.below(2);
            std::string statement = random_statement(random);
            if (random.below(60) == 0) statement = "PRAGMA wal_checkpoint(PASSIVE)";
            if (random.below(100) == 0) keys->rotate();
            const int expected = theirs[who].run(statement);
            ASSERT_EQ(ours[who].run(statement), expected) << step << ' ' << statement;
            const std::string all(kEverything);
            ASSERT_EQ(ours[who].ask(all), theirs[who].ask(all)) << step << ' ' << statement;
        }
        for (TestConnection& db : ours)
            db.close();
        ASSERT_EQ(ours[0].open(path, vfs->name()), SQLITE_OK);
        EXPECT_EQ(ours[0].ask("PRAGMA integrity_check"), "|ok");
    }
}

}  // namespace
}  // namespace zona::vault
