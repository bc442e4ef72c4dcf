/// @file
/// OpenFiles: how many log files are open at one time, whatever the number of processes.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_set>

namespace zona::process::detail {

class CaptureSink;

/// The sinks whose files are open. Over the limit, the one that was used longest ago loses its
/// file; it opens it again with its next byte.
///
/// Any thread. Locks: a sink's own mutex first, then this one's; the mutexes of other sinks are
/// only tried, so that one in use keeps its file.
class OpenFiles {
  public:
    explicit OpenFiles(std::size_t most) : most_(most) {}

    /// `sink` has opened its file, with its mutex held.
    void opened(CaptureSink& sink);
    /// `sink` has closed it, or is going away.
    void closed(CaptureSink& sink);
    /// Closes one, not that of `wanting`: descriptors are used up. False: none could be now.
    bool close_one(const CaptureSink& wanting);

  private:
    bool close_oldest(const CaptureSink& but);

    std::size_t most_;
    std::mutex mutex_;  // guards sinks_
    std::unordered_set<CaptureSink*> sinks_;
};

}  // namespace zona::process::detail
