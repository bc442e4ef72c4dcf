/// @file
/// The collections of the jobs: what the core database is opened with, and every other database
/// that jobs change. Source: BG-09, BG-12.
#pragma once

#include <vector>

#include "store/collection.h"

namespace zona::jobs {

/// `jobs`: when each is due, whether it is paused, what its last run came to; by its key.
const store::CollectionSpec& jobs_spec();
/// `job_runs`: the history, by number.
const store::CollectionSpec& job_runs_spec();
/// `job_leases`: who runs what, by the name of the lease (lease.h).
const store::CollectionSpec& job_leases_spec();
/// `job_fences`: the newest holder of each lease that has written here, by the lease's name.
const store::CollectionSpec& job_fences_spec();

/// `tasks`: what was asked for, and what came of it (task.h), by its id.
const store::CollectionSpec& tasks_spec();

/// All of them: for the core database, beside store::counters_spec(). Others need
/// job_fences_spec().
std::vector<const store::CollectionSpec*> core_collections();

}  // namespace zona::jobs
