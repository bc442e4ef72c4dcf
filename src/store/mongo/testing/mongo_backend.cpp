#include <memory>

#include "store/mongo/detail/stored.h"
#include "store/mongo/testing/mongo_fixture.h"

namespace zona::store {
namespace {

class MongoBackend final : public Backend {
  public:
    MongoBackend()
        : database_(mongo::open_here(home_.options(), clock(), home_.log.logger("store")).value()) {
    }

    Database& database() override { return *database_; }

    /// The document is filed under another scope; its stamp stays.
    void plant(const Collection& where, const Record& record) override {
        using mongo::Bson;
        const auto factory = home_.factory();
        mongo::Client client(*factory);
        // Its keys are those of the scope that it is filed under.
        Record filed = record;
        filed.scope = where.scope();
        const std::string key = mongo::stored_key(where.scope(), record.id);
        const Bson keys = mongo::stored_form(where.spec(), key, filed, 0, "").object("x");
        const Bson planted = mongo::stored_form(where.spec(), key, record, 0, "planted");
        ASSERT_TRUE(client.insert(where.name(), {planted}).has_value());
        const Bson change = Bson().put("$set", Bson().put("x", keys));
        const Bson update = Bson().put("q", Bson().put(mongo::kIdField, key)).put("u", change);
        ASSERT_TRUE(client.update(where.name(), {update}).has_value());
    }

  private:
    MongoHome home_;
    std::unique_ptr<MongoDatabase> database_;
};

}  // namespace

std::unique_ptr<Backend> make_mongo_backend() {
    if (MongoServer::shared().uri().empty()) return nullptr;
    return std::make_unique<MongoBackend>();
}

std::vector<BackendKind> contract_backends() {
    return {{"mongo", make_mongo_backend}};
}

std::string why_no_backend() {
    return MongoServer::shared().why_not();
}

}  // namespace zona::store
