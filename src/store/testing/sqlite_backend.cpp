#include <memory>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <sqlite3.h>

#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/sqlite_database.h"
#include "store/testing/contract.h"

namespace zona::store {
namespace {

class SqliteBackend final : public Backend {
  public:
    SqliteBackend()
        : database_(open_sqlite({.path = path(),
                                 .collections = test_specs(),
                                 .page_token_key = core::Secret(std::string(32, 'k'))},
                                clock(), log_.logger())
                        .value()) {}

    Database& database() override { return *database_; }

    /// As somebody with the file in his hands would: the row is copied, and the copy is filed under
    /// another scope.
    void plant(const Collection& where, const Record& record) override {
        const std::int64_t id = std::get<std::int64_t>(record.id);
        const std::string sql =
            fmt::format("UPDATE \"c_{}\" SET scope='{}' WHERE scope='{}' AND id={}", where.name(),
                        where.scope().code(), record.scope.code(), id);
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(db);
    }

  private:
    std::string path() const { return directory_.path() + "/store.db"; }

    core::TemporaryDirectory directory_;
    core::MemoryLog log_;
    std::unique_ptr<SqliteDatabase> database_;
};

}  // namespace

std::unique_ptr<Backend> make_sqlite_backend() {
    return std::make_unique<SqliteBackend>();
}

}  // namespace zona::store
