#include "process/detail/open_files.h"

#include <algorithm>
#include <vector>

#include "process/detail/capture_sink.h"

namespace zona::process::detail {

void OpenFiles::opened(CaptureSink& sink) {
    const std::scoped_lock lock(mutex_);
    sinks_.insert(&sink);
    while (sinks_.size() > most_) {
        if (!close_oldest(sink)) return;
    }
}

void OpenFiles::closed(CaptureSink& sink) {
    const std::scoped_lock lock(mutex_);
    sinks_.erase(&sink);
}

bool OpenFiles::close_one(const CaptureSink& wanting) {
    const std::scoped_lock lock(mutex_);
    return close_oldest(wanting);
}

std::size_t OpenFiles::size() const {
    const std::scoped_lock lock(mutex_);
    return sinks_.size();
}

/// With mutex_ held.
bool OpenFiles::close_oldest(const CaptureSink& but) {
    // One that is in use now is no candidate, however long ago it was used before.
    std::vector<CaptureSink*> busy;
    for (;;) {
        CaptureSink* oldest = nullptr;
        for (CaptureSink* sink : sinks_) {
            if (sink == &but || std::ranges::count(busy, sink) > 0) continue;
            if (oldest == nullptr || sink->last_use() < oldest->last_use()) oldest = sink;
        }
        if (oldest == nullptr || busy.size() > 8) return false;
        if (const std::unique_lock theirs(oldest->mutex(), std::try_to_lock); theirs.owns_lock()) {
            oldest->close_file();
            sinks_.erase(oldest);
            return true;
        }
        busy.push_back(oldest);
    }
}

}  // namespace zona::process::detail
