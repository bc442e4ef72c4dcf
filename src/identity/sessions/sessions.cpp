#include "identity/sessions/sessions.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "core/time_format.h"
#include "identity/tokens/jws.h"
#include "store/coroutine.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;
using store::Reader;
using store::Writer;

namespace {

/// Of a change that others were quicker than.
constexpr int kMostTries = 5;
/// The idle time is known as exactly as this part of it.
constexpr int kTouches = 20;
constexpr std::chrono::nanoseconds kLongestTouch = std::chrono::minutes(1);

core::Counter& failure(core::MetricRegistry& metrics, const char* reason) {
    return metrics.counter("zona_token_failures_total", "Tokens that were not taken.",
                           {{"reason", reason}});
}

bool meets(const SessionSelection& which, const Principal& who) {
    return who.tenant == which.tenant && (!which.user || who.user_id == *which.user) &&
           (!which.session || who.session == *which.session);
}

Principal principal_of(const Session& session) {
    return {.kind = Principal::Kind::kUser,
            .name = session.name,
            .tenant = session.user.tenant,
            .user_id = session.user.id,
            .session = session.id,
            .second_factor = session.method.ends_with(kSecondFactorSuffix),
            .roles = session.roles};
}

Error unknown_token() {
    return {Code::kUnknownToken, "the session of this token has ended, or there was none"};
}

Error expired_token() {
    return {Code::kTokenExpired, "the time of this token or of its session is over"};
}

}  // namespace

struct Sessions::Counters {
    explicit Counters(core::MetricRegistry& metrics)
        : invalid(failure(metrics, "invalid")),
          unknown(failure(metrics, "unknown")),
          expired(failure(metrics, "expired")),
          reused(failure(metrics, "reused")),
          unavailable(failure(metrics, "unavailable")),
          by_map(metrics.counter("zona_token_checks_total", "Tokens that were taken.",
                                 {{"by", "map"}})),
          by_store(metrics.counter("zona_token_checks_total", "Tokens that were taken.",
                                   {{"by", "store"}})),
          begun(metrics.counter("zona_sessions_begun_total", "Sessions that have begun.")),
          ended(metrics.counter("zona_sessions_ended_total",
                                "Sessions that were ended before their time.")),
          renewed(
              metrics.counter("zona_sessions_renewed_total", "Refresh tokens that were taken.")),
          known(metrics.gauge("zona_known_tokens", "Access tokens in the token map.")) {}

    core::Counter& invalid;
    core::Counter& unknown;
    core::Counter& expired;
    core::Counter& reused;
    core::Counter& unavailable;
    core::Counter& by_map;
    core::Counter& by_store;
    core::Counter& begun;
    core::Counter& ended;
    core::Counter& renewed;
    core::Gauge& known;
};

struct Sessions::Pace {
    std::mutex mutex;
    std::condition_variable_any wake;
    // Guarded by mutex.
    bool has_tokens = false;
    /// The newest news that the map knows of; none: it is empty, or the database is not shared.
    std::optional<std::int64_t> news;
};

/// One token that somebody asks about.
struct Sessions::Asked {
    std::string token;
    TokenMap::Key key;
    store::Callback<Principal> done;
    core::SteadyTime started;
    std::uint64_t epoch = 0;
    std::optional<Jws> jws{};
    AccessClaims claims{};  ///< of a token; of a cookie nothing

    bool is_cookie() const { return is_cookie_shaped(token); }
};

std::shared_ptr<Sessions> Sessions::make(SessionOptions options, SessionDeps deps) {
    return std::shared_ptr<Sessions>(new Sessions(std::move(options), std::move(deps)));
}

Sessions::Sessions(SessionOptions options, SessionDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      counters_(std::make_unique<Counters>(deps_.metrics)),
      map_({.capacity = options_.map_capacity,
            .idle = options_.limits.idle,
            .touch = std::min<std::chrono::nanoseconds>(options_.limits.idle / kTouches,
                                                        kLongestTouch)}),
      pace_(std::make_shared<Pace>()) {}

Sessions::~Sessions() {
    worker_.request_stop();
    if (worker_.get_id() == std::this_thread::get_id()) worker_.detach();
}

SessionChange Sessions::change() const {
    return {.random = deps_.random,
            .limits = options_.limits,
            .now = deps_.clock.system(),
            .tell_others = options_.is_shared};
}

template <class Body>
void Sessions::write(Body body, store::Callback<store::AnswerOf<Body, Writer>> done) {
    using Done = store::Callback<store::AnswerOf<Body, Writer>>;
    try_write(std::make_shared<Body>(std::move(body)), std::make_shared<Done>(std::move(done)),
              kMostTries);
}

template <class Body, class Done>
void Sessions::try_write(std::shared_ptr<Body> body, std::shared_ptr<Done> done, int tries) {
    store::write(
        *deps_.core, [body](Writer& writer) { return (*body)(writer); },
        [self = shared_from_this(), body, done, tries](auto answer) {
            if (!answer && answer.error().code() == Code::kConflict && tries > 1)
                return self->try_write(body, done, tries - 1);
            (*done)(std::move(answer));
        });
}

bool Sessions::is_trusted() const {
    return !options_.is_shared || deps_.clock.steady() - followed_.load() <= kFollowTrust;
}

std::shared_ptr<const Principal> Sessions::find_known(std::string_view token) {
    const bool is_shaped = is_token_shaped(token) || is_cookie_shaped(token);
    return is_shaped ? recall(TokenMap::key_of(token)) : nullptr;
}

std::shared_ptr<const Principal> Sessions::recall(const TokenMap::Key& key) {
    if (!is_trusted()) return nullptr;
    auto hit = map_.use(key, deps_.clock.system());
    if (!hit) return nullptr;
    if (hit->touch) touch(hit->who->tenant, hit->who->session);
    counters_->by_map.add();
    return std::move(hit->who);
}

void Sessions::verify(std::string_view token, store::Callback<Principal> done) {
    auto asked = std::make_shared<Asked>();
    asked->done = std::move(done);
    const bool is_cookie = is_cookie_shaped(token);
    if (!is_cookie && !is_token_shaped(token))
        return refuse(asked, Error(Code::kInvalidToken, "this is no token"));
    asked->key = TokenMap::key_of(token);
    if (const auto who = recall(asked->key)) return asked->done(*who);
    asked->token = token;
    asked->started = deps_.clock.steady();
    asked->epoch = map_.epoch();
    if (is_cookie) return check_store(asked);
    check_signature(asked);
}

boost::asio::awaitable<Result<Principal>> Sessions::async_verify(std::string_view token) {
    if (const auto who = find_known(token)) co_return *who;
    auto start = [self = shared_from_this(), token](store::Callback<Principal> done) {
        self->verify(token, std::move(done));
    };
    co_return co_await store::await_answer<Principal>(std::move(start));
}

void Sessions::check_signature(const Question& asked) {
    auto jws = Jws::parse(asked->token);
    if (!jws) return refuse(asked, jws.take_error());
    asked->jws = std::move(*jws);
    const std::string& id = asked->jws->key_id();
    if (const auto key = deps_.keys->find(id)) return check_claims(asked, *key);
    deps_.keys->look_up(
        id, [self = shared_from_this(), asked](Result<SigningKeys::Verifier> found) {
            if (!found) return self->refuse(asked, found.take_error());
            if (*found) return self->check_claims(asked, **found);
            self->refuse(asked, Error(Code::kInvalidToken,
                                      "the token is not valid: its key is not one of ours"));
        });
}

void Sessions::check_claims(const Question& asked, const VerificationKey& key) {
    auto claims = read_access_token(*asked->jws, key, options_.parties, deps_.clock.system());
    if (!claims) return refuse(asked, claims.take_error());
    asked->claims = std::move(*claims);
    check_store(asked);
}

void Sessions::check_store(const Question& asked) {
    using Found = std::pair<std::optional<StoredToken>, std::int64_t>;
    const bool is_shared = options_.is_shared;
    store::read(
        *deps_.core,
        [asked, is_shared](Reader& reader) -> Result<Found> {
            // Of one moment with the session: what comes later is read as news.
            ZONA_TRY(const std::int64_t news,
                     is_shared ? newest_news(reader) : Result<std::int64_t>(0));
            ZONA_TRY(std::optional<StoredToken> token, find(reader, *asked));
            return Found(std::move(token), news);
        },
        [self = shared_from_this(), asked](Result<Found> answer) {
            if (!answer) return self->refuse(asked, answer.take_error());
            const auto& [token, news] = *answer;
            if (!token) return self->refuse(asked, unknown_token());
            if (token->is_over(self->deps_.clock.system()))
                return self->expire(asked, token->session);
            self->accept(asked, *token, news);
        });
}

Result<std::optional<StoredToken>> Sessions::find(Reader& core, const Asked& asked) {
    if (asked.is_cookie()) return find_cookie_session(core, asked.token);
    return find_token(core, asked.claims);
}

void Sessions::accept(const Question& asked, const StoredToken& token, std::int64_t news) {
    const Session& session = token.session;
    const core::SystemTime now = deps_.clock.system();
    auto who = std::make_shared<const Principal>(principal_of(session));
    core::SystemTime last_used = session.last_used;
    if (now - last_used >=
        std::min<std::chrono::nanoseconds>(options_.limits.idle / kTouches, kLongestTouch)) {
        touch(session.user.tenant, session.id);
        last_used = now;
    }
    // The idle end moves with each use, which the map sees itself.
    const auto end = asked->is_cookie() ? session.absolute_end
                                        : std::min(asked->claims.expires_at, session.absolute_end);
    keep(*asked, {.who = who, .end = end, .last_used = last_used}, news);
    counters_->by_store.add();
    asked->done(*who);
}

/// Before others can ask for it: what a snapshot does not know is either read as news later, or was
/// taken in before, and then nothing is kept.
void Sessions::keep(const Asked& asked, TokenMap::Known known, std::int64_t news) {
    const std::lock_guard lock(pace_->mutex);
    if (options_.is_shared) {
        if (!pace_->news) {
            pace_->news = news;
            followed_ = asked.started;
        }
        if (news < *pace_->news) return;
    }
    if (!map_.keep(asked.key, std::move(known), deps_.clock.system(), asked.epoch)) return;
    counters_->known.set(static_cast<double>(map_.size()));
    if (deps_.kept) deps_.kept();
    pace_->has_tokens = true;
    pace_->wake.notify_all();
    const bool follows = options_.is_shared && options_.follow_pause.count() > 0;
    if (!follows || worker_.joinable()) return;
    worker_ = std::jthread([weak = weak_from_this(), pace = pace_](const std::stop_token& stop) {
        work_until(stop, weak, *pace);
    });
}

void Sessions::expire(const Question& asked, const Session& session) {
    write(
        [asked, now = deps_.clock.system()](Writer& writer) {
            return asked->is_cookie() ? remove_cookie_session(writer, asked->token, now)
                                      : remove_token(writer, asked->claims, now);
        },
        [self = shared_from_this(), asked, user = session.user,
         session = session.id](Result<bool> removed) {
            if (!removed) return self->refuse(asked, removed.take_error());
            if (!*removed) return self->refuse(asked, unknown_token());
            self->deps_.log.info(
                "a token is over",
                {{"tenant", user.tenant}, {"user", user.id}, {"session", session.to_string()}});
            self->refuse(asked, expired_token());
        });
}

void Sessions::refuse(const Question& asked, Error error) {
    switch (error.code()) {
        case Code::kInvalidToken:
            counters_->invalid.add();
            break;
        case Code::kUnknownToken:
            counters_->unknown.add();
            break;
        case Code::kTokenExpired:
            counters_->expired.add();
            break;
        default:
            counters_->unavailable.add();
    }
    asked->done(std::move(error));
}

void Sessions::touch(const std::string& tenant, const core::Uuid& session) {
    write(
        [tenant, session, change = change()](Writer& writer) -> Result<bool> {
            ZONA_TRY_VOID(touch_session(writer, tenant, session, change));
            return true;
        },
        [log = deps_.log](Result<bool> touched) {
            if (!touched) log.report("the use of a session is not written down", touched.error());
        });
}

void Sessions::forget(const SessionSelection& which) {
    map_.forget([&](const Principal& who) { return meets(which, who); });
}

void Sessions::log_end(const Session& session, std::string_view reason) {
    counters_->ended.add();
    deps_.log.info("a session was ended", {{"reason", reason},
                                           {"tenant", session.user.tenant},
                                           {"user", session.user.id},
                                           {"name", session.name},
                                           {"session", session.id.to_string()}});
}

void Sessions::log_begin(const Session& session) {
    counters_->begun.add();
    deps_.log.info("a session has begun", {{"tenant", session.user.tenant},
                                           {"user", session.user.id},
                                           {"name", session.name},
                                           {"method", session.method},
                                           {"address", session.client.address},
                                           {"session", session.id.to_string()}});
}

void Sessions::end_for_places(const std::vector<Session>& ended) {
    for (const Session& one : ended) {
        forget({.tenant = one.user.tenant, .user = {}, .session = one.id});
        log_end(one, "more than the user may have");
    }
}

Result<Tokens> Sessions::tokens_of(Issued issued, const SigningKey& signer) {
    end_for_places(issued.ended);
    return Tokens{
        .access = core::Secret(write_access_token(issued.access, options_.parties, signer)),
        .refresh = std::move(issued.refresh),
        .access_end = issued.access.expires_at,
        .refresh_end = issued.refresh_end,
        .session = std::move(issued.session)};
}

void Sessions::begin(NewSession wanted, store::Callback<Tokens> done) {
    deps_.keys->signer([self = shared_from_this(), wanted = std::move(wanted),
                        done = std::move(done)](Result<SigningKeys::Signer> signer) mutable {
        if (!signer) return done(signer.take_error());
        self->write(
            [self, wanted = std::move(wanted), change = self->change()](Writer& writer) {
                return begin_session(writer, wanted, self->deps_.find_user, change);
            },
            [self, signer = std::move(*signer),
             done = std::move(done)](Result<Issued> issued) mutable {
                if (!issued) return done(issued.take_error());
                self->log_begin(issued->session);
                done(self->tokens_of(std::move(*issued), *signer));
            });
    });
}

void Sessions::begin_in_browser(NewSession wanted, store::Callback<BrowserSession> done) {
    write(
        [self = shared_from_this(), wanted = std::move(wanted), change = change()](Writer& writer) {
            return begin_browser_session(writer, wanted, self->deps_.find_user, change);
        },
        [self = shared_from_this(), done = std::move(done)](Result<IssuedCookie> issued) mutable {
            if (!issued) return done(issued.take_error());
            self->log_begin(issued->begun.session);
            self->end_for_places(issued->ended);
            done(std::move(issued->begun));
        });
}

void Sessions::refresh(core::Secret token, Client client, store::Callback<Tokens> done) {
    // First, so that no token is used up where none can be signed.
    deps_.keys->signer([self = shared_from_this(), token = std::move(token),
                        client = std::move(client),
                        done = std::move(done)](Result<SigningKeys::Signer> signer) mutable {
        if (!signer) return done(signer.take_error());
        self->write(
            [self, token = std::move(token), client = std::move(client),
             change = self->change()](Writer& writer) {
                return refresh_session(writer, token.reveal(), client, self->deps_.find_user,
                                       change);
            },
            [self, signer = std::move(*signer),
             done = std::move(done)](Result<Refreshed> answer) mutable {
                if (!answer) return done(answer.take_error());
                done(self->renewed(std::move(*answer), *signer));
            });
    });
}

Result<Tokens> Sessions::renewed(Refreshed answer, const SigningKey& signer) {
    using Outcome = Refreshed::Outcome;
    if (answer.session) {
        // After a repeated refresh, too: what the lost answer held is good no more.
        forget({.tenant = answer.session->user.tenant, .user = {}, .session = answer.session->id});
    }
    switch (answer.outcome) {
        case Outcome::kRenewed:
            counters_->renewed.add();
            return tokens_of(std::move(*answer.issued), signer);
        case Outcome::kMalformed:
            counters_->invalid.add();
            return Error(Code::kInvalidToken, "this is no refresh token");
        case Outcome::kExpired:
            counters_->expired.add();
            deps_.log.info("a session is over", {{"tenant", answer.session->user.tenant},
                                                 {"user", answer.session->user.id},
                                                 {"session", answer.session->id.to_string()}});
            return expired_token();
        case Outcome::kReused:
            counters_->reused.add();
            deps_.log.warn("a refresh token was used twice: somebody else may have it",
                           {{"tenant", answer.session->user.tenant},
                            {"user", answer.session->user.id},
                            {"name", answer.session->name},
                            {"address", answer.session->client.address},
                            {"session", answer.session->id.to_string()}});
            log_end(*answer.session, "its refresh token was used twice");
            return unknown_token();
        case Outcome::kUnknown:
            break;
    }
    counters_->unknown.add();
    if (answer.session) log_end(*answer.session, "its user may have none any more");
    return unknown_token();
}

void Sessions::move_end(const std::string& tenant, const core::Uuid& session, core::SystemTime end,
                        store::Callback<Session> done) {
    write([tenant, session, end, change = change()](
              Writer& writer) { return move_session_end(writer, tenant, session, end, change); },
          [self = shared_from_this(), done = std::move(done)](Result<Session> moved) mutable {
              if (moved) {
                  self->forget({.tenant = moved->user.tenant, .user = {}, .session = moved->id});
                  self->deps_.log.info("the end of a session was moved",
                                       {{"tenant", moved->user.tenant},
                                        {"user", moved->user.id},
                                        {"session", moved->id.to_string()},
                                        {"end", core::to_rfc3339(moved->absolute_end)}});
              }
              done(std::move(moved));
          });
}

void Sessions::end(SessionSelection which, std::string reason, store::Callback<std::size_t> done) {
    end_some(std::move(which), std::move(reason), 0, std::move(done));
}

void Sessions::end_some(SessionSelection which, std::string reason, std::size_t before,
                        store::Callback<std::size_t> done) {
    write(
        [which, change = change()](Writer& writer) { return end_sessions(writer, which, change); },
        [self = shared_from_this(), which, reason = std::move(reason), before,
         done = std::move(done)](Result<std::vector<Session>> ended) mutable {
            if (!ended) return done(ended.take_error());
            self->forget(which);
            for (const Session& one : *ended)
                self->log_end(one, reason);
            const std::size_t all = before + ended->size();
            if (ended->size() < kMostSessionsAtOnce) return done(all);
            self->end_some(std::move(which), std::move(reason), all, std::move(done));
        });
}

void Sessions::list(SessionSelection which, store::Callback<std::vector<Session>> done) {
    store::read(
        *deps_.core,
        [which = std::move(which), now = deps_.clock.system()](Reader& reader) {
            return list_sessions(reader, which, now);
        },
        std::move(done));
}

void Sessions::remove_over(std::vector<std::string> tenants, store::Callback<std::uint64_t> done) {
    tenants.emplace_back();
    remove_over_of(std::move(tenants), 0, std::move(done));
}

void Sessions::remove_over_of(std::vector<std::string> tenants, std::uint64_t before,
                              store::Callback<std::uint64_t> done) {
    if (tenants.empty()) return done(before);
    std::string tenant = std::move(tenants.back());
    tenants.pop_back();
    write([tenant = std::move(tenant), now = deps_.clock.system()](
              Writer& writer) { return remove_over_sessions(writer, tenant, now); },
          [self = shared_from_this(), tenants = std::move(tenants), before,
           done = std::move(done)](Result<std::uint64_t> removed) mutable {
              if (!removed) return done(removed.take_error());
              self->remove_over_of(std::move(tenants), before + *removed, std::move(done));
          });
}

void Sessions::clean() {
    map_.remove_over(deps_.clock.system());
    counters_->known.set(static_cast<double>(map_.size()));
}

void Sessions::follow(store::Callback<void> done) {
    std::optional<std::int64_t> known;
    {
        const std::lock_guard lock(pace_->mutex);
        known = pace_->news;
    }
    if (!known || following_.exchange(true)) return done({});
    store::read(
        *deps_.core, [known](Reader& reader) { return news_after(reader, *known); },
        [self = shared_from_this(), asked = deps_.clock.steady(),
         done = std::move(done)](Result<News> news) mutable {
            if (news) self->take_in(*news, asked);
            const bool was_blind = self->is_blind_.exchange(!news.has_value());
            if (!news && !was_blind)
                self->deps_.log.report("what others end is not seen", news.error());
            self->following_ = false;
            if (!news) return done(news.take_error());
            done({});
        });
}

void Sessions::take_in(const News& news, core::SteadyTime asked) {
    const std::lock_guard lock(pace_->mutex);
    if (pace_->news) pace_->news = std::max(*pace_->news, news.newest);
    if (!news.forget.empty()) {
        map_.forget([&](const Principal& who) {
            return news.has_gap || std::ranges::any_of(news.forget, [&](const auto& which) {
                       return meets(which, who);
                   });
        });
    }
    followed_ = asked;
}

/// Nothing is followed for an empty map: the next token that is kept says where to go on.
void Sessions::rest_if_empty() {
    const std::lock_guard lock(pace_->mutex);
    if (map_.size() > 0) return;
    pace_->has_tokens = false;
    pace_->news.reset();
}

void Sessions::work_until(const std::stop_token& stop, const std::weak_ptr<Sessions>& weak,
                          Pace& pace) {
    while (true) {
        std::chrono::milliseconds pause{0};
        {
            std::unique_lock lock(pace.mutex);
            if (!pace.wake.wait(lock, stop, [&] { return pace.has_tokens; })) return;
        }
        {
            const auto self = weak.lock();
            if (!self) return;
            pause = self->options_.follow_pause;
            self->follow([](const Result<void>&) {});
            self->rest_if_empty();
        }
        std::unique_lock lock(pace.mutex);
        pace.wake.wait_for(lock, stop, pause, [] { return false; });
    }
}

}  // namespace zona::identity
