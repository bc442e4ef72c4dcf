#include <memory>

#include <fmt/format.h>

#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

class SqliteBackend final : public Backend {
  public:
    SqliteBackend()
        : engine_(SqliteEngine::create({}, clock(), file_.log.logger()).value()),
          database_(engine_->open(file_.options()).value()) {}

    Database& database() override { return *database_; }

    /// The row is filed under another scope; its stamp stays.
    void plant(const Collection& where, const Record& record) override {
        file_.execute(fmt::format("UPDATE \"c_{}\" SET scope='{}' WHERE scope='{}' AND id={}",
                                  where.name(), where.scope().code(), record.scope.code(),
                                  to_string(record.id)));
    }

  private:
    SqliteFile file_;
    std::unique_ptr<SqliteEngine> engine_;
    std::unique_ptr<SqliteDatabase> database_;
};

}  // namespace

std::unique_ptr<Backend> make_sqlite_backend() {
    return std::make_unique<SqliteBackend>();
}

std::vector<BackendKind> contract_backends() {
    return {{"memory", make_memory_backend}, {"sqlite", make_sqlite_backend}};
}

std::string why_no_backend() {
    return "";
}

}  // namespace zona::store
