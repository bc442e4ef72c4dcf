#include "process/detail/open_files.h"

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

/// With mutex_ held.
bool OpenFiles::close_oldest(const CaptureSink& but) {
    CaptureSink* oldest = nullptr;
    for (CaptureSink* sink : sinks_) {
        if (sink == &but) continue;
        if (oldest == nullptr || sink->last_use() < oldest->last_use()) oldest = sink;
    }
    if (oldest == nullptr) return false;
    // Busy this moment: it is no longer the oldest, and the next who opens a file looks again.
    const std::unique_lock theirs(oldest->mutex(), std::try_to_lock);
    if (!theirs.owns_lock()) return false;
    oldest->close_file();
    sinks_.erase(oldest);
    return true;
}

}  // namespace zona::process::detail
