// Databases of older declarations become those of newer ones, whatever happens on the way.
#include <cstdlib>

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "store/mongo/testing/mongo_fixture.h"
#include "store/testing/child_process.h"

namespace zona::store {
namespace {

using testing::HasSubstr;

constexpr int kDocuments = 210;
constexpr const char* kDatabase = "ZONA_TEST_MONGO_DATABASE";

const CollectionSpec& first_spec() {
    static const CollectionSpec kSpec{
        .name = "items",
        .indexes = {{.name = "by_created"},
                    {.name = "by_kind", .fields = {{"kind", FieldType::kText}}}}};
    return kSpec;
}

/// Doubles `n`, which shows if it is done twice, and asks for it by an index.
CollectionSpec second_spec() {
    CollectionSpec spec = first_spec();
    spec.version = 2;
    spec.indexes.push_back({.name = "by_n", .fields = {{"n", FieldType::kInteger}}});
    spec.migrations = {{2, [](Document& document) -> Result<void> {
                            document["n"] = document.at("n").as_int64() * 2;
                            return {};
                        }}};
    return spec;
}

class MongoSchema : public MongoTest {
  protected:
    void fill() {
        const auto database = home_.open(home_.options({&first_spec()})).value();
        ASSERT_TRUE(write_and_wait(*database, [&](Writer& w) -> Result<int> {
                        for (int i = 0; i < kDocuments; ++i) {
                            ZONA_TRY(const Record stored,
                                     w.insert(items(first_spec()), i,
                                              {{"kind", i % 2 == 0 ? "even" : "odd"}, {"n", i}}));
                        }
                        return 0;
                    }).has_value());
    }

    static Collection items(const CollectionSpec& spec) {
        return {spec, Scope::tenant("acme").value()};
    }

    std::string refusal(const CollectionSpec& spec) {
        const auto database = home_.open(home_.options({&spec}));
        if (database.has_value()) return "opened";
        EXPECT_EQ(database.error().code(), Code::kConflict);
        return database.error().message();
    }

    void expect_migrated(const CollectionSpec& spec) {
        const auto database = home_.open(home_.options({&spec})).value();
        PageRequest request{.limit = 1000};
        std::int64_t expected = 0;
        do {
            const auto page = read_and_wait(*database, [&](Reader& r) {
                return r.find_page(items(spec), {.sort = {"n"}}, request);
            });
            ASSERT_TRUE(page.has_value()) << page.error().message();
            for (const Record& record : page->records) {
                EXPECT_EQ(record.document->at("n").as_int64(), 2 * expected);
                EXPECT_EQ(record.id, Id(expected++));
                EXPECT_EQ(record.version, 1);
            }
            request.token = page->next;
        } while (!request.token.empty());
        EXPECT_EQ(expected, kDocuments);
    }

    MongoHome home_;
};

// DATA-41
TEST_F(MongoSchema, MigratesDocumentsAndFillsNewIndexes) {
    fill();
    expect_migrated(second_spec());
    expect_migrated(second_spec());  // once is enough
    EXPECT_THAT(refusal(first_spec()), HasSubstr("items holds documents of version 2"));
}

TEST_F(MongoSchema, StopsAtADocumentThatCannotBeMigratedAndLosesNothing) {
    fill();
    CollectionSpec failing = second_spec();
    failing.migrations[0].change = [](Document& document) -> Result<void> {
        if (document.at("n").as_int64() == 150)
            return Error(Code::kInvalidArgument, "/n: not this one");
        document["n"] = document.at("n").as_int64() * 2;
        return {};
    };

    EXPECT_THAT(refusal(failing), HasSubstr("stops at document acme/150: /n: not this one"));
    EXPECT_THAT(refusal(first_spec()), HasSubstr("version 2")) << "some are of version 2 by now";
    expect_migrated(second_spec());
}

TEST_F(MongoSchema, RefusesAUniqueIndexThatDocumentsBreakAndChangesIndexes) {
    fill();
    CollectionSpec spec = first_spec();
    spec.indexes[1].uniqueness = Uniqueness::kUnique;
    EXPECT_THAT(refusal(spec), HasSubstr("items: the index by_kind cannot be made"));

    spec.indexes = {{.name = "by_n", .fields = {{"n", FieldType::kInteger}}},
                    {.name = "by_created"}};
    for (const CollectionSpec* wanted :
         {&first_spec(), static_cast<const CollectionSpec*>(&spec)}) {
        const auto database = home_.open(home_.options({wanted})).value();
        const Query some{.filter = wanted == &spec ? Filter::lt("n", kDocuments / 2)
                                                   : Filter::eq("kind", "odd")};
        EXPECT_EQ(read_and_wait(*database, [&](Reader& r) { return r.count(items(*wanted), some); })
                      .value(),
                  kDocuments / 2U);
    }
}

#ifdef ZONA_FAULTS

ZONA_CHILD_TEST(MongoSchema, ChildMigratesUntilItIsKilled) {
    const CollectionSpec spec = second_spec();
    MongoOptions options = MongoServer::shared().options(std::getenv(kDatabase));
    options.collections = {&spec};
    EXPECT_TRUE(mongo::open_here(options, home_.clock, home_.log.logger()).has_value());
}

// DATA-41
TEST_F(MongoSchema, GoesOnWithAMigrationThatWasKilled) {
    fill();
    for (int kill = 0; kill < 2; ++kill) {
        const ChildProcess child(
            "MongoSchema.ChildMigratesUntilItIsKilled",
            {"ZONA_TEST_MONGO_URI=" + MongoServer::shared().uri(),
             std::string(kDatabase) + "=" + home_.name(), "ZONA_FAULT=mongo.migrated_some:1"});
        const int status = child.wait();
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }

    expect_migrated(second_spec());
    EXPECT_TRUE(home_.log.has("a migration goes on"));
}

#endif

}  // namespace
}  // namespace zona::store
