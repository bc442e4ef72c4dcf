// Which processes a subscriber wants.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/detail/process_hub.h"
#include "core/result.h"
#include "process/selector.h"

namespace zona::api {

/// The processes that selectors select: when it is made, among those that there are; of those that
/// begin later, each that a selector would select if there were no other (by its name, namespace,
/// `all` or an expression). What was decided about a process holds until it is deleted.
class ProcessFilter {
  public:
    /// No selector selects everything. Errors: those of process::select_processes; but an
    /// expression need not match anything yet.
    static core::Result<ProcessFilter> make(const std::vector<std::string>& select,
                                            std::span<const ProcessItemPtr> present);

    /// Whether `item` is about one of them.
    bool wants(const ProcessItem& item);

  private:
    ProcessFilter() = default;

    std::vector<process::Selector> selectors_;  ///< none: everything
    std::unordered_map<std::uint32_t, bool> decided_;
};

}  // namespace zona::api
