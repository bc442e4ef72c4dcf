#include "vault/encrypting_vfs.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/testing/temporary_directory.h"
#include "vault/testing/connection.h"
#include "vault/testing/fake_keys.h"

namespace zona::vault {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMarker = "the quick brown secret";
constexpr std::size_t kPage = 4096;

/// A VFS, two tenants with a database each, and a second database of the first.
class EncryptingVfsTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(vfs_->add(acme_, core::Uuid::v4(random_), acme_keys_).has_value());
        ASSERT_TRUE(vfs_->add(acme_second_, core::Uuid::v4(random_), acme_keys_).has_value());
        ASSERT_TRUE(vfs_->add(other_, core::Uuid::v4(random_), other_keys_).has_value());
    }

    /// Prepared; or nothing, after a failure of the test.
    TestConnection open(const std::string& path) {
        TestConnection out;
        EXPECT_EQ(out.open(path, vfs_->name()), SQLITE_OK);
        if (out.get() == nullptr) return out;
        const auto prepared = prepare_encrypted(out.get());
        EXPECT_TRUE(prepared.has_value()) << prepared.error().message();
        return out;
    }

    /// A database of about 40 pages; checkpointed and without a log when it is closed.
    void fill(const std::string& path, std::string_view text = kMarker) {
        TestConnection db = open(path);
        ASSERT_EQ(db.run("CREATE TABLE t(k INTEGER PRIMARY KEY, body TEXT, tag TEXT);"
                         "CREATE INDEX by_tag ON t(tag)"),
                  SQLITE_OK);
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(
                db.run(fmt::format("INSERT INTO t VALUES({0}, '{1} {0} {2:x>1000}', '{1} {0}')", i,
                                   text, "")),
                SQLITE_OK);
        }
    }

    /// Reads everything; every byte of the database is looked at.
    static std::string read_all(TestConnection& db) {
        return db.ask(
            "SELECT sum(length(body)), count(*), group_concat(tag) FROM t;"
            "PRAGMA integrity_check");
    }

    core::TemporaryDirectory directory_;
    core::SystemRandom random_;
    std::unique_ptr<EncryptingVfs> vfs_ = EncryptingVfs::create({}, random_).value();
    std::shared_ptr<FakeKeys> acme_keys_ = std::make_shared<FakeKeys>(1);
    std::shared_ptr<FakeKeys> other_keys_ = std::make_shared<FakeKeys>(2);
    std::string acme_ = directory_.path() + "/acme.db";
    std::string acme_second_ = directory_.path() + "/acme-second.db";
    std::string other_ = directory_.path() + "/other.db";
};

bool holds(const std::string& bytes) {
    return bytes.find(kMarker) != std::string::npos ||
           bytes.find("CREATE TABLE") != std::string::npos;
}

/// What this process has open and unlinked: SQLite's temporary files.
std::vector<std::string> unlinked_files() {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const std::string target = fs::read_symlink(entry.path(), gone).string();
        if (!gone && target.ends_with("(deleted)") && target.contains("etilqs"))
            out.push_back(bytes_of(entry.path().string()));
    }
    return out;
}

// SEC-03, SEC-04
TEST_F(EncryptingVfsTest, NothingIsInClearInAnyFile) {
    fill(acme_);
    TestConnection db = open(acme_);
    ASSERT_EQ(db.run("UPDATE t SET body = body || 'again'"), SQLITE_OK);

    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
        const std::string bytes = bytes_of(entry.path().string());
        EXPECT_FALSE(holds(bytes)) << entry.path();
        files += bytes.size() > kPage ? 1 : 0;
    }
    EXPECT_EQ(files, 2U) << "database and log";
    EXPECT_EQ(db.ask("SELECT count(*) FROM t WHERE tag = 'the quick brown secret 7'"), "|1");
}

// SEC-03, SEC-04
TEST_F(EncryptingVfsTest, TemporaryFilesAreNotInClearEither) {
    fill(acme_);
    TestConnection db = open(acme_);
    ASSERT_EQ(db.run("PRAGMA temp_store = FILE; PRAGMA cache_size = 5; PRAGMA temp.cache_size = 5;"
                     "CREATE TEMP TABLE copy AS SELECT body FROM t"),
              SQLITE_OK);
    ASSERT_EQ(db.run("BEGIN; INSERT INTO copy SELECT body FROM t"), SQLITE_OK);

    const auto files = unlinked_files();

    std::size_t bytes = 0;
    for (const std::string& file : files) {
        EXPECT_FALSE(holds(file));
        bytes += file.size();
    }
    EXPECT_GT(bytes, 20 * kPage);
    EXPECT_EQ(db.ask("COMMIT; SELECT count(*), sum(length(body)) FROM copy"),
              db.ask("SELECT 2 * count(*), 2 * sum(length(body)) FROM t"));
}

// SEC-04
TEST_F(EncryptingVfsTest, AFlippedBitInAnyPageIsReportedAndNeverRead) {
    fill(acme_);
    const std::string good = bytes_of(acme_);
    std::string expected;
    {
        TestConnection db = open(acme_);
        expected = read_all(db);
        ASSERT_TRUE(expected.ends_with("|ok")) << expected;
    }
    ASSERT_GE(good.size(), 30 * kPage);
    // In the clear header, in the text, in nonce, tag and key id.
    for (const std::size_t at : {25U, 70U, 101U, 2000U, 4063U, 4064U, 4080U, 4095U}) {
        for (std::size_t page = 0; page < good.size() / kPage; ++page) {
            std::string bad = good;
            bad[page * kPage + at] = static_cast<char>(bad[page * kPage + at] ^ 1);
            put_bytes(acme_, bad);
            TestConnection db;
            const int opened = db.open(acme_, vfs_->name());
            if (page == 0) {
                EXPECT_TRUE(opened == SQLITE_IOERR_DATA || opened == SQLITE_IOERR_AUTH) << opened;
                continue;
            }
            ASSERT_EQ(opened, SQLITE_OK);
            const std::string answer = read_all(db);
            EXPECT_TRUE(answer == fmt::format("error {}", SQLITE_IOERR_DATA) ||
                        answer == fmt::format("error {}", SQLITE_IOERR_AUTH))
                << page << ' ' << at << ' ' << answer;
        }
    }
    put_bytes(acme_, good);
    TestConnection db = open(acme_);
    EXPECT_EQ(read_all(db), expected);
}

/// The bytes of as many pages of a database as one likes, read at once; "" is an error.
std::string pages_of(TestConnection& db, std::size_t first, std::size_t count) {
    sqlite3_file* file = nullptr;
    ::sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
    std::string out(count * kPage, '\0');
    const int code = file->pMethods->xRead(file, out.data(), static_cast<int>(out.size()),
                                           static_cast<sqlite3_int64>(first * kPage));
    return code == SQLITE_OK ? out : "";
}

// SEC-04
TEST_F(EncryptingVfsTest, PagesThatAreReadAtOnceAreEachProven) {
    fill(acme_);
    std::string bytes = bytes_of(acme_);
    constexpr std::size_t kAll = 30;
    std::string one_by_one;
    {
        TestConnection db = open(acme_);
        for (std::size_t page = 0; page < kAll; ++page)
            one_by_one += pages_of(db, page, 1);
        ASSERT_EQ(one_by_one.size(), kAll * kPage);
        for (const std::size_t count : {2U, 16U, 17U, 30U})
            EXPECT_TRUE(pages_of(db, 0, count) == one_by_one.substr(0, count * kPage)) << count;
        EXPECT_EQ(pages_of(db, bytes.size() / kPage - 1, 2), "") << "behind the end";
    }
    bytes[7 * kPage + 2000] = static_cast<char>(bytes[7 * kPage + 2000] ^ 1);
    put_bytes(acme_, bytes);
    TestConnection db = open(acme_);
    EXPECT_EQ(pages_of(db, 0, 16), "");
    EXPECT_EQ(pages_of(db, 7, 1), "");
    EXPECT_TRUE(pages_of(db, 8, 16) == one_by_one.substr(8 * kPage, 16 * kPage));
}

// SEC-04
TEST_F(EncryptingVfsTest, PagesThatAreWrittenAtOnceAreReadOneByOne) {
    fill(acme_);
    std::string clear;
    {
        TestConnection db = open(acme_);
        clear = pages_of(db, 0, 30);
        ASSERT_EQ(clear.size(), 30 * kPage);
        sqlite3_file* file = nullptr;
        ::sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
        ASSERT_EQ(file->pMethods->xWrite(file, clear.data(), static_cast<int>(clear.size()), 0),
                  SQLITE_OK);
        EXPECT_EQ(file->pMethods->xWrite(file, clear.data(), static_cast<int>(kPage + 1), 0),
                  SQLITE_IOERR_WRITE);
        for (std::size_t page = 0; page < 30; ++page)
            EXPECT_TRUE(pages_of(db, page, 1) == clear.substr(page * kPage, kPage)) << page;
    }
    EXPECT_FALSE(holds(bytes_of(acme_)));
}

// SEC-04
TEST_F(EncryptingVfsTest, PagesOpenOnlyWhereTheyWereWritten) {
    fill(acme_);
    fill(acme_second_);
    fill(other_);
    const std::string good = bytes_of(acme_);
    const auto page = [](const std::string& file, std::size_t i) {
        return file.substr(i * kPage, kPage);
    };
    const std::pair<std::string, std::string> kForeign[] = {
        {"another page of the file", page(good, 6)},
        {"the same page of the tenant's other file", page(bytes_of(acme_second_), 5)},
        {"the same page of another tenant", page(bytes_of(other_), 5)},
        {"zeros", std::string(kPage, '\0')}};

    for (const auto& [what, content] : kForeign) {
        put_bytes(acme_, std::string(good).replace(5 * kPage, kPage, content));
        TestConnection db;
        ASSERT_EQ(db.open(acme_, vfs_->name()), SQLITE_OK);
        EXPECT_EQ(read_all(db), fmt::format("error {}", SQLITE_IOERR_DATA)) << what;
    }
    put_bytes(acme_, bytes_of(other_));
    TestConnection db;
    EXPECT_EQ(db.open(acme_, vfs_->name()), SQLITE_IOERR_DATA)
        << "the whole file of another tenant";
}

// SEC-04
TEST_F(EncryptingVfsTest, AFileThatWasCutIsReported) {
    fill(acme_);
    const std::string good = bytes_of(acme_);
    for (const std::size_t size : {good.size() - 1, good.size() - kPage, kPage, kPage + 7}) {
        put_bytes(acme_, good.substr(0, size));
        TestConnection db;
        ASSERT_EQ(db.open(acme_, vfs_->name()), SQLITE_OK);
        const std::string answer = read_all(db);
        EXPECT_TRUE(answer.starts_with("error")) << size << ' ' << answer;
    }
    for (const std::size_t size : {std::size_t{99}, kPage - 1}) {
        put_bytes(acme_, good.substr(0, size));
        TestConnection db;
        EXPECT_EQ(db.open(acme_, vfs_->name()), SQLITE_IOERR_DATA);
    }
}

// SEC-01, SEC-04
TEST_F(EncryptingVfsTest, AWrongKeyOpensNothingAndCostsNothing) {
    fill(acme_);
    const std::string copy = directory_.path() + "/copy.db";
    {
        TestConnection db = open(acme_);
        ASSERT_EQ(
            db.run(
                "PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES(1000, 'only in the log', '')"),
            SQLITE_OK);
        fs::copy_file(acme_, copy);
        fs::copy_file(acme_ + "-wal", copy + "-wal");
    }
    const std::string log = bytes_of(copy + "-wal");
    ASSERT_TRUE(vfs_->add(copy, core::Uuid::v4(random_), other_keys_).has_value());

    TestConnection db;
    EXPECT_EQ(db.open(copy, vfs_->name()), SQLITE_IOERR_DATA);
    vfs_->remove(copy);
    EXPECT_EQ(db.open(copy, vfs_->name()), SQLITE_CANTOPEN) << "nothing says how it is encrypted";
    EXPECT_EQ(bytes_of(copy + "-wal"), log);
}

// SEC-06
TEST_F(EncryptingVfsTest, AMissingKeyIsReportedAndTheLogIsKept) {
    fill(acme_);
    const core::Uuid id = core::Uuid::v4(random_);
    const std::string copy = directory_.path() + "/copy.db";
    ASSERT_TRUE(vfs_->add(copy, id, acme_keys_).has_value());
    fill(copy);
    acme_keys_->rotate();
    std::string database;
    std::string log;
    {
        TestConnection db = open(copy);
        ASSERT_EQ(db.run("INSERT INTO t VALUES(1000, 'only in the log', '')"), SQLITE_OK);
        database = bytes_of(copy);
        log = bytes_of(copy + "-wal");
    }
    put_bytes(copy, database);
    put_bytes(copy + "-wal", log);
    acme_keys_->forget(KeyId{2});

    TestConnection db;
    ASSERT_EQ(db.open(copy, vfs_->name()), SQLITE_OK);
    EXPECT_EQ(read_all(db), fmt::format("error {}", SQLITE_IOERR_AUTH));
    db.close();
    EXPECT_EQ(bytes_of(copy + "-wal"), log);
}

// SEC-06
TEST_F(EncryptingVfsTest, AfterARotationOldPagesAreReadUntilAllAreWrittenAnew) {
    fill(acme_);
    acme_keys_->rotate();
    TestConnection db = open(acme_);
    const std::string before = read_all(db);
    ASSERT_EQ(db.run("INSERT INTO t VALUES(1000, 'new', 'new'); PRAGMA wal_checkpoint(TRUNCATE)"),
              SQLITE_OK);
    auto keys = vfs_->keys_in_use(acme_).value();
    EXPECT_GT(keys[KeyId{1}], 20U);
    EXPECT_GT(keys[KeyId{2}], 0U);

    ASSERT_EQ(db.run("DELETE FROM t WHERE k = 1000; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"),
              SQLITE_OK);

    keys = vfs_->keys_in_use(acme_).value();
    EXPECT_FALSE(keys.contains(KeyId{1}));
    acme_keys_->forget(KeyId{1});
    db.close();
    db = open(acme_);
    EXPECT_EQ(read_all(db), before);
}

// SEC-06
TEST_F(EncryptingVfsTest, RekeyingGoesOnBesideReadersAndWriters) {
    fill(acme_);
    TestConnection writer = open(acme_);
    const std::string before = read_all(writer);
    acme_keys_->rotate();
    std::atomic<bool> done = false;
    std::jthread reader([&] {
        TestConnection db = open(acme_);
        db.run("PRAGMA cache_size = 0");
        while (!done)
            EXPECT_EQ(read_all(db), before);
    });
    int rounds = 0;
    for (bool end = false; !end; ++rounds) {
        end = vfs_->rekey(acme_, 3).value();
        ASSERT_EQ(
            writer.run("UPDATE t SET body = body WHERE k = 7; PRAGMA wal_checkpoint(PASSIVE)"),
            SQLITE_OK);
    }
    done = true;
    reader.join();
    EXPECT_GT(rounds, 10);
    ASSERT_EQ(writer.run("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    const auto keys = vfs_->keys_in_use(acme_).value();
    EXPECT_EQ(keys.size(), 1U);
    EXPECT_TRUE(keys.contains(KeyId{2}));
    acme_keys_->forget(KeyId{1});
    writer.close();
    writer = open(acme_);
    EXPECT_EQ(read_all(writer), before);
    EXPECT_EQ(vfs_->rekey(directory_.path() + "/nothing.db", 3).error().code(),
              core::Code::kNotFound);
}

// SEC-04, SEC-09
TEST_F(EncryptingVfsTest, CopiesThatSqliteMakesAreEncryptedForTheirOwnFile) {
    fill(acme_);
    TestConnection db = open(acme_);
    const std::string before = read_all(db);
    const std::string copy = directory_.path() + "/copy.db";
    EXPECT_EQ(db.run("VACUUM INTO '" + copy + "'"), SQLITE_CANTOPEN) << "nothing says how";
    ASSERT_TRUE(vfs_->add(copy, core::Uuid::v4(random_), other_keys_).has_value());
    ASSERT_EQ(db.run("VACUUM INTO '" + copy + "'"), SQLITE_OK);
    EXPECT_FALSE(holds(bytes_of(copy)));
    TestConnection copied = open(copy);
    EXPECT_EQ(read_all(copied), before);

    TestConnection second = open(acme_second_);
    sqlite3_backup* const backup = ::sqlite3_backup_init(second.get(), "main", db.get(), "main");
    ASSERT_NE(backup, nullptr);
    EXPECT_EQ(::sqlite3_backup_step(backup, -1), SQLITE_DONE);
    EXPECT_EQ(::sqlite3_backup_finish(backup), SQLITE_OK);
    EXPECT_EQ(read_all(second), before);
    EXPECT_FALSE(holds(bytes_of(acme_second_)));
}

// SEC-06, SEC-04
TEST_F(EncryptingVfsTest, RekeyingStopsAtADamagedPage) {
    fill(acme_);
    acme_keys_->rotate();
    std::string bad = bytes_of(acme_);
    bad[9 * kPage + 100] ^= 1;
    put_bytes(acme_, bad);
    const auto done = vfs_->rekey(acme_, 100);
    ASSERT_FALSE(done.has_value());
    EXPECT_NE(done.error().message().find("page 10 is damaged"), std::string::npos);
    EXPECT_EQ(bytes_of(acme_), bad);
}

// SEC-04, REL-21
TEST_F(EncryptingVfsTest, APageOneThatWasTornIsTakenFromTheLog) {
    fill(acme_);
    std::string database;
    std::string log;
    {
        TestConnection db = open(acme_);
        ASSERT_EQ(db.run("CREATE TABLE second(x); INSERT INTO second VALUES(7)"), SQLITE_OK);
        log = bytes_of(acme_ + "-wal");
        ASSERT_EQ(db.run("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
        database = bytes_of(acme_);
    }
    for (std::size_t sector = 0; sector < kPage; sector += 512) {
        put_bytes(acme_, std::string(database).replace(sector, 512, std::string(512, 'x')));
        if (sector == 0) continue;  // SQLite needs a sector to be written whole or not at all
        put_bytes(acme_ + "-wal", log);
        TestConnection db = open(acme_);
        EXPECT_EQ(db.ask("SELECT x FROM second"), "|7") << sector;
        EXPECT_TRUE(read_all(db).ends_with("|ok"));
    }
}

// SEC-04
TEST_F(EncryptingVfsTest, RefusesWhatWouldNotBeEncrypted) {
    TestConnection db;
    ASSERT_EQ(db.open(acme_, vfs_->name()), SQLITE_OK);
    EXPECT_EQ(db.run("CREATE TABLE t(x)"), SQLITE_IOERR_WRITE) << "no reserved bytes";
    db.close();
    fs::remove(acme_);
    fill(acme_);
    db = open(acme_);
    EXPECT_EQ(db.run("PRAGMA journal_mode = DELETE"), SQLITE_IOERR_WRITE)
        << "pages in a rollback journal";
    db.close();
    ASSERT_EQ(db.open(other_, "unix-excl"), SQLITE_OK);
    ASSERT_EQ(db.run("CREATE TABLE t(x)"), SQLITE_OK);
    db.close();
    EXPECT_EQ(db.open(other_, vfs_->name()), SQLITE_IOERR_DATA) << "made in clear";
}

// REL-21
TEST_F(EncryptingVfsTest, FramesOfATransactionThatWasRolledBackNeverReplaceThoseOfAnother) {
    TestConnection one = open(acme_);
    TestConnection other = open(acme_);
    ASSERT_EQ(one.run("PRAGMA cache_size = 5; PRAGMA cache_spill = 5;"
                      "CREATE TABLE t(k INTEGER PRIMARY KEY, v)"),
              SQLITE_OK);
    const auto insert = [](int from, int count) {
        return fmt::format(
            "WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n LIMIT {})"
            "INSERT INTO t SELECT i, i || '{:x>2000}' FROM n;",
            from, count, "");
    };
    for (int round = 0; round < 20; ++round) {
        // Spilled pages wait to be written; then the place in the log is another connection's.
        ASSERT_EQ(one.run("BEGIN;" + insert(1'000'000, 10 + round) + "ROLLBACK"), SQLITE_OK);
        ASSERT_EQ(other.run(insert(100 * round, 5 + round % 7)), SQLITE_OK);
        ASSERT_EQ(one.run(insert(100 * round + 50, 1)), SQLITE_OK);
    }
    TestConnection third = open(acme_);
    EXPECT_EQ(third.ask("PRAGMA integrity_check"), "|ok");
    EXPECT_EQ(third.ask("SELECT count(*) FROM t WHERE k >= 1000000"), "|0");
    EXPECT_EQ(third.ask("SELECT count(*) FROM t WHERE k % 100 = 50"), "|20");
}

// REL-21
TEST_F(EncryptingVfsTest, AFrameOfTheLogThatWasChangedEndsTheLogThere) {
    TestConnection db = open(acme_);
    ASSERT_EQ(db.run("PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x)"), SQLITE_OK);
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(db.run(fmt::format("INSERT INTO t VALUES({})", i)), SQLITE_OK);
    const std::string database = bytes_of(acme_);
    const std::string log = bytes_of(acme_ + "-wal");
    db.close();
    for (std::size_t at = 40; at < log.size(); at += 997) {
        put_bytes(acme_, database);
        std::string bad = log;
        bad[at] = static_cast<char>(bad[at] ^ 4);
        put_bytes(acme_ + "-wal", bad);
        if (db.open(acme_, vfs_->name()) != SQLITE_OK) continue;
        // A prefix of what was committed, or an error; never anything else.
        const std::string answer = db.ask("SELECT coalesce(max(x), -1) = count(*) - 1 FROM t");
        EXPECT_TRUE(answer == "|1" || answer.starts_with("error")) << at << ' ' << answer;
        db.close();
    }
}

}  // namespace
}  // namespace zona::vault
