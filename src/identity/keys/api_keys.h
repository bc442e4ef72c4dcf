/// @file
/// ApiKeys: the keys with which clients over the network say who they are.
///
/// They are documents of the core database (key_store.h), so all instances on one share them, and
/// every instance has all of them in memory. The text of a key is given once, by create() and
/// rotate().
///
/// **Several instances** on one core database: what one changes it writes as news with it; the
/// others look for news every kFollowPause and read all keys anew, so a key that was taken back is
/// refused everywhere within a second. Who could not look for kFollowTrust believes its memory no
/// more. Where the core database is a file nothing is followed.
///
/// **Without the core database** nobody gets in by a key: before it is open for the first time who
/// shows one waits until it is, or cannot be had (settle()). The unix socket needs no key.
///
/// **Earlier zonas** kept keys in a file of the home. Its keys are put into the core database when
/// that is open, once, with their ids, ends and uses; the first key of a home goes the same way.
/// Source: PM-50, PM-51, SEC-27, AUTH-28, AUTH-29, docs/adr/0020.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/keys/key_store.h"
#include "identity/news.h"
#include "identity/principal.h"
#include "store/database.h"

namespace zona::identity {

/// Why a key was not taken.
enum class KeyRefusal : std::uint8_t {
    kMalformed,  ///< no key of ours: another form, another length
    kUnknown,
    kExpired,
    kUnavailable,  ///< which keys there are is not known now
};

/// Who presents a good key.
struct KeyHolder {
    Principal who;
    /// What they may do; null: what Principal::roles add up to has to be asked.
    std::shared_ptr<const Permissions> permissions;
};

/// Who asks more often than the key may.
struct KeyExcess {
    std::string name;  ///< of the key
    net::RateLimit rate;
    std::chrono::nanoseconds wait;  ///< until it may again
};

/// Who else uses the core database.
struct KeySharing {
    bool is_shared = false;
    std::chrono::milliseconds pause = kFollowPause;  ///< 0: nothing is looked for by itself
};

/// What they work with; all outlive every answer.
struct ApiKeyDeps {
    const core::Clock& clock;
    core::Random& random;  ///< fit for keys, any thread
    core::Logger log;      ///< of the category "identity"
    core::MetricRegistry& metrics;
    /// Called by verify(), on its thread, when there is something for store_uses() to write that
    /// was not there before; must not call back. May be empty.
    std::function<void()> used{};
};

/// All members from any thread, but open(), begin() and end(). Answers come on a thread of the
/// database, or before a call returns. What needs the core database waits until it is open
/// for the first time. Errors of all that change something: kUnavailable while it cannot be had;
/// those of the store; then nothing has changed.
class ApiKeys {
  public:
    /// Reads the list of an earlier zona; none: makes the first key, "default" with scope admin,
    /// and leaves its text in `plain` for whoever starts zona. Nobody gets in before begin().
    ///
    /// Errors: those of read_key_list() and make_first_key().
    static core::Result<std::unique_ptr<ApiKeys>> open(const std::string& list,
                                                       const std::string& plain, ApiKeyDeps deps);
    ~ApiKeys();
    ApiKeys(const ApiKeys&) = delete;
    ApiKeys& operator=(const ApiKeys&) = delete;

    /// The core database is open: takes over the list, reads all keys, and follows others. What
    /// fails is tried again every `pause`.
    void begin(std::shared_ptr<store::Database> core, KeySharing sharing = {});
    /// It cannot be opened now: who waits is told so.
    void settle();
    /// The core database is about to be closed: writes down the uses, and lets go of it. Waits.
    void end();

    /// Makes a key. Errors: those of create_key().
    void create(const Subject& by, NewApiKey wanted, store::Callback<MadeKey> done);
    /// Makes a successor; the old one goes on for Succession::overlap, so that clients can be
    /// changed one after the other. Errors: those of rotate_key().
    void rotate(const Subject& by, KeyName name, Succession how, store::Callback<MadeKey> done);
    /// Makes a successor of the key of this id, which asks for it. Errors: those of renew_key().
    void renew(const core::Uuid& id, Succession how, store::Callback<MadeKey> done);
    /// Takes all keys of this name back, everywhere: here before the answer. Errors: those of
    /// revoke_keys().
    void revoke(const Subject& by, KeyName name, store::Callback<std::vector<ApiKey>> done);
    /// Takes all keys of this tenant back, and says how many.
    void revoke_of_tenant(std::string code, store::Callback<std::uint64_t> done);
    /// In the order of their making, expired ones included, with uses that are not written yet.
    void list(store::Callback<std::vector<ApiKey>> done);

    /// Who presents this text, from `address` (empty: over no network). Never waits: uses are noted
    /// in memory.
    std::variant<KeyHolder, KeyRefusal> verify(std::string_view presented,
                                               std::string_view address = {});
    /// Who shows the certificate with this SHA-256, which is good as far as TLS goes.
    std::variant<KeyHolder, KeyRefusal> verify(const crypto::Digest& certificate,
                                               std::string_view address = {});
    /// Whose certificate it is, by the tenant's code (empty: nobody's); nullopt: no good key has
    /// it, as far as is known. No use is noted.
    std::optional<std::string> tenant_of(const crypto::Digest& certificate) const;
    /// Whether it is worth while to wait for when_known().
    bool is_opening() const;
    /// Calls `done` when it is known which keys there are, or that it is not known.
    void when_known(store::Callback<void> done);
    /// Whether the key of this id (Principal::key_id) is good as far as is known, without a note of
    /// its use: for what was opened with it.
    bool is_good(const core::Uuid& id) const;
    /// Names of good keys of which a successor is due, as far as is known, in order. Also tells the
    /// metrics how many there are.
    std::vector<std::string> due() const;
    /// One request more with the key of this id. Nothing: it may go on, or the key is not known
    /// any more. Source: AUTH-28.
    std::optional<KeyExcess> take_turn(const core::Uuid& id);
    /// nullopt: the key of this id is not known any more.
    std::optional<Scope> scope_of(const core::Uuid& id) const;
    /// A request with this key was refused, for what it may not do or for its rate.
    void note_refusal(const core::Uuid& id);

    /// Writes down how keys were used, if any was since the last time; for the owner to call now
    /// and then. It is tried again with the next call.
    void store_uses(store::Callback<void> done);
    /// Takes in what others have changed. Done by itself, too.
    void follow(store::Callback<void> done);

  private:
    struct Body;
    explicit ApiKeys(std::shared_ptr<Body> body);
    std::shared_ptr<Body> body_;  ///< shared with what was begun
    std::jthread follower_;
};

}  // namespace zona::identity
