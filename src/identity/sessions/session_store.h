/// @file
/// The session store: sessions as documents of the core database, each in the scope of its user's
/// tenant. It is authoritative; everything else is a memory of it. The functions are called within
/// transactions; what is told to other instances is written in the same one.
///
/// A session holds which access tokens are good (their ids and ends) and the hash of its one good
/// refresh token. That is "zona_refresh_" and base64url of the session's id, a secret of the
/// session's and 256 random bits, then a dot and the tenant's code, if there is one. Whoever shows
/// the session's secret with other bits than the last ones has, or had, a token that was used
/// already: its session ends, for nobody knows which of the two is the thief. Who only knows the
/// session's id cannot end it.
///
/// **A repeated refresh.** An answer can be lost, and a client then shows its old token again.
/// Within kRefreshGrace it is renewed once more if it comes from the same address and program, and
/// what the lost answer held is good no more: there is one good refresh token at any moment, and of
/// two who hold the same one the second to come back ends the session, with the grace as without
/// it.
///
/// **A session in a cookie** has no tokens. Its cookie is of the same make as a refresh token,
/// beginning with kCookiePrefix, and stays the same: it is good as long as the session. Browsers
/// ask several things at once, so one that changed would end sessions of the innocent; that scripts
/// cannot read it takes the place of its rotation. Source: AUTH-17, AUTH-19, AUTH-21..AUTH-23,
/// SEC-13, RFC 9700 section 4.14.2.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/news.h"
#include "identity/sessions/session.h"
#include "identity/tokens/access_token.h"

namespace zona::identity {

/// What every refresh token begins with, so that scanners for leaked secrets can find it.
inline constexpr std::string_view kRefreshPrefix = "zona_refresh_";
/// What every session's cookie begins with.
inline constexpr std::string_view kCookiePrefix = "zona_session_";
/// See "A repeated refresh".
inline constexpr std::chrono::seconds kRefreshGrace{10};
/// Access tokens of one session that are good at one time; an older one is forgotten.
inline constexpr std::size_t kMostTokensOfSession = 8;

/// `sessions`: by id.
const store::CollectionSpec& sessions_spec();
/// `session_news`: what instances have to forget, by number; in the core's scope.
const store::CollectionSpec& session_news_spec();
/// Both, and those of signing keys: for the core database.
std::vector<const store::CollectionSpec*> session_collections();

/// How a change of sessions is made.
struct SessionChange {
    core::Random& random;  ///< fit for keys, any thread
    SessionLimits limits;
    core::SystemTime now;
    bool tell_others = false;  ///< other instances use the database
};

/// A session whose tokens are to be written: the access token's claims, and the refresh token.
struct Issued {
    Session session;
    AccessClaims access;
    core::Secret refresh;
    core::SystemTime refresh_end;
    std::vector<Session> ended;  ///< others of the user, for want of places
};

/// Begins one. Errors: kUnauthenticated: since it was found out who the user is they were changed,
/// and may have none; those of `find_user`; kTooManyRequests: the user has as many as they may, and
/// OverLimit says no.
core::Result<Issued> begin_session(store::Writer& core, const NewSession& wanted,
                                   const FindUser& find_user, const SessionChange& change);

/// A session that has begun in a cookie.
struct IssuedCookie {
    BrowserSession begun;
    std::vector<Session> ended;  ///< as Issued::ended
};
/// Begins one in a cookie. Errors: those of begin_session().
core::Result<IssuedCookie> begin_browser_session(store::Writer& core, const NewSession& wanted,
                                                 const FindUser& find_user,
                                                 const SessionChange& change);

/// What became of a refresh.
struct Refreshed {
    /// Which of these.
    enum class Outcome : std::uint8_t {
        kRenewed,
        kMalformed,  ///< no refresh token of ours
        kUnknown,    ///< no such session, or the user may have none any more
        kExpired,    ///< it had ended by time
        kReused,     ///< the token was used before: the session is ended
    };
    Outcome outcome = Outcome::kUnknown;
    std::optional<Issued> issued;    ///< of kRenewed
    std::optional<Session> session;  ///< that of the token, if there was one
};
/// Renews the session of a refresh token; all but kRenewed and kMalformed end it. Errors: those of
/// `find_user`, and the token stays good.
core::Result<Refreshed> refresh_session(store::Writer& core, std::string_view token,
                                        const Client& client, const FindUser& find_user,
                                        const SessionChange& change);

/// An access token as the store knows it.
struct StoredToken {
    Session session;
    core::SystemTime end;  ///< of the token or the session, whichever is first

    /// Whether it is good no more.
    bool is_over(core::SystemTime now) const { return now >= end; }
};
/// The token of these claims; nullopt: no such session, or it does not know the token.
core::Result<std::optional<StoredToken>> find_token(store::Reader& core,
                                                    const AccessClaims& claims);
/// Whether a text begins as a session's cookie and is not too long for one. Waits for nothing.
bool is_cookie_shaped(std::string_view text);
/// The session of a cookie, which is good as long as that; nullopt: there is none.
core::Result<std::optional<StoredToken>> find_cookie_session(store::Reader& core,
                                                             std::string_view cookie);
/// Takes the session of a cookie out if it is over. False: it is not, or there is none.
core::Result<bool> remove_cookie_session(store::Writer& core, std::string_view cookie,
                                         core::SystemTime now);
/// Takes a token that is over out, and its session if that is. False: it was out already, so
/// whoever uses it for the second time learns that it is unknown.
core::Result<bool> remove_token(store::Writer& core, const AccessClaims& claims,
                                core::SystemTime now);

/// The session was used: it is idle from now on. Nothing, if it has ended.
core::Result<void> touch_session(store::Writer& core, const std::string& tenant,
                                 const core::Uuid& id, const SessionChange& change);
/// Moves the absolute end, to `absolute` after the beginning at the latest. A moment that has
/// passed ends it. Errors: kNotFound. Source: AUTH-15, GAP-13.
core::Result<Session> move_session_end(store::Writer& core, const std::string& tenant,
                                       const core::Uuid& id, core::SystemTime end,
                                       const SessionChange& change);

/// Which sessions.
struct SessionSelection {
    std::string tenant;  ///< by code; empty: those of Super Admins
    std::optional<std::int64_t> user;
    std::optional<core::Uuid> session;
};
/// Sessions that are ended or listed at one time.
inline constexpr std::size_t kMostSessionsAtOnce = 1000;
/// Ends them, and gives those that were not over. With kMostSessionsAtOnce there may be more: then
/// it is to be called again.
core::Result<std::vector<Session>> end_sessions(store::Writer& core, const SessionSelection& which,
                                                const SessionChange& change);
/// Those that are not over, the oldest first, kMostSessionsAtOnce at most.
core::Result<std::vector<Session>> list_sessions(store::Reader& core, const SessionSelection& which,
                                                 core::SystemTime now);
/// Takes out those of a tenant that are over, and says how many. Source: BG-03.
core::Result<std::uint64_t> remove_over_sessions(store::Writer& core, const std::string& tenant,
                                                 core::SystemTime now);

/// The number of the newest news; 0: there are none.
core::Result<std::int64_t> newest_news(store::Reader& core);
/// What has to be forgotten.
struct News {
    std::int64_t newest = 0;
    bool has_gap = false;  ///< some are gone: all has to be forgotten
    std::vector<SessionSelection> forget;
};
/// Those behind `known`.
core::Result<News> news_after(store::Reader& core, std::int64_t known);

}  // namespace zona::identity
