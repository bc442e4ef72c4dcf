/// @file
/// Meter: what the cache counts, of each tenant.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"

namespace zona::cache {

/// What is counted of one tenant; valid as long as its Meter.
struct TenantMeter {
    core::Counter& memory_hits;
    core::Counter& memory_misses;
    core::Counter& shared_hits;
    core::Counter& shared_misses;
    core::Counter& loads;  ///< asked of the database
    core::Counter& evictions;
    core::Gauge& bytes;    ///< in this process
    core::Gauge& entries;  ///< the same
};

/// The numbers of one tenant, or of all together, at one moment.
struct Numbers {
    std::string tenant;
    std::uint64_t memory_hits = 0;
    std::uint64_t memory_misses = 0;
    std::uint64_t shared_hits = 0;
    std::uint64_t shared_misses = 0;
    std::uint64_t loads = 0;
    std::uint64_t evictions = 0;
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
};

/// The metrics zona_cache_… by tenant. Any thread. Source: CACHE-20.
class Meter {
  public:
    /// Tenants beyond this number share one meter. Hits have a series for each of two levels:
    /// beyond kMostSeries they would share those, and each count what all of them do.
    static constexpr std::size_t kMostTenants = (core::MetricRegistry::kMostSeries / 2) - 1;

    /// `metrics` outlives it.
    explicit Meter(core::MetricRegistry& metrics) : metrics_(metrics) {}

    /// That of a tenant, made when it is first asked for. `tenant` is escaped.
    TenantMeter& of(std::string_view tenant);
    /// All tenants by name.
    std::vector<Numbers> numbers() const;

  private:
    core::MetricRegistry& metrics_;
    mutable std::shared_mutex mutex_;
    /// Guarded by mutex_; what it points to stays where it is.
    std::map<std::string, std::unique_ptr<TenantMeter>, std::less<>> tenants_;
};

}  // namespace zona::cache
