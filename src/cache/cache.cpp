#include "cache/cache.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "cache/detail/shared_level.h"

namespace zona::cache {
namespace {

using core::Code;
using core::Error;
using detail::Content;
using detail::Looked;
using detail::News;

Found found_of(std::string bytes, std::int64_t version) {
    return std::make_shared<const Value>(Value{std::move(bytes), version});
}

struct KeyHash {
    std::size_t operator()(const Key& key) const { return key.hash(); }
};

}  // namespace

struct Cache::State {
    /// A load that several readers wait for.
    struct Flight {
        Stamp began;
        Loader loader;
        std::optional<std::int64_t> seen{};
        std::vector<Callback<Found>> readers{};
    };
    using FlightPtr = std::shared_ptr<Flight>;  // shared by the readers' map and what is under way

    /// Counts one thing that is under way, until it dies.
    class Underway {
      public:
        explicit Underway(State& state) : state_(&state) {
            const std::lock_guard lock(state.mutex);
            ++state.underway;
        }
        Underway(Underway&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
        Underway& operator=(Underway&&) = delete;
        ~Underway() {
            if (state_ == nullptr) return;
            const std::lock_guard lock(state_->mutex);
            if (--state_->underway == 0) state_->ended.notify_all();
        }

      private:
        State* state_;
    };

    State(const CacheOptions& wanted, const CacheDeps& with)
        : options(wanted),
          deps(with),
          meter(with.metrics),
          memory(memory_options(wanted), with.clock, meter) {}

    static MemoryOptions memory_options(const CacheOptions& wanted) {
        MemoryOptions out = wanted.memory;
        out.staleness = std::chrono::nanoseconds::max();
        if (wanted.redis) out.staleness = wanted.staleness;
        return out;
    }

    core::Result<void> open_redis() {
        if (!options.redis) return {};
        if (deps.key == nullptr)
            return Error(Code::kInvalidArgument, "a cache in Redis needs a key to seal with");
        ZONA_TRY(auto client,
                 redis::Client::open(*options.redis, {deps.clock, deps.random, deps.log}));
        const auto floor =
            std::chrono::duration_cast<std::chrono::milliseconds>(options.memory.floor);
        shared = std::make_unique<detail::SharedLevel>(
            std::move(client),
            detail::SharedOptions{
                .prefix = escaped(options.prefix),
                .memory_ttl = std::chrono::ceil<std::chrono::milliseconds>(options.memory.ttl),
                .ttl = options.shared_ttl,
                .floor = floor,
                .staleness = options.staleness},
            *deps.key,
            detail::SharedDeps{deps.clock, deps.random, deps.log, deps.metrics, memory, meter});
        return {};
    }

    /// Joins a load that is under way and has missed nothing since it began. None: `done` was
    /// taken.
    FlightPtr join(const Key& key, Loader loader, Callback<Found> done) {
        const std::lock_guard lock(mutex);
        FlightPtr& flight = flights[key];
        if (flight && memory.is_current(key, flight->began)) {
            flight->readers.push_back(std::move(done));
            return nullptr;
        }
        // Who waits for the earlier one still gets its answer.
        flight =
            std::make_shared<Flight>(Flight{.began = memory.stamp(), .loader = std::move(loader)});
        flight->readers.push_back(std::move(done));
        ++underway;
        return flight;
    }

    void land(const Key& key, const FlightPtr& flight, const core::Result<Found>& answer) {
        std::vector<Callback<Found>> readers;
        {
            const std::lock_guard lock(mutex);
            const auto at = flights.find(key);
            if (at != flights.end() && at->second == flight) flights.erase(at);
            readers.swap(flight->readers);
        }
        for (Callback<Found>& reader : readers)
            reader(answer);
        const std::lock_guard lock(mutex);
        if (--underway == 0) ended.notify_all();
    }

    void look(const Key& key, const FlightPtr& flight) {
        if (!shared) return load(key, flight);
        shared->get(key, [this, key, flight](Looked looked) {
            flight->seen = looked.seen;
            // A replica that became master may have less than this process knows.
            if (!looked.found || memory.is_outdated(key, looked.found->version))
                return load(key, flight);
            const Found found = found_of(std::move(looked.found->bytes), looked.found->version);
            if (looked.seen) memory.put(key, found, looked.found->tags, flight->began);
            land(key, flight, found);
        });
    }

    void load(const Key& key, const FlightPtr& flight) {
        meter.of(key.tenant()).loads.add();
        flight->loader([this, key, flight](core::Result<std::optional<Loaded>> loaded) {
            if (!loaded) return land(key, flight, loaded.take_error());
            if (!*loaded) return land(key, flight, Found());
            Content content{.bytes = std::move((*loaded)->bytes),
                            .version = (*loaded)->version,
                            .tags = std::move((*loaded)->tags)};
            const Found found = found_of(content.bytes, content.version);
            // What nobody follows by its numbers is not kept: nobody would hear that it changed.
            if (!shared || flight->seen) memory.put(key, found, content.tags, flight->began);
            const bool is_timely = memory.is_current(key, flight->began) &&
                                   deps.clock.steady() - flight->began.at < options.memory.floor;
            if (shared && flight->seen && is_timely) shared->put(key, content, *flight->seen);
            land(key, flight, found);
        });
    }

    void forget(News news, Callback<void> done) {
        if (!shared) return done({});
        shared->forget(news, [underway = Underway(*this), done = std::move(done)](
                                 core::Result<void> told) mutable { done(std::move(told)); });
    }

    void warm(std::string_view tenant) {
        std::vector<Warmer> all;
        {
            const std::lock_guard lock(mutex);
            all = warmers;
        }
        for (const Warmer& warmer : all)
            warmer(tenant);
    }

    CacheOptions options;
    CacheDeps deps;
    Meter meter;
    MemoryCache memory;
    std::mutex mutex;
    std::condition_variable ended;
    // Guarded by mutex.
    std::unordered_map<Key, FlightPtr, KeyHash> flights;
    std::vector<Warmer> warmers;
    std::size_t underway = 0;
    std::unique_ptr<detail::SharedLevel> shared;  ///< null: no Redis is wanted
};

core::Result<std::unique_ptr<Cache>> Cache::open(CacheOptions options, const CacheDeps& deps) {
    auto state = std::make_unique<State>(options, deps);
    ZONA_TRY_VOID(state->open_redis());
    return std::unique_ptr<Cache>(new Cache(std::move(state)));
}

Cache::Cache(std::unique_ptr<State> state) : state_(std::move(state)) {}

Cache::~Cache() {
    std::unique_lock lock(state_->mutex);
    state_->ended.wait(lock, [this] { return state_->underway == 0; });
}

void Cache::start() {
    if (state_->shared) state_->shared->start();
}

void Cache::check_health() {
    if (state_->shared) state_->shared->check_health();
}

Found Cache::find(const Key& key) {
    return state_->memory.find(key);
}

void Cache::read(const Key& key, Loader loader, Callback<Found> done) {
    if (Found found = state_->memory.find(key)) return done(std::move(found));
    const State::FlightPtr flight = state_->join(key, std::move(loader), std::move(done));
    if (flight) state_->look(key, flight);
}

void Cache::write(const Key& key, Writer writer, Callback<Found> done) {
    writer([state = state_.get(), key, underway = State::Underway(*state_),
            done = std::move(done)](core::Result<Loaded> written) mutable {
        if (!written) return done(written.take_error());
        const Content content{.bytes = std::move(written->bytes),
                              .version = written->version,
                              .tags = std::move(written->tags)};
        Found found = found_of(content.bytes, content.version);
        if (!state->shared || state->shared->follows(key)) {
            state->memory.write(key, found, content.tags);
        } else {
            state->memory.remove(key, content.version);
        }
        if (!state->shared) return done(std::move(found));
        state->shared->write(key, content,
                             [found = std::move(found), underway = std::move(underway),
                              done = std::move(done)](const core::Result<void>&) mutable {
                                 // It is in the database; Redis is told later.
                                 done(std::move(found));
                             });
    });
}

void Cache::remove(const Key& key, Remover remover, Callback<void> done) {
    remover([state = state_.get(), key, underway = State::Underway(*state_),
             done = std::move(done)](core::Result<std::int64_t> removed) mutable {
        if (!removed) return done(removed.take_error());
        const std::int64_t floor = *removed == 0 ? 0 : *removed + 1;
        state->memory.remove(key, floor);
        if (!state->shared) return done({});
        state->shared->remove(key, floor,
                              [underway = std::move(underway), done = std::move(done)](
                                  const core::Result<void>&) mutable { done({}); });
    });
}

void Cache::invalidate(const Key& key, Callback<void> done) {
    state_->memory.remove(key);
    if (!state_->shared) return done({});
    state_->shared->remove(key, 0,
                           [underway = State::Underway(*state_), done = std::move(done)](
                               core::Result<void> told) mutable { done(std::move(told)); });
}

void Cache::invalidate_tag(std::string_view tenant, std::string_view tag, Callback<void> done) {
    state_->memory.invalidate_tag(tenant, tag);
    state_->forget(
        {.kind = News::Kind::kTag, .tenant = std::string(tenant), .tag = std::string(tag)},
        std::move(done));
}

void Cache::invalidate(const Pattern& pattern, Callback<void> done) {
    state_->memory.invalidate(pattern);
    state_->forget({.kind = News::Kind::kPattern, .tenant = pattern.tenant, .pattern = pattern},
                   std::move(done));
}

void Cache::invalidate_tenant(std::string_view tenant, Callback<void> done) {
    state_->memory.invalidate_tenant(tenant);
    state_->forget({.kind = News::Kind::kTenant, .tenant = std::string(tenant)},
                   [state = state_.get(), tenant = std::string(tenant),
                    done = std::move(done)](core::Result<void> told) mutable {
                       done(std::move(told));
                       state->warm(tenant);
                   });
}

void Cache::invalidate_all(Callback<void> done) {
    State& state = *state_;
    state.memory.invalidate_all();
    if (!state.shared) {
        done({});
        return state.warm({});
    }
    /// Owned by the answers that are awaited.
    struct Gathering {
        std::size_t awaited;
        core::Result<void> told;
        Callback<void> done;
        State::Underway underway;
    };
    auto gathering =
        std::make_shared<Gathering>(Gathering{1, {}, std::move(done), State::Underway(state)});
    const auto take = [gathering, &state](core::Result<void> told) {
        if (!told) gathering->told = std::move(told);
        if (--gathering->awaited > 0) return;
        gathering->done(std::move(gathering->told));
        state.warm({});
    };
    state.shared->tenants([take, gathering, &state](core::Result<std::vector<std::string>> all) {
        if (!all) return take(all.take_error());
        gathering->awaited += all->size();
        for (const std::string& tenant : *all)
            state.forget({.kind = News::Kind::kTenant, .tenant = unescaped(tenant)}, take);
        take({});
    });
}

void Cache::add_warmer(Warmer warmer) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->warmers.push_back(warmer);
    }
    warmer({});
}

Mode Cache::mode() const {
    if (!state_->shared) return Mode::kMemory;
    return state_->shared->is_available() ? Mode::kShared : Mode::kDatabaseOnly;
}

Report Cache::report() const {
    const MemoryUse use = state_->memory.use();
    Report out{.mode = mode(),
               .problem = {},
               .memory_bytes = use.bytes,
               .most_memory_bytes = state_->memory.most_bytes(),
               .entries = use.entries,
               .tenants = state_->meter.numbers()};
    if (!state_->shared) return out;
    out.problem = state_->shared->problem();
    out.undelivered = state_->shared->undelivered();
    out.sent_bytes = state_->shared->traffic().sent;
    out.received_bytes = state_->shared->traffic().received;
    return out;
}

}  // namespace zona::cache
