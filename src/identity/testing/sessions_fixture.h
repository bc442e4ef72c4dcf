/// @file
/// Sessions on a core database in memory, one instance or several, for tests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "identity/sessions/sessions.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "vault/testing/fake_keys.h"

namespace zona::identity {

/// Lets a test see how often a database is asked, and make it fail.
class WatchedDatabase final : public store::Database {
  public:
    explicit WatchedDatabase(store::Database& inner) : inner_(inner) {}

    void submit_read(ReadWork work) override {
        ++reads;
        if (fails || fails_reads_only)
            return work(core::Error(core::Code::kUnavailable, "no connection"));
        inner_.submit_read(std::move(work));
    }
    void submit_write(WriteWork work, store::Callback<void> done) override {
        ++writes;
        if (fails) return done(core::Error(core::Code::kUnavailable, "no connection"));
        inner_.submit_write(std::move(work), std::move(done));
    }
    store::DatabaseLoad load() const override { return inner_.load(); }

    std::atomic<int> reads = 0;
    std::atomic<int> writes = 0;
    std::atomic<bool> fails = false;
    std::atomic<bool> fails_reads_only = false;

  private:
    store::Database& inner_;
};

/// Answers come before calls return, for this database works on the caller's thread.
class SessionsFixture : public testing::Test {
  protected:
    /// One zona: its own connection, keys and map.
    struct Instance {
        Instance(SessionsFixture& test, const SessionOptions& options)
            : database(test.core_),
              keys(SigningKeys::make({.core = {std::shared_ptr<void>(), &database},
                                      .fields = test.fields_,
                                      .clock = test.clock_,
                                      .log = test.log_.logger("security"),
                                      .is_shared = options.is_shared})),
              sessions(Sessions::make(
                  options, {.core = {std::shared_ptr<void>(), &database},
                            .keys = keys,
                            .clock = test.clock_,
                            .random = test.random_,
                            .log = test.log_.logger("security"),
                            .metrics = metrics,
                            .find_user = [&test](store::Reader&, const UserKey& user)
                                -> core::Result<std::optional<UserNow>> {
                                if (test.user_problem_) return *test.user_problem_;
                                if (user == test.locked_) return std::optional<UserNow>();
                                return std::optional(UserNow{.name = "anna", .roles = test.roles_});
                            }})) {}
        Sessions* operator->() const { return sessions.get(); }

        core::MetricRegistry metrics;
        WatchedDatabase database;
        std::shared_ptr<SigningKeys> keys;
        std::shared_ptr<Sessions> sessions;
    };

    template <class T>
    static core::Result<T> wait(auto ask) {
        std::optional<core::Result<T>> answer;
        ask([&](core::Result<T> given) { answer.emplace(std::move(given)); });
        if (!answer) return core::Error(core::Code::kInternal, "there was no answer");
        return std::move(*answer);
    }
    static core::Result<Tokens> begin(Instance& at, const UserKey& user = {"acme", 7}) {
        return wait<Tokens>([&](auto done) {
            at->begin({.user = user,
                       .method = "password",
                       .client = {.address = "192.0.2.1", .user_agent = "curl"}},
                      std::move(done));
        });
    }
    static core::Result<BrowserSession> begin_in_browser(Instance& at) {
        return wait<BrowserSession>([&](auto done) {
            at->begin_in_browser({.user = {"acme", 7},
                                  .method = "password",
                                  .client = {.address = "192.0.2.1", .user_agent = "Firefox"}},
                                 std::move(done));
        });
    }
    static core::Result<Tokens> refresh(Instance& at, const Tokens& tokens,
                                        const Client& client = {"192.0.2.1", "curl"}) {
        return wait<Tokens>(
            [&](auto done) { at->refresh(tokens.refresh, client, std::move(done)); });
    }
    static core::Result<Principal> verify(Instance& at, std::string_view token) {
        return wait<Principal>([&](auto done) { at->verify(token, std::move(done)); });
    }
    static core::Result<Principal> verify(Instance& at, const Tokens& tokens) {
        return verify(at, tokens.access.reveal());
    }
    static core::Code code_of(const auto& result) {
        return result ? core::Code{} : result.error().code();
    }
    static std::size_t end(Instance& at, const SessionSelection& which) {
        return wait<std::size_t>([&](auto done) { at->end(which, "signed out", std::move(done)); })
            .value();
    }
    static void follow(Instance& at) {
        ASSERT_TRUE(wait<void>([&](auto done) { at->follow(std::move(done)); }));
    }
    std::vector<Session> list(const SessionSelection& which) {
        return store::read_and_wait(core_,
                                    [&](store::Reader& reader) {
                                        return list_sessions(reader, which, clock_.system());
                                    })
            .value();
    }

    core::FakeClock clock_;
    core::MemoryLog log_;
    core::SystemRandom random_;
    std::vector<std::string> roles_ = {"Analyst"};
    UserKey locked_;
    std::optional<core::Error> user_problem_;  ///< why nobody can be looked at
    store::MemoryDatabase core_{session_collections(), core::Secret(std::string(32, 'k')), clock_};
    const std::shared_ptr<const vault::FieldSealer> fields_ =
        std::make_shared<vault::FieldSealer>("core", std::make_shared<vault::FakeKeys>(7), random_);
};

}  // namespace zona::identity
