#include "identity/sessions/session_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/text.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "identity/detail/fields.h"
#include "identity/sessions/detail/news.h"
#include "identity/sessions/detail/stored_session.h"
#include "identity/tokens/signing_keys.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using detail::add_news;
using detail::sessions_of;
using detail::stored_from;
using detail::StoredSession;
using store::Collection;
using store::Filter;
using store::Query;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kFamilyBytes = 16;
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kTokenBytes = kIdBytes + kFamilyBytes + kRandomBytes;
constexpr std::size_t kTokenCharacters = 86;
constexpr std::size_t kMostClientText = 256;
constexpr std::size_t kMostCookie = 256;

/// A refresh token or a cookie taken apart.
struct RefreshToken {
    core::Uuid session;
    std::string family;  ///< the session's secret, in hashed form
    std::string whole;   ///< all of it, in hashed form
    std::string tenant;
};

std::string hash_of(std::string_view text) {
    return crypto::base64url(crypto::sha256(text));
}

std::optional<RefreshToken> parse_secret(std::string_view text, std::string_view prefix) {
    const std::size_t before = prefix.size();
    if (!text.starts_with(prefix) || text.size() < before + kTokenCharacters) return std::nullopt;
    auto bytes = crypto::from_base64url(text.substr(before, kTokenCharacters));
    if (!bytes || bytes->size() != kTokenBytes) return std::nullopt;
    std::string_view tenant = text.substr(before + kTokenCharacters);
    if (!tenant.empty()) {
        if (tenant.front() != '.') return std::nullopt;
        tenant.remove_prefix(1);
        if (!store::Scope::tenant(tenant)) return std::nullopt;
    }
    RefreshToken out{.session = {},
                     .family = hash_of(std::string_view(*bytes).substr(0, kIdBytes + kFamilyBytes)),
                     .whole = hash_of(text),
                     .tenant = std::string(tenant)};
    std::ranges::copy(std::string_view(*bytes).substr(0, kIdBytes), out.session.bytes.begin());
    crypto::wipe(std::as_writable_bytes(std::span(*bytes)));
    return out;
}

std::optional<RefreshToken> parse_refresh(std::string_view text) {
    return parse_secret(text, kRefreshPrefix);
}

std::optional<RefreshToken> parse_cookie(std::string_view text) {
    return parse_secret(text, kCookiePrefix);
}

/// The text of a refresh token or a cookie, with the session's secret of the token `before`, if
/// there is one, and else all of it new.
core::Secret new_secret(std::string_view prefix, const StoredSession& stored,
                        std::string_view before, const SessionChange& change) {
    std::array<std::byte, kTokenBytes> bytes{};
    change.random.fill(bytes);
    const auto id = std::as_bytes(std::span(stored.session.id.bytes));
    std::ranges::copy(id, bytes.begin());
    if (!before.empty()) {
        const auto old = crypto::from_base64url(before.substr(prefix.size(), kTokenCharacters));
        const std::string_view family =
            std::string_view(old.value()).substr(kIdBytes, kFamilyBytes);
        std::ranges::copy(std::as_bytes(std::span(family)), bytes.begin() + kIdBytes);
    }
    std::string text = std::string(prefix) + crypto::base64url(bytes);
    crypto::wipe(bytes);
    if (!stored.session.user.tenant.empty()) text += "." + stored.session.user.tenant;
    return core::Secret(std::move(text));
}

std::string cut(std::string_view text) {
    return core::to_valid_utf8(text.substr(0, kMostClientText));
}

Result<std::optional<StoredSession>> find_session(Reader& core, const std::string& tenant,
                                                  const core::Uuid& id) {
    ZONA_TRY(const Collection sessions, sessions_of(tenant));
    ZONA_TRY(const std::optional<Record> found, core.find(sessions, id.to_string()));
    if (!found) return std::optional<StoredSession>();
    ZONA_TRY(StoredSession stored, stored_from(*found));
    return std::optional(std::move(stored));
}

/// Only if nobody has changed it meanwhile.
Result<void> replace(Writer& core, const StoredSession& stored) {
    ZONA_TRY(const Collection sessions, sessions_of(stored.session.user.tenant));
    const store::Document document = detail::document_of(stored);
    auto replaced = core.replace(sessions, stored.session.id.to_string(), document, stored.version);
    if (!replaced) return replaced.take_error();
    return {};
}

Result<void> remove(Writer& core, const Session& session, const SessionChange& change) {
    ZONA_TRY(const Collection sessions, sessions_of(session.user.tenant));
    auto removed = core.remove(sessions, session.id.to_string());
    if (!removed) return removed.take_error();
    if (!change.tell_others) return {};
    return add_news(core, {.tenant = session.user.tenant, .user = {}, .session = session.id});
}

/// The session is used now.
void use(Session& session, const SessionChange& change) {
    session.last_used = change.now;
    session.idle_end = change.now + change.limits.idle;
}

/// Tokens anew for `stored`, which then knows them.
Issued issue(StoredSession& stored, std::string_view refresh_before, const SessionChange& change) {
    Session& session = stored.session;
    use(session, change);
    // As the token says it: in whole seconds.
    const SystemTime now = std::chrono::floor<std::chrono::seconds>(change.now);
    const auto life = std::min<std::chrono::nanoseconds>(change.limits.access, kLongestAccess);
    const SystemTime end = std::min(std::chrono::floor<std::chrono::seconds>(now + life),
                                    std::chrono::ceil<std::chrono::seconds>(session.absolute_end));
    AccessClaims access{.id = core::Uuid::v4(change.random),
                        .session = session.id,
                        .user_id = session.user.id,
                        .tenant = session.user.tenant,
                        .roles = session.roles,
                        .issued_at = now,
                        .expires_at = end};
    std::erase_if(stored.tokens, [&](const auto& one) { return one.second <= change.now; });
    if (stored.tokens.size() >= kMostTokensOfSession) stored.tokens.erase(stored.tokens.begin());
    stored.tokens.emplace_back(access.id, end);
    core::Secret refresh = new_secret(kRefreshPrefix, stored, refresh_before, change);
    stored.refresh = hash_of(refresh.reveal());
    stored.refresh_end = std::min(change.now + change.limits.refresh, session.absolute_end);
    return {.session = session,
            .access = std::move(access),
            .refresh = std::move(refresh),
            .refresh_end = stored.refresh_end,
            .ended = {}};
}

/// Those of one user that are not over, the oldest first.
Result<std::vector<Session>> sessions_of_user(Reader& core, const UserKey& user, SystemTime now) {
    return list_sessions(core, {.tenant = user.tenant, .user = user.id, .session = {}}, now);
}

Query query_of(const SessionSelection& which) {
    if (which.user) return {.filter = Filter::eq("user", *which.user), .sort = {}};
    return {.walk = store::Walk::kAllow};
}

/// How a known session ends a refresh; nullopt: it does not.
std::optional<Refreshed::Outcome> refusal(const StoredSession& stored, const RefreshToken& token,
                                          const Client& client, SystemTime now) {
    using Outcome = Refreshed::Outcome;
    if (now >= stored.session.end() || now >= stored.refresh_end) return Outcome::kExpired;
    if (crypto::same_bytes(stored.refresh, token.whole)) return std::nullopt;
    const bool is_repeated = crypto::same_bytes(stored.previous, token.whole) &&
                             now < stored.refreshed + kRefreshGrace &&
                             client == stored.session.client;
    if (is_repeated) return std::nullopt;
    return Outcome::kReused;
}

/// The session goes on with another refresh token.
Result<Issued> renew(Writer& core, StoredSession& stored, std::string_view text,
                     const RefreshToken& token, const SessionChange& change) {
    if (stored.refresh == token.whole) {
        stored.previous = stored.refresh;
        stored.refreshed = change.now;
    } else if (!stored.tokens.empty()) {
        stored.tokens.pop_back();  // that of the answer that was lost
    }
    ++stored.session.generation;
    Issued out = issue(stored, text, change);
    ZONA_TRY_VOID(replace(core, stored));
    return out;
}

/// A session that is not stored yet.
struct Begun {
    StoredSession stored;
    std::vector<Session> ended;  ///< for want of places
};

/// What all sessions have in common.
Result<Begun> begin(Writer& core, const NewSession& wanted, const FindUser& find_user,
                    const SessionChange& change) {
    ZONA_TRY(std::optional<UserNow> user, find_user(core, wanted.user));
    if (!user) {
        return Error(Code::kUnauthenticated,
                     "the user was changed while they signed in, and may not any more");
    }
    ZONA_TRY(std::vector<Session> others, sessions_of_user(core, wanted.user, change.now));
    const std::size_t most = change.limits.per_user;
    std::vector<Session> ended;
    if (most > 0 && others.size() >= most) {
        if (change.limits.over == OverLimit::kRefuse) {
            return Error(Code::kTooManyRequests,
                         fmt::format("there are {} sessions of this user, and no more are allowed",
                                     others.size()))
                .detail({"", "", "end one of them, or wait until one is over"});
        }
        others.resize(others.size() - most + 1);
        ended = std::move(others);
    }
    for (const Session& one : ended)
        ZONA_TRY_VOID(remove(core, one, change));

    StoredSession stored;
    stored.session = {.id = core::Uuid::v4(change.random),
                      .user = wanted.user,
                      .name = std::move(user->name),
                      .roles = std::move(user->roles),
                      .method = wanted.method,
                      .client = {.address = cut(wanted.client.address),
                                 .user_agent = cut(wanted.client.user_agent)},
                      .made = change.now,
                      .absolute_end = change.now + change.limits.absolute};
    stored.refreshed = change.now;
    return Begun{.stored = std::move(stored), .ended = std::move(ended)};
}

Result<void> insert(Writer& core, const StoredSession& stored) {
    ZONA_TRY(const Collection sessions, sessions_of(stored.session.user.tenant));
    auto inserted =
        core.insert(sessions, stored.session.id.to_string(), detail::document_of(stored));
    if (!inserted) return inserted.take_error();
    return {};
}

}  // namespace

Result<Issued> begin_session(Writer& core, const NewSession& wanted, const FindUser& find_user,
                             const SessionChange& change) {
    ZONA_TRY(Begun begun, begin(core, wanted, find_user, change));
    StoredSession& stored = begun.stored;
    Issued out = issue(stored, {}, change);
    stored.family = parse_refresh(out.refresh.reveal())->family;
    out.ended = std::move(begun.ended);
    ZONA_TRY_VOID(insert(core, stored));
    return out;
}

Result<IssuedCookie> begin_browser_session(Writer& core, const NewSession& wanted,
                                           const FindUser& find_user, const SessionChange& change) {
    ZONA_TRY(Begun begun, begin(core, wanted, find_user, change));
    StoredSession& stored = begun.stored;
    use(stored.session, change);
    core::Secret cookie = new_secret(kCookiePrefix, stored, {}, change);
    const RefreshToken parts = parse_cookie(cookie.reveal()).value();
    stored.family = parts.family;
    stored.refresh = parts.whole;
    stored.refresh_end = stored.session.absolute_end;
    ZONA_TRY_VOID(insert(core, stored));
    return IssuedCookie{
        .begun = {.cookie = std::move(cookie), .session = std::move(stored.session)},
        .ended = std::move(begun.ended)};
}

Result<Refreshed> refresh_session(Writer& core, std::string_view text, const Client& client,
                                  const FindUser& find_user, const SessionChange& change) {
    using Outcome = Refreshed::Outcome;
    const auto token = parse_refresh(text);
    if (!token) return Refreshed{.outcome = Outcome::kMalformed, .issued = {}, .session = {}};
    ZONA_TRY(std::optional<StoredSession> stored,
             find_session(core, token->tenant, token->session));
    // Without its secret somebody has guessed, and the session is none of their business.
    if (!stored || !crypto::same_bytes(stored->family, token->family))
        return Refreshed{.outcome = Outcome::kUnknown, .issued = {}, .session = {}};

    Refreshed out{.outcome = Outcome::kRenewed, .issued = {}, .session = stored->session};
    const Client shown{.address = cut(client.address), .user_agent = cut(client.user_agent)};
    if (const auto refused = refusal(*stored, *token, shown, change.now)) {
        out.outcome = *refused;
    } else {
        ZONA_TRY(std::optional<UserNow> user, find_user(core, stored->session.user));
        if (user) {
            stored->session.name = std::move(user->name);
            stored->session.roles = std::move(user->roles);
            stored->session.client = shown;
            ZONA_TRY(out.issued, renew(core, *stored, text, *token, change));
            return out;
        }
        out.outcome = Outcome::kUnknown;
    }
    ZONA_TRY_VOID(remove(core, stored->session, change));
    return out;
}

Result<std::optional<StoredToken>> find_token(Reader& core, const AccessClaims& claims) {
    ZONA_TRY(std::optional<StoredSession> stored,
             find_session(core, claims.tenant, claims.session));
    if (!stored || stored->session.user.id != claims.user_id) return std::optional<StoredToken>();
    const auto token = std::ranges::find_if(
        stored->tokens, [&](const auto& one) { return one.first == claims.id; });
    if (token == stored->tokens.end()) return std::optional<StoredToken>();
    const SystemTime end = std::min(token->second, stored->session.end());
    return std::optional(StoredToken{.session = std::move(stored->session), .end = end});
}

bool is_cookie_shaped(std::string_view text) {
    return text.starts_with(kCookiePrefix) && text.size() <= kMostCookie;
}

Result<std::optional<StoredToken>> find_cookie_session(Reader& core, std::string_view cookie) {
    const auto parts = parse_cookie(cookie);
    if (!parts) return std::optional<StoredToken>();
    ZONA_TRY(std::optional<StoredSession> stored,
             find_session(core, parts->tenant, parts->session));
    // Of a refresh token with the same bytes the hash is another one.
    if (!stored || !crypto::same_bytes(stored->refresh, parts->whole))
        return std::optional<StoredToken>();
    const SystemTime end = stored->session.end();
    return std::optional(StoredToken{.session = std::move(stored->session), .end = end});
}

Result<bool> remove_cookie_session(Writer& core, std::string_view cookie, SystemTime now) {
    ZONA_TRY(const std::optional<StoredToken> found, find_cookie_session(core, cookie));
    if (!found || !found->is_over(now)) return false;
    // Others find out that it is over by themselves: no news.
    ZONA_TRY(const Collection sessions, sessions_of(found->session.user.tenant));
    return core.remove(sessions, found->session.id.to_string());
}

Result<bool> remove_token(Writer& core, const AccessClaims& claims, SystemTime now) {
    ZONA_TRY(std::optional<StoredSession> stored,
             find_session(core, claims.tenant, claims.session));
    if (!stored) return false;
    const std::size_t removed =
        std::erase_if(stored->tokens, [&](const auto& one) { return one.first == claims.id; });
    if (removed == 0) return false;
    if (now < stored->session.end()) {
        ZONA_TRY_VOID(replace(core, *stored));
        return true;
    }
    // Others find out that it is over by themselves: no news.
    ZONA_TRY(const Collection sessions, sessions_of(claims.tenant));
    return core.remove(sessions, claims.session.to_string());
}

Result<void> touch_session(Writer& core, const std::string& tenant, const core::Uuid& id,
                           const SessionChange& change) {
    ZONA_TRY(std::optional<StoredSession> stored, find_session(core, tenant, id));
    if (!stored || change.now >= stored->session.end()) return {};
    Session& session = stored->session;
    session.last_used = std::max(session.last_used, change.now);
    session.idle_end = std::max(session.idle_end, change.now + change.limits.idle);
    return replace(core, *stored);
}

Result<Session> move_session_end(Writer& core, const std::string& tenant, const core::Uuid& id,
                                 SystemTime end, const SessionChange& change) {
    ZONA_TRY(std::optional<StoredSession> stored, find_session(core, tenant, id));
    if (!stored || change.now >= stored->session.end())
        return Error(Code::kNotFound, fmt::format("there is no session {}", id.to_string()));
    Session& session = stored->session;
    session.absolute_end = std::min(end, session.made + change.limits.absolute);
    if (session.absolute_end <= change.now) {
        ZONA_TRY_VOID(remove(core, session, change));
        return std::move(session);
    }
    stored->refresh_end = std::min(stored->refresh_end, session.absolute_end);
    ZONA_TRY_VOID(replace(core, *stored));
    if (change.tell_others)
        ZONA_TRY_VOID(add_news(core, {.tenant = tenant, .user = {}, .session = id}));
    return std::move(session);
}

Result<std::vector<Session>> end_sessions(Writer& core, const SessionSelection& which,
                                          const SessionChange& change) {
    ZONA_TRY(std::vector<Session> ended, list_sessions(core, which, change.now));
    ZONA_TRY(const Collection sessions, sessions_of(which.tenant));
    for (const Session& one : ended) {
        auto removed = core.remove(sessions, one.id.to_string());
        if (!removed) return removed.take_error();
    }
    if (change.tell_others && !ended.empty()) ZONA_TRY_VOID(add_news(core, which));
    return ended;
}

Result<std::vector<Session>> list_sessions(Reader& core, const SessionSelection& which,
                                           SystemTime now) {
    std::vector<Session> out;
    const auto take = [&](StoredSession stored) {
        if (now < stored.session.end() && out.size() < kMostSessionsAtOnce)
            out.push_back(std::move(stored.session));
    };
    if (which.session) {
        ZONA_TRY(std::optional<StoredSession> stored,
                 find_session(core, which.tenant, *which.session));
        if (stored && (!which.user || *which.user == stored->session.user.id))
            take(std::move(*stored));
        return out;
    }
    ZONA_TRY(const Collection sessions, sessions_of(which.tenant));
    store::PageRequest request{.limit = kMostSessionsAtOnce, .token = {}};
    do {
        ZONA_TRY(store::Page page, core.find_page(sessions, query_of(which), request));
        for (const Record& record : page.records) {
            ZONA_TRY(StoredSession stored, stored_from(record));
            take(std::move(stored));
        }
        request.token = std::move(page.next);
    } while (!request.token.empty() && out.size() < kMostSessionsAtOnce);
    return out;
}

Result<std::uint64_t> remove_over_sessions(Writer& core, const std::string& tenant,
                                           SystemTime now) {
    ZONA_TRY(const Collection sessions, sessions_of(tenant));
    const Query over{.filter = Filter::lte("ends", detail::to_field(now)), .sort = {}};
    return core.remove_many(sessions, over);
}

}  // namespace zona::identity
