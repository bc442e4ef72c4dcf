/// @file
/// A database file in a directory of its own, for tests of the SQLite backend.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <sqlite3.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/sqlite_engine.h"
#include "store/testing/contract.h"

namespace zona::store {

class SqliteFile {
  public:
    /// In `directory`; empty: in one that is gone after the test.
    explicit SqliteFile(const std::string& directory = {})
        : path_((directory.empty() ? own_.path() : directory) + "/store.db") {}

    SqliteOptions options(std::vector<const CollectionSpec*> specs = test_specs()) const {
        return {.path = path_,
                .collections = std::move(specs),
                .page_token_key = core::Secret(std::string(32, 'k'))};
    }
    Result<std::unique_ptr<SqliteDatabase>> open() { return open(options()); }
    Result<std::unique_ptr<SqliteDatabase>> open(const SqliteOptions& options) {
        return engine().open(options);
    }
    /// Has its own threads; made when it is asked for first. Outlives what is opened.
    SqliteEngine& engine() {
        if (!engine_) engine_ = SqliteEngine::create({}, clock, log.logger("store")).value();
        return *engine_;
    }
    const std::string& path() const { return path_; }

    /// What somebody with the file in his hands does to it; ends the test on an error.
    void execute(const std::string& sql) const {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
            << sqlite3_errmsg(db);
        sqlite3_close(db);
    }

    core::FakeClock clock;
    core::MemoryLog log;

  private:
    core::TemporaryDirectory own_;
    std::string path_;
    std::unique_ptr<SqliteEngine> engine_;
};

/// One in a file of its own.
std::unique_ptr<Backend> make_sqlite_backend();

}  // namespace zona::store
