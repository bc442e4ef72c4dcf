/// @file
/// A database of its own on the shared server, for tests of the MongoDB backend.
#pragma once

#include <memory>
#include <string>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "store/mongo/detail/open.h"
#include "store/mongo/testing/mongo_server.h"
#include "store/testing/contract.h"

namespace zona::store {

class MongoHome {
  public:
    explicit MongoHome(const MongoServer& server = MongoServer::shared(),
                       std::string name = MongoServer::new_database_name())
        : server_(server), name_(std::move(name)) {}
    ~MongoHome() {
        if (!server_.uri().empty()) server_.drop(name_);
    }
    MongoHome(const MongoHome&) = delete;
    MongoHome& operator=(const MongoHome&) = delete;

    MongoOptions options(std::vector<const CollectionSpec*> specs = test_specs()) const {
        MongoOptions out = server_.options(name_);
        out.collections = std::move(specs);
        return out;
    }
    Result<std::unique_ptr<MongoDatabase>> open() { return open(options()); }
    Result<std::unique_ptr<MongoDatabase>> open(const MongoOptions& options) {
        return mongo::open_here(options, clock, log.logger("store"));
    }
    const std::string& name() const { return name_; }
    std::unique_ptr<mongo::ClientFactory> factory() const { return server_.factory(name_); }

    core::FakeClock clock;
    core::MemoryLog log;

  private:
    const MongoServer& server_;
    const std::string name_;
};

/// A fixture whose tests are skipped, with the reason, if there is no server.
class MongoTest : public testing::Test {
  protected:
    void SetUp() override {
        const MongoServer& server = MongoServer::shared();
        if (server.uri().empty()) GTEST_SKIP() << server.why_not();
    }
};

/// One in a database of its own; null if there is no server.
std::unique_ptr<Backend> make_mongo_backend();

}  // namespace zona::store
