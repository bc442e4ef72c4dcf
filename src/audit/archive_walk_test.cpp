#include "audit/archive_walk.h"

#include <map>

#include <gmock/gmock.h>

#include "audit/report.h"
#include "audit/testing/books.h"

namespace zona::audit {
namespace {

using core::Code;
using core::Error;
using core::Result;
using testing::ElementsAre;
using testing::HasSubstr;

/// Two archives of acme, entries 1 to 5 and 6 to 10, and three entries that stay; one of blue.
class ArchiveWalkTest : public AuditTest {
  protected:
    void SetUp() override {
        for (const char* name : {"first", "second"}) {
            append_some(acme_, 5, name);
            advance_all(acme_);
            hashes_.emplace_back(log(acme_).at(2).document->at("hash").as_string());
            archive(acme_);
        }
        append_some(blue_, 5, "blue");
        advance_all(blue_);
        archive(blue_);
        append_some(acme_, 3, "stays");
        advance_all(acme_);
    }
    void archive(const store::Scope& scope) {
        const auto store = [this](const ArchivedSpan& span,
                                  const std::string& text) -> Result<std::string> {
            std::string name = span.scope + std::to_string(span.last);
            files_[name] = text;
            return name;
        };
        ASSERT_TRUE(archive_oldest(books_, scope, Notary::open(books_, random_).value(),
                                   clock_.system(), clock_.system(), store));
    }
    ReadArchive reading() {
        return [this](const ArchivedSpan& span) -> Result<Archive> {
            const auto file = files_.find(span.file);
            if (file == files_.end()) return Error(Code::kNotFound, span.file + " is not there");
            return read_archive(file->second, public_keys(books_).value());
        };
    }
    ArchiveVerification walk(const std::optional<KnownHead>& known = {}) {
        return verify_archives(books_, acme_, public_keys(books_).value(), known, reading())
            .value();
    }
    std::string problem(const std::optional<KnownHead>& known = {}) {
        const auto flaw = walk(known).flaw;
        return flaw ? flaw->problem : "";
    }
    std::vector<std::string> found(const Wanted& wanted) {
        std::vector<std::string> out;
        for (std::int64_t next = 1; next != 0;) {
            auto page = find_archived(books_, acme_, wanted, next, reading());
            EXPECT_TRUE(page) << page.error().message();
            if (!page) return out;
            for (const Recorded& one : page->entries)
                out.push_back(one.entry.action + (one.erased ? " erased" : ""));
            next = page->next;
        }
        return out;
    }
    /// Changes what the core database keeps of an archive.
    void tamper_span(std::int64_t last, const std::function<void(store::Document&)>& change) {
        tamper([&](store::Writer& w) -> Result<void> {
            const store::Collection spans(audit_archives_spec(), acme_);
            ZONA_TRY(const auto found, w.find(spans, last));
            store::Document changed = *found->document;
            change(changed);
            ZONA_TRY(const auto stored, w.upsert(spans, last, changed));
            return {};
        });
    }

    std::map<std::string, std::string> files_;
    std::vector<std::string> hashes_;  ///< of entries 3 and 8
};

// AUDIT-05, AUDIT-11
TEST_F(ArchiveWalkTest, ArchivesJoinEachOtherAndTheRecord) {
    const ArchiveVerification done = walk();
    EXPECT_EQ(done.flaw, std::nullopt) << done.flaw->problem;
    EXPECT_EQ(done.archives, 2U);
    EXPECT_EQ(done.entries, 10U);
}

// AUDIT-05
TEST_F(ArchiveWalkTest, ArchiveThatIsMissingCutOrAnothersIsNamed) {
    const auto good = files_;
    files_.erase("acme10");
    EXPECT_EQ(walk().flaw, (Flaw{.seq = 6, .problem = "acme10 is not there"}));
    files_["acme10"] = good.at("acme10").substr(0, 100);
    EXPECT_THAT(problem(), HasSubstr("its end is missing"));
    EXPECT_EQ(walk().archives, 1U) << "the one before is right";
    files_ = good;
    EXPECT_EQ(problem(), "");
}

// AUDIT-05
TEST_F(ArchiveWalkTest, ArchiveThatDoesNotJoinIsFound) {
    tamper([&](store::Writer& w) -> Result<void> {
        ZONA_TRY([[maybe_unused]] const bool was_there,
                 w.remove(store::Collection(audit_archives_spec(), acme_), std::int64_t{5}));
        return {};
    });
    EXPECT_THAT(problem(), HasSubstr("does not join"));
}

// AUDIT-05
TEST_F(ArchiveWalkTest, SpanThatNobodyHasSignedIsFound) {
    tamper_span(10, [](store::Document& span) { span["signature"] = "bm8"; });
    EXPECT_THAT(problem(), HasSubstr("not signed"));
}

// AUDIT-05
TEST_F(ArchiveWalkTest, RecordThatGoesOnFromAnotherHashIsFound) {
    tamper([&](store::Writer& w) -> Result<void> {
        const store::Document archived = {{"archived", 10}, {"archived_hash", "another"}};
        ZONA_TRY(const auto stored,
                 w.upsert(store::Collection(audit_chain_spec(), acme_), "archived", archived));
        return {};
    });
    EXPECT_THAT(problem(), HasSubstr("does not go on from"));
}

// AUDIT-05, AUDIT-11
TEST_F(ArchiveWalkTest, HeadThatIsKeptElsewhereIsHeldAgainstItsArchive) {
    EXPECT_EQ(problem(KnownHead{.seq = 3, .hash = hashes_.at(0)}), "");
    EXPECT_EQ(problem(KnownHead{.seq = 8, .hash = hashes_.at(1)}), "");
    EXPECT_EQ(walk(KnownHead{.seq = 8, .hash = hashes_.at(0)}).flaw,
              (Flaw{.seq = 8, .problem = "its hash is not that of the head that was given"}));
    EXPECT_THAT(problem(KnownHead{.seq = 99, .hash = "x"}), HasSubstr("do not reach"));
}

// AUDIT-08
TEST_F(ArchiveWalkTest, ArchivedEntriesAreFoundAsThoseOfARecordAre) {
    EXPECT_EQ(found({}).size(), 10U);
    EXPECT_THAT(found({.action = "second3"}), ElementsAre("second3"));
    EXPECT_THAT(found({.resource = "/things/first0"}), ElementsAre("first0"));
    EXPECT_THAT(found({.category = Category::kSecurity}), ElementsAre());
    EXPECT_THAT(found({.outcome = Outcome::kFailure}), ElementsAre());
    EXPECT_THAT(found({.actor = "user:18"}), ElementsAre());
    EXPECT_EQ(found({.actor = "user:17"}).size(), 10U);
    EXPECT_THAT(found({.seq = 7}), ElementsAre("second1"));
    EXPECT_THAT(found({.from = clock_.system()}), ElementsAre());
    EXPECT_THAT(found({.to = clock_.system() - std::chrono::milliseconds(16)}),
                ElementsAre("first0", "first1"));
}

// AUDIT-13, GAP-66
TEST_F(ArchiveWalkTest, SubjectThatIsErasedInTheRecordIsErasedInItsArchives) {
    ASSERT_TRUE(books_.write(acme_, [&](store::Writer& w) -> Result<void> {
        ZONA_TRY([[maybe_unused]] const bool erased,
                 erase_subject(w, acme_, "user:17", clock_.system()));
        return {};
    }));
    EXPECT_THAT(found({.seq = 1}), ElementsAre("first0 erased"));
    EXPECT_EQ(problem(), "") << "and the archives verify as before";
}

// AUDIT-12
TEST_F(ArchiveWalkTest, ReportCountsTheArchivesThatWereMadeInThePeriod) {
    clock_.advance(std::chrono::hours(2));
    archive(acme_);
    const auto report = [&](core::SystemTime from, core::SystemTime to) {
        return make_report(books_, acme_, from, to).value().retention;
    };
    const core::SystemTime between = clock_.system() - std::chrono::hours(1);
    const core::SystemTime end = clock_.system() + std::chrono::hours(1);
    EXPECT_EQ(report({}, between).archives, 2U);
    EXPECT_EQ(report({}, between).archived, 10U);
    EXPECT_EQ(report(between, end).archives, 1U);
    EXPECT_EQ(report(between, end).archived, 3U);
    EXPECT_EQ(report({}, end).failed, 0U);
    tamper_span(13, [](store::Document& span) { span["first"] = 1; });
    const RetentionReport tampered = report({}, end);
    EXPECT_EQ(tampered.archived, 10U) << "nobody has signed that one";
    ASSERT_EQ(tampered.failures.size(), 1U);
    EXPECT_THAT(tampered.failures.front().problem, HasSubstr("acme13"));
}

// AUDIT-12
TEST_F(ArchiveWalkTest, ReportCountsPurgesByCollectionAndEachFailure) {
    const auto put = [&](const Entry& one) {
        ASSERT_TRUE(books_.write(acme_, [&](store::Writer& w) { return append(w, acme_, one); }));
    };
    const auto now = [&] { return new_entry(clock_, random_); };
    put(purged_entry(now(), "events", 200));
    put(purged_entry(now(), "events", 20));
    put(purged_entry(now(), "tasks", 1));
    Entry forged = purged_entry(now(), "events", 1'000);
    forged.actor.kind = "user";
    put(forged);
    for (std::size_t i = 0; i <= kMostFailures; ++i)
        put(failed_entry(now(), kArchiveAction, Error(Code::kUnavailable, "the disk is away")));
    advance_all(acme_);

    const RetentionReport done =
        make_report(books_, acme_, {}, clock_.system() + std::chrono::hours(1)).value().retention;
    EXPECT_THAT(done.purged, ElementsAre(std::pair("events", 220U), std::pair("tasks", 1U)));
    EXPECT_EQ(done.failed, kMostFailures + 1);
    ASSERT_EQ(done.failures.size(), kMostFailures);
    EXPECT_EQ(done.failures.front().action, kArchiveAction);
    EXPECT_EQ(done.failures.front().problem, "the disk is away");
}

}  // namespace
}  // namespace zona::audit
