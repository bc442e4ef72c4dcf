#include "tenancy/keys/sealed_fields.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/bulk.h"
#include "store/sqlite_engine.h"
#include "store/testing/memory_database.h"
#include "tenancy/tenant.h"
#include "tenancy/tenant_data.h"
#include "vault/field_sealer.h"
#include "vault/key_ring.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;
using store::Collection;
using store::Document;
using store::Expected;
using store::Filter;
using store::Id;
using store::Query;
using store::Reader;
using store::Record;
using store::Update;
using store::Writer;
using testing::HasSubstr;

constexpr const char* kSecret = "correct-horse-battery";
const json::string kMasked(kMask);

const store::CollectionSpec& accounts() {
    static const store::CollectionSpec kSpec{
        .name = "accounts",
        .fields = {{.path = "login", .presence = store::Presence::kRequired},
                   {.path = "password", .protection = store::Protection::kEncrypted},
                   {.path = {"auth", "pin"},
                    .type = store::FieldType::kInteger,
                    .protection = store::Protection::kEncrypted},
                   {.path = "tokens",
                    .type = store::FieldType::kArray,
                    .protection = store::Protection::kEncrypted}},
        .indexes = {{.name = "by_created"}, {.name = "by_login", .fields = {{.path = "login"}}}},
        .check = [](const Document& document) -> Result<void> {
            const json::value* const password = document.if_contains("password");
            if (password == nullptr || password->get_string().size() >= 4) return {};
            return core::Error(Code::kInvalidArgument, "a password of fewer than 4 characters");
        }};
    return kSpec;
}

Query everything() {
    return {.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
}

enum class Backend : std::uint8_t { kMemory, kSqlite };

/// One database for two tenants, without any other encryption: what is sealed is so by the layer.
class SealedFieldsTest : public testing::TestWithParam<Backend> {
  protected:
    SealedFieldsTest() {
        EXPECT_TRUE(ring_->add_tenant("acme"));
        EXPECT_TRUE(ring_->add_tenant("globex"));
        const core::Secret token_key(std::string(32, 'k'));
        if (GetParam() == Backend::kMemory) {
            database_ = std::make_shared<store::MemoryDatabase>(std::vector{&accounts()}, token_key,
                                                                clock_);
        } else {
            engine_ = store::SqliteEngine::create({}, clock_, {}).value();
            database_ = engine_
                            ->open({.path = folder_ + "/data.db",
                                    .collections = {&accounts()},
                                    .page_token_key = token_key})
                            .value();
        }
    }
    ~SealedFieldsTest() override {
        // A thread of the database's own, which has just answered, must not be the last to hold it.
        while (database_.use_count() > 1)
            std::this_thread::yield();
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    TenantData tenant(const std::string& code) {
        return TenantData(scope_of(code).value(), database_, {}, {}, {.sealer = sealer(code)});
    }
    std::shared_ptr<const vault::FieldSealer> sealer(const std::string& code) {
        return std::make_shared<const vault::FieldSealer>(code, ring_->tenant(code).value(),
                                                          random_);
    }
    template <class Body>
    static auto write(const TenantData& data, Body body) {
        std::promise<std::invoke_result_t<Body&, Writer&>> answer;
        auto future = answer.get_future();
        data.write(std::move(body), [&](auto result) { answer.set_value(std::move(result)); });
        return future.get();
    }
    template <class Body>
    static auto read(const TenantData& data, Body body) {
        std::promise<std::invoke_result_t<Body&, Reader&>> answer;
        auto future = answer.get_future();
        data.read(std::move(body), [&](auto result) { answer.set_value(std::move(result)); });
        return future.get();
    }
    static Result<Record> insert(const TenantData& data, const Id& id, const json::object& fields) {
        return write(data,
                     [&](Writer& w) { return w.insert(data.collection(accounts()), id, fields); });
    }
    static Result<std::optional<Record>> find(const TenantData& data, const Id& id) {
        return read(data, [&](Reader& r) { return r.find(data.collection(accounts()), id); });
    }
    static json::object account() {
        return {{"login", "ann"},
                {"password", kSecret},
                {"auth", {{"pin", 4711}, {"kind", "card"}}},
                {"tokens", {kSecret, 1.0, nullptr}}};
    }
    /// What lies in the database.
    json::object stored(const std::string& code, const Id& id) {
        const Collection raw(accounts(), scope_of(code).value());
        return *store::read_and_wait(*database_, [&](Reader& r) { return r.find(raw, id); })
                    .value()
                    ->document;
    }
    Result<Record> store_raw(const std::string& code, const Id& id, const json::object& document) {
        const Collection raw(accounts(), scope_of(code).value());
        return store::write_and_wait(*database_,
                                     [&](Writer& w) { return w.upsert(raw, id, document); });
    }
    static vault::KeyId key_of(const json::value& sealed) {
        return vault::FieldSealer::key_of(sealed.get_string()).value();
    }
    Result<Resealed> reseal_all(const TenantData& data, Unsealed unsealed = Unsealed::kRefuse) {
        Resealed all;
        do {
            std::promise<Result<Resealed>> answer;
            auto future = answer.get_future();
            data.reseal(accounts(), {.limit = 2, .token = all.next}, unsealed,
                        [&](auto result) { answer.set_value(std::move(result)); });
            ZONA_TRY(const Resealed page, future.get());
            all = {.seen = all.seen + page.seen,
                   .changed = all.changed + page.changed,
                   .next = page.next};
        } while (!all.next.empty());
        return all;
    }
    static std::string make_folder() {
        std::string name = "/tmp/zona-sealed-XXXXXX";
        return ::mkdtemp(name.data());
    }

    std::string folder_ = make_folder();
    core::FakeClock clock_;
    core::SystemRandom random_;
    std::unique_ptr<vault::RootKeyProvider> roots_ =
        vault::make_file_provider(folder_ + "/root-key", random_);
    std::unique_ptr<vault::KeyRing> ring_ =
        vault::KeyRing::create(folder_ + "/keys.json", *roots_, {clock_, random_}).value();
    std::unique_ptr<store::SqliteEngine> engine_;
    std::shared_ptr<store::Database> database_;
};

INSTANTIATE_TEST_SUITE_P(Backends, SealedFieldsTest,
                         testing::Values(Backend::kMemory, Backend::kSqlite), [](const auto& info) {
                             return info.param == Backend::kMemory ? "Memory" : "Sqlite";
                         });

// SEC-01, SEC-02, SEC-03
TEST_P(SealedFieldsTest, FlaggedFieldsAreSealedAndOthersAreNot) {
    const TenantData acme = tenant("acme");

    const Record record = insert(acme, 1, account()).value();

    EXPECT_EQ(*record.document, account());
    EXPECT_EQ(*find(acme, 1).value()->document, account());
    const json::object raw = stored("acme", 1);
    EXPECT_EQ(raw.at("login"), "ann");
    EXPECT_EQ(raw.at("auth").at("kind"), "card");
    for (const auto& sealed : {raw.at("password"), raw.at("auth").at("pin"), raw.at("tokens")})
        EXPECT_TRUE(sealed.get_string().starts_with(store::kSealedPrefix)) << sealed;
    EXPECT_EQ(json::serialize(raw).find(kSecret), std::string::npos);
}

// SEC-01
TEST_P(SealedFieldsTest, EqualSecretsOfTwoTenantsDifferAndOpenForNeitherOther) {
    const TenantData acme = tenant("acme");
    const TenantData globex = tenant("globex");
    ASSERT_TRUE(insert(acme, 1, account()));
    ASSERT_TRUE(insert(globex, 1, account()));
    const json::object of_acme = stored("acme", 1);

    EXPECT_NE(of_acme.at("password"), stored("globex", 1).at("password"));
    ASSERT_TRUE(store_raw("globex", 1, of_acme));
    EXPECT_EQ(find(globex, 1).error().code(), Code::kNotFound) << "there is no such key";
    const TenantData mixed(scope_of("globex").value(), database_, {}, {},
                           {.sealer = sealer("acme")});
    EXPECT_TRUE(find(mixed, 1)) << "the names alone do not protect: the keys do";
}

// SEC-01, SEC-03
TEST_P(SealedFieldsTest, SealedValueThatWasMovedDoesNotOpen) {
    const TenantData acme = tenant("acme");
    ASSERT_TRUE(insert(acme, 1, account()));
    ASSERT_TRUE(insert(acme, "1", account()));
    const json::object raw = stored("acme", 1);

    ASSERT_TRUE(store_raw("acme", 2, raw));
    ASSERT_TRUE(store_raw("acme", "1", raw));
    json::object exchanged = raw;
    exchanged["password"] = raw.at("tokens");
    ASSERT_TRUE(store_raw("acme", 3, exchanged));
    json::object within = raw;
    within["tokens"] = raw.at("password");
    ASSERT_TRUE(store_raw("acme", 1, within));

    for (const Id& id : std::vector<Id>{1, 2, 3, "1"}) {
        const auto found = find(acme, id);
        ASSERT_FALSE(found.has_value()) << store::to_string(id);
        EXPECT_EQ(found.error().code(), Code::kConflict);
        EXPECT_THAT(found.error().message(), HasSubstr("does not open"));
    }
    EXPECT_FALSE(read(acme, [&](Reader& r) {
        return r.find_page(acme.collection(accounts()), everything(), {});
    }));
    EXPECT_FALSE(write(acme, [&](Writer& w) {
        return w.modify(acme.collection(accounts()), 2, Update().set("password", "another"));
    }));
}

// SEC-02, SEC-03
TEST_P(SealedFieldsTest, DatabaseTakesNoSecretThatIsNotSealed) {
    const auto refused = store_raw("acme", 1, account());

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message(), HasSubstr("/password: is secret"));
    const TenantData keyless(scope_of("acme").value(), database_, {}, {});
    EXPECT_EQ(insert(keyless, 1, account()).error().code(), Code::kUnsupported);
    EXPECT_TRUE(insert(keyless, 1, {{"login", "nothing secret"}}));
}

// SEC-01, SEC-02
TEST_P(SealedFieldsTest, EveryWaySecretsAreChangedSealsThem) {
    const TenantData acme = tenant("acme");
    const Collection own = acme.collection(accounts());
    ASSERT_TRUE(insert(acme, 1, account()));
    const auto modify = [&](const Update& update) {
        return write(acme, [&](Writer& w) { return w.modify(own, 1, update); });
    };
    const auto expect_sealed = [&](const char* what) {
        const std::string text = json::serialize(stored("acme", 1));
        EXPECT_EQ(text.find("new-secret"), std::string::npos) << what << text;
        EXPECT_EQ(text.find(kSecret), std::string::npos) << what;
    };

    EXPECT_EQ(modify(Update().set("password", "new-secret"))->document->at("password"),
              "new-secret");
    expect_sealed("set");
    EXPECT_EQ(modify(Update().inc({"auth", "pin"}, 2))->document->at("auth").at("pin"), 4713);
    EXPECT_TRUE(stored("acme", 1).at("auth").at("pin").is_string());
    EXPECT_EQ(modify(Update().push("tokens", "new-secret"))->document->at("tokens").at(3),
              "new-secret");
    expect_sealed("push");
    EXPECT_EQ(modify(Update().set("auth", {{"pin", 1}, {"kind", "b"}}))->document->at("auth"),
              (json::object{{"pin", 1}, {"kind", "b"}}));
    EXPECT_TRUE(stored("acme", 1).at("auth").at("pin").is_string()) << "its object was set";
    EXPECT_FALSE(modify(Update().unset("tokens"))->document->contains("tokens"));
    EXPECT_EQ(modify(Update().set("login", "bea"))->document->at("password"), "new-secret");
    json::object next = account();
    next["password"] = "new-secret 2";
    EXPECT_EQ(
        write(acme, [&](Writer& w) { return w.replace(own, 1, next); })->document->at("password"),
        "new-secret 2");
    expect_sealed("replace");
    next["password"] = "new-secret 3";
    ASSERT_TRUE(write(acme, [&](Writer& w) { return w.upsert(own, 1, next); }));
    expect_sealed("upsert");
    const auto before = write(acme, [&](Writer& w) {
        return w.find_and_modify(own, {.filter = Filter::eq("login", "ann"), .sort = {}},
                                 Update().set("password", "new-secret 4"),
                                 store::Returned::kBefore);
    });
    EXPECT_EQ(before.value()->document->at("password"), "new-secret 3");
    EXPECT_EQ(find(acme, 1).value()->document->at("password"), "new-secret 4");
    expect_sealed("find_and_modify");
    EXPECT_EQ(find(acme, 1).value()->version, 10);
}

// SEC-02
TEST_P(SealedFieldsTest, ManyDocumentsAtOnceAreSealedEachInItsPlace) {
    const TenantData acme = tenant("acme");
    const Collection own = acme.collection(accounts());
    std::vector<store::BulkOperation> operations;
    for (std::int64_t id = 1; id <= 5; ++id) {
        json::object document = account();
        document["login"] = "user " + std::to_string(id);
        operations.push_back({.kind = store::BulkOperation::Kind::kInsert,
                              .id = id,
                              .document = std::make_shared<const Document>(std::move(document)),
                              .update = {},
                              .expected = {}});
    }
    ASSERT_TRUE(write(
        acme, [&](Writer& w) { return store::bulk(w, own, operations, store::OnRefusal::kStop); }));

    // The order of the query is changed by the change itself.
    const auto changed = write(acme, [&](Writer& w) {
        return w.update_many(own, {.filter = Filter::prefix("login", "user"), .sort = {"login"}},
                             Update().inc({"auth", "pin"}, 1).set("login", "user 9"));
    });

    EXPECT_EQ(changed.value(), 5U);
    for (std::int64_t id = 1; id <= 5; ++id) {
        EXPECT_EQ(find(acme, id).value()->document->at("auth").at("pin"), 4712);
        EXPECT_EQ(json::serialize(stored("acme", id)).find(kSecret), std::string::npos);
    }
    const auto page = read(acme, [&](Reader& r) { return r.find_page(own, everything(), {}); });
    ASSERT_EQ(page->records.size(), 5U);
    EXPECT_EQ(page->records.at(4).document->at("password"), kSecret);
}

// SEC-02
TEST_P(SealedFieldsTest, ChangeWithAnExpectedVersionIsRefusedWhenThereIsAnother) {
    const TenantData acme = tenant("acme");
    const Collection own = acme.collection(accounts());
    ASSERT_TRUE(insert(acme, 1, account()));
    const auto modify = [&](const Id& id, Expected expected) {
        return write(acme, [&](Writer& w) {
            return w.modify(own, id, Update().set("password", "another"), expected);
        });
    };

    EXPECT_EQ(modify(1, 2).error().code(), Code::kConflict);
    EXPECT_EQ(modify(2, {}).error().code(), Code::kNotFound);
    EXPECT_EQ(find(acme, 1).value()->document->at("password"), kSecret);
    EXPECT_TRUE(modify(1, 1));
}

// SEC-02
TEST_P(SealedFieldsTest, ClearValuesAreCheckedAsTheyAreDeclared) {
    const TenantData acme = tenant("acme");
    const Collection own = acme.collection(accounts());
    ASSERT_TRUE(insert(acme, 1, account()));

    EXPECT_THAT(insert(acme, 2, {{"login", "a"}, {"password", 17}}).error().message(),
                HasSubstr("/password"));
    EXPECT_THAT(insert(acme, 2, {{"login", "a"}, {"password", "abc"}}).error().message(),
                HasSubstr("fewer than 4"));
    EXPECT_FALSE(write(
        acme, [&](Writer& w) { return w.modify(own, 1, Update().set({"auth", "pin"}, "four")); }));
    // A text that looks sealed is a text.
    const std::string forged(stored("acme", 1).at("password").get_string());
    ASSERT_TRUE(insert(acme, 3, {{"login", "a"}, {"password", forged}}));
    EXPECT_EQ(find(acme, 3).value()->document->at("password"), json::string(forged));
}

// SEC-02, SEC-03
TEST_P(SealedFieldsTest, SecretsCannotBeSearchedByOnlyWhetherTheyAreThere) {
    const TenantData acme = tenant("acme");
    const Collection own = acme.collection(accounts());
    ASSERT_TRUE(insert(acme, 1, account()));
    ASSERT_TRUE(insert(acme, 2, {{"login", "no secret"}}));
    const auto count = [&](Filter filter) {
        return read(acme, [&](Reader& r) {
            return r.count(own, {.filter = std::move(filter), .walk = store::Walk::kAllow});
        });
    };

    for (const Filter& filter :
         {Filter::eq("password", kSecret), Filter::ne("password", kSecret),
          Filter::prefix("password", "zenc1."), Filter::eq("auth", json::object()),
          Filter::negate(Filter::all({Filter::eq({"auth", "pin"}, 4711)})),
          Filter::exists({"tokens", "x"}, store::Exists::kYes)}) {
        const auto refused = count(filter);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
        EXPECT_THAT(refused.error().message(), HasSubstr("cannot be searched"));
    }
    EXPECT_EQ(count(Filter::exists("password", store::Exists::kYes)).value(), 1U);
    EXPECT_FALSE(read(acme, [&](Reader& r) {
        return r.aggregate(
            own,
            {.filter = {},
             .measures = {{.kind = store::Measure::Kind::kMax, .path = store::Path{"auth", "pin"}}},
             .walk = store::Walk::kAllow});
    }));
    EXPECT_FALSE(write(acme, [&](Writer& w) {
        return w.remove_many(own, {.filter = Filter::eq("password", kSecret), .sort = {}});
    }));
}

// SEC-03
TEST_P(SealedFieldsTest, MaskedDataShowsNoSecretAndNeedsNoKey) {
    const TenantData acme = tenant("acme");
    ASSERT_TRUE(insert(acme, 1, account()));
    const TenantData masked = acme.masked();
    const Collection own = acme.collection(accounts());

    const Record shown = *find(masked, 1).value();
    EXPECT_EQ(shown.document->at("password"), kMasked);
    EXPECT_EQ(shown.document->at("auth"), (json::object{{"pin", kMasked}, {"kind", "card"}}));
    EXPECT_EQ(shown.document->at("tokens"), kMasked);
    EXPECT_EQ(shown.document->at("login"), "ann");
    const auto changed =
        write(masked, [&](Writer& w) { return w.modify(own, 1, Update().set("login", "bea")); });
    EXPECT_EQ(changed->document->at("password"), kMasked);
    // What was shown masked is no value to be stored.
    const auto written_back =
        write(masked, [&](Writer& w) { return w.replace(own, 1, *shown.document); });
    EXPECT_THAT(written_back.error().message(), HasSubstr("shown in place of a secret"));
    EXPECT_EQ(find(acme, 1).value()->document->at("password"), kSecret);

    ASSERT_TRUE(ring_->erase("acme"));
    EXPECT_EQ(find(acme, 1).error().code(), Code::kNotFound);
    EXPECT_TRUE(find(masked, 1));
}

// SEC-06
TEST_P(SealedFieldsTest, AfterARotationOldValuesAreReadAndSealedAnewByTouchOrByTheJob) {
    const TenantData acme = tenant("acme");
    for (std::int64_t id = 1; id <= 5; ++id)
        ASSERT_TRUE(insert(acme, id, account()));
    const vault::KeyId old = key_of(stored("acme", 1).at("password"));
    const vault::KeyId next = ring_->rotate("acme").value();

    EXPECT_EQ(find(acme, 1).value()->document->at("password"), kSecret);
    ASSERT_TRUE(write(acme, [&](Writer& w) {
        return w.modify(acme.collection(accounts()), 1, Update().set("login", "touched"));
    }));
    EXPECT_EQ(key_of(stored("acme", 1).at("password")), next);
    EXPECT_EQ(key_of(stored("acme", 2).at("password")), old);

    const Resealed first = reseal_all(acme).value();
    EXPECT_EQ(first.seen, 5U);
    EXPECT_EQ(first.changed, 4U);
    EXPECT_EQ(reseal_all(acme)->changed, 0U) << "the end of it is seen";
    ASSERT_TRUE(ring_->retire("acme", old));
    for (std::int64_t id = 1; id <= 5; ++id)
        EXPECT_EQ(find(acme, id).value()->document->at("tokens"), account().at("tokens"));
}

// SEC-06
TEST_P(SealedFieldsTest, ValueThatIsUntouchedKeepsItsCipherText) {
    const TenantData acme = tenant("acme");
    ASSERT_TRUE(insert(acme, 1, account()));
    const json::value before = stored("acme", 1).at("password");

    ASSERT_TRUE(write(acme, [&](Writer& w) {
        return w.modify(acme.collection(accounts()), 1, Update().inc({"auth", "pin"}, 1));
    }));

    EXPECT_EQ(stored("acme", 1).at("password"), before);
}

/// With a database that has files.
class SealedFilesTest : public SealedFieldsTest {};
INSTANTIATE_TEST_SUITE_P(Files, SealedFilesTest, testing::Values(Backend::kSqlite));

// SEC-03, SEC-04
TEST_P(SealedFilesTest, NothingSecretLiesInThem) {
    const TenantData acme = tenant("acme");
    ASSERT_TRUE(insert(acme, 1, account()));
    ASSERT_TRUE(write(acme, [&](Writer& w) {
        return w.modify(acme.collection(accounts()), 1, Update().set("password", "correct-hors2"));
    }));

    std::size_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
        std::stringstream content;
        content << std::ifstream(file.path(), std::ios::binary).rdbuf();
        bytes += content.str().size();
        EXPECT_EQ(content.str().find("correct-hors"), std::string::npos) << file.path();
    }
    EXPECT_GT(bytes, 4096U);
}

}  // namespace
}  // namespace zona::tenancy
