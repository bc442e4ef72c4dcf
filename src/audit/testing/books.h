/// @file
/// Records in a database in memory, and what a test does to them.
#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "audit/books.h"
#include "audit/chain.h"
#include "audit/collections.h"
#include "audit/entry.h"
#include "audit/notary.h"
#include "audit/testing/test_books.h"
#include "audit/verify.h"
#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"

namespace zona::audit {

/// Records of the core, acme and blue in one database.
class AuditTest : public testing::Test {
  protected:
    static store::Scope tenant(const char* code) { return store::Scope::tenant(code).value(); }

    Entry entry(const std::string& action, const std::string& user = "17") {
        Entry out = new_entry(clock_, random_);
        out.category = Category::kConfiguration;
        out.actor = {.kind = "user",
                     .id = user,
                     .number = 17,
                     .name = "Ann Example",
                     .address = "192.0.2.7",
                     .session = "s-1"};
        out.action = action;
        out.resource = "/things/" + action;
        out.correlation = "c-" + action;
        return out;
    }
    void append_some(const store::Scope& scope, int count, const std::string& name = "do") {
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(books_.write(scope, [&](store::Writer& w) {
                return append(w, scope, entry(name + std::to_string(i)));
            }));
            clock_.advance(std::chrono::milliseconds(1));
        }
    }
    Advanced advance_all(const store::Scope& scope, const Batch& batch = {}) {
        Advanced out;
        EXPECT_TRUE(books_.write(scope, [&](store::Writer& w) -> core::Result<void> {
            ZONA_TRY(out, advance(w, scope, batch, subjects_, {}, clock_.system()));
            return {};
        }));
        return out;
    }
    Head head(const store::Scope& scope) {
        Head out;
        EXPECT_TRUE(books_.read(scope, [&](store::Reader& r) -> core::Result<void> {
            ZONA_TRY(out, find_head(r, scope));
            return {};
        }));
        return out;
    }
    std::vector<store::Record> log(const store::Scope& scope) {
        std::vector<store::Record> out;
        EXPECT_TRUE(books_.read(scope, [&](store::Reader& r) -> core::Result<void> {
            const store::Query all{.sort = {"seq"}, .walk = store::Walk::kAllow};
            ZONA_TRY(store::Page page, r.find_page(store::Collection(audit_log_spec(), scope), all,
                                                   {.limit = store::kMaxPageSize, .token = {}}));
            out = std::move(page.records);
            return {};
        }));
        return out;
    }
    /// What each entry did, in the order of the chain.
    std::vector<std::string> actions(const store::Scope& scope) {
        std::vector<std::string> out;
        for (const store::Record& record : log(scope))
            out.emplace_back(record.document->at("action").as_string());
        return out;
    }
    /// As keep_head().
    bool sign(const store::Scope& scope) {
        const Notary notary = Notary::open(books_, random_).value();
        const SignedHead signed_head = notary.sign(scope, head(scope), clock_.system());
        bool is_kept = false;
        EXPECT_TRUE(books_.write(store::Scope::core(), [&](store::Writer& w) -> core::Result<void> {
            ZONA_TRY(is_kept, keep_head(w, signed_head));
            return {};
        }));
        return is_kept;
    }
    Verification check(const store::Scope& scope, const std::optional<KnownHead>& known = {}) {
        auto done = verify(books_, scope, public_keys(books_).value(), known);
        EXPECT_TRUE(done) << done.error().message();
        return done ? *done : Verification{};
    }
    /// What somebody with the database in his hands does.
    template <class Body>
    void tamper(Body body) {
        ASSERT_TRUE(store::write_and_wait(database_, [&](store::Writer& w) -> core::Result<bool> {
            ZONA_TRY_VOID(body(w));
            return true;
        }));
    }

    core::FakeClock clock_;
    core::SeededRandom random_{7};
    store::MemoryDatabase database_{core_collections(), core::Secret(std::string(32, 'k')), clock_};
    TestBooks books_{database_};
    Subjects subjects_{random_};
    const store::Scope acme_ = tenant("acme");
    const store::Scope blue_ = tenant("blue");
};

}  // namespace zona::audit
