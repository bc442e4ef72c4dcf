#include "process/table.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace zona::process {

Table::Table(os::SharedMapping mapping)
    : mapping_(std::move(mapping)),
      slots_(reinterpret_cast<Slot*>(static_cast<char*>(mapping_.data()) + sizeof(TableHeader))) {}

core::Result<Table> Table::open(const std::string& path, const std::string& boot_id) {
    ZONA_TRY(os::SharedMapping mapping, os::SharedMapping::map(path, kTableBytes));
    char boot[40] = {};
    boot_id.copy(boot, sizeof boot - 1);
    if (judge_table(mapping.data(), mapping.size(), boot) != TableVerdict::kGood) {
        return core::Error(core::Code::kConflict,
                           path + " is not the process table of this boot and version");
    }
    return Table(std::move(mapping));
}

core::Result<std::uint32_t> Table::take(const core::Uuid& id) {
    for (std::uint32_t i = first_maybe_free_; i < kTableSlots; ++i) {
        Slot& s = slots_[i];
        if (s.state() != SlotState::kFree) continue;
        std::memset(static_cast<void*>(&s), 0, sizeof s);
        std::memcpy(s.process_id, id.bytes.data(), id.bytes.size());
        s.word.store(Slot::make_word(0, SlotState::kIdle));
        if (i >= used()) header().used.store(i + 1);
        first_maybe_free_ = i + 1;
        return i;
    }
    return core::Error(core::Code::kResourceExhausted,
                       fmt::format("the limit of {} processes is reached", kTableSlots));
}

void Table::release(std::uint32_t number) {
    slots_[number].word.store(0);
    first_maybe_free_ = std::min(first_maybe_free_, number);
}

core::Uuid Table::owner(const Slot& slot) {
    core::Uuid id;
    std::memcpy(id.bytes.data(), slot.process_id, id.bytes.size());
    return id;
}

}  // namespace zona::process
