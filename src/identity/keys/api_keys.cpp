#include "identity/keys/api_keys.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

#include "crypto/hash.h"
#include "identity/detail/fields.h"
#include "identity/keys/detail/key_meter.h"
#include "identity/keys/key_list_file.h"

namespace zona::identity {
namespace {

using core::Code;
using core::Error;
using core::Result;
using detail::KeyMeter;
using store::Reader;
using store::Writer;

/// Of a change that others were quicker than.
constexpr int kMostTries = 5;
/// Where a change is not one step for all who read, news may be there before what they are about:
/// so long after some everything is read again.
constexpr std::chrono::seconds kSettles{5};

struct Known {
    ApiKey key;
    std::optional<core::SystemTime> end;
    std::shared_ptr<const Permissions> permissions;
    std::shared_ptr<KeyMeter> meter;

    bool is_over(core::SystemTime now) const { return end && *end <= now; }
};

/// What it hashes is as good as random already.
struct DigestHash {
    std::size_t operator()(const crypto::Digest& digest) const {
        std::size_t out = 0;
        std::memcpy(&out, digest.data(), sizeof out);
        return out;
    }
};
using KnownKeys = std::unordered_map<crypto::Digest, Known, DigestHash>;
using KeysById = std::unordered_map<core::Uuid, const Known*>;

}  // namespace

struct ApiKeys::Body : std::enable_shared_from_this<ApiKeys::Body> {
    explicit Body(ApiKeyDeps given)
        : deps(std::move(given)),
          count(deps.metrics.gauge("zona_api_keys", "API keys that are known here.")),
          due(deps.metrics.gauge("zona_api_keys_due",
                                 "API keys of which a successor is due, as of the last check.")) {}

    std::shared_ptr<store::Database> database() const {
        const std::lock_guard lock(state);
        return core;
    }

    KeyChange change() const {
        return {.random = deps.random, .now = deps.clock.system(), .tell_others = is_shared};
    }

    bool is_trusted() const {
        return !is_shared || deps.clock.steady() - looked_at.load() <= kFollowTrust;
    }

    /// Changes keys by `work(Writer&, KeyChange)`, and answers when that holds here.
    template <class T, class Work>
    void write(Work work, store::Callback<T> done) {
        auto shared_work = std::make_shared<Work>(std::move(work));
        when_open([self = shared_from_this(), shared_work,
                   done = std::move(done)](const Result<void>&) mutable {
            self->try_write<T>(shared_work, std::move(done), kMostTries);
        });
    }

    template <class T, class Work>
    void try_write(std::shared_ptr<Work> work, store::Callback<T> done, int tries) {
        const auto database = this->database();
        if (!database) return done(detail::core_is_closed());
        store::write(
            *database,
            [work, self = shared_from_this()](Writer& writer) {
                return (*work)(writer, self->change());
            },
            [self = shared_from_this(), work, tries,
             done = std::move(done)](Result<T> answer) mutable {
                if (!answer && answer.error().code() == Code::kConflict && tries > 1)
                    return self->try_write<T>(work, std::move(done), tries - 1);
                if (!answer) return done(std::move(answer));
                self->read_again([answer = std::move(answer), done = std::move(done)](
                                     const Result<void>&) mutable { done(std::move(answer)); });
            });
    }

    void when_open(store::Callback<void> next);
    void read_again(store::Callback<void> done);
    void step(store::Callback<void> done);
    void take_over(store::Callback<void> done);
    void look(std::optional<std::int64_t> seen, store::Callback<void> done);
    void take_in(std::optional<KeyList> list, std::uint64_t turn, core::SteadyTime asked);
    void lose();
    std::vector<ApiKey> listed() const;
    void tell_waiting();
    void follow_until(const std::stop_token& stop, std::chrono::milliseconds pause);
    void store_uses(store::Callback<void> done);
    std::variant<KeyHolder, KeyRefusal> verify(const crypto::Digest& sha256,
                                               std::string_view address);

    const ApiKeyDeps deps;
    core::Gauge& count;
    core::Gauge& due;
    std::string list_file;
    std::atomic<bool> has_new_uses = false;
    std::atomic<bool> is_shared = false;
    std::atomic<bool> stepping = false;
    std::atomic<bool> is_blind = false;  ///< the last look has failed
    std::atomic<core::SteadyTime> looked_at{};

    mutable std::mutex state;
    std::condition_variable_any wake;
    // Guarded by state.
    std::shared_ptr<store::Database> core;
    std::vector<StoredKey> earlier;  ///< not yet taken over
    std::vector<store::Callback<void>> waiting;
    bool settled = false;        ///< nobody has to wait any more
    std::uint64_t turns = 0;     ///< of looks that were begun
    std::uint64_t taken_in = 0;  ///< the last turn that was taken in
    std::int64_t news = 0;       ///< that the keys are as of
    core::SteadyTime settles_until{};

    /// Guards the following, for moments. Shared, because each request asks: with a lock of one
    /// holder the threads of requests would wake each other thousands of times a second.
    mutable std::shared_mutex mutex;
    KnownKeys keys;
    KeysById by_id;                   ///< of `keys`
    std::atomic<bool> known = false;  ///< which keys there are
};

ApiKeys::ApiKeys(std::shared_ptr<Body> body) : body_(std::move(body)) {}

ApiKeys::~ApiKeys() {
    follower_.request_stop();
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::open(const std::string& list, const std::string& plain,
                                               ApiKeyDeps deps) {
    ZONA_TRY(KeyListFile file, read_key_list(list));
    auto body = std::make_shared<Body>(std::move(deps));
    body->list_file = list;
    body->earlier = std::move(file.keys);
    if (!file.exists) {
        ZONA_TRY(StoredKey first, make_first_key(list, plain, body->deps.clock, body->deps.random));
        body->earlier.push_back(std::move(first));
    }
    return std::unique_ptr<ApiKeys>(new ApiKeys(std::move(body)));
}

void ApiKeys::begin(std::shared_ptr<store::Database> core, KeySharing sharing) {
    {
        const std::lock_guard lock(body_->state);
        body_->core = std::move(core);
    }
    body_->is_shared = sharing.is_shared;
    body_->step([](const Result<void>&) {});
    if (sharing.pause.count() == 0) return;
    follower_ = std::jthread([body = body_, pause = sharing.pause](const std::stop_token& stop) {
        body->follow_until(stop, pause);
    });
}

void ApiKeys::settle() {
    body_->tell_waiting();
}

void ApiKeys::end() {
    follower_.request_stop();
    if (follower_.joinable()) follower_.join();
    body_->tell_waiting();
    if (!body_->database()) return;
    std::promise<void> written;
    store_uses([&](const Result<void>& stored) {
        if (!stored) body_->deps.log.report("cannot store how keys were used", stored.error());
        written.set_value();
    });
    written.get_future().wait();
    std::shared_ptr<store::Database> last;
    const std::lock_guard lock(body_->state);
    last.swap(body_->core);
}

/// With others every `pause`; with a file only as long as something could not be read.
void ApiKeys::Body::follow_until(const std::stop_token& stop, std::chrono::milliseconds pause) {
    while (true) {
        {
            std::unique_lock lock(state);
            wake.wait_for(lock, stop, pause, [] { return false; });
            wake.wait(lock, stop, [this] { return is_shared || !known; });
            if (stop.stop_requested()) return;
        }
        step([](const Result<void>&) {});
    }
}

/// What is still to be done, or the next look.
void ApiKeys::Body::step(store::Callback<void> done) {
    if (stepping.exchange(true)) return done({});
    auto finish = [self = shared_from_this(),
                   done = std::move(done)](Result<void> stepped) mutable {
        self->stepping = false;
        const bool was_blind = self->is_blind.exchange(!stepped.has_value());
        if (!stepped && !was_blind)
            self->deps.log.report("API keys cannot be read", stepped.error());
        self->tell_waiting();
        done(std::move(stepped));
    };
    bool has_list = false;
    std::optional<std::int64_t> seen;
    {
        const std::lock_guard lock(state);
        has_list = !earlier.empty();
        if (known && deps.clock.steady() >= settles_until) seen = news;
    }
    if (has_list) return take_over(std::move(finish));
    look(seen, std::move(finish));
}

void ApiKeys::Body::take_over(store::Callback<void> done) {
    std::vector<StoredKey> list;
    {
        const std::lock_guard lock(state);
        list = earlier;
    }
    auto work = [list = std::move(list)](Writer& writer, const KeyChange& how) {
        return take_over_keys(writer, list, how);
    };
    auto taken = [self = shared_from_this(),
                  done = std::move(done)](Result<std::vector<ApiKey>> put) mutable {
        if (!put) return done(put.take_error());
        {
            const std::lock_guard lock(self->state);
            self->earlier.clear();
        }
        for (const ApiKey& key : *put)
            self->deps.log.info("an API key is in the core database now", {{"key", key.name}});
        // The database knows that it has them: what cannot be written here is asked there again.
        if (auto emptied = empty_key_list(self->list_file); !emptied)
            self->deps.log.report("the list of keys stays as it was", emptied.error());
        done({});
    };
    write<std::vector<ApiKey>>(std::move(work), std::move(taken));
}

/// Reads all keys, or none if the newest news are `seen`.
void ApiKeys::Body::look(std::optional<std::int64_t> seen, store::Callback<void> done) {
    using List = std::optional<KeyList>;
    const auto database = this->database();
    if (!database) return done(detail::core_is_closed());
    std::uint64_t turn = 0;
    {
        const std::lock_guard lock(state);
        turn = ++turns;
    }
    auto work = [seen](Reader& reader) -> Result<List> {
        if (seen) {
            ZONA_TRY(const std::int64_t newest, newest_key_news(reader));
            if (newest == *seen) return List();
        }
        ZONA_TRY(KeyList list, read_keys(reader));
        return List(std::move(list));
    };
    store::read(*database, std::move(work),
                [self = shared_from_this(), turn, asked = deps.clock.steady(),
                 done = std::move(done)](Result<List> list) mutable {
                    if (!list) return done(list.take_error());
                    self->take_in(std::move(*list), turn, asked);
                    done({});
                });
}

void ApiKeys::Body::take_in(std::optional<KeyList> list, std::uint64_t turn,
                            core::SteadyTime asked) {
    const std::lock_guard lock(state);
    looked_at = std::max(looked_at.load(), asked);
    // A look that was begun later may have been quicker.
    if (!list || turn < taken_in) return;
    taken_in = turn;
    if (std::exchange(news, list->news) != list->news && known)
        settles_until = deps.clock.steady() + kSettles;
    KnownKeys next;
    KeysById next_by_id;
    for (StoredKey& one : list->keys) {
        const auto before = by_id.find(one.key.id);  // nobody else changes them
        auto meter = before == by_id.end() ? std::make_shared<KeyMeter>() : before->second->meter;
        Known entry{
            .key = std::move(one.key), .end = {}, .permissions = {}, .meter = std::move(meter)};
        entry.end = entry.key.expires_at();
        entry.permissions = permissions_of(entry.key);
        const auto at = next.insert_or_assign(one.sha256, std::move(entry)).first;
        next_by_id[at->second.key.id] = &at->second;
    }
    count.set(static_cast<double>(next.size()));
    const std::unique_lock writing(mutex);
    keys.swap(next);
    by_id.swap(next_by_id);
    known = true;
}

/// What was changed could not be read: what is remembered may be what was before.
void ApiKeys::Body::lose() {
    const std::lock_guard lock(state);
    known = false;
    wake.notify_all();
}

void ApiKeys::Body::read_again(store::Callback<void> done) {
    look(std::nullopt,
         [self = shared_from_this(), done = std::move(done)](Result<void> read) mutable {
             if (!read) self->lose();
             done(std::move(read));
         });
}

/// Calls `next` once there is a database, or it is known that there is none now.
void ApiKeys::Body::when_open(store::Callback<void> next) {
    {
        const std::lock_guard lock(state);
        if (!core && !settled) return waiting.push_back(std::move(next));
    }
    next({});
}

void ApiKeys::Body::tell_waiting() {
    std::vector<store::Callback<void>> told;
    {
        const std::lock_guard lock(state);
        settled = true;
        told.swap(waiting);
    }
    for (auto& one : told)
        one({});
}

void ApiKeys::Body::store_uses(store::Callback<void> done) {
    const auto database = this->database();
    if (!database) return done(detail::core_is_closed());
    if (!has_new_uses.exchange(false)) return done({});
    struct Taken {
        std::vector<std::shared_ptr<KeyMeter>> meters;
        std::vector<NewUses> uses;
    };
    auto taken = std::make_shared<Taken>();
    {
        const std::shared_lock lock(mutex);
        for (const auto& [digest, one] : keys) {
            KeyUsage since = one.meter->take_unwritten();
            if (since.requests == 0 && since.refusals == 0) continue;
            taken->meters.push_back(one.meter);
            taken->uses.push_back({.id = one.key.id, .since = std::move(since)});
        }
    }
    store::write(
        *database,
        [taken](Writer& writer) -> Result<bool> {
            ZONA_TRY_VOID(add_uses(writer, taken->uses));
            return true;
        },
        [self = shared_from_this(), taken, done = std::move(done)](Result<bool> stored) mutable {
            if (stored) return self->read_again(std::move(done));
            for (std::size_t i = 0; i < taken->uses.size(); ++i)
                taken->meters[i]->give_back(taken->uses[i].since);
            self->has_new_uses = true;
            done(stored.take_error());
        });
}

void ApiKeys::create(const Subject& by, NewApiKey wanted, store::Callback<MadeKey> done) {
    body_->write<MadeKey>(
        [by, wanted = std::move(wanted)](Writer& writer, const KeyChange& how) {
            return create_key(writer, by, wanted, how);
        },
        std::move(done));
}

void ApiKeys::rotate(const Subject& by, KeyName name, Succession how,
                     store::Callback<MadeKey> done) {
    body_->write<MadeKey>(
        [by, name = std::move(name), how = std::move(how)](Writer& writer,
                                                           const KeyChange& change) {
            return rotate_key(writer, by, name, how, change);
        },
        std::move(done));
}

void ApiKeys::renew(const core::Uuid& id, Succession how, store::Callback<MadeKey> done) {
    body_->write<MadeKey>(
        [id, how = std::move(how)](Writer& writer, const KeyChange& change) {
            return renew_key(writer, id, how, change);
        },
        std::move(done));
}

void ApiKeys::revoke(const Subject& by, KeyName name, store::Callback<std::vector<ApiKey>> done) {
    body_->write<std::vector<ApiKey>>(
        [by, name = std::move(name)](Writer& writer, const KeyChange& how) {
            return revoke_keys(writer, by, name, how);
        },
        std::move(done));
}

void ApiKeys::revoke_of_tenant(std::string code, store::Callback<std::uint64_t> done) {
    body_->write<std::uint64_t>(
        [code = std::move(code)](Writer& writer, const KeyChange& how) -> Result<std::uint64_t> {
            std::uint64_t all = 0;
            std::uint64_t some = 0;
            do {
                ZONA_TRY(some, remove_keys_of(writer, code, store::kMaxPageSize));
                all += some;
            } while (some > 0);
            ZONA_TRY_VOID(tell_of_keys(writer, how));
            return all;
        },
        std::move(done));
}

std::vector<ApiKey> ApiKeys::Body::listed() const {
    std::vector<ApiKey> out;
    {
        const std::shared_lock lock(mutex);
        for (const auto& [digest, one] : keys) {
            out.push_back(one.key);
            one.meter->add_to(out.back().usage);
        }
    }
    std::ranges::sort(out, {}, [](const ApiKey& key) { return std::pair(key.created_at, key.id); });
    return out;
}

void ApiKeys::list(store::Callback<std::vector<ApiKey>> done) {
    body_->when_open([body = body_, done = std::move(done)](const Result<void>&) mutable {
        body->read_again([body, done = std::move(done)](Result<void> read) mutable {
            if (!read) return done(read.take_error());
            done(body->listed());
        });
    });
}

std::variant<KeyHolder, KeyRefusal> ApiKeys::Body::verify(const crypto::Digest& sha256,
                                                          std::string_view address) {
    std::shared_lock lock(mutex);
    if (!known || !is_trusted()) return KeyRefusal::kUnavailable;
    const auto at = keys.find(sha256);
    if (at == keys.end()) return KeyRefusal::kUnknown;
    const Known& found = at->second;
    const core::SystemTime now = deps.clock.system();
    if (found.is_over(now)) return KeyRefusal::kExpired;
    found.meter->note(now, address);
    KeyHolder out{.who = {.kind = Principal::Kind::kApiKey,
                          .name = found.key.name,
                          .scope = found.key.scope,
                          .key_id = found.key.id,
                          .tenant = found.key.tenant,
                          .roles = found.key.roles},
                  .permissions = found.permissions};
    lock.unlock();
    if (!has_new_uses && !has_new_uses.exchange(true) && deps.used) deps.used();
    return out;
}

std::variant<KeyHolder, KeyRefusal> ApiKeys::verify(std::string_view presented,
                                                    std::string_view address) {
    if (!is_key_shaped(presented)) return KeyRefusal::kMalformed;
    return body_->verify(crypto::sha256(presented), address);
}

std::variant<KeyHolder, KeyRefusal> ApiKeys::verify(const crypto::Digest& certificate,
                                                    std::string_view address) {
    return body_->verify(certificate, address);
}

std::optional<std::string> ApiKeys::tenant_of(const crypto::Digest& certificate) const {
    const std::shared_lock lock(body_->mutex);
    if (!body_->known || !body_->is_trusted()) return std::nullopt;
    const auto at = body_->keys.find(certificate);
    if (at == body_->keys.end() || at->second.is_over(body_->deps.clock.system()))
        return std::nullopt;
    return at->second.key.tenant;
}

bool ApiKeys::is_opening() const {
    const std::lock_guard lock(body_->state);
    return !body_->settled;
}

void ApiKeys::when_known(store::Callback<void> done) {
    {
        const std::lock_guard lock(body_->state);
        if (!body_->settled) return body_->waiting.push_back(std::move(done));
    }
    done({});
}

bool ApiKeys::is_good(const core::Uuid& id) const {
    const std::shared_lock lock(body_->mutex);
    if (!body_->known) return true;
    const auto at = body_->by_id.find(id);
    if (at == body_->by_id.end()) return false;
    const std::optional<core::SystemTime>& end = at->second->end;
    return !end || *end > body_->deps.clock.system();
}

std::vector<std::string> ApiKeys::due() const {
    std::vector<std::string> out;
    const core::SystemTime now = body_->deps.clock.system();
    {
        const std::shared_lock lock(body_->mutex);
        for (const auto& [digest, one] : body_->keys) {
            const auto due = one.key.due_at();
            if (due && *due <= now && (!one.end || *one.end > now)) out.push_back(one.key.name);
        }
    }
    std::ranges::sort(out);
    body_->due.set(static_cast<double>(out.size()));
    return out;
}

std::optional<KeyExcess> ApiKeys::take_turn(const core::Uuid& id) {
    const std::shared_lock lock(body_->mutex);
    const auto at = body_->by_id.find(id);
    if (at == body_->by_id.end()) return std::nullopt;
    const ApiKey& key = at->second->key;
    if (key.rate.per_second == 0) return std::nullopt;
    const auto wait = at->second->meter->take(key.rate, body_->deps.clock.steady());
    if (!wait) return std::nullopt;
    return KeyExcess{.name = key.name, .rate = key.rate, .wait = *wait};
}

std::optional<Scope> ApiKeys::scope_of(const core::Uuid& id) const {
    const std::shared_lock lock(body_->mutex);
    const auto at = body_->by_id.find(id);
    if (at == body_->by_id.end()) return std::nullopt;
    return at->second->key.scope;
}

void ApiKeys::note_refusal(const core::Uuid& id) {
    const std::shared_lock lock(body_->mutex);
    const auto at = body_->by_id.find(id);
    if (at != body_->by_id.end()) at->second->meter->refuse();
}

void ApiKeys::store_uses(store::Callback<void> done) {
    body_->store_uses(std::move(done));
}

void ApiKeys::follow(store::Callback<void> done) {
    body_->step(std::move(done));
}

}  // namespace zona::identity
