#include "api/detail/process_filter.h"

#include <algorithm>

namespace zona::api {

using core::Result;
using process::SelectableProcess;

namespace {

SelectableProcess selectable(const ProcessItem& item) {
    return {.pm_id = item.pm_id, .id = item.id, .name = item.name, .namespace_ = item.namespace_};
}

}  // namespace

Result<ProcessFilter> ProcessFilter::make(const std::vector<std::string>& select,
                                          std::span<const ProcessItemPtr> present) {
    ProcessFilter filter;
    if (select.empty()) return filter;
    std::vector<SelectableProcess> all;
    all.reserve(present.size());
    for (const ProcessItemPtr& item : present) {
        all.push_back(selectable(*item));
        filter.decided_[item->pm_id] = false;
    }
    for (const std::string& text : select) {
        ZONA_TRY(process::Selector selector, process::Selector::parse(text));
        auto chosen = selector.match(all);
        // A name that nobody has is a mistake; an expression may be about what is to come.
        const bool waits =
            !chosen && chosen.error().code() == core::Code::kNotFound && text.starts_with('/');
        if (!chosen && !waits) return chosen.take_error();
        if (chosen) {
            for (const std::size_t index : *chosen)
                filter.decided_[all[index].pm_id] = true;
        }
        filter.selectors_.push_back(std::move(selector));
    }
    return filter;
}

bool ProcessFilter::wants(const ProcessItem& item) {
    if (selectors_.empty()) return true;
    const auto known = decided_.find(item.pm_id);
    bool wanted = false;
    if (known != decided_.end()) {
        wanted = known->second;
    } else {
        const SelectableProcess alone[] = {selectable(item)};
        wanted = std::ranges::any_of(selectors_, [&](const process::Selector& selector) {
            const auto chosen = selector.match(alone);
            return chosen && !chosen->empty();
        });
        decided_.emplace(item.pm_id, wanted);
    }
    if (item.kind == ProcessItem::Kind::kDeleted) decided_.erase(item.pm_id);
    return wanted;
}

}  // namespace zona::api
