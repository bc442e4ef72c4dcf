#include "tenancy/session_map.h"

#include <algorithm>

#include <fmt/format.h>

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

/// All but `opening` is guarded by the map's mutex.
struct SessionMap::Session {
    Tenant tenant;
    bool ready = false;
    std::shared_ptr<store::Database> database;         ///< once it was used
    std::shared_ptr<TenantDoor> door;                  ///< of that database
    std::shared_ptr<const vault::FieldSealer> sealer;  ///< with it
    std::shared_ptr<const TenantMeter> meter;          ///< with it
    std::optional<Error> held;                         ///< why it is not served for now
    std::optional<Error> problem;
    std::size_t tries = 0;  ///< that failed, one after the other
    SystemTime next_try{};
    std::mutex opening;  ///< held while it is probed or opened, before the map's
};

SessionMap::SessionMap(SessionDeps deps, Backoff backoff)
    : deps_(std::move(deps)), backoff_(backoff) {}

SessionMap::~SessionMap() = default;

ConnectionStatus SessionMap::put(const Tenant& tenant) {
    const SessionPtr session = take(tenant);
    return session ? probe(session) : ConnectionStatus::kDisconnected;
}

News SessionMap::follow(const Tenant& tenant) {
    {
        const std::lock_guard lock(mutex_);
        const auto known = sessions_.find(tenant.code);
        if (known != sessions_.end() && known->second->tenant.version >= tenant.version)
            return News::kNothingNew;
    }
    return take(tenant) ? News::kToProbe : News::kTaken;
}

/// What is to be probed now; null: it is not served.
SessionMap::SessionPtr SessionMap::take(const Tenant& tenant) {
    const bool active = tenant.status == TenantStatus::kActive;
    SessionPtr session;
    SessionPtr before;  // dies after the lock
    {
        const std::lock_guard lock(mutex_);
        SessionPtr& place = sessions_[tenant.code];
        if (place && place->tenant.version > tenant.version)
            return place->tenant.status == TenantStatus::kActive ? place : nullptr;
        // A new one, so that what is under way with the old one ends with the old settings.
        const bool moved = place && (place->tenant.database.host != tenant.database.host ||
                                     place->tenant.database.name != tenant.database.name);
        if (!place || moved || !active) before = std::exchange(place, std::make_shared<Session>());
        if (before) place->held = before->held;
        place->tenant = tenant;
        session = place;
    }
    // Who has a handle of before asks for another.
    if (before && before->door) {
        before->door->shut(Error(Code::kTenantInactive,
                                 fmt::format("the tenant {} is {}, or its database was changed",
                                             tenant.code, to_string(tenant.status))));
    }
    if (active) return session;
    if (before && before->ready) tell(tenant.code, ConnectionStatus::kDisconnected);
    return nullptr;
}

std::size_t SessionMap::retry_due() {
    std::vector<SessionPtr> due;
    {
        const std::lock_guard lock(mutex_);
        const SystemTime now = deps_.clock.system();
        for (const auto& [code, session] : sessions_) {
            if (session->problem && next_try_of(*session, now) <= now) due.push_back(session);
        }
    }
    std::size_t back = 0;
    for (const SessionPtr& session : due) {
        probe(session);
        const std::lock_guard lock(mutex_);
        if (session->ready) ++back;
    }
    return back;
}

std::optional<SystemTime> SessionMap::next_retry() const {
    const std::lock_guard lock(mutex_);
    std::optional<SystemTime> first;
    for (const auto& [code, session] : sessions_) {
        if (!session->problem) continue;
        const SystemTime next = next_try_of(*session, deps_.clock.system());
        if (!first || next < *first) first = next;
    }
    return first;
}

/// Under the lock. Farther away than any pause is what a clock has left that was set back.
SystemTime SessionMap::next_try_of(const Session& session, SystemTime now) const {
    return session.next_try > now + backoff_.longest ? now : session.next_try;
}

ConnectionStatus SessionMap::probe(const SessionPtr& session) {
    const std::lock_guard opening(session->opening);
    Tenant tenant;
    {
        const std::lock_guard lock(mutex_);
        tenant = session->tenant;
    }
    const auto probed = deps_.databases.probe(tenant);
    if (!probed) return fail(session, probed.error());
    std::shared_ptr<store::Database> database;
    {
        const std::lock_guard lock(mutex_);
        database = session->database;
    }
    // One that was opened before the record changed.
    if (database) deps_.databases.set_login(*database, tenant);
    return succeed(session);
}

ConnectionStatus SessionMap::fail(const SessionPtr& session, const Error& error) {
    const bool gone = error.code() == Code::kUnavailable;
    const auto status = gone ? ConnectionStatus::kDisconnected : ConnectionStatus::kError;
    std::string code;
    bool is_news = false;
    std::size_t tries = 0;
    std::shared_ptr<store::Database> closed;  // after the lock
    std::shared_ptr<TenantDoor> door;
    {
        const std::lock_guard lock(mutex_);
        is_news = std::exchange(session->ready, false) || session->tries == 0;
        closed = std::move(session->database);
        door = std::move(session->door);
        session->problem = error;
        tries = ++session->tries;
        session->next_try = deps_.clock.system() + pause_after(tries);
        code = session->tenant.code;
    }
    deps_.log.report("a tenant cannot be served", error,
                     {{"tenant", code}, {"tries", static_cast<std::int64_t>(tries)}});
    if (is_news) tell(code, status);
    return status;
}

ConnectionStatus SessionMap::succeed(const SessionPtr& session) {
    std::string code;
    bool was_ready = false;
    {
        const std::lock_guard lock(mutex_);
        was_ready = std::exchange(session->ready, true);
        session->problem.reset();
        session->tries = 0;
        code = session->tenant.code;
    }
    if (!was_ready) {
        deps_.log.info("a tenant has a session", {{"tenant", code}});
        tell(code, ConnectionStatus::kConnected);
    }
    return ConnectionStatus::kConnected;
}

void SessionMap::tell(const std::string& code, ConnectionStatus status) const {
    if (deps_.connection_changed) deps_.connection_changed(code, status);
}

/// Under the lock.
std::chrono::milliseconds SessionMap::pause_after(std::size_t tries) {
    std::chrono::milliseconds pause = backoff_.first;
    for (std::size_t i = 1; i < tries && pause < backoff_.longest; ++i)
        pause *= 2;
    pause = std::min(pause, backoff_.longest);
    const auto fifth = static_cast<std::uint64_t>(pause.count()) / 5;
    return pause - std::chrono::milliseconds(deps_.random.below(fifth + 1));
}

/// Under the lock.
Result<SessionMap::SessionPtr> SessionMap::served(std::string_view code) const {
    const auto scope = scope_of(code);
    const auto found = scope ? sessions_.find(scope->code()) : sessions_.end();
    if (found == sessions_.end()) return Error(Code::kInvalidTenant, "there is no such tenant");
    const Session& session = *found->second;
    if (session.tenant.status != TenantStatus::kActive) {
        return Error(Code::kTenantInactive, fmt::format("the tenant {} is {}", session.tenant.code,
                                                        to_string(session.tenant.status)));
    }
    if (session.held) return *session.held;
    if (!session.ready) {
        return Error(Code::kSessionError,
                     fmt::format("the tenant {} has no session", session.tenant.code))
            .detail({"", "its database cannot be used", "it is tried again by itself"});
    }
    return found->second;
}

Result<void> SessionMap::check(std::string_view code) const {
    const std::lock_guard lock(mutex_);
    ZONA_TRY([[maybe_unused]] const SessionPtr session, served(code));
    return {};
}

void SessionMap::find(std::string_view code, store::Callback<TenantData> done) {
    SessionPtr session;
    {
        std::unique_lock lock(mutex_);
        auto found = served(code);
        if (!found) {
            lock.unlock();
            return done(found.take_error());
        }
        session = *std::move(found);
        if (session->database) {
            auto data = data_of(*session);
            lock.unlock();
            return done(std::move(data));
        }
    }
    deps_.run_blocking([this, session = std::move(session), done = std::move(done)]() mutable {
        done(open(session));
    });
}

Result<TenantData> SessionMap::open(const SessionPtr& session) {
    auto used = use(session, WhileHeld::kRefuse);
    std::unique_lock lock(mutex_);
    const std::string code = session->tenant.code;
    if (session->held) return *session->held;
    if (!used || !session->door) {
        lock.unlock();
        Error told(Code::kSessionError, fmt::format("the tenant {} has no session", code));
        if (!used) fail(session, used.error());
        return told;
    }
    return data_of(*session);
}

/// Under the lock; its database is open.
Result<TenantData> SessionMap::data_of(const Session& session) const {
    ZONA_TRY(store::Scope scope, scope_of(session.tenant.code));
    return TenantData(std::move(scope), session.door, deps_.hook, deps_.log,
                      {.sealer = session.sealer, .log = deps_.log},
                      deps_.quota ? deps_.quota(session.tenant.code) : nullptr, session.meter);
}

/// The session's database, which is opened if it was not. A hold that comes meanwhile waits for it;
/// one that was there before is seen.
Result<std::shared_ptr<store::Database>> SessionMap::use(const SessionPtr& session,
                                                         WhileHeld held) {
    const std::lock_guard opening(session->opening);
    Tenant tenant;
    {
        const std::lock_guard lock(mutex_);
        if (session->held && held == WhileHeld::kRefuse) return *session->held;
        if (session->database) return session->database;  // somebody else was faster
        tenant = session->tenant;
    }
    ZONA_TRY(auto database, deps_.databases.open(tenant));
    std::shared_ptr<const vault::FieldSealer> sealer;
    if (deps_.fields) {
        auto fields = deps_.fields(tenant.code);
        // Whose keys were erased has no secrets any more; all else of it can still be removed.
        const bool is_erased = !fields && (fields.error().code() == Code::kNotFound ||
                                           fields.error().code() == Code::kConflict);
        if (!fields && !is_erased) return fields.take_error();
        if (fields) sealer = *std::move(fields);
    }
    auto meter = deps_.meter ? deps_.meter(tenant.code) : nullptr;
    {
        const std::lock_guard lock(mutex_);
        session->database = database;
        session->sealer = std::move(sealer);
        session->meter = std::move(meter);
        session->door = std::make_shared<TenantDoor>(database);
    }
    if (deps_.opened) deps_.opened();
    return database;
}

Result<std::shared_ptr<store::Database>> SessionMap::database(std::string_view code,
                                                              WhileHeld held) {
    SessionPtr session;
    {
        const std::lock_guard lock(mutex_);
        const auto found = sessions_.find(code);
        if (found == sessions_.end())
            return Error(Code::kNotFound, fmt::format("there is no tenant '{}'", code));
        session = found->second;
    }
    return use(session, held);
}

bool SessionMap::is_held(std::string_view code) const {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(code);
    return found != sessions_.end() && found->second->held.has_value();
}

Result<void> SessionMap::hold(std::string_view code, Error reason) {
    std::shared_ptr<store::Database> database;  // let go of after the lock
    std::shared_ptr<TenantDoor> door;
    SessionPtr session;
    {
        const std::lock_guard lock(mutex_);
        const auto found = sessions_.find(code);
        if (found == sessions_.end())
            return Error(Code::kNotFound, fmt::format("there is no tenant '{}'", code));
        session = found->second;
        session->held = reason;
    }
    // Whoever opens it now is waited for, too.
    const std::lock_guard opening(session->opening);
    {
        const std::lock_guard lock(mutex_);
        database = std::move(session->database);
        door = std::move(session->door);
    }
    if (door) door->close(std::move(reason));
    if (deps_.held) deps_.held(std::string(code));
    return {};
}

ConnectionStatus SessionMap::release(const Tenant& tenant) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = sessions_.find(tenant.code); found != sessions_.end())
            found->second->held.reset();
    }
    return put(tenant);
}

std::vector<std::string> SessionMap::in_use() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [code, session] : sessions_) {
        if (session->database) out.push_back(code);
    }
    return out;
}

void SessionMap::note(std::string_view code, const Result<void>& used) {
    SessionPtr session;
    {
        const std::lock_guard lock(mutex_);
        const auto found = sessions_.find(code);
        // One that was let go of meanwhile is somebody else's news.
        if (found == sessions_.end() || !found->second->database) return;
        session = found->second;
    }
    used ? succeed(session) : fail(session, used.error());
}

SessionReport SessionMap::report() const {
    const std::lock_guard lock(mutex_);
    SessionReport out;
    for (const auto& [code, session] : sessions_) {
        if (session->ready) ++out.ready;
        if (session->problem) {
            out.outages.push_back({.code = code,
                                   .reason = session->problem->message(),
                                   .tries = session->tries,
                                   .next_try = session->next_try});
        }
    }
    return out;
}

}  // namespace zona::tenancy
