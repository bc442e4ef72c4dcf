// Files of older declarations become files of newer ones, whatever happens on the way.
#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include "store/testing/child_process.h"
#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

using testing::HasSubstr;

constexpr int kDocuments = 3500;

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

class Schema : public testing::Test {
  protected:
    void fill() {
        const auto database = file_.open(file_.options({&first_spec()})).value();
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
        const auto database = file_.open(file_.options({&spec}));
        if (database.has_value()) return "opened";
        EXPECT_EQ(database.error().code(), Code::kConflict);
        return database.error().message();
    }

    void expect_migrated(const CollectionSpec& spec) {
        const auto database = file_.open(file_.options({&spec})).value();
        const Query all{.sort = {"n"}};
        PageRequest request{.limit = 1000};
        std::int64_t expected = 0;
        do {
            const auto page = read_and_wait(
                *database, [&](Reader& r) { return r.find_page(items(spec), all, request); });
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

    SqliteFile file_{std::getenv("ZONA_TEST_STORE") == nullptr ? ""
                                                               : std::getenv("ZONA_TEST_STORE")};
};

// DATA-41
TEST_F(Schema, MigratesDocumentsAndFillsNewIndexes) {
    fill();
    if (HasFatalFailure()) return;

    expect_migrated(second_spec());
    expect_migrated(second_spec());  // once is enough
}

TEST_F(Schema, AddsAndDropsIndexesWithoutANewVersion) {
    fill();
    CollectionSpec spec = first_spec();
    spec.indexes = {{.name = "by_n", .fields = {{"n", FieldType::kInteger}}},
                    {.name = "by_created"}};

    for (int round = 0; round < 2; ++round) {
        const auto database = file_.open(file_.options({&spec})).value();
        const Query high{.filter = Filter::gte("n", kDocuments - 3)};
        EXPECT_EQ(
            read_and_wait(*database, [&](Reader& r) { return r.count(items(spec), high); }).value(),
            3U);
    }
    // And back.
    const auto database = file_.open(file_.options({&first_spec()})).value();
    const Query odd{.filter = Filter::eq("kind", "odd")};
    EXPECT_EQ(read_and_wait(*database, [&](Reader& r) { return r.count(items(first_spec()), odd); })
                  .value(),
              kDocuments / 2U);
}

TEST_F(Schema, RefusesDocumentsOfANewerVersion) {
    fill();
    expect_migrated(second_spec());

    EXPECT_THAT(refusal(first_spec()), HasSubstr("items holds documents of version 2"));
}

TEST_F(Schema, StopsAtADocumentThatCannotBeMigratedAndLosesNothing) {
    fill();
    CollectionSpec failing = second_spec();
    failing.migrations[0].change = [](Document& document) -> Result<void> {
        if (document.at("n").as_int64() == 2000)
            return Error(Code::kInvalidArgument, "/n: not this one");
        document["n"] = document.at("n").as_int64() * 2;
        return {};
    };

    EXPECT_THAT(refusal(failing), HasSubstr("stops at document 2000: /n: not this one"));
    EXPECT_THAT(refusal(first_spec()), HasSubstr("version 2")) << "some are of version 2 by now";
    expect_migrated(second_spec());
}

TEST_F(Schema, RefusesAUniqueIndexThatDocumentsBreak) {
    fill();
    CollectionSpec spec = first_spec();
    spec.indexes[1].uniqueness = Uniqueness::kUnique;

    EXPECT_THAT(refusal(spec), HasSubstr("items: an index cannot be made"));

    const auto database = file_.open(file_.options({&first_spec()}));
    EXPECT_TRUE(database.has_value());
}

#ifdef ZONA_FAULTS

ZONA_CHILD_TEST(Schema, ChildMigratesUntilItIsKilled) {
    const CollectionSpec spec = second_spec();
    EXPECT_TRUE(file_.open(file_.options({&spec})).has_value());
}

// DATA-41
TEST_F(Schema, GoesOnWithAMigrationThatWasKilled) {
    fill();
    if (HasFatalFailure()) return;
    const std::string directory = file_.path().substr(0, file_.path().rfind('/'));

    // Four transactions: each of these kills the child a step further on.
    for (int kill = 0; kill < 3; ++kill) {
        const ChildProcess child(
            "Schema.ChildMigratesUntilItIsKilled",
            {"ZONA_TEST_STORE=" + directory, "ZONA_FAULT=store.migrated_some:1"});
        const int status = child.wait();
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }

    expect_migrated(second_spec());
    EXPECT_TRUE(file_.log.has("a migration goes on"));
}

#endif

}  // namespace
}  // namespace zona::store
