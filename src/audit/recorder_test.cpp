#include "audit/recorder.h"

#include "audit/detail/chain_document.h"
#include "audit/testing/books.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"

namespace zona::audit {
namespace {

using core::ByteCount;
using core::Code;
using core::Result;
using store::Scope;

class RecorderTest : public AuditTest {
  protected:
    std::unique_ptr<Recorder> recorder(ByteCount limit = ByteCount::mib(256)) {
        auto spool = Spool::open({.directory = folder(), .limit = limit}, random_, log_.logger());
        EXPECT_TRUE(spool) << spool.error().message();
        return std::make_unique<Recorder>(
            std::move(*spool),
            RecorderDeps{
                .clock = clock_, .random = random_, .log = log_.logger(), .metrics = metrics_});
    }
    static Result<std::optional<Permit>> ours() { return std::optional<Permit>(Permit()); }
    std::string folder() const { return directory_.path() + "/spool"; }
    std::uint64_t counted(const char* name) {
        return metrics_.counter(name, "As registered.").value();
    }
    void record(Recorder& to, const char* scope, const std::string& action) {
        to.record(scope, entry(action));
    }

    using Actions = std::vector<std::string>;
    core::MemoryLog log_;
    core::MetricRegistry metrics_;
    core::TemporaryDirectory directory_;
};

// AUDIT-02, AUDIT-05
TEST_F(RecorderTest, BringsWhatIsRecordedIntoTheChainsAndSigns) {
    const auto all = recorder();
    record(*all, "acme", "before");
    all->start(books_, &ours, {});
    record(*all, "acme", "after");
    record(*all, "blue", "other");
    append_some(acme_, 1, "written");
    all->appended(acme_);
    all->stop();
    EXPECT_EQ(log(acme_).size(), 3U);
    EXPECT_EQ(actions(blue_), (Actions{"other"}));
    const Verification done = check(acme_);
    EXPECT_EQ(done.flaw, std::nullopt);
    EXPECT_EQ(done.signed_seq, 3) << "the last head is signed at the end";
    EXPECT_EQ(counted("zona_audit_entries_total"), 3U);
}

// AUDIT-16
TEST_F(RecorderTest, NothingIsLostWhileADatabaseCannotBeHad) {
    const auto all = recorder();
    all->start(books_, &ours, {});
    books_.failures["acme"] = Code::kUnavailable;
    for (int i = 0; i < 20; ++i)
        record(*all, "acme", "a" + std::to_string(i));
    EXPECT_FALSE(all->settle(acme_));
    record(*all, "blue", "b");
    ASSERT_TRUE(all->settle(blue_)) << "others go on";
    EXPECT_EQ(actions(blue_), (Actions{"b"}));
    books_.failures.clear();
    ASSERT_TRUE(all->settle(acme_));
    EXPECT_EQ(log(acme_).size(), 20U);
    EXPECT_EQ(actions(acme_).front(), "a0");
    EXPECT_EQ(actions(acme_).back(), "a19");
}

// AUDIT-16
TEST_F(RecorderTest, WhatWasTakenOverAndNotForgottenIsNotTakenTwice) {
    {
        const auto all = recorder();
        books_.failures["acme"] = Code::kUnavailable;
        all->start(books_, &ours, {});
        for (int i = 0; i < 5; ++i)
            record(*all, "acme", "a" + std::to_string(i));
        const std::string path = folder() + "/" + os::list_directory(folder())->front();
        const std::string before = os::read_file(path).value();
        EXPECT_FALSE(all->settle(acme_));
        books_.failures.clear();
        ASSERT_TRUE(all->settle(acme_));
        all->stop();
        ASSERT_TRUE(os::replace_file(path, before, 0600));
    }
    const auto all = recorder();
    record(*all, "acme", "a5");
    all->start(books_, &ours, {});
    ASSERT_TRUE(all->settle(acme_));
    EXPECT_EQ(actions(acme_), (Actions{"a0", "a1", "a2", "a3", "a4", "a5"}));
}

// AUDIT-16, TEN-35
TEST_F(RecorderTest, WhatConcernsATenantThatIsNotServedIsInTheCoresRecord) {
    std::string before;
    std::string path;
    {
        const auto all = recorder();
        books_.failures["acme"] = Code::kUnavailable;
        all->start(books_, &ours, {});
        record(*all, "acme", "suspended");
        path = folder() + "/" + os::list_directory(folder())->front();
        before = os::read_file(path).value();
        EXPECT_FALSE(all->settle(acme_));
        record(*all, "No such code", "odd");
        books_.failures["acme"] = Code::kTenantInactive;
        ASSERT_TRUE(all->settle(acme_));
        all->stop();
    }
    ASSERT_EQ(log(Scope::core()).size(), 2U);
    for (const store::Record& record : log(Scope::core())) {
        const bool odd = record.document->at("action").as_string() == "odd";
        EXPECT_EQ(record.document->at("tenantcode").as_string(), odd ? "No such code" : "acme");
    }
    // The daemon had died before it forgot it, and the tenant is back.
    ASSERT_TRUE(os::replace_file(path, before, 0600));
    books_.failures.clear();
    const auto all = recorder();
    all->start(books_, &ours, {});
    ASSERT_TRUE(all->settle(acme_));
    EXPECT_TRUE(actions(acme_).empty());
}

// AUDIT-16
TEST_F(RecorderTest, FullSpoolRefusesChangesAndTellsWhatWasLost) {
    const auto all = recorder(ByteCount::mib(5));
    books_.failures["acme"] = Code::kUnavailable;
    all->start(books_, &ours, {});
    ASSERT_TRUE(all->room());
    Entry large = entry("large");
    large.after = std::make_shared<const store::Document>(
        store::Document{{"text", std::string(60'000, 'x')}});
    while (all->room())
        all->record("acme", large);
    EXPECT_EQ(all->room().error().code(), Code::kResourceExhausted);
    EXPECT_EQ(counted("zona_audit_lost_total"), 0U) << "there is room for what is under way";
    while (counted("zona_audit_lost_total") < 3)
        all->record("acme", large);
    EXPECT_TRUE(log_.has("not on record"));
    books_.failures.clear();
    ASSERT_TRUE(all->settle(acme_));
    EXPECT_TRUE(all->room());
    all->stop();
    EXPECT_EQ(actions(Scope::core()), (Actions{"loseEntries"}));
    EXPECT_EQ(log(Scope::core()).front().document->at("details").as_string(),
              "3 entries found no room in the spool before this one");
}

// SEC-04, AUDIT-16
TEST_F(RecorderTest, SpoolIsSealedAndWhatDoesNotOpenIsToldOf) {
    const auto turned = [](std::int64_t number, const std::string& text) {
        std::string out = std::to_string(number) + ":";
        for (const char c : text)
            out += static_cast<char>(c ^ 0x55);
        return Result<std::string>(std::move(out));
    };
    const auto opened = [turned](std::int64_t number,
                                 const std::string& sealed) -> Result<std::string> {
        const std::string prefix = std::to_string(number) + ":";
        if (!sealed.starts_with(prefix) || number == 2)
            return core::Error(Code::kConflict, "it does not open");
        return turned(number, sealed.substr(prefix.size()))->substr(prefix.size());
    };
    const auto all = recorder();
    books_.failures["acme"] = Code::kUnavailable;
    record(*all, "acme", "early");
    all->start(books_, &ours, {}, {.seal = turned, .open = opened});
    record(*all, "acme", "broken");
    record(*all, "acme", "late");
    const std::string path = folder() + "/" + os::list_directory(folder())->front();
    EXPECT_EQ(os::read_file(path)->find("Ann"), std::string::npos);
    books_.failures.clear();
    ASSERT_TRUE(all->settle(acme_));
    EXPECT_EQ(actions(acme_), (Actions{"early", "loseEntries", "late"}));
}

// AUDIT-05
TEST_F(RecorderTest, RecordThatWasSetBackIsSignedOnAndTheFirstHeadStays) {
    const auto all = recorder();
    all->start(books_, &ours, {});
    record(*all, "acme", "a");
    ASSERT_TRUE(all->settle(acme_));
    const Head first = head(acme_);
    record(*all, "acme", "b");
    ASSERT_TRUE(all->settle(acme_));
    tamper([&](store::Writer& w) -> Result<void> {
        ZONA_TRY_VOID(w.remove(store::Collection(audit_log_spec(), acme_), std::int64_t{2}));
        return detail::set_head(w, acme_, first);
    });
    record(*all, "acme", "c");
    ASSERT_TRUE(all->settle(acme_)) << "it can be read, and verified";
    EXPECT_TRUE(log_.has("it was cut or restored"));
    EXPECT_EQ(check(acme_).flaw->seq, 2);
    record(*all, "acme", "d");
    ASSERT_TRUE(all->settle(acme_));
    all->stop();
    EXPECT_EQ(check(acme_).flaw->seq, 2);
}

// AUDIT-16
TEST_F(RecorderTest, WhatWaitsForAFirstStartThatNeverComesIsToldOf) {
    {
        const auto all = recorder();
        record(*all, "acme", "a");
        record(*all, "acme", "b");
    }
    EXPECT_EQ(counted("zona_audit_lost_total"), 2U);
    EXPECT_TRUE(log_.has("is not on record"));
}

// AUDIT-05
TEST_F(RecorderTest, HostWithoutTheTurnLeavesTheNumbersToTheOther) {
    const auto other = recorder();
    other->start(books_, [] { return Result<std::optional<Permit>>(std::nullopt); }, {});
    record(*other, "acme", "a");
    ASSERT_TRUE(other->settle(acme_));
    EXPECT_EQ(head(acme_).seq, 0);
    other->stop();
    books_.all.push_back(acme_);
    const auto all = recorder();
    all->start(books_, &ours, std::chrono::seconds(60));
    all->stop();
    EXPECT_EQ(actions(acme_), (Actions{"a"})) << "found without being told";
}

// AUDIT-05
TEST_F(RecorderTest, HostWhoseTurnIsOverWritesNothing) {
    const auto all = recorder();
    all->start(books_,
               [] {
                   return Result<std::optional<Permit>>(
                       Permit([](store::Writer&, const Scope&) -> Result<void> {
                           return core::Error(Code::kConflict, "another has the lease");
                       }));
               },
               {});
    record(*all, "acme", "a");
    EXPECT_FALSE(all->settle(acme_));
    all->stop();
    EXPECT_EQ(head(acme_).seq, 0);
    const auto next = recorder();
    next->start(books_, &ours, {});
    ASSERT_TRUE(next->settle(acme_));
    EXPECT_EQ(actions(acme_), (Actions{"a"}));
}

}  // namespace
}  // namespace zona::audit
