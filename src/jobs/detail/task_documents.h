// The documents of tasks as types.
#pragma once

#include <string>

#include "core/error.h"
#include "core/progress.h"
#include "jobs/task.h"
#include "store/database.h"
#include "store/value.h"

namespace zona::jobs::detail {

/// Where a task waits: everything that the document of a new one says but its input.
struct TaskPlan {
    Task task;
    std::string key;  ///< over all kinds and tenants; empty: none
    std::int64_t turn = 0;
    std::string only;  ///< the instance that alone may do it; empty: any
};
store::Document document_of(const TaskPlan& plan);
Task task_of(const store::Record& record);

store::Value value_of(const core::Error& error);
store::Value value_of(const core::Progress& progress);

}  // namespace zona::jobs::detail
