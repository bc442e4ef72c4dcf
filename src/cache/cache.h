/// @file
/// Cache: what need not be asked of a database again, for whoever reads by tenant, entity and id.
///
///     cache.read(Key(tenant, "apps", id),
///                [=](auto loaded) { database.find(..., std::move(loaded)); },
///                [](core::Result<cache::Found> app) { ... });
///
/// Two levels: this process (memory_cache.h), and Redis for all instances, if there is one. A read
/// asks the first, then the second, then the loader, and fills what it passed; readers who miss the
/// same key at one time share one load. A write or removal goes to the database first: if that
/// fails the cache stays as it was; if not, both levels have it before the caller hears of it. What
/// is absent or an error is not kept.
///
/// *How old a value can be.* Whoever has written through a Cache reads his own write there at once.
/// Other instances hear of it within milliseconds. If the news is lost they find out within
/// options.staleness. If Redis is away everything comes from the database (database-only mode), but
/// for what is in memory and not older than options.staleness. An instance
/// that cannot tell Redis of its writes does so when Redis is back, and believes nothing there of
/// these keys until then; others may read the earlier value from Redis for so long, or, if that
/// instance dies before, until options.shared_ttl. Without Redis there is one instance; a second
/// one would see changes after options.memory.ttl.
///
/// What lies in Redis is encrypted under the caller's key and bound to its place; the names of
/// tenants, entities, ids and tags are not. Versions are those of documents: they rise with each
/// change of one key and are not negative; 0 says that there is none, and then a write makes all
/// forget the key. Without Redis: no thread and no timer.
///
/// Any thread. Answers are given on the caller's thread, the loader's, or the cache's own: they are
/// short. Source: CACHE-01..CACHE-22, HTTP-08, TEN-45; specification § 8.9.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/key.h"
#include "cache/memory_cache.h"
#include "cache/meter.h"
#include "cache/redis/client.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "crypto/key.h"

namespace zona::cache {

/// Takes an answer; called once.
template <class T>
using Callback = redis::Callback<T>;

/// What a database has given.
struct Loaded {
    std::string bytes;
    std::int64_t version = 0;
    std::vector<std::string> tags{};  ///< groups that it is invalidated with; the tenant's own
};

/// Reads from the database; none: there is no such thing.
using Loader = std::move_only_function<void(Callback<std::optional<Loaded>>)>;
/// Writes to the database and gives what is there now.
using Writer = std::move_only_function<void(Callback<Loaded>)>;
/// Removes from the database and gives the version that was removed; 0: it has none.
using Remover = std::move_only_function<void(Callback<std::int64_t>)>;
/// Reads what is read often, through the cache; an empty tenant: of all.
using Warmer = std::function<void(std::string_view tenant)>;

/// What the cache may take, and where Redis is.
struct CacheOptions {
    MemoryOptions memory;  ///< its staleness is the one below
    std::optional<redis::ClientOptions> redis;
    std::string prefix = "zona";  ///< of all names in Redis: one for each installation
    std::chrono::milliseconds shared_ttl = std::chrono::hours(1);
    std::chrono::milliseconds staleness = std::chrono::seconds(10);
};

/// What it works with; all outlive it.
struct CacheDeps {
    const core::Clock& clock;
    core::Random& random;  ///< fit for keys; any thread
    core::Logger log;
    core::MetricRegistry& metrics;
    /// What values in Redis are sealed with: the same in all instances. Is not kept. Null only
    /// without Redis.
    const crypto::Key* key = nullptr;
};

/// Where reads are answered from. Source: § 8.9 HEALTH_CHECK.
enum class Mode : std::uint8_t {
    kMemory,        ///< there is no Redis, and none is wanted
    kShared,        ///< both levels
    kDatabaseOnly,  ///< Redis is wanted and away
};

/// The cache at one moment.
struct Report {
    Mode mode = Mode::kMemory;
    std::string problem;  ///< why Redis is away
    std::uint64_t memory_bytes = 0;
    std::uint64_t most_memory_bytes = 0;
    std::uint64_t entries = 0;
    std::uint64_t sent_bytes = 0;  ///< to Redis
    std::uint64_t received_bytes = 0;
    std::uint64_t undelivered = 0;  ///< changes that Redis has not been told of yet
    std::vector<Numbers> tenants;
};

/// As the file says.
class Cache {
  public:
    /// Errors: kInvalidArgument, as redis::Client::open(). A Redis that does not answer is none.
    static core::Result<std::unique_ptr<Cache>> open(CacheOptions options, const CacheDeps& deps);
    /// Begins to speak to Redis, once; what was asked before waits for it. The thread that does it
    /// inherits the signals that the caller blocks. Nothing to do without Redis.
    void start();
    /// Asks whether Redis answers, and waits for nothing; mode() says what it answered last. To be
    /// called every now and then; nothing to do without Redis. Source: BG-02, § 8.10.
    void check_health();
    /// Waits for loads, writes and removals that are under way.
    ~Cache();
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    /// READ. Gives null if the loader finds nothing. Errors: the loader's; nothing is kept then.
    void read(const Key& key, Loader loader, Callback<Found> done);
    /// What this process has, at once.
    Found find(const Key& key);
    /// WRITE. Errors: the writer's; the cache is as before then.
    void write(const Key& key, Writer writer, Callback<Found> done);
    /// DELETE. Errors: the remover's; the cache is as before then.
    void remove(const Key& key, Remover remover, Callback<void> done);

    /// @{
    /// INVALIDATE, for changes that did not come through write() and remove(). This process has
    /// forgotten it when the call returns, all others when `done` is called. Errors: kUnavailable,
    /// kTimeout: Redis is away; it is told when it is back, but of invalidate_all(), which has to
    /// be asked again.
    void invalidate(const Key& key, Callback<void> done);
    void invalidate_tag(std::string_view tenant, std::string_view tag, Callback<void> done);
    void invalidate(const Pattern& pattern, Callback<void> done);
    void invalidate_tenant(std::string_view tenant, Callback<void> done);
    void invalidate_all(Callback<void> done);
    /// @}

    /// Calls `warmer` now, and after each invalidate_tenant() and invalidate_all(). It outlives the
    /// cache.
    void add_warmer(Warmer warmer);

    /// Where reads are answered from now.
    Mode mode() const;
    /// The numbers of now.
    Report report() const;

  private:
    struct State;
    explicit Cache(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace zona::cache
