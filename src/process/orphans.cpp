#include "process/orphans.h"

#include "os/proc.h"
#include "process/table.h"

namespace zona::process {

core::Result<bool> has_living_processes(const std::string& home) {
    ZONA_TRY(const os::ProcFs proc, os::ProcFs::open());
    ZONA_TRY(const std::string boot_id, proc.boot_id());
    auto table = Table::open(home + "/run/table", boot_id);
    if (!table && table.error().code() == core::Code::kNotFound) return false;
    if (!table) return table.take_error();
    const std::uint32_t used = table->used();
    for (std::uint32_t i = 0; i < used; ++i) {
        const Slot& slot = table->slot(i);
        const SlotState state = slot.state();
        if (state != SlotState::kRunning && state != SlotState::kIntent) continue;
        const pid_t pid = slot.pid.load();
        if (pid <= 0) continue;
        ZONA_TRY(const auto stat, proc.stat(pid));
        const bool same = stat && (slot.start_ticks == 0 || stat->start_ticks == slot.start_ticks);
        if (same && !stat->is_dead()) return true;
    }
    return false;
}

}  // namespace zona::process
