#include "cache/meter.h"

#include <mutex>

#include "cache/key.h"

namespace zona::cache {
namespace {

/// The name of all tenants beyond kMostTenants.
constexpr std::string_view kOther = "other";

core::Labels of_level(const std::string& level, const std::string& tenant) {
    return {{"level", level}, {"tenant", tenant}};
}

std::unique_ptr<TenantMeter> make_meter(core::MetricRegistry& metrics, const std::string& tenant) {
    const auto hits = [&](const std::string& level) -> core::Counter& {
        return metrics.counter("zona_cache_hits_total", "Reads that a level of the cache answered.",
                               of_level(level, tenant));
    };
    const auto misses = [&](const std::string& level) -> core::Counter& {
        return metrics.counter("zona_cache_misses_total",
                               "Reads that a level of the cache could not answer.",
                               of_level(level, tenant));
    };
    const core::Labels labels{{"tenant", tenant}};
    return std::make_unique<TenantMeter>(TenantMeter{
        .memory_hits = hits("memory"),
        .memory_misses = misses("memory"),
        .shared_hits = hits("redis"),
        .shared_misses = misses("redis"),
        .loads = metrics.counter("zona_cache_loads_total",
                                 "Reads that the cache asked the database for.", labels),
        .evictions = metrics.counter("zona_cache_evictions_total",
                                     "Entries that made room for others in this process.", labels),
        .bytes =
            metrics.gauge("zona_cache_memory_bytes",
                          "What the cache in this process takes, all overhead counted.", labels),
        .entries =
            metrics.gauge("zona_cache_entries", "Entries of the cache in this process.", labels)});
}

}  // namespace

TenantMeter& Meter::of(std::string_view tenant) {
    {
        const std::shared_lock lock(mutex_);
        auto at = tenants_.find(tenant);
        if (at == tenants_.end() && tenants_.size() > kMostTenants) at = tenants_.find(kOther);
        if (at != tenants_.end()) return *at->second;
    }
    const std::lock_guard lock(mutex_);
    const std::string name(tenants_.size() < kMostTenants ? tenant : kOther);
    std::unique_ptr<TenantMeter>& meter = tenants_[name];
    if (!meter) meter = make_meter(metrics_, unescaped(name));
    return *meter;
}

std::vector<Numbers> Meter::numbers() const {
    std::vector<Numbers> out;
    const std::shared_lock lock(mutex_);
    for (const auto& [tenant, meter] : tenants_) {
        out.push_back({.tenant = unescaped(tenant),
                       .memory_hits = meter->memory_hits.value(),
                       .memory_misses = meter->memory_misses.value(),
                       .shared_hits = meter->shared_hits.value(),
                       .shared_misses = meter->shared_misses.value(),
                       .loads = meter->loads.value(),
                       .evictions = meter->evictions.value(),
                       .bytes = static_cast<std::uint64_t>(meter->bytes.value()),
                       .entries = static_cast<std::uint64_t>(meter->entries.value())});
    }
    return out;
}

}  // namespace zona::cache
