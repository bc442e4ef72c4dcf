/// @file
/// SharedLevel: the second level, in Redis, and what keeps the first levels of all instances true.
///
/// *What is where.* A tenant's keys share the tag `{PREFIX:TENANT}`, so they lie on one server:
/// values at `{PREFIX:TENANT}/entity/id`, and its state (scripts.h). A value has the number of the
/// tenant's news that it was kept at, the state has marks of tags with the numbers at which they
/// were forgotten: what is older than a mark of its own is not believed. So tags hold whatever
/// Redis throws away to make room: a value without its state is not believed either.
///
/// *News.* Every change is numbered and told on one channel by the script that makes it. Whoever
/// hears a number that does not follow the last one has lost something, and forgets that tenant.
/// Twice in each `staleness` the numbers are compared as well, for what got lost at the end; when
/// all of them agree, the first level is confirmed for another `staleness`. So what it holds is
/// never older than that, whatever becomes of Redis. After a longer silence it begins empty.
///
/// Any thread. Nothing here fails: without Redis there is nothing in it. Source: CACHE-02,
/// CACHE-08, CACHE-09, CACHE-12, CACHE-18, ARCH-09.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/detail/news.h"
#include "cache/detail/scripts.h"
#include "cache/detail/sealer.h"
#include "cache/detail/undelivered.h"
#include "cache/memory_cache.h"
#include "cache/redis/client.h"

namespace zona::cache::detail {

struct SharedOptions {
    std::string prefix;
    std::chrono::milliseconds memory_ttl;  ///< of the first level
    std::chrono::milliseconds ttl;
    std::chrono::milliseconds floor;
    std::chrono::milliseconds staleness;
};

/// What it works with; all outlive it.
struct SharedDeps {
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    core::MetricRegistry& metrics;
    MemoryCache& memory;
    Meter& meter;
};

/// What Redis had.
struct Looked {
    std::optional<Content> found;
    /// The number of the last news that was heard; none: nothing that is loaded now may be put.
    std::optional<std::int64_t> seen;
    std::int64_t number = 0;  ///< of the last news when `found` was kept
};

class SharedLevel {
  public:
    /// What kept Redis from being told; it is told later.
    using Done = redis::Callback<void>;
    using LookedDone = std::move_only_function<void(Looked)>;

    SharedLevel(std::unique_ptr<redis::Client> client, SharedOptions options,
                const crypto::Key& key, const SharedDeps& deps);
    ~SharedLevel();
    SharedLevel(const SharedLevel&) = delete;
    SharedLevel& operator=(const SharedLevel&) = delete;

    void start() { client_->start(); }
    /// Whether the news of the key's tenant are followed: only then may the first level keep it.
    bool follows(const Key& key) { return heard(key.tenant()).has_value(); }
    /// What Redis has. Whose news are not followed yet, is from then on.
    void get(const Key& key, LookedDone done);
    /// Keeps what was loaded after a get() that gave `seen`, unless something newer is known.
    void put(const Key& key, const Content& content, std::int64_t seen);
    /// Keeps what was written and tells all instances; later, if Redis is away: then the first
    /// level forgets it, for nobody could tell it of a change.
    void write(const Key& key, const Content& content, Done done);
    /// The same of a removal.
    void remove(const Key& key, std::int64_t floor, Done done);
    /// Removes a group (a tag, a pattern or a tenant) and tells all. Errors: kUnavailable: it will
    /// be done, for the whole tenant, when Redis is back.
    void forget(const News& news, redis::Callback<void> done);
    /// The tenants that have anything in Redis, escaped.
    void tenants(redis::Callback<std::vector<std::string>> done);

    /// Asks whether Redis answers, without waiting for that.
    void check_health() {
        client_->post([this] { ask_health(); });
    }
    /// Whether Redis answered when it was asked last, and did what was asked of it lately;
    /// otherwise what is wrong.
    bool is_available() const { return available_.load(std::memory_order_acquire); }
    std::string problem() const;
    /// Changes that Redis has not been told of yet.
    std::size_t undelivered() const { return undelivered_.size(); }
    const redis::Traffic& traffic() const { return client_->traffic(); }

  private:
    /// One comparison of numbers with Redis.
    struct Round;
    struct Known {
        std::int64_t heard = 0;
        core::SteadyTime used;
    };

    std::string tag_of(std::string_view tenant) const {
        return options_.prefix + ":" + std::string(tenant);
    }
    std::string name_of(const Key& key) const;
    std::string state_of(std::string_view tenant) const { return "{" + tag_of(tenant) + "}:state"; }
    std::string base() const;
    void run(std::string_view tenant, const Script& script, std::vector<std::string> keys,
             std::vector<std::string> arguments, redis::Callback<redis::Reply> done);
    void learn(const std::string& tenant);
    std::optional<std::int64_t> heard(std::string_view tenant);
    void follow(std::string_view tenant);
    void open(const Key& key, const std::string& name, std::string kept, Looked& into);
    void check_tags(const Key& key, Looked looked, LookedDone done);
    void told(const Key& key, std::int64_t floor, core::Result<void> answer, Done done);
    void tell(const News& news, redis::Callback<void> done);
    void unlink(const Pattern& pattern, redis::Callback<void> done);
    void hear(std::string_view text);
    void apply(const News& news);
    void forget_here(const std::string& tenant);
    void lost(const std::string& tenant);
    void compare();
    void compared(const std::shared_ptr<Round>& round);
    void verify(const Round& round);
    void deliver();
    void count_traffic();
    void ask_health();
    core::Result<void> done_by(const core::Result<redis::Reply>& reply);
    void set_available(const core::Result<void>& answered);

    SharedOptions options_;
    SharedDeps deps_;
    Sealer sealer_;
    std::string origin_;  ///< what tells this instance's news from others'
    std::string channel_;
    Undelivered undelivered_;
    std::atomic<bool> available_{true};
    std::optional<core::SteadyTime> confirmed_;  ///< on the client's thread
    core::Counter& gaps_;
    core::Gauge& up_;
    core::Counter& sent_;
    core::Counter& received_;
    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::map<std::string, Known, std::less<>> tenants_;
    std::string problem_;
    std::string refusal_;  ///< since health was asked last
    // The last: its thread works with all of the others.
    std::unique_ptr<redis::Client> client_;
};

}  // namespace zona::cache::detail
