// The declarations of PMDaemon's paths. Their answers are PMDaemon's, so they have no envelope of
// zona's; what its documents and its source say differently stands side by side in one answer.
#pragma once

#include "api/service.h"

namespace zona::api::pmdaemon {

/// The shapes that have a name, each beginning with Pmdaemon.
void name_components(Service& service);

Operation list_processes();
Operation create_process();
Operation get_process();
Operation delete_process();
Operation start_process();
Operation stop_process();
Operation restart_process();
Operation reload_process();
Operation get_logs();
/// The path that its README says.
Operation get_logs_again();
Operation get_system();
Operation get_status();
Operation open_socket();
/// What GET / answers to programs.
AnswerSpec front_answer();

}  // namespace zona::api::pmdaemon
