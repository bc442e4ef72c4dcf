// What happens when a replica set changes its primary, or the network is cut, at each step. The
// driver is unmodified; its own events prove that it has seen each fault.
#include <gmock/gmock.h>

#include "store/mongo/testing/mongo_fixture.h"
#include "store/mongo/testing/scripted_set.h"

namespace zona::store {
namespace {

/// What the driver tells of its commands and its view of the set.
struct Events {
    std::mutex mutex;
    std::multiset<std::string> failed;  // guarded by mutex
    int topology_changes = 0;           // guarded by mutex

    int failures(const std::string& command) {
        const std::lock_guard lock(mutex);
        return static_cast<int>(failed.count(command));
    }
    void watch(mongoc_client_t* client) {
        mongoc_apm_callbacks_t* callbacks = mongoc_apm_callbacks_new();
        mongoc_apm_set_command_failed_cb(callbacks, [](const mongoc_apm_command_failed_t* event) {
            auto* self = static_cast<Events*>(mongoc_apm_command_failed_get_context(event));
            const std::lock_guard lock(self->mutex);
            self->failed.insert(mongoc_apm_command_failed_get_command_name(event));
        });
        mongoc_apm_set_command_succeeded_cb(
            callbacks, [](const mongoc_apm_command_succeeded_t* event) {
                // A refusal is an answer, too.
                auto* self = static_cast<Events*>(mongoc_apm_command_succeeded_get_context(event));
                const mongo::Bson reply(mongoc_apm_command_succeeded_get_reply(event));
                if (reply.find("ok") && reply.integer("ok") != 0) return;
                const std::lock_guard lock(self->mutex);
                self->failed.insert(mongoc_apm_command_succeeded_get_command_name(event));
            });
        mongoc_apm_set_topology_changed_cb(
            callbacks, [](const mongoc_apm_topology_changed_t* event) {
                auto* self = static_cast<Events*>(mongoc_apm_topology_changed_get_context(event));
                const std::lock_guard lock(self->mutex);
                ++self->topology_changes;
            });
        mongoc_client_set_apm_callbacks(client, callbacks, this);
        mongoc_apm_callbacks_destroy(callbacks);
    }
};

class MongoFailover : public testing::Test {
  protected:
    explicit MongoFailover(ReadPreference preference = ReadPreference::kPrimary) {
        MongoOptions options{.uri = set_.uri(),
                             .database = "x",
                             .read_preference = preference,
                             .collections = {&spec_},
                             .page_token_key = core::Secret(std::string(32, 'k')),
                             .max_connections = 1,
                             .connect_timeout = std::chrono::seconds(2),
                             .selection_timeout = std::chrono::seconds(5)};
        auto opened = mongo::open_here(options, clock_, log_.logger(),
                                       [this](mongoc_client_t* client) { events_.watch(client); });
        EXPECT_TRUE(opened.has_value()) << opened.error().message();
        database_ = *std::move(opened);
    }

    Result<Record> insert(std::int64_t id) {
        return write_and_wait(*database_, [&](Writer& w) {
            ++calls_;
            return w.insert(items_, id, {{"n", 0}});
        });
    }
    /// Reads, so it takes a transaction of the server's.
    Result<Record> increment(std::int64_t id) {
        return write_and_wait(*database_, [&](Writer& w) {
            ++calls_;
            return w.modify(items_, id, Update().inc("n", 1));
        });
    }
    std::int64_t n(std::int64_t id) const {
        const auto stored = set_.stored("items", "acme/" + std::to_string(id));
        return stored ? stored->object("d").integer("n") : -1;
    }

    const CollectionSpec spec_{.name = "items"};
    ScriptedSet set_;
    Events events_;
    core::FakeClock clock_;
    core::MemoryLog log_;
    std::unique_ptr<MongoDatabase> database_;
    const Collection items_{spec_, Scope::tenant("acme").value()};
    int calls_ = 0;
};

class MongoSecondary : public MongoFailover {
  protected:
    MongoSecondary() : MongoFailover(ReadPreference::kSecondary) {}
};

// PERF-25
TEST_F(MongoSecondary, AnswersReadsAndThePrimaryTakesWrites) {
    ASSERT_TRUE(insert(1).has_value());
    const int before = set_.answered_by_secondary("find");

    const auto found =
        read_and_wait(*database_, [&](Reader& r) { return r.find(items_, std::int64_t{1}); });

    ASSERT_TRUE(found.has_value()) << found.error().message();
    EXPECT_TRUE(found->has_value());
    EXPECT_EQ(set_.answered_by_secondary("find"), before + 1);
    EXPECT_EQ(events_.failures("insert"), 0);
}

// PERF-25
TEST_F(MongoFailover, ReadsFromThePrimaryUnlessItIsSetOtherwise) {
    ASSERT_TRUE(insert(1).has_value());
    ASSERT_TRUE(
        read_and_wait(*database_, [&](Reader& r) { return r.find(items_, std::int64_t{1}); }));
    EXPECT_EQ(set_.answered_by_secondary("find"), 0);
}

TEST_F(MongoFailover, SendsAnInsertAgainWhoseAnswerWasLostAndItIsThereOnce) {
    set_.add("insert", Fault::kCutAfter);

    const auto inserted = insert(1);

    ASSERT_TRUE(inserted.has_value()) << inserted.error().message();
    EXPECT_EQ(n(1), 0);
    EXPECT_EQ(set_.faults_left(), 0);
    EXPECT_EQ(events_.failures("insert"), 1);
    EXPECT_EQ(calls_, 1);
}

TEST_F(MongoFailover, SendsAnInsertToTheNewPrimary) {
    set_.add("insert", Fault::kNotPrimary);
    const int before = events_.topology_changes;

    const auto inserted = insert(1);

    ASSERT_TRUE(inserted.has_value()) << inserted.error().message();
    EXPECT_EQ(n(1), 0);
    EXPECT_EQ(events_.failures("insert"), 1);
    EXPECT_GT(events_.topology_changes, before);
}

TEST_F(MongoFailover, CallsAFunctionAgainWhoseTransactionWasBroken) {
    ASSERT_TRUE(insert(1).has_value());
    const std::vector<std::pair<const char*, Fault>> faults = {
        {"find", Fault::kTransient},    {"find", Fault::kCutBefore},
        {"update", Fault::kTransient},  {"update", Fault::kCutAfter},
        {"update", Fault::kNotPrimary}, {"commitTransaction", Fault::kTransient}};
    std::int64_t expected = 0;
    for (const auto& [command, fault] : faults) {
        SCOPED_TRACE(fmt::format("{} {}", command, static_cast<int>(fault)));
        set_.add(command, fault);
        const int failed = events_.failures(command);
        calls_ = 0;

        const auto changed = increment(1);

        ASSERT_TRUE(changed.has_value()) << changed.error().message();
        EXPECT_EQ(n(1), ++expected);
        EXPECT_EQ(calls_, 2);
        EXPECT_EQ(set_.faults_left(), 0);
        EXPECT_EQ(events_.failures(command), failed + 1);
    }
}

TEST_F(MongoFailover, RepeatsACommitWhoseOutcomeIsNotKnown) {
    ASSERT_TRUE(insert(1).has_value());
    std::int64_t expected = 0;
    for (const Fault fault : {Fault::kCutAfter, Fault::kUnknownCommit}) {
        set_.add("commitTransaction", fault);
        const int before = set_.count("commitTransaction");
        calls_ = 0;

        const auto changed = increment(1);

        ASSERT_TRUE(changed.has_value()) << changed.error().message();
        EXPECT_EQ(n(1), ++expected) << "once";
        EXPECT_EQ(calls_, 1);
        EXPECT_EQ(set_.count("commitTransaction"), before + 2);
    }
}

TEST_F(MongoFailover, SaysThatNobodyIsThere) {
    set_.lose_primary();
    set_.add("insert", Fault::kCutBefore);

    const auto inserted = insert(1);

    ASSERT_FALSE(inserted.has_value());
    EXPECT_EQ(inserted.error().code(), Code::kUnavailable);
    EXPECT_EQ(n(1), -1);
}

}  // namespace
}  // namespace zona::store
