// What a queue knows of a task that runs here.
#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "core/clock.h"
#include "jobs/detail/task_ledger.h"
#include "jobs/detail/task_run.h"
#include "jobs/task.h"

namespace zona::jobs::detail {

struct Attempt {
    const TaskKind& kind;
    int failures = 0;              ///< before it
    std::shared_ptr<TaskRun> run;  ///< shared with the thread of the work
    core::SteadyTime began{};
    core::SteadyTime next_beat{};
    core::SteadyTime last_beat{};    ///< that the database has taken
    std::optional<TaskEnd> ended{};  ///< and could not be entered yet
    std::thread thread{};            ///< not with QueueDeps::run
};

}  // namespace zona::jobs::detail
