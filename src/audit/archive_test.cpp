#include "audit/archive.h"

#include "audit/testing/books.h"

namespace zona::audit {
namespace {

using core::Code;
using core::Result;

class ArchiveTest : public AuditTest {
  protected:
    void SetUp() override {
        append_some(acme_, 10, "old");
        advance_all(acme_);
        between_ = clock_.system();
        append_some(acme_, 5, "new");
        advance_all(acme_);
        append_some(blue_, 3, "blue");
        advance_all(blue_);
        sign(acme_);
    }
    Result<std::optional<ArchivedSpan>> archive(core::SystemTime before) {
        return archive_oldest(books_, acme_, Notary::open(books_, random_).value(), before,
                              clock_.system(),
                              [this](const ArchivedSpan&, const std::string& text) {
                                  files_.push_back(text);
                                  return Result<std::string>("a" + std::to_string(files_.size()));
                              });
    }
    Result<Archive> read(const std::string& text) {
        return read_archive(text, public_keys(books_).value());
    }

    core::SystemTime between_{};
    std::vector<std::string> files_;
};

// AUDIT-10, AUDIT-11
TEST_F(ArchiveTest, WhatIsOlderLeavesAndWhatStaysVerifies) {
    const auto span = archive(between_);
    ASSERT_TRUE(span && *span) << span.error().message();
    EXPECT_EQ((*span)->first, 1);
    EXPECT_EQ((*span)->last, 10);
    EXPECT_EQ(actions(acme_), (std::vector<std::string>{"new0", "new1", "new2", "new3", "new4"}));
    EXPECT_EQ(log(blue_).size(), 3U) << "another tenant's";
    const Verification done = check(acme_);
    EXPECT_EQ(done.flaw, std::nullopt) << done.flaw->problem;
    EXPECT_EQ(done.first, 11);
    EXPECT_EQ(done.entries, 5U);
    const auto next = archive(between_);
    ASSERT_TRUE(next);
    EXPECT_FALSE(*next) << "nothing else is as old";
    EXPECT_EQ(files_.size(), 1U);
}

// AUDIT-10, AUDIT-11
TEST_F(ArchiveTest, ArchivesVerifyAndJoinEachOther) {
    ASSERT_TRUE(archive(between_));
    ASSERT_TRUE(archive(clock_.system()));
    ASSERT_EQ(files_.size(), 2U);
    const Archive first = read(files_[0]).value();
    const Archive second = read(files_[1]).value();
    EXPECT_EQ(first.entries.size(), 10U);
    EXPECT_EQ(second.span.first, 11);
    EXPECT_EQ(second.span.previous, first.span.hash);
    EXPECT_NE(first.entries.front().find("\"old0\""), std::string::npos);
    EXPECT_EQ(head(acme_).archived_hash, second.span.hash);
    EXPECT_EQ(check(acme_).flaw, std::nullopt) << "an empty record that has all left is whole";
    append_some(acme_, 1, "later");
    advance_all(acme_);
    EXPECT_EQ(check(acme_).flaw, std::nullopt) << "and goes on where it was";
}

// AUDIT-05
TEST_F(ArchiveTest, ArchiveThatWasChangedIsRefused) {
    ASSERT_TRUE(archive(between_));
    const std::string& good = files_.front();
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 1);
        // The header of gzip has bytes without a meaning.
        constexpr std::size_t kHeader = 10;
        if (i >= kHeader) EXPECT_FALSE(read(bad)) << i;
    }
    EXPECT_FALSE(read(good.substr(0, good.size() - 1)));
    EXPECT_FALSE(read(good + "x"));
    EXPECT_FALSE(read(""));
    EXPECT_FALSE(read_archive(good, {})) << "nobody has signed it";
}

// AUDIT-05, AUDIT-10
TEST_F(ArchiveTest, HeadThatIsKeptElsewhereIsNotPassedOverWhenItsEntryHasLeft) {
    const std::string last(log(acme_).at(9).document->at("hash").as_string());
    ASSERT_TRUE(archive(between_));
    EXPECT_EQ(check(acme_, KnownHead{.seq = 10, .hash = last}).flaw, std::nullopt);
    EXPECT_TRUE(check(acme_, KnownHead{.seq = 10, .hash = "x"}).flaw);
    const auto gone =
        verify(books_, acme_, public_keys(books_).value(), KnownHead{.seq = 9, .hash = "x"});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code(), Code::kNotFound);
}

// AUDIT-10
TEST_F(ArchiveTest, LargeEntriesAreInSeveralArchivesThatCanBeRead) {
    Entry large = entry("large");
    large.after = std::make_shared<const store::Document>(
        store::Document{{"text", std::string(kMostData - 100, 'x')}});
    const auto count = static_cast<int>(kMostArchivedText / kMostData) + 5;
    ASSERT_TRUE(books_.write(acme_, [&](store::Writer& w) -> Result<void> {
        for (int i = 0; i < count; ++i) {
            large.id = "large" + std::to_string(i);
            ZONA_TRY_VOID(append(w, acme_, large));
        }
        return {};
    }));
    advance_all(acme_);
    clock_.advance(std::chrono::seconds(1));
    std::size_t entries = 0;
    for (auto span = archive(clock_.system()); span && *span; span = archive(clock_.system()))
        entries += read(files_.back())->entries.size();
    EXPECT_EQ(files_.size(), 2U);
    EXPECT_EQ(entries, static_cast<std::size_t>(count) + 15);
    EXPECT_EQ(check(acme_).flaw, std::nullopt);
}

// AUDIT-05, AUDIT-11
TEST_F(ArchiveTest, FrontThatIsGoneWithoutAnArchiveIsFound) {
    tamper([&](store::Writer& w) -> Result<void> {
        for (std::int64_t seq = 1; seq <= 10; ++seq) {
            ZONA_TRY([[maybe_unused]] const bool removed,
                     w.remove(store::Collection(audit_log_spec(), acme_), seq));
        }
        ZONA_TRY(const auto head, w.find_one(store::Collection(audit_log_spec(), acme_),
                                             {.filter = store::Filter::eq("seq", 11)}));
        const store::Document archived = {{"archived", 10},
                                          {"archived_hash", head->document->at("previous")}};
        ZONA_TRY(const auto stored,
                 w.upsert(store::Collection(audit_chain_spec(), acme_), "archived", archived));
        return {};
    });
    ASSERT_TRUE(check(acme_).flaw);
    EXPECT_NE(check(acme_).flaw->problem.find("archive"), std::string::npos);
}

// AUDIT-05, AUDIT-10
TEST_F(ArchiveTest, NothingLeavesThatIsNotAsItWasWritten) {
    store::Document changed = *log(acme_).at(4).document;
    changed["action"] = "nothing";
    tamper([&](store::Writer& w) -> Result<void> {
        ZONA_TRY(const auto stored,
                 w.upsert(store::Collection(audit_log_spec(), acme_), std::int64_t{5}, changed));
        return {};
    });
    const auto refused = archive(between_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_EQ(log(acme_).size(), 15U);
}

// AUDIT-11
TEST_F(ArchiveTest, NothingIsRemovedThatWasNotStored) {
    const auto failed = archive_oldest(
        books_, acme_, Notary::open(books_, random_).value(), between_, clock_.system(),
        [](const ArchivedSpan&, const std::string&) {
            return Result<std::string>(core::Error(Code::kResourceExhausted, "the disk is full"));
        });
    EXPECT_FALSE(failed);
    EXPECT_EQ(log(acme_).size(), 15U);
    EXPECT_EQ(head(acme_).archived, 0);
    EXPECT_EQ(check(acme_).flaw, std::nullopt);
}

// AUDIT-11
TEST_F(ArchiveTest, RemovalThatWasInterruptedGoesOn) {
    const std::vector<store::Record> before = log(acme_);
    ASSERT_TRUE(archive(between_));
    // As if the daemon had died before it removed the last of them.
    tamper([&](store::Writer& w) -> Result<void> {
        ZONA_TRY(const auto stored, w.insert(store::Collection(audit_log_spec(), acme_),
                                             std::int64_t{10}, *before.at(9).document));
        return {};
    });
    EXPECT_EQ(check(acme_).flaw, std::nullopt);
    ASSERT_TRUE(archive(between_));
    EXPECT_EQ(log(acme_).size(), 5U);
}

// GAP-66
TEST_F(ArchiveTest, ErasedSubjectIsUnreadableInArchivesToo) {
    ASSERT_TRUE(archive(between_));
    const Archive one = read(files_.front()).value();
    EXPECT_EQ(one.entries.front().find("Ann"), std::string::npos);
}

}  // namespace
}  // namespace zona::audit
