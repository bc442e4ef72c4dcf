/// @file
/// Caches of several instances on one Redis, for tests, and a database of one table behind them.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "cache/cache.h"
#include "cache/testing/redis_server.h"

namespace zona::cache {

/// Documents with versions; counts what it is asked.
class TestDatabase {
  public:
    Loader loader(const Key& key, std::vector<std::string> tags = {}) {
        return [this, key, tags](Callback<std::optional<Loaded>> done) {
            ++loads;
            if (is_broken) return done(core::Error(core::Code::kUnavailable, "no database"));
            done(find(key, tags));
        };
    }
    Writer writer(const Key& key, std::string bytes, std::vector<std::string> tags = {}) {
        return [this, key, bytes, tags](Callback<Loaded> done) {
            if (is_broken) return done(core::Error(core::Code::kUnavailable, "no database"));
            done(Loaded{bytes, set(key, bytes), tags});
        };
    }
    Remover remover(const Key& key) {
        return [this, key](Callback<std::int64_t> done) {
            if (is_broken) return done(core::Error(core::Code::kUnavailable, "no database"));
            const std::lock_guard lock(mutex_);
            const std::int64_t version = documents_[key.text()].second;
            documents_.erase(key.text());
            done(version);
        };
    }
    std::int64_t set(const Key& key, std::string bytes) {
        const std::lock_guard lock(mutex_);
        auto& [text, version] = documents_[key.text()];
        text = std::move(bytes);
        return version = next_++;
    }
    std::optional<Loaded> find(const Key& key, std::vector<std::string> tags = {}) const {
        const std::lock_guard lock(mutex_);
        const auto at = documents_.find(key.text());
        if (at == documents_.end()) return std::nullopt;
        return Loaded{at->second.first, at->second.second, std::move(tags)};
    }

    std::atomic<int> loads{0};
    std::atomic<bool> is_broken{false};

  private:
    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::map<std::string, std::pair<std::string, std::int64_t>> documents_;
    std::int64_t next_ = 1;
};

/// One instance.
class Instance {
  public:
    explicit Instance(std::optional<redis::ClientOptions> redis = {},
                      std::chrono::milliseconds staleness = std::chrono::seconds(10))
        : Instance(options_of(std::move(redis), staleness)) {}
    explicit Instance(CacheOptions options) : key_(crypto::Key(std::as_bytes(std::span(kKey)))) {
        auto opened =
            Cache::open(std::move(options), {clock_, random_, log.logger("cache"), metrics, &key_});
        if (opened) {
            cache = *std::move(opened);
            cache->start();
        } else {
            ADD_FAILURE() << opened.error().message();
        }
    }

    /// "-": not found. "!": an error.
    std::string read(const Key& key, TestDatabase& database, std::vector<std::string> tags = {}) {
        auto promise = std::make_shared<std::promise<std::string>>();
        cache->read(key, database.loader(key, std::move(tags)),
                    [promise](const core::Result<Found>& found) {
                        promise->set_value(!found ? "!" : *found ? (*found)->bytes : "-");
                    });
        return promise->get_future().get();
    }
    bool write(const Key& key, std::string bytes, TestDatabase& database,
               std::vector<std::string> tags = {}) {
        auto promise = std::make_shared<std::promise<bool>>();
        cache->write(
            key, database.writer(key, std::move(bytes), std::move(tags)),
            [promise](const core::Result<Found>& found) { promise->set_value(found.has_value()); });
        return promise->get_future().get();
    }
    bool remove(const Key& key, TestDatabase& database) {
        return done(
            [&](Callback<void> end) { cache->remove(key, database.remover(key), std::move(end)); });
    }
    /// Calls `work` with a callback, and waits for its answer.
    template <class Work>
    static bool done(Work work) {
        auto promise = std::make_shared<std::promise<bool>>();
        work([promise](const core::Result<void>& end) { promise->set_value(end.has_value()); });
        return promise->get_future().get();
    }
    /// What is in this process.
    std::string here(const Key& key) {
        const Found found = cache->find(key);
        return found ? found->bytes : "-";
    }
    Numbers numbers(const std::string& tenant) const {
        for (const Numbers& one : cache->report().tenants) {
            if (one.tenant == tenant) return one;
        }
        return {};
    }

    core::MemoryLog log;
    core::MetricRegistry metrics;
    std::unique_ptr<Cache> cache;

  private:
    static constexpr std::array<char, 32> kKey{'k', 'e', 'y'};
    static CacheOptions options_of(std::optional<redis::ClientOptions> redis,
                                   std::chrono::milliseconds staleness) {
        CacheOptions out;
        out.redis = std::move(redis);
        out.staleness = staleness;
        return out;
    }

    core::RealClock clock_;
    core::SystemRandom random_;
    crypto::Key key_;
};

}  // namespace zona::cache
