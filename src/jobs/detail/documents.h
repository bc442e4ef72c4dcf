// The jobs' documents as types.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "jobs/definition.h"
#include "jobs/detail/ledger.h"
#include "jobs/lease.h"
#include "store/collection.h"

namespace zona::jobs::detail {

store::Collection in_core(const store::CollectionSpec& spec);

boost::json::object document_of(const JobState& state);
JobState state_of(const boost::json::object& from);

/// A run that begins.
struct RunDocument {
    std::string key;
    Trigger trigger = Trigger::kSchedule;
    int attempt = 0;
    Holder holder;
    std::int64_t fence = 0;
    core::SystemTime started_at{};
};
boost::json::object document_of(const RunDocument& run);
RunView run_of(const store::Record& record);

/// Without what is known of runs.
JobView shown(const Definition& definition, const JobState& state);

/// The document's id of a job: those that run for themselves have one in each instance.
std::string key_of(const Definition& definition, const std::string& instance);
/// The name in a key.
std::string name_in(const std::string& key);

}  // namespace zona::jobs::detail
