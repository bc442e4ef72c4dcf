/// @file
/// Sessions: the tokens of users, from sign-in to sign-out. What checks requests asks verify().
///
/// verify() goes by this order, and its first step that fails says why:
///
/// | Step | Fails with |
/// | --- | --- |
/// | the form of the text | kInvalidToken |
/// | the token map: a token that is in it and not over is good, without a signature | |
/// | its signature, its issuer and audience, and that it is not of the future; the cookie of a session (begin_in_browser()) has none | kInvalidToken |
/// | the session store: it has the session, which knows the token | kUnknownToken |
/// | the ends of the token and of the session, as stored | kTokenExpired, once: then it is out of both and kUnknownToken |
///
/// **Several instances** on one core database: what one ends is written as news with it; who has
/// tokens in its map reads them every kFollowPause and forgets, so it is refused everywhere within
/// a second. Who could not look for kFollowTrust believes its map no more. With an empty map
/// nothing is read, and without a shared database never.
///
/// What happens to sessions is logged by the logger given, and counted. Any thread. Answers come on
/// the caller's thread where nothing has to be read, else on one of the database's. Source:
/// AUTH-04..AUTH-06, AUTH-14..AUTH-25, AUTH-41, BG-03, GAP-11, GAP-13, docs/adr/0016.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/log.h"
#include "core/metrics.h"
#include "identity/principal.h"
#include "identity/sessions/session_store.h"
#include "identity/sessions/token_map.h"
#include "identity/tokens/signing_keys.h"

namespace zona::identity {

/// How they are made.
struct SessionOptions {
    SessionLimits limits;
    TokenParties parties{.issuer = "zona", .audience = "zona"};
    std::size_t map_capacity = 65'536;
    bool is_shared = false;  ///< other instances use the core database
    std::chrono::milliseconds follow_pause = kFollowPause;  ///< 0: nothing is followed by itself
};

/// What they work with; all outlive every answer.
struct SessionDeps {
    std::shared_ptr<store::Database> core;  ///< opened with session_collections()
    std::shared_ptr<SigningKeys> keys;
    const core::Clock& clock;
    core::Random& random;  ///< fit for keys, any thread
    core::Logger log;      ///< of the category "security"
    core::MetricRegistry& metrics;
    FindUser find_user;
    /// Told when clean() has something to do, and again each time there is more. Any thread; must
    /// not call back. May be empty.
    std::function<void()> kept{};
};

/// See the file comment.
class Sessions : public std::enable_shared_from_this<Sessions> {
  public:
    /// Reads nothing yet. Its thread, by which it follows other instances, begins with the first
    /// token that is found good.
    static std::shared_ptr<Sessions> make(SessionOptions options, SessionDeps deps);
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;
    ~Sessions();

    /// Who presents this token or cookie, by the order above. For a token of the map the answer is
    /// there before this returns, without waiting for anything. Errors besides those: kUnavailable
    /// and others of the database, when the token cannot be looked up.
    void verify(std::string_view token, store::Callback<Principal> done);
    /// Who presents a token of the map; null: verify() has to be asked. Waits for nothing.
    std::shared_ptr<const Principal> find_known(std::string_view token);
    /// verify(), awaited; for a token of the map without a change of threads.
    boost::asio::awaitable<core::Result<Principal>> async_verify(std::string_view token);

    /// Begins a session. Errors: those of begin_session() and of the database.
    void begin(NewSession wanted, store::Callback<Tokens> done);
    /// Begins one in a cookie, without tokens. Errors: as begin(). Source: SEC-13.
    void begin_in_browser(NewSession wanted, store::Callback<BrowserSession> done);
    /// New tokens for a refresh token, which is used up. Errors: kInvalidToken: it is none;
    /// kUnknownToken: there is no such session, its user may have none any more, or the token was
    /// used before: then its session is ended; kTokenExpired: it had ended by time.
    void refresh(core::Secret token, Client client, store::Callback<Tokens> done);
    /// Moves a session's end. Errors: those of move_session_end().
    void move_end(const std::string& tenant, const core::Uuid& session, core::SystemTime end,
                  store::Callback<Session> done);
    /// Ends sessions, here before the answer, elsewhere within a second; says how many there were.
    /// `reason` is for the log: "signed out", "password changed".
    void end(SessionSelection which, std::string reason, store::Callback<std::size_t> done);
    /// As list_sessions().
    void list(SessionSelection which, store::Callback<std::vector<Session>> done);

    /// Takes sessions that are over out of the store: those of Super Admins, and of these tenants.
    /// For a job.
    void remove_over(std::vector<std::string> tenants, store::Callback<std::uint64_t> done);
    /// Whether clean() has anything to look at. Any thread.
    bool has_tokens() const { return map_.size() > 0; }
    /// Takes tokens that are over out of the map. To be called every now and then. Source: BG-03.
    void clean();
    /// Takes in what other instances have ended; nothing unless the database is shared and the map
    /// holds something, or while it is being done. Done by itself, too.
    void follow(store::Callback<void> done);

    const std::shared_ptr<SigningKeys>& keys() const { return deps_.keys; }
    std::size_t known_tokens() const { return map_.size(); }

  private:
    struct Counters;
    struct Pace;
    struct Asked;
    using Question = std::shared_ptr<Asked>;

    Sessions(SessionOptions options, SessionDeps deps);
    SessionChange change() const;
    bool is_trusted() const;
    std::shared_ptr<const Principal> recall(const TokenMap::Key& key);
    void check_signature(const Question& asked);
    void check_claims(const Question& asked, const VerificationKey& key);
    void check_store(const Question& asked);
    static core::Result<std::optional<StoredToken>> find(store::Reader& core, const Asked& asked);
    void accept(const Question& asked, const StoredToken& token, std::int64_t news);
    void expire(const Question& asked, const Session& session);
    void refuse(const Question& asked, core::Error error);
    void keep(const Asked& asked, TokenMap::Known known, std::int64_t news);
    void touch(const std::string& tenant, const core::Uuid& session);
    void forget(const SessionSelection& which);
    void take_in(const News& news, core::SteadyTime asked);
    void log_begin(const Session& session);
    void end_for_places(const std::vector<Session>& ended);
    core::Result<Tokens> tokens_of(Issued issued, const SigningKey& signer);
    core::Result<Tokens> renewed(Refreshed answer, const SigningKey& signer);
    void log_end(const Session& session, std::string_view reason);
    void end_some(SessionSelection which, std::string reason, std::size_t before,
                  store::Callback<std::size_t> done);
    void remove_over_of(std::vector<std::string> tenants, std::uint64_t before,
                        store::Callback<std::uint64_t> done);
    void rest_if_empty();
    static void work_until(const std::stop_token& stop, const std::weak_ptr<Sessions>& weak,
                           Pace& pace);

    /// Writes, again when another change was quicker.
    template <class Body>
    void write(Body body, store::Callback<store::AnswerOf<Body, store::Writer>> done);
    template <class Body, class Done>
    void try_write(std::shared_ptr<Body> body, std::shared_ptr<Done> done, int tries);

    const SessionOptions options_;
    const SessionDeps deps_;
    const std::unique_ptr<Counters> counters_;
    TokenMap map_;
    std::atomic<core::SteadyTime> followed_{};
    std::atomic<bool> following_ = false;
    std::atomic<bool> is_blind_ = false;  ///< the last look has failed
    /// Outlives this for the worker, which may be the last to let go of it.
    const std::shared_ptr<Pace> pace_;
    std::jthread worker_;  // guarded by pace_; last: it uses the others
};

}  // namespace zona::identity
