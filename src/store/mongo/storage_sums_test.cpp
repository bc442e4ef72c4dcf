// What a scope's documents take, where more than one process writes them and where they were
// written before it was counted.
#include "store/mongo/detail/storage_sums.h"

#include <gmock/gmock.h>

#include "store/detail/encoding.h"
#include "store/mongo/detail/stored.h"
#include "store/mongo/testing/mongo_fixture.h"

namespace zona::store {
namespace {

using mongo::Bson;

const CollectionSpec& items_spec() {
    static const CollectionSpec kSpec{.name = "items", .indexes = {{.name = "by_created"}}};
    return kSpec;
}

class MongoStorageSums : public MongoTest {
  protected:
    std::unique_ptr<MongoDatabase> open() {
        return home_.open(home_.options({&items_spec()})).value();
    }
    StorageUse use_in(Database& database) const {
        return read_and_wait(database, [&](Reader& r) { return r.storage_use(items_.scope()); })
            .value();
    }
    void insert(Database& database, int from, int to) const {
        ASSERT_TRUE(write_and_wait(database, [&](Writer& w) -> Result<int> {
                        for (int i = from; i < to; ++i)
                            ZONA_TRY_VOID(w.insert(items_, i, document_));
                        return 0;
                    }).has_value());
    }
    StorageUse of_documents(std::uint64_t count) const {
        return use_of(count, count * detail::to_text(document_).size());
    }

    MongoHome home_;
    const Collection items_{items_spec(), Scope::tenant("acme").value()};
    const Document document_{{"kind", "é"}, {"n", 7}};
};

// TEN-40
TEST_F(MongoStorageSums, SeeWhatAnotherProcessHasWrittenAfterAWhile) {
    const auto ours = open();
    const auto theirs = open();
    EXPECT_EQ(use_in(*ours), StorageUse());
    insert(*theirs, 0, 30);
    insert(*ours, 30, 31);
    EXPECT_EQ(use_in(*theirs), of_documents(31)) << "it had not asked before";
    EXPECT_EQ(use_in(*ours), of_documents(1)) << "a sum is kept, or each question would take one";

    home_.clock.advance(std::chrono::seconds(61));

    EXPECT_EQ(use_in(*ours), of_documents(31));
    EXPECT_EQ(use_in(*theirs), of_documents(31));
}

// TEN-40
TEST_F(MongoStorageSums, CountDocumentsThatWereWrittenWithoutASize) {
    insert(*open(), 0, 5);
    {
        const auto factory = home_.factory();
        mongo::Client client(*factory);
        client.update_one_by_one();
        for (int i = 0; i < 5; ++i) {
            const Bson which = Bson().put(mongo::kIdField, mongo::stored_key(items_.scope(), i));
            const Bson no_size = Bson().put("$unset", Bson().put(mongo::kBytesField, ""));
            ASSERT_TRUE(client.update("items", {Bson().put("q", which).put("u", no_size)}));
        }
        const Bson of_before = Bson().put("$set", Bson().put("indexes", "by_created any\n"));
        const Bson which = Bson().put(mongo::kIdField, "items");
        const Bson update = Bson().put("q", which).put("u", of_before);
        ASSERT_EQ(client.update(mongo::kCollections, {update})->matched, 1);
    }

    EXPECT_EQ(use_in(*open()), of_documents(5));
    EXPECT_TRUE(home_.log.has("a migration begins"));
}

// TEN-40
TEST_F(MongoStorageSums, AreTakenAgainSoonIfOthersWroteMeanwhile) {
    const auto factory = home_.factory();
    insert(*open(), 0, 3);
    mongo::Client client(*factory);
    const std::vector<const CollectionSpec*> specs{&items_spec()};
    mongo::StorageSums sums(specs, home_.clock);
    const mongo::Amounts change{{"acme", {.documents = 1, .bytes = 10}}};
    sums.begin(change);
    const mongo::Amount during = sums.of(client, items_.scope()).value();
    EXPECT_EQ(during.documents, 3) << "it may be in the sum or not";
    sums.end(change, true);
    EXPECT_EQ(sums.of(client, items_.scope())->documents, 4);

    home_.clock.advance(std::chrono::seconds(2));
    EXPECT_EQ(sums.of(client, items_.scope())->documents, 3) << "nobody had written it";

    sums.begin(change);
    sums.end(change, false);
    EXPECT_EQ(sums.of(client, items_.scope())->documents, 3);
}

}  // namespace
}  // namespace zona::store
