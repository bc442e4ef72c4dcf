// The routes of /api/v1/jobs.
#pragma once

#include "api/service.h"

namespace zona::jobs {
class Scheduler;
}

namespace zona::api {

/// `jobs` outlives the service; null where nobody asks.
core::Result<void> add_job_routes(Service& service, jobs::Scheduler* jobs);

}  // namespace zona::api
