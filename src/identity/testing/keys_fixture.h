/// @file
/// API keys on a core database in memory, for tests. Answers come before calls return, for this
/// database works on the caller's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "identity/access/roles.h"
#include "identity/keys/api_keys.h"
#include "identity/users/collections.h"
#include "store/testing/memory_database.h"

namespace zona::identity {

/// A core database for keys and roles.
class KeyDatabase {
  public:
    explicit KeyDatabase(const core::Clock& clock)
        : database(std::make_shared<store::MemoryDatabase>(
              specs(), core::Secret(std::string(32, 'k')), clock)) {}

    std::shared_ptr<store::MemoryDatabase> database;

  private:
    static std::vector<const store::CollectionSpec*> specs() {
        std::vector<const store::CollectionSpec*> all = api_key_collections();
        for (const store::CollectionSpec* spec : user_collections())
            all.push_back(spec);
        return all;
    }
};

/// The keys of one zona: its home and memory.
class KeysOfHome {
  public:
    KeysOfHome(const core::Clock& clock, core::Random& random) : clock_(clock), random_(random) {
        reopen();
    }

    /// As a start does, without the database. A list that cannot be used is in `problem`.
    void reopen() {
        auto opened = ApiKeys::open(list(), plain(),
                                    {.clock = clock_,
                                     .random = random_,
                                     .log = log.logger("identity"),
                                     .metrics = metrics,
                                     .used = [this] { ++told_of_uses; }});
        problem.reset();
        if (!opened) problem = opened.take_error();
        keys = opened ? std::move(*opened) : nullptr;
    }
    ApiKeys* operator->() const { return keys.get(); }
    std::string list() const { return folder.path() + "/api-keys.json"; }
    std::string plain() const { return folder.path() + "/api-key"; }

    template <class T>
    static core::Result<T> wait(auto ask) {
        std::optional<core::Result<T>> answer;
        ask([&](core::Result<T> given) { answer.emplace(std::move(given)); });
        if (!answer) return core::Error(core::Code::kInternal, "there was no answer");
        return std::move(*answer);
    }
    core::Result<MadeKey> create(const NewApiKey& wanted, const Subject& by = super_admin()) {
        return wait<MadeKey>([&](auto done) { keys->create(by, wanted, std::move(done)); });
    }
    core::Result<MadeKey> rotate(const std::string& name, std::chrono::seconds overlap,
                                 const Subject& by = super_admin()) {
        return rotate({.name = name}, {.overlap = overlap}, by);
    }
    core::Result<MadeKey> rotate(const KeyName& name, const Succession& how,
                                 const Subject& by = super_admin()) {
        return wait<MadeKey>([&](auto done) { keys->rotate(by, name, how, std::move(done)); });
    }
    core::Result<MadeKey> renew(const core::Uuid& id, std::chrono::seconds overlap) {
        return wait<MadeKey>(
            [&](auto done) { keys->renew(id, {.overlap = overlap}, std::move(done)); });
    }
    core::Result<std::vector<ApiKey>> revoke(const std::string& name,
                                             const Subject& by = super_admin()) {
        return revoke(KeyName{.name = name}, by);
    }
    core::Result<std::vector<ApiKey>> revoke(const KeyName& name,
                                             const Subject& by = super_admin()) {
        return wait<std::vector<ApiKey>>(
            [&](auto done) { keys->revoke(by, name, std::move(done)); });
    }
    core::Result<std::vector<ApiKey>> listed() {
        return wait<std::vector<ApiKey>>([&](auto done) { keys->list(std::move(done)); });
    }
    /// The latest of that name.
    ApiKey of(const std::string& name) {
        ApiKey out;
        for (ApiKey& key : listed().value()) {
            if (key.name == name) out = std::move(key);
        }
        return out;
    }
    core::Result<void> store_uses() {
        return wait<void>([&](auto done) { keys->store_uses(std::move(done)); });
    }
    core::Result<void> follow() {
        return wait<void>([&](auto done) { keys->follow(std::move(done)); });
    }
    /// The text of a new key.
    std::string make(const std::string& name, Scope scope = Scope::kAdmin) {
        const auto made = create({.name = name, .scope = scope});
        EXPECT_TRUE(made) << made.error().message();
        return made ? std::string(made->text.reveal()) : "";
    }

    core::TemporaryDirectory folder;
    core::MemoryLog log;
    core::MetricRegistry metrics;
    std::unique_ptr<ApiKeys> keys;
    std::optional<core::Error> problem;
    int told_of_uses = 0;

  private:
    const core::Clock& clock_;
    core::Random& random_;
};

/// Nothing is looked for but by follow().
inline constexpr KeySharing kAlone{.is_shared = false, .pause = std::chrono::milliseconds(0)};
inline constexpr KeySharing kShared{.is_shared = true, .pause = std::chrono::milliseconds(0)};

}  // namespace zona::identity
