#include "tenancy/tenant_data.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Update;
using store::Writer;

const store::CollectionSpec& notes() {
    static const store::CollectionSpec kSpec{.name = "notes", .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const store::Query& everything() {
    static const store::Query kQuery{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    return kQuery;
}

/// One database of two tenants, as in SINGLE_TENANT mode.
class TenantDataTest : public testing::Test {
  protected:
    TenantData tenant(std::string_view code, PermissionHook hook = {}) {
        return TenantData(scope_of(code).value(), database_, std::move(hook), {});
    }
    template <class Body>
    static auto write(const TenantData& tenant, Body body) {
        using Answer = std::invoke_result_t<Body&, Writer&>;
        std::promise<Answer> answer;
        auto future = answer.get_future();
        tenant.write(std::move(body), [&](auto result) { answer.set_value(std::move(result)); });
        return future.get();
    }
    template <class Body>
    static auto read(const TenantData& tenant, Body body) {
        using Answer = std::invoke_result_t<Body&, Reader&>;
        std::promise<Answer> answer;
        auto future = answer.get_future();
        tenant.read(std::move(body), [&](auto result) { answer.set_value(std::move(result)); });
        return future.get();
    }
    static Result<Record> insert(const TenantData& tenant, std::int64_t id, json::object document) {
        return write(tenant,
                     [&](Writer& w) { return w.insert(tenant.collection(notes()), id, document); });
    }
    static std::uint64_t count(const TenantData& tenant) {
        return read(tenant,
                    [&](Reader& r) { return r.count(tenant.collection(notes()), everything()); })
            .value();
    }

    core::FakeClock clock_;
    std::shared_ptr<store::MemoryDatabase> database_ = std::make_shared<store::MemoryDatabase>(
        std::vector{&notes()}, core::Secret(std::string(32, 'k')), clock_);
};

// TEN-04, TEN-33
TEST_F(TenantDataTest, WritesAreStampedWhateverTheDocumentSays) {
    const TenantData acme = tenant("acme");
    const TenantData globex = tenant("globex");

    const Record record =
        insert(acme, 1, {{"tenant_code", "globex"}, {"scope", "globex"}, {"text", "a"}}).value();

    EXPECT_EQ(record.scope.code(), "acme");
    EXPECT_EQ(count(acme), 1U);
    EXPECT_EQ(count(globex), 0U);
    ASSERT_TRUE(insert(globex, 1, {{"text", "b"}})) << "ids are of one tenant";
    EXPECT_EQ(read(acme, [&](Reader& r) { return r.find(acme.collection(notes()), 1); })
                  .value()
                  ->document->at("text"),
              "a");
}

// TEN-05, TEN-31, TEN-34
TEST_F(TenantDataTest, AnotherTenantsCollectionIsRefusedByEveryOperation) {
    const TenantData acme = tenant("acme");
    const TenantData globex = tenant("globex");
    ASSERT_TRUE(insert(globex, 1, {{"text", "secret"}}));
    const Collection foreign = globex.collection(notes());
    const auto code_of = [](const auto& result) {
        return result.has_value() ? std::nullopt : std::optional(result.error().code());
    };
    const auto reading = [&](auto ask) {
        return code_of(read(acme, [&](Reader& r) { return ask(r); }));
    };
    const auto writing = [&](auto ask) {
        return code_of(write(acme, [&](Writer& w) { return ask(w); }));
    };
    const json::object document;
    const Update update = Update().set("text", "gone");

    for (const auto& refused : {
             reading([&](Reader& r) { return r.find(foreign, 1); }),
             reading([&](Reader& r) { return r.find_one(foreign, everything()); }),
             reading([&](Reader& r) { return r.find_page(foreign, everything(), {}); }),
             reading([&](Reader& r) { return r.count(foreign, everything()); }),
             reading([&](Reader& r) { return r.aggregate(foreign, {.filter = {}}); }),
             writing([&](Writer& w) { return w.find(foreign, 1); }),
             writing([&](Writer& w) { return w.insert(foreign, 2, document); }),
             writing([&](Writer& w) { return w.upsert(foreign, 1, document); }),
             writing([&](Writer& w) { return w.replace(foreign, 1, document); }),
             writing([&](Writer& w) { return w.modify(foreign, 1, update); }),
             writing([&](Writer& w) {
                 return w.find_and_modify(foreign, everything(), update, store::Returned::kAfter);
             }),
             writing([&](Writer& w) { return w.update_many(foreign, everything(), update); }),
             writing([&](Writer& w) { return w.remove(foreign, 1); }),
             writing([&](Writer& w) { return w.remove_many(foreign, everything()); }),
         }) {
        EXPECT_EQ(refused, Code::kForbidden);
    }
    EXPECT_EQ(count(globex), 1U);
    EXPECT_EQ(
        read(globex, [&](Reader& r) { return r.find(foreign, 1); }).value()->document->at("text"),
        "secret");
}

// TEN-32
TEST_F(TenantDataTest, PlantedDocumentIsRefusedEvenIfTheQueryFindsIt) {
    const TenantData acme = tenant("acme");
    const Record foreign = insert(tenant("globex"), 7, {{"text", "planted"}}).value();
    database_->plant(acme.collection(notes()), foreign);

    const auto by_id =
        read(acme, [&](Reader& r) { return r.find(acme.collection(notes()), foreign.id); });
    const auto by_query = read(
        acme, [&](Reader& r) { return r.find_page(acme.collection(notes()), everything(), {}); });

    EXPECT_EQ(by_id.error().code(), Code::kForbidden);
    EXPECT_EQ(by_query.error().code(), Code::kForbidden);
}

// TEN-33, TEN-34
TEST_F(TenantDataTest, HookIsAskedBeforeEachChangeAndItsRefusalUndoesAll) {
    std::vector<Change> asked;
    const TenantData acme =
        tenant("acme", [&](Change change, const Collection& collection) -> Result<void> {
            EXPECT_EQ(collection.scope().code(), "acme");
            asked.push_back(change);
            if (change == Change::kRemove) return core::Error(Code::kForbidden, "delete denied");
            return {};
        });
    ASSERT_TRUE(insert(acme, 1, {{"text", "a"}}));

    const auto refused = write(acme, [&](Writer& w) -> Result<bool> {
        const Collection collection = acme.collection(notes());
        ZONA_TRY_VOID(w.modify(collection, 1, Update().set("text", "b")));
        return w.remove(collection, 1);
    });

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().message(), "delete denied");
    EXPECT_EQ(asked, (std::vector{Change::kWrite, Change::kWrite, Change::kRemove}));
    EXPECT_EQ(read(acme, [&](Reader& r) { return r.find(acme.collection(notes()), 1); })
                  .value()
                  ->document->at("text"),
              "a");
}

TEST_F(TenantDataTest, KeepsItsDatabaseOpen) {
    const TenantData acme = tenant("acme");
    database_.reset();

    EXPECT_TRUE(insert(acme, 1, {{"text", "a"}}));
}

}  // namespace
}  // namespace zona::tenancy
