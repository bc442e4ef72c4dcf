#include "audit/verify.h"

#include "audit/testing/books.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/sqlite_engine.h"

namespace zona::audit {
namespace {

namespace json = boost::json;
using core::Result;
using store::Collection;
using store::Record;
using store::Scope;
using store::Writer;

constexpr int kEntries = 10;

class VerifyTest : public AuditTest {
  protected:
    void SetUp() override {
        append_some(acme_, kEntries);
        advance_all(acme_);
        sign(acme_);
        ASSERT_EQ(check(acme_).flaw, std::nullopt);
    }

    Collection entries() const { return Collection(audit_log_spec(), acme_); }
    Collection chain() const { return Collection(audit_chain_spec(), acme_); }
    Collection heads() const { return Collection(audit_heads_spec(), acme_); }

    json::object document(std::int64_t seq) {
        return *log(acme_).at(static_cast<std::size_t>(seq) - 1).document;
    }
    void replace(std::int64_t seq, const json::object& document) {
        tamper([&](Writer& w) -> Result<void> {
            ZONA_TRY(const Record stored, w.upsert(entries(), seq, document));
            return {};
        });
    }
    /// A copy with hashes that are right in themselves, from `seq` to the end, head and all.
    void rewrite_from(std::int64_t seq, const char* field, const json::value& value) {
        std::vector<Record> all = log(acme_);
        std::string hash = seq == 1 ? std::string(kNoHash)
                                    : all.at(static_cast<std::size_t>(seq) - 2)
                                          .document->at("hash")
                                          .as_string()
                                          .c_str();
        for (auto at = static_cast<std::size_t>(seq) - 1; at < all.size(); ++at) {
            json::object changed = *all[at].document;
            if (at + 1 == static_cast<std::size_t>(seq)) changed[field] = value;
            changed["previous"] = hash;
            hash = hash_of(changed);
            changed["hash"] = hash;
            replace(static_cast<std::int64_t>(at) + 1, changed);
        }
        set_head(static_cast<std::int64_t>(all.size()), hash);
    }
    void set_head(std::int64_t seq, const std::string& hash) {
        tamper([&](Writer& w) -> Result<void> {
            store::Update update;
            update.set("seq", seq).set("hash", json::string(hash));
            ZONA_TRY(const Record stored, w.modify(chain(), "head", update));
            return {};
        });
    }
    void remove(std::int64_t seq) {
        tamper([&](Writer& w) -> Result<void> {
            ZONA_TRY([[maybe_unused]] const bool was_there, w.remove(entries(), seq));
            return {};
        });
    }
    /// The number of the first entry that is wrong; 0: none is.
    std::int64_t wrong() {
        const Verification done = check(acme_);
        return done.flaw ? done.flaw->seq : 0;
    }
};

// AUDIT-05
TEST_F(VerifyTest, SaysWhatItHasSeen) {
    const Verification done = check(acme_);
    EXPECT_EQ(done.entries, kEntries);
    EXPECT_EQ(done.first, 1);
    EXPECT_EQ(done.last, kEntries);
    EXPECT_EQ(done.hash, head(acme_).hash);
    EXPECT_EQ(done.heads, 1U);
    EXPECT_EQ(done.signed_seq, kEntries);
    EXPECT_EQ(check(blue_).entries, 0U);
    EXPECT_EQ(check(blue_).flaw, std::nullopt);
}

// AUDIT-05
TEST_F(VerifyTest, EachFieldThatWasChangedIsFound) {
    const json::object before = document(5);
    for (const json::key_value_pair& field : before) {
        json::object changed = before;
        if (field.value().is_int64()) {
            if (field.key() == "seq") continue;
            changed[field.key()] = field.value().as_int64() + 1;
        } else if (field.value().is_string()) {
            changed[field.key()] = std::string(field.value().as_string()) + "x";
        }
        replace(5, changed);
        EXPECT_EQ(wrong(), 5) << field.key();
        changed.erase(field.key());
        if (field.key() == "details" || field.key() == "person" || field.key() == "correlation") {
            replace(5, changed);
            EXPECT_EQ(wrong(), 5) << "without " << field.key();
        }
    }
    json::object more = before;
    more["note"] = "added";
    replace(5, more);
    EXPECT_EQ(wrong(), 5);
    replace(5, before);
    EXPECT_EQ(wrong(), 0);
}

// AUDIT-05
TEST_F(VerifyTest, EntryThatWasWrittenAnewWithItsHashIsFoundByTheNext) {
    json::object changed = document(5);
    changed["action"] = "nothing";
    changed["hash"] = hash_of(changed);
    replace(5, changed);
    EXPECT_EQ(wrong(), 6);
}

// AUDIT-05
TEST_F(VerifyTest, EntryThatWasTakenOutIsFound) {
    remove(4);
    EXPECT_EQ(wrong(), 4);
}

// AUDIT-05
TEST_F(VerifyTest, EntryThatWasTakenOutWithNewNumbersIsFound) {
    const std::vector<Record> all = log(acme_);
    tamper([&](Writer& w) -> Result<void> {
        for (std::int64_t seq = 4; seq <= kEntries; ++seq) {
            ZONA_TRY([[maybe_unused]] const bool removed, w.remove(entries(), seq));
        }
        for (std::int64_t seq = 5; seq <= kEntries; ++seq) {
            json::object moved = *all.at(static_cast<std::size_t>(seq) - 1).document;
            moved["seq"] = seq - 1;
            ZONA_TRY(const Record stored, w.insert(entries(), seq - 1, moved));
        }
        return {};
    });
    EXPECT_EQ(wrong(), 4);
}

// AUDIT-05
TEST_F(VerifyTest, EntriesThatWereExchangedAreFound) {
    json::object third = document(3);
    json::object sixth = document(6);
    third["seq"] = 6;
    sixth["seq"] = 3;
    tamper([&](Writer& w) -> Result<void> {
        ZONA_TRY([[maybe_unused]] const bool a, w.remove(entries(), 3));
        ZONA_TRY([[maybe_unused]] const bool b, w.remove(entries(), 6));
        ZONA_TRY(const Record c, w.insert(entries(), 3, sixth));
        ZONA_TRY(const Record d, w.insert(entries(), 6, third));
        return {};
    });
    EXPECT_EQ(wrong(), 3);
}

// AUDIT-05
TEST_F(VerifyTest, EntryThatWasPutInIsFound) {
    json::object forged = document(kEntries);
    forged["seq"] = kEntries + 1;
    forged["previous"] = head(acme_).hash;
    forged["hash"] = hash_of(forged);
    tamper([&](Writer& w) -> Result<void> {
        ZONA_TRY(const Record stored, w.insert(entries(), kEntries + 1, forged));
        return {};
    });
    EXPECT_EQ(wrong(), kEntries + 1);
}

// AUDIT-05
TEST_F(VerifyTest, EndThatWasCutIsFound) {
    const std::string hash(document(kEntries - 2).at("hash").as_string());
    remove(kEntries);
    remove(kEntries - 1);
    EXPECT_EQ(wrong(), kEntries - 1) << "the head is still there";
    set_head(kEntries - 2, hash);
    EXPECT_EQ(wrong(), kEntries - 1) << "the head was set back with it";
}

// AUDIT-05
TEST_F(VerifyTest, EndThatWasCutIsFoundWhenTheRecordHasGrownAgain) {
    const std::string hash(document(kEntries - 1).at("hash").as_string());
    remove(kEntries);
    set_head(kEntries - 1, hash);
    append_some(acme_, 1, "another");
    advance_all(acme_);
    EXPECT_FALSE(sign(acme_)) << "what was signed first stays";
    EXPECT_EQ(wrong(), kEntries);
    append_some(acme_, 2, "later");
    advance_all(acme_);
    EXPECT_TRUE(sign(acme_));
    EXPECT_EQ(wrong(), kEntries);
}

// AUDIT-05
TEST_F(VerifyTest, RecordThatWasWrittenAnewIsFoundByItsSignedHead) {
    rewrite_from(4, "action", "nothing");
    EXPECT_EQ(wrong(), kEntries);
    const std::string hash = head(acme_).hash;
    tamper([&](Writer& w) -> Result<void> {
        store::Update update;
        update.set("hash", json::string(hash));
        ZONA_TRY(const Record stored, w.modify(heads(), std::int64_t{kEntries}, update));
        return {};
    });
    EXPECT_NE(check(acme_).flaw->problem.find("signature"), std::string::npos);
}

// AUDIT-05
TEST_F(VerifyTest, HeadThatIsSignedWithAKeyOfSomebodyElseIsFound) {
    rewrite_from(4, "action", "nothing");
    const std::string hash = head(acme_).hash;
    tamper([&](Writer& w) -> Result<void> {
        store::Update update;
        update.set("hash", json::string(hash)).set("signature", "AAAA");
        ZONA_TRY(const Record stored, w.modify(heads(), std::int64_t{kEntries}, update));
        return {};
    });
    EXPECT_EQ(wrong(), kEntries);
}

// AUDIT-05
TEST_F(VerifyTest, HeadThatIsKeptElsewhereFindsWhatIsNewerThanTheSignedOnes) {
    append_some(acme_, 2, "late");
    const Head known = advance_all(acme_).head;
    EXPECT_EQ(check(acme_, KnownHead{.seq = known.seq, .hash = known.hash}).flaw, std::nullopt);
    rewrite_from(kEntries + 1, "action", "nothing");
    EXPECT_EQ(wrong(), 0) << "nothing was signed since";
    const KnownHead elsewhere{.seq = known.seq, .hash = known.hash};
    ASSERT_TRUE(check(acme_, elsewhere).flaw);
    EXPECT_EQ(check(acme_, elsewhere).flaw->seq, known.seq);
    ASSERT_TRUE(check(acme_, KnownHead{.seq = 99, .hash = "x"}).flaw);
}

// AUDIT-05, TEN-43
TEST_F(VerifyTest, RecordOfAnotherTenantIsFound) {
    const std::vector<Record> all = log(acme_);
    tamper([&](Writer& w) -> Result<void> {
        for (const Record& record : all) {
            ZONA_TRY(const Record stored,
                     w.insert(Collection(audit_log_spec(), blue_), record.id, *record.document));
        }
        ZONA_TRY(const auto head, w.find(chain(), "head"));
        ZONA_TRY(const Record stored,
                 w.insert(Collection(audit_chain_spec(), blue_), "head", *head->document));
        return {};
    });
    const Verification done = check(blue_);
    ASSERT_TRUE(done.flaw);
    EXPECT_EQ(done.flaw->seq, 1);
}

// AUDIT-05
TEST_F(VerifyTest, RecordThatIsGoneIsFound) {
    tamper([&](Writer& w) -> Result<void> {
        for (std::int64_t seq = 1; seq <= kEntries; ++seq) {
            ZONA_TRY([[maybe_unused]] const bool removed, w.remove(entries(), seq));
        }
        ZONA_TRY([[maybe_unused]] const bool removed, w.remove(chain(), "head"));
        return {};
    });
    EXPECT_EQ(wrong(), 1);
}

// AUDIT-05, DATA-13
TEST(VerifyOnSqlite, ChainIsTheSameAfterItsFileWasClosed) {
    core::FakeClock clock;
    core::MemoryLog log;
    core::SeededRandom random(3);
    core::TemporaryDirectory directory;
    const Scope acme = Scope::tenant("acme").value();
    const Subjects subjects(random);
    const auto engine = store::SqliteEngine::create({}, clock, log.logger()).value();
    const auto open = [&] {
        return engine
            ->open({.path = directory.path() + "/a.db",
                    .collections = core_collections(),
                    .page_token_key = core::Secret(std::string(32, 'k'))})
            .value();
    };
    {
        const auto database = open();
        TestBooks books(*database);
        ASSERT_TRUE(books.write(acme, [&](Writer& w) -> Result<void> {
            for (int i = 0; i < 1200; ++i) {
                Entry entry = new_entry(clock, random);
                entry.actor.name = "Ann";
                entry.action = "do";
                // A text that is another one in some store would break the hash.
                entry.after = std::make_shared<const json::object>(json::object{
                    {"z", 1.0},
                    {"a", -0.5e-7},
                    {"big", INT64_MAX},
                    {"text", "\u00e4\n\u2028"},
                    {"list", json::array{nullptr, true, json::object{{"y", 1}, {"b", 2}}}}});
                ZONA_TRY_VOID(append(w, acme, entry));
            }
            return {};
        }));
        for (int i = 0; i < 3; ++i) {
            ASSERT_TRUE(books.write(acme, [&](Writer& w) -> Result<void> {
                ZONA_TRY(const Advanced done, advance(w, acme, {}, subjects, {}, clock.system()));
                return {};
            }));
        }
    }
    const auto database = open();
    TestBooks books(*database);
    const Verification done = verify(books, acme, public_keys(books).value()).value();
    EXPECT_EQ(done.flaw, std::nullopt) << done.flaw->problem;
    EXPECT_EQ(done.entries, 1200U);
}

}  // namespace

}  // namespace zona::audit
