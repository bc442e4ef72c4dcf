/// @file
/// Files of one engine in one directory, for tests of what happens between files.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/sqlite_engine.h"
#include "store/testing/contract.h"

namespace zona::store {

class SqliteFiles {
  public:
    /// In `directory`; empty: in one that is gone after the test.
    explicit SqliteFiles(const std::string& directory = {})
        : directory_(directory.empty() ? own_.path() : directory) {}

    /// Makes the engine. First.
    void begin(const SqliteEngineOptions& options) {
        engine_ = SqliteEngine::create(options, clock, log.logger("store")).value();
    }
    SqliteEngine& engine() { return *engine_; }

    std::string path(int number) const { return fmt::format("{}/{}.db", directory_, number); }
    SqliteOptions options(int number) const {
        return {.path = path(number),
                .collections = test_specs(),
                .page_token_key = core::Secret(std::string(32, 'k'))};
    }
    /// Opens one more, and ends the test on an error.
    SqliteDatabase& open(int number) { return open(options(number)); }
    SqliteDatabase& open(const SqliteOptions& options) {
        databases_.push_back(engine_->open(options).value());
        return *databases_.back();
    }
    /// In the order of their opening.
    const std::vector<std::unique_ptr<SqliteDatabase>>& databases() const { return databases_; }
    SqliteDatabase& database(int number) { return *databases_[static_cast<std::size_t>(number)]; }

    core::FakeClock clock;
    core::MemoryLog log;

  private:
    core::TemporaryDirectory own_;
    const std::string directory_;
    std::unique_ptr<SqliteEngine> engine_;
    std::vector<std::unique_ptr<SqliteDatabase>> databases_;
};

}  // namespace zona::store
