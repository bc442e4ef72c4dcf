/// @file
/// Users on a core database in memory, with cheap passwords, for tests.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <gtest/gtest.h>

#include "core/testing/memory_log.h"
#include "identity/keys/key_store.h"
#include "identity/users/collections.h"
#include "identity/users/invitations.h"
#include "identity/users/users.h"
#include "store/blocking.h"
#include "store/counters.h"
#include "store/testing/memory_database.h"
#include "vault/field_sealer.h"
#include "vault/testing/fake_keys.h"

namespace zona::identity {

/// What `begin(done)` answers.
template <class T, class Begin>
core::Result<T> answer_of(Begin begin) {
    std::promise<core::Result<T>> promise;
    auto future = promise.get_future();
    begin([&promise](core::Result<T> result) { promise.set_value(std::move(result)); });
    return future.get();
}

class UsersFixture : public testing::Test {
  protected:
    static constexpr HashCost kCheap{.memory_kib = 64, .passes = 1};
    static constexpr const char* kPassword = "tulip orbit kettle";
    static constexpr const char* kHome = "192.0.2.7";

    UsersFixture() {
        std::vector<const store::CollectionSpec*> specs = user_collections();
        specs.push_back(&store::counters_spec());
        for (const store::CollectionSpec* spec : api_key_collections())
            specs.push_back(spec);
        core_ = std::make_shared<store::MemoryDatabase>(specs, core::Secret(std::string(32, 'k')),
                                                        clock_);
        roles_.emplace(RolesDeps{.core = [this] { return core_; }});
        users_.emplace(deps(), PasswordRules{});
    }

    UsersDeps deps() {
        return {
            .core = [this] { return core_; },
            .fields = [this](const std::string& tenant) { return fields(tenant); },
            .run_blocking = run_blocking(),
            .roles = *roles_,
            .hasher = hasher_,
            .clock = clock_,
            .random = random_,
            .log = log_.logger("security"),
            .metrics = metrics_,
            .changed =
                [this](const std::string&, std::int64_t id, std::move_only_function<void()> then) {
                    told_.push_back(id);
                    then();
                }};
    }

    core::Result<std::shared_ptr<const vault::FieldSealer>> fields(const std::string& tenant) {
        const std::lock_guard lock(mutex_);
        auto& sealer = sealers_[tenant];
        if (!sealer) {
            sealer = std::make_shared<const vault::FieldSealer>(
                tenant.empty() ? "core" : tenant, std::make_shared<vault::FakeKeys>(1), random_);
        }
        return sealer;
    }

    /// The database in memory answers reads while it is locked: what goes on with a write needs
    /// another thread.
    std::function<void(std::move_only_function<void()>)> run_blocking() {
        return [this](std::move_only_function<void()> work) {
            boost::asio::post(pool_, std::move(work));
        };
    }

    /// Why it was refused; kInternal: it was not.
    template <class T>
    static core::Code code_of(const core::Result<T>& result) {
        return result ? core::Code::kInternal : result.error().code();
    }
    static core::Secret secret(std::string text) { return core::Secret(std::move(text)); }

    core::Result<User> create(NewUser wanted, const Subject& by = super_admin()) {
        return answer_of<User>(
            [&](auto done) { users_->create(by, std::move(wanted), std::move(done)); });
    }
    /// One with kPassword.
    User margaret(std::vector<std::string> roles = {}) {
        return create({.tenant = "acme",
                       .name = "Margaret",
                       .email = "margaret@acme.example",
                       .password = secret(kPassword),
                       .roles = std::move(roles)})
            .value();
    }
    core::Result<User> find(const std::string& tenant, std::int64_t id) {
        return answer_of<User>([&](auto done) { users_->find(tenant, id, std::move(done)); });
    }
    core::Result<User> change(std::int64_t id, UserChange wanted,
                              const Subject& by = super_admin()) {
        return answer_of<User>(
            [&](auto done) { users_->change(by, "acme", id, std::move(wanted), std::move(done)); });
    }
    core::Result<SignedIn> sign_in(std::string name, std::string password, std::string code = "",
                                   std::string address = kHome, std::string tenant = "acme") {
        return answer_of<SignedIn>([&](auto done) {
            users_->sign_in({.tenant = std::move(tenant),
                             .name = std::move(name),
                             .password = secret(std::move(password)),
                             .code = secret(std::move(code)),
                             .address = std::move(address)},
                            std::move(done));
        });
    }

    core::FakeClock clock_;
    core::SystemRandom random_;
    core::MetricRegistry metrics_;
    core::MemoryLog log_;
    PasswordHasher hasher_{kCheap, 2, random_, metrics_};
    std::shared_ptr<store::MemoryDatabase> core_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const vault::FieldSealer>> sealers_;  ///< guarded by it
    std::vector<std::int64_t> told_;  ///< of whom something changed
    std::optional<Roles> roles_;
    std::optional<Users> users_;
    boost::asio::thread_pool pool_{1};  ///< last: it ends before what it works with
};

}  // namespace zona::identity
