// What the operations of backup_routes.h do when their turn has come, and how what they give is
// shown.
#pragma once

#include <cstdint>

#include <boost/json/object.hpp>

#include "api/daemon_api.h"
#include "api/detail/tasks.h"
#include "tenancy/backup/backup_records.h"
#include "tenancy/backup/whole_backup.h"

namespace zona::api {

/// `deps` outlives the queue's last task.
void handle_operations(Tasks& tasks, const DaemonApiDeps& deps);

/// A moment in the input of a task.
std::int64_t to_input(core::SystemTime moment);

boost::json::object shown(const tenancy::BackupRecord& record);
boost::json::object shown(const tenancy::WholeBackup& whole);

}  // namespace zona::api
