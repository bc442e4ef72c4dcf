// The declarations of what can be asked about processes, their logs and their snapshots.
#pragma once

#include "api/operation.h"

namespace zona::api {

Operation list_processes();
Operation start_processes();
Operation get_process();
Operation list_exits();
Operation get_environment();
Operation operate_processes();
Operation read_logs();
Operation save_snapshot();
Operation restore_snapshot();

}  // namespace zona::api
