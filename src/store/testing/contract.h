/// @file
/// What every backend must do: the fixture of the contract suite. The tests are in
/// contract_*_test.cpp; each program that has them says with contract_backends() what they are for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/bulk.h"
#include "store/counters.h"
#include "store/database.h"

namespace zona::store {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

/// The collection of the suite. `status`, `priority` and `score` are required, since indexes that
/// are not sparse have them.
const CollectionSpec& tasks_spec();
/// A second one, with a check of its own: `even` must be an even number.
const CollectionSpec& numbers_spec();
/// What every backend of the suite is opened with.
std::vector<const CollectionSpec*> test_specs();

/// A document of tasks_spec().
json::object task(std::string_view status, std::int64_t priority = 0, double score = 0);
/// A document written as JSON; a mistake in it ends the test program.
json::object parsed(std::string_view text);

/// One backend under test.
class Backend {
  public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    virtual Database& database() = 0;
    /// Stores a record of another scope where queries of `where` find it.
    virtual void plant(const Collection& where, const Record& record) = 0;
    core::FakeClock& clock() { return clock_; }

  private:
    core::FakeClock clock_;
};

/// A backend that is new and empty.
struct BackendKind {
    std::string name;
    std::unique_ptr<Backend> (*make)();
};
std::unique_ptr<Backend> make_memory_backend();
/// Those of this program. What `make` cannot give, null, has its tests skipped.
std::vector<BackendKind> contract_backends();
/// Why `make` may have given none.
std::string why_no_backend();

class StoreContract : public testing::TestWithParam<BackendKind> {
  protected:
    StoreContract() : backend_(GetParam().make()) {}
    void SetUp() override {
        if (backend_ == nullptr) GTEST_SKIP() << why_no_backend();
    }

    Database& database() { return backend_->database(); }
    Backend& backend() { return *backend_; }
    core::FakeClock& clock() { return backend_->clock(); }

    /// `body(Reader&)` and `body(Writer&)`, waited for.
    template <class Body>
    auto read(Body body) {
        return read_and_wait(database(), std::move(body));
    }
    template <class Body>
    auto write(Body body) {
        return write_and_wait(database(), std::move(body));
    }

    Result<Record> insert(const Id& id, const json::object& document) {
        return insert(tasks_, id, document);
    }
    Result<Record> insert(const Collection& collection, const Id& id,
                          const json::object& document) {
        return write([&](Writer& w) { return w.insert(collection, id, document); });
    }
    std::optional<Record> find(const Id& id) { return find(tasks_, id); }
    std::optional<Record> find(const Collection& collection, const Id& id) {
        return read([&](Reader& r) { return r.find(collection, id); }).value();
    }
    Result<Page> page(const Query& query, const PageRequest& request = {}) {
        return read([&](Reader& r) { return r.find_page(tasks_, query, request); });
    }
    /// The ids of all pages of this size, as text; ends the test on an error.
    std::vector<std::string> ids(const Query& query, std::size_t limit = 20);
    std::uint64_t count(const Query& query) {
        return read([&](Reader& r) { return r.count(tasks_, query); }).value();
    }

    static Scope acme() { return Scope::tenant("acme").value(); }
    static Scope globex() { return Scope::tenant("globex").value(); }

    const Collection tasks_{tasks_spec(), acme()};
    const Collection others_{tasks_spec(), globex()};

  private:
    std::unique_ptr<Backend> backend_;
};

}  // namespace zona::store
