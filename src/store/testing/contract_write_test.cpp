// The contract of all backends: writes, versions, transactions.
#include <gmock/gmock.h>

#include "store/detail/encoding.h"
#include "store/testing/contract.h"

namespace zona::store {
namespace {

using std::chrono::milliseconds;

TEST_P(StoreContract, GivesBackWhatWasInserted) {
    const auto document =
        parsed(R"({"status":"open","priority":3,"score":1.5,"deep":{"a":[1,null]}})");

    const Record stored = insert(7, document).value();
    const Record found = find(7).value();

    EXPECT_EQ(stored.version, 1);
    EXPECT_EQ(stored.scope, acme());
    EXPECT_EQ(stored.created, clock().system());
    EXPECT_EQ(*found.document, document);
    EXPECT_EQ(found.id, Id(7));
    EXPECT_EQ(found.version, 1);
    EXPECT_EQ(found.created, stored.created);
    EXPECT_EQ(found.updated, stored.updated);
    EXPECT_FALSE(find(8).has_value());
}

TEST_P(StoreContract, TellsNumbersAndTextsApartAsIds) {
    ASSERT_TRUE(insert(7, task("open")).has_value());
    ASSERT_TRUE(insert("7", task("done")).has_value());

    EXPECT_EQ(find(7)->document->at("status"), "open");
    EXPECT_EQ(find("7")->document->at("status"), "done");
}

TEST_P(StoreContract, RefusesAnIdThatExistsOrIsNone) {
    ASSERT_TRUE(insert(7, task("open")).has_value());

    EXPECT_EQ(insert(7, task("done")).error().code(), Code::kConflict);
    EXPECT_EQ(insert("", task("done")).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(insert(std::string(201, 'x'), task("done")).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(insert("\xFF", task("done")).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(find(7)->document->at("status"), "open");
}

TEST_P(StoreContract, CountsVersionsAndKeepsTheMomentOfCreation) {
    const Record first = insert(7, task("open")).value();
    clock().advance(milliseconds(5));

    const auto second =
        write([&](Writer& w) { return w.replace(tasks_, 7, task("done"), first.version); }).value();
    const auto third =
        write([&](Writer& w) { return w.upsert(tasks_, 7, task("open", 9)); }).value();

    EXPECT_EQ(second.version, 2);
    EXPECT_EQ(second.created, first.created);
    EXPECT_EQ(second.updated, clock().system());
    EXPECT_EQ(third.version, 3);
    EXPECT_EQ(find(7)->document->at("priority"), 9);
    EXPECT_EQ(find(7)->updated, clock().system());
}

// TEN-40
TEST_P(StoreContract, CountsWhatEachScopesDocumentsTake) {
    const auto use_of_acme = [this] {
        return read([&](Reader& r) { return r.storage_use(acme()); });
    };
    EXPECT_EQ(*use_of_acme(), StorageUse());
    const auto small = task("open");
    const auto large = parsed(R"({"status":"open","priority":0,"score":0.0,"text":"éé"})");
    const std::uint64_t small_bytes = kDocumentBytes + detail::to_text(small).size();
    const std::uint64_t large_bytes = kDocumentBytes + detail::to_text(large).size();
    ASSERT_TRUE(insert(1, small).has_value());
    ASSERT_TRUE(insert(2, small).has_value());
    ASSERT_TRUE(insert(others_, 1, large).has_value());
    EXPECT_EQ(*use_of_acme(), (StorageUse{.documents = 2, .bytes = 2 * small_bytes}));

    // Within the transaction, too; and one that fails leaves nothing.
    ASSERT_FALSE(write([&](Writer& w) -> Result<bool> {
                     ZONA_TRY_VOID(w.replace(tasks_, 1, large));
                     ZONA_TRY_VOID(w.remove(tasks_, 2));
                     ZONA_TRY(const StorageUse use, w.storage_use(acme()));
                     EXPECT_EQ(use, (StorageUse{.documents = 1, .bytes = large_bytes}));
                     return Error(Code::kConflict, "undone");
                 }).has_value());
    EXPECT_EQ(*use_of_acme(), (StorageUse{.documents = 2, .bytes = 2 * small_bytes}));

    ASSERT_TRUE(write([&](Writer& w) { return w.upsert(tasks_, 1, large); }).has_value());
    EXPECT_EQ(*use_of_acme(), (StorageUse{.documents = 2, .bytes = small_bytes + large_bytes}));
    Record kept = *find(1);
    ASSERT_TRUE(write([&](Writer& w) { return w.restore(tasks_, kept); }).has_value());
    EXPECT_EQ(use_of_acme()->documents, 2U);
    const Query all{.filter = Filter::eq("status", "open")};
    ASSERT_TRUE(write([&](Writer& w) { return w.remove_many(tasks_, all); }).has_value());
    EXPECT_EQ(*use_of_acme(), StorageUse());
    EXPECT_EQ(read([&](Reader& r) { return r.storage_use(globex()); })->bytes, large_bytes);
}

// TEN-40
TEST_P(StoreContract, WhatIsNotCountedTakesNothing) {
    const Collection numbers(numbers_spec(), acme());
    const auto taken = [this](const auto& change) {
        return write([&](Writer& w) -> Result<StorageUse> {
            ZONA_TRY_VOID(change(w));
            return w.storage_use(acme());
        });
    };
    const auto number = [](int even, const char* text) {
        return Document{{"group", "a"}, {"even", even}, {"text", text}};
    };
    EXPECT_EQ(*taken([&](Writer& w) { return w.insert(numbers, 1, number(2, "")); }), StorageUse());
    EXPECT_EQ(*taken([&](Writer& w) { return w.replace(numbers, 1, number(4, "longer")); }),
              StorageUse());
    EXPECT_EQ(*taken([&](Writer& w) { return w.remove(numbers, 1); }), StorageUse());
    ASSERT_TRUE(insert(numbers, 2, number(2, "")).has_value());
    ASSERT_TRUE(insert(1, task("open")).has_value());
    EXPECT_EQ(read([&](Reader& r) { return r.storage_use(acme()); })->documents, 1U);
}

// OBS-04
TEST_P(StoreContract, CountsTheTransactionsThatWereKeptAndThoseThatWereNot) {
    const DatabaseLoad before = database().load();
    ASSERT_TRUE(insert(1, task("open")).has_value());
    ASSERT_TRUE(insert(2, task("open")).has_value());
    ASSERT_FALSE(insert(1, task("open")).has_value());
    const DatabaseLoad after = database().load();
    EXPECT_EQ(after.committed - before.committed, 2U);
    EXPECT_EQ(after.failed - before.failed, 1U);
    EXPECT_GE(after.commits - before.commits, 2U);
    EXPECT_EQ(after.waiting_reads + after.waiting_writes, 0U);
}

// REL-08
TEST_P(StoreContract, RestoresARecordAsItWas) {
    ASSERT_TRUE(insert(7, task("open")).has_value());
    clock().advance(milliseconds(5));
    ASSERT_TRUE(write([&](Writer& w) {
                    return w.modify(tasks_, 7, Update().set("priority", 4));
                }).has_value());
    const Record before = *find(7);
    ASSERT_TRUE(write([&](Writer& w) { return w.remove(tasks_, 7); }).value());
    ASSERT_TRUE(insert(7, task("done")).has_value());
    clock().advance(milliseconds(5));

    ASSERT_TRUE(write([&](Writer& w) { return w.restore(tasks_, before); }).has_value());

    const Record after = *find(7);
    EXPECT_EQ(after.version, 2);
    EXPECT_EQ(after.created, before.created);
    EXPECT_EQ(after.updated, before.updated);
    EXPECT_EQ(*after.document, *before.document);
    EXPECT_EQ(ids({.filter = Filter::eq("status", "open")}), std::vector<std::string>{"7"});
    EXPECT_TRUE(ids({.filter = Filter::eq("status", "done")}).empty());
    EXPECT_FALSE(find(others_, 7).has_value());
    ASSERT_TRUE(write([&](Writer& w) { return w.restore(others_, before); }).has_value());
    EXPECT_EQ(find(others_, 7)->scope, globex()) << "the handle's, not the record's";
}

TEST_P(StoreContract, RestoresNothingOfARecordThatIsRefused) {
    auto with_email = task("open");
    with_email["email"] = "a@example.org";
    ASSERT_TRUE(insert(1, with_email).has_value());
    ASSERT_TRUE(insert(2, task("open")).has_value());
    Record record = *find(1);
    record.id = 2;

    Result<void> refused;  // as the last call saw it, which is the one that counts
    write([&](Writer& w) -> Result<void> {
        refused = w.restore(tasks_, record);
        return {};
    }).value();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    record.id = 3;
    record.version = 0;
    EXPECT_EQ(write([&](Writer& w) { return w.restore(tasks_, record); }).error().code(),
              Code::kInvalidArgument);

    EXPECT_EQ(*find(2)->document, task("open"));
}

TEST_P(StoreContract, RefusesAChangeOfAnotherVersion) {
    ASSERT_TRUE(insert(7, task("open")).has_value());
    const auto update = Update().set("status", "done");

    EXPECT_EQ(
        write([&](Writer& w) { return w.replace(tasks_, 7, task("done"), 2); }).error().code(),
        Code::kConflict);
    EXPECT_EQ(write([&](Writer& w) { return w.modify(tasks_, 7, update, 2); }).error().code(),
              Code::kConflict);
    EXPECT_EQ(write([&](Writer& w) { return w.remove(tasks_, 7, 2); }).error().code(),
              Code::kConflict);
    EXPECT_EQ(find(7)->document->at("status"), "open");
    EXPECT_EQ(find(7)->version, 1);
}

TEST_P(StoreContract, SaysWhenThereIsNothingToChange) {
    EXPECT_EQ(write([&](Writer& w) { return w.replace(tasks_, 7, task("done")); }).error().code(),
              Code::kNotFound);
    EXPECT_EQ(write([&](Writer& w) { return w.modify(tasks_, 7, Update()); }).error().code(),
              Code::kNotFound);
    EXPECT_FALSE(write([&](Writer& w) { return w.remove(tasks_, 7); }).value());
    const Query open{.filter = Filter::eq("status", "open")};
    EXPECT_EQ(write([&](Writer& w) {
                  return w.find_and_modify(tasks_, open, Update().set("a", 1), Returned::kAfter);
              }).value(),
              std::nullopt);
}

TEST_P(StoreContract, KeepsUniqueIndexesPerScope) {
    auto with_email = task("open");
    with_email["email"] = "a@example.org";
    ASSERT_TRUE(insert(1, with_email).has_value());
    ASSERT_TRUE(insert(2, task("open")).has_value());
    ASSERT_TRUE(insert(3, task("open")).has_value()) << "two without the field of a sparse index";

    const auto refused = insert(4, with_email);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_NE(refused.error().message().find("by_email"), std::string::npos);
    EXPECT_EQ(write([&](Writer& w) { return w.replace(tasks_, 2, with_email); }).error().code(),
              Code::kConflict);
    EXPECT_TRUE(insert(others_, 1, with_email).has_value()) << "another scope";
    EXPECT_TRUE(write([&](Writer& w) { return w.replace(tasks_, 1, with_email); }).has_value());
}

TEST_P(StoreContract, ModifiesTheFirstInOrderAndGivesWhatIsAskedFor) {
    ASSERT_TRUE(insert(1, task("open", 5)).has_value());
    ASSERT_TRUE(insert(2, task("open", 3)).has_value());
    const Query first{.filter = Filter::eq("status", "open"), .sort = {"priority"}};
    const auto take = [&](Returned returned) {
        return write([&](Writer& w) {
                   return w.find_and_modify(tasks_, first, Update().set("status", "done"),
                                            returned);
               })
            .value();
    };

    EXPECT_EQ(take(Returned::kBefore)->document->at("status"), "open");
    EXPECT_EQ(find(2)->document->at("status"), "done");
    EXPECT_EQ(take(Returned::kAfter)->document->at("status"), "done");
    EXPECT_EQ(find(1)->document->at("status"), "done");
    EXPECT_EQ(take(Returned::kAfter), std::nullopt);
}

TEST_P(StoreContract, ChangesAndRemovesManyOrNone) {
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(insert(i, task(i < 6 ? "open" : "done", i)).has_value());
    const Query open{.filter = Filter::eq("status", "open")};

    EXPECT_EQ(write([&](Writer& w) {
                  return w.update_many(tasks_, open, Update().inc("priority", 10));
              }).value(),
              6U);
    EXPECT_EQ(find(3)->document->at("priority"), 13);
    EXPECT_EQ(find(8)->document->at("priority"), 8);

    // The second would break the unique index: the first is as it was, and so is what came before.
    const auto refused = write([&](Writer& w) -> Result<std::uint64_t> {
        auto answer = w.update_many(tasks_, open, Update().set("email", "same"));
        EXPECT_FALSE(answer.has_value());
        return w.count(tasks_, {.filter = Filter::eq("email", "same")});
    });
    EXPECT_EQ(refused.value(), 0U);

    EXPECT_EQ(write([&](Writer& w) { return w.remove_many(tasks_, open); }).value(), 6U);
    EXPECT_EQ(count({}), 4U);
}

TEST_P(StoreContract, ChangesEachDocumentOnceThoughTheChangeMovesItInTheIndex) {
    for (int i = 0; i < 50; ++i)
        ASSERT_TRUE(insert(i, task("open", i)).has_value());
    const Query positive{
        .filter = Filter::all({Filter::eq("status", "open"), Filter::gte("priority", 10)})};

    EXPECT_EQ(write([&](Writer& w) {
                  return w.update_many(tasks_, positive, Update().inc("priority", 5));
              }).value(),
              40U);
    EXPECT_EQ(find(10)->document->at("priority"), 15);
    EXPECT_EQ(find(49)->document->at("priority"), 54);
}

// REL-16
TEST_P(StoreContract, UndoesAllOfATransactionThatFails) {
    ASSERT_TRUE(insert(1, task("open")).has_value());

    const auto failed = write([&](Writer& w) -> Result<int> {
        ZONA_TRY(const Record a, w.insert(tasks_, 2, task("open")));
        ZONA_TRY(const Record b, w.modify(tasks_, 1, Update().set("status", "done")));
        ZONA_TRY(const bool removed, w.remove(tasks_, 1));
        EXPECT_TRUE(removed);
        return Error(Code::kCancelled, "changed my mind");
    });

    EXPECT_EQ(failed.error().code(), Code::kCancelled);
    EXPECT_EQ(find(1)->document->at("status"), "open");
    EXPECT_FALSE(find(2).has_value());
}

TEST_P(StoreContract, SeesItsOwnChangesWithinATransaction) {
    const auto seen = write([&](Writer& w) -> Result<std::uint64_t> {
        ZONA_TRY(const Record a, w.insert(tasks_, 1, task("open")));
        ZONA_TRY(const auto found, w.find(tasks_, 1));
        EXPECT_TRUE(found.has_value());
        return w.count(tasks_, {.filter = Filter::eq("status", "open")});
    });
    EXPECT_EQ(seen.value(), 1U);
}

TEST_P(StoreContract, GoesOnAfterARefusedStepIfTheFunctionDoes) {
    ASSERT_TRUE(insert(1, task("open")).has_value());

    // Of the last call: a backend may call it again.
    std::optional<Code> refused;
    const auto answer = write([&](Writer& w) -> Result<Record> {
        const auto first = w.insert(tasks_, 1, task("done"));
        refused = first.has_value() ? std::nullopt : std::optional(first.error().code());
        return w.insert(tasks_, 2, task("done"));
    });

    EXPECT_TRUE(answer.has_value());
    EXPECT_EQ(refused, Code::kConflict);
    EXPECT_EQ(find(1)->document->at("status"), "open");
    EXPECT_TRUE(find(2).has_value());
}

TEST_P(StoreContract, DoesManyOperationsWithAnAnswerForEach) {
    ASSERT_TRUE(insert(1, task("open")).has_value());
    const auto document = std::make_shared<const Document>(task("done"));
    using Kind = BulkOperation::Kind;
    const std::vector<BulkOperation> operations = {
        {.kind = Kind::kInsert, .id = 1, .document = document},
        {.kind = Kind::kInsert, .id = 2, .document = document},
        {.kind = Kind::kModify, .id = 2, .update = Update().set("priority", 8)},
        {.kind = Kind::kRemove, .id = 3},
        {.kind = Kind::kUpsert, .id = 1, .document = document}};
    const auto codes = [](const BulkAnswers& answers) {
        std::vector<std::string> out;
        for (const auto& answer : answers)
            out.emplace_back(answer.has_value() ? "good" : core::info(answer.error().code()).name);
        return out;
    };

    const auto all =
        write([&](Writer& w) { return bulk(w, tasks_, operations, OnRefusal::kGoOn); });
    EXPECT_THAT(codes(all.value()),
                testing::ElementsAre("CONFLICT", "good", "good", "NOT_FOUND", "good"));
    EXPECT_EQ(find(2)->document->at("priority"), 8);
    EXPECT_EQ(find(1)->document->at("status"), "done");

    const auto some =
        write([&](Writer& w) { return bulk(w, tasks_, operations, OnRefusal::kStop); });
    EXPECT_THAT(codes(some.value()), testing::ElementsAre("CONFLICT", "CANCELLED", "CANCELLED",
                                                          "CANCELLED", "CANCELLED"));
}

// DATA-09, DATA-25, DATA-27
TEST_P(StoreContract, GivesNumbersOnceAndInSteps) {
    const Collection counters(counters_spec(), Scope::core());
    const auto next = [&](const char* name) {
        return write([&](Writer& w) { return next_number(w, counters, name, clock().system()); });
    };

    EXPECT_EQ(next("tasks").value(), 1);
    EXPECT_EQ(next("tasks").value(), 2);
    EXPECT_EQ(next("events").value(), 1);
    ASSERT_TRUE(write([&](Writer& w) -> Result<int> {
                    ZONA_TRY_VOID(set_step(w, counters, "tasks", 5, clock().system()));
                    return 0;
                }).has_value());
    EXPECT_EQ(next("tasks").value(), 7);
    EXPECT_EQ(next("tasks").value(), 12);
    EXPECT_EQ(find(counters, "tasks")->document->at("increment_by"), 5);

    ASSERT_TRUE(
        insert(counters, "last", parsed(R"({"current_value":9223372036854775807,"increment_by":1,
                                  "last_updated":0})"))
            .has_value());
    EXPECT_EQ(next("last").error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace zona::store
