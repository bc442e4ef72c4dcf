/// @file
/// QueryMeter: how long queries take, what they find, by which index, and which of them are slow.
///
/// It stands between work and a Reader or Writer of any backend, which says what index has served a
/// query. What it costs is two readings of the clock and a few atomic additions; its series are
/// made once, with the first query that they count. A slow query is logged by its shape, conditions
/// and order without any value. So is every access, where that is asked for: reads and changes,
/// also those that failed. Source: OBS-04, TEN-24, SEC-19.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "store/database.h"

namespace zona::store {

/// The fields, kinds of conditions, order and direction of a query, without values:
/// "all(eq /status, gte /priority) by /priority descending".
std::string shape_of(const Query& query);

/// Any thread. Metrics: zona_store_query_duration_seconds{collection,operation},
/// zona_store_query_documents_total{collection,operation}, zona_store_query_failures_total{...},
/// zona_store_index_queries_total{collection,index}, zona_store_slow_queries_total{collection}.
class QueryMeter {
  public:
    /// `collections`, `metrics` and `clock` outlive it. Every access is a line of `accesses` where
    /// its category writes level trace; else that costs the reading of its level.
    QueryMeter(const std::vector<const CollectionSpec*>& collections, core::MetricRegistry& metrics,
               const core::Clock& clock, core::Logger log, core::Logger accesses = {});
    QueryMeter(const QueryMeter&) = delete;
    QueryMeter& operator=(const QueryMeter&) = delete;
    ~QueryMeter();

    /// What takes at least so long is logged, from now on; 0: nothing is.
    void set_slow(std::chrono::milliseconds time);

    /// @{
    /// `inner`, measured; both outlive what is returned.
    std::unique_ptr<Reader> measure(Reader& inner) const;
    std::unique_ptr<Writer> measure(Writer& inner) const;
    /// @}
    /// `inner`, all of whose Readers and Writers are measured. This outlives what is returned.
    std::shared_ptr<Database> measure(std::shared_ptr<Database> inner) const;

  private:
    struct Series;
    template <class Base>
    class Measured;
    class MeasuredWriter;
    class MeasuredDatabase;

    std::map<const CollectionSpec*, std::unique_ptr<Series>> series_;
    core::MetricRegistry& metrics_;
    const core::Clock& clock_;
    core::Logger log_;
    core::Logger accesses_;
    std::atomic<std::int64_t> slow_{0};  ///< nanoseconds
};

}  // namespace zona::store
