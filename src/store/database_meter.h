/// @file
/// DatabaseMeter: what the pools of all open databases are doing, read when metrics are rendered:
/// between two scrapes it costs nothing. Source: OBS-04.
#pragma once

#include <memory>
#include <string>

#include "core/metrics.h"
#include "store/database.h"

namespace zona::store {

/// Any thread. Metrics, by {database}: zona_database_connections, zona_database_running{work},
/// zona_database_waiting{work}, zona_database_transactions_total{outcome},
/// zona_database_commits_total, zona_database_repeated_total. Databases under one name are added
/// up.
class DatabaseMeter {
  public:
    /// `metrics` outlives it and what it gives out.
    explicit DatabaseMeter(core::MetricRegistry& metrics);

    /// The same database, shown under `name` until it is let go of; what it has done until then
    /// stays counted.
    std::shared_ptr<Database> watch(const std::string& name, std::shared_ptr<Database> database);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace zona::store
