// Encrypted files beside SQLite's own VFS, in turns within one run. `ratio` is encrypted to stock:
// 1 is as fast. Documents of 1 kB with three indexes; one commit, with its sync, for `batch` of
// them.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "core/testing/temporary_directory.h"
#include "vault/encrypting_vfs.h"
#include "vault/testing/connection.h"
#include "vault/testing/fake_keys.h"

namespace zona::vault {
namespace {

using Seconds = std::chrono::duration<double>;

void must(bool good) {
    if (!good) std::abort();
}

/// A database with its one insert and its one read, prepared.
class Subject {
  public:
    Subject(const std::string& path, const std::string& vfs, bool encrypted) {
        must(db_.open(path, vfs) == SQLITE_OK);
        if (encrypted) must(prepare_encrypted(db_.get()).has_value());
        must(db_.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA cache_spill = 0; PRAGMA wal_autocheckpoint = 4096;"
                     "CREATE TABLE docs(k INTEGER PRIMARY KEY, id TEXT, created INTEGER, kind TEXT,"
                     " owner TEXT, body TEXT);"
                     "CREATE INDEX by_id ON docs(id); CREATE INDEX by_kind ON docs(kind, created);"
                     "CREATE INDEX by_owner ON docs(owner, created)") == SQLITE_OK);
        insert_ = prepare("INSERT INTO docs VALUES(NULL, ?, ?, ?, ?, ?)");
        find_ = prepare("SELECT body FROM docs WHERE id = ?");
    }
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;
    ~Subject() {
        ::sqlite3_finalize(insert_);
        ::sqlite3_finalize(find_);
    }

    Seconds write(std::int64_t batch) {
        const auto start = std::chrono::steady_clock::now();
        must(db_.run("BEGIN IMMEDIATE") == SQLITE_OK);
        for (std::int64_t i = 0; i < batch; ++i) {
            bind(insert_, 1, id_of(count_));
            ::sqlite3_bind_int64(insert_, 2, static_cast<sqlite3_int64>(count_));
            bind(insert_, 3, fmt::format("kind {}", count_ % 50));
            bind(insert_, 4, fmt::format("owner {}", count_ * 7919 % 1000));
            bind(insert_, 5, body_);
            step(insert_, SQLITE_DONE);
            ++count_;
        }
        must(db_.run("COMMIT") == SQLITE_OK);
        return std::chrono::steady_clock::now() - start;
    }
    Seconds read(std::uint64_t seed) {
        const auto start = std::chrono::steady_clock::now();
        bind(find_, 1, id_of(seed % count_));
        step(find_, SQLITE_ROW);
        return std::chrono::steady_clock::now() - start;
    }

  private:
    static std::string id_of(std::uint64_t n) {
        return fmt::format("{:016x}", n * 0x9e3779b97f4a7c15U);
    }
    sqlite3_stmt* prepare(const char* sql) {
        sqlite3_stmt* out = nullptr;
        must(::sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &out, nullptr) ==
             SQLITE_OK);
        return out;
    }
    static void bind(sqlite3_stmt* statement, int at, const std::string& text) {
        ::sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()),
                            SQLITE_TRANSIENT);
    }
    static void step(sqlite3_stmt* statement, int expected) {
        must(::sqlite3_step(statement) == expected);
        ::sqlite3_reset(statement);
    }

    TestConnection db_;
    sqlite3_stmt* insert_ = nullptr;
    sqlite3_stmt* find_ = nullptr;
    std::uint64_t count_ = 0;
    std::string body_ = std::string(1000, 'b');
};

/// Both, each in a file of its own.
struct Pair {
    Pair() {
        must(vfs->add(directory.path() + "/a.db", core::Uuid::v4(random),
                      std::make_shared<FakeKeys>(1))
                 .has_value());
        encrypted = std::make_unique<Subject>(directory.path() + "/a.db", vfs->name(), true);
        stock = std::make_unique<Subject>(directory.path() + "/b.db", "unix-excl", false);
    }
    core::TemporaryDirectory directory;
    core::SystemRandom random;
    std::unique_ptr<EncryptingVfs> vfs = EncryptingVfs::create({}, random).value();
    std::unique_ptr<Subject> encrypted;
    std::unique_ptr<Subject> stock;
};

void report(benchmark::State& state, Seconds encrypted, Seconds stock, std::int64_t items) {
    state.counters["ratio"] = stock / encrypted;
    state.counters["encrypted/s"] = static_cast<double>(items) / encrypted.count();
    state.counters["stock/s"] = static_cast<double>(items) / stock.count();
}

void write_documents(benchmark::State& state) {
    Pair pair;
    Seconds encrypted{};
    Seconds stock{};
    for (auto _ : state) {
        stock += pair.stock->write(state.range(0));
        encrypted += pair.encrypted->write(state.range(0));
    }
    report(state, encrypted, stock, state.iterations() * state.range(0));
}
BENCHMARK(write_documents)->ArgName("batch")->Arg(1)->Arg(16)->Arg(64)->MinTime(3);

/// Most pages come from the file: the cache holds 2 MB of about 70.
void find_documents(benchmark::State& state) {
    Pair pair;
    for (int i = 0; i < 400; ++i) {
        pair.stock->write(100);
        pair.encrypted->write(100);
    }
    Seconds encrypted{};
    Seconds stock{};
    std::uint64_t seed = 1;
    for (auto _ : state) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        stock += pair.stock->read(seed >> 33U);
        encrypted += pair.encrypted->read(seed >> 33U);
    }
    report(state, encrypted, stock, state.iterations());
}
BENCHMARK(find_documents)->MinTime(2);

}  // namespace
}  // namespace zona::vault
