/// @file
/// The daemon's view of the shared process table (table_layout.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/random.h"
#include "core/result.h"
#include "os/shared_memory.h"
#include "process/table_layout.h"

namespace zona::process {

/// Slots by number. The keeper makes and checks the file; this only maps it. Supervision thread
/// only, except that the keeper, another process, records exits of adopted children at any time.
class Table {
  public:
    /// Maps HOME/run/table. kConflict: not the table of this boot and version.
    static core::Result<Table> open(const std::string& path, const std::string& boot_id);

    TableHeader& header() { return *static_cast<TableHeader*>(mapping_.data()); }
    /// Precondition: `number` < kTableSlots.
    Slot& slot(std::uint32_t number) { return slots_[number]; }
    std::uint32_t used() { return header().used.load(); }

    /// A free slot, the lowest, now kIdle and owned by `id`, all its counters zero.
    /// kResourceExhausted: all kTableSlots are taken; names the limit.
    core::Result<std::uint32_t> take(const core::Uuid& id);
    /// Gives a slot back; nothing of its process may be left.
    void release(std::uint32_t number);

    /// The process that take() gave the slot to.
    static core::Uuid owner(const Slot& slot);

  private:
    explicit Table(os::SharedMapping mapping);
    os::SharedMapping mapping_;
    Slot* slots_;
    std::uint32_t first_maybe_free_ = 0;
};

}  // namespace zona::process
