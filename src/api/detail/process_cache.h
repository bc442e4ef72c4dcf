// Processes as JSON, rendered once for each change: most requests are for what has not changed
// since the last one, and neither wait for the supervisor's thread nor take its time.
#pragma once

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "process/supervisor.h"
#include "process/versions.h"

namespace zona::api {

/// A process as JSON but for its uptime.
class RenderedProcess {
  public:
    explicit RenderedProcess(const process::ProcessView& process);

    /// Whether nothing but the uptime of what is shown can change without a new version.
    bool lasts() const { return lasts_; }
    const process::Version& version() const { return version_; }
    void append_to(std::string& out, core::SystemTime now) const;
    bool shows_the_same(const RenderedProcess& other) const { return text_ == other.text_; }

  private:
    std::string text_;    ///< without the figure of the uptime
    std::size_t uptime_;  ///< where that belongs
    std::optional<core::SystemTime> running_since_;
    process::Version version_;
    bool lasts_;
};

/// All processes, by pm_id.
struct ProcessList {
    std::vector<std::shared_ptr<const RenderedProcess>> processes;
    std::size_t killed = 0;  ///< how many `resurrect` would bring back
    std::uint64_t version = 0;
};

/// Any thread.
class ProcessCache {
  public:
    explicit ProcessCache(const process::Versions& versions) : versions_(versions) {}

    /// The process that `id` named when it was added, if it still is what it was.
    std::shared_ptr<const RenderedProcess> find(const std::string& id) const;
    /// What the supervisor answered to `id`.
    std::shared_ptr<const RenderedProcess> add(const std::string& id,
                                               const process::ProcessView& process);

    /// All processes, if none has changed since they were added.
    std::shared_ptr<const ProcessList> list() const;
    /// What the supervisor answered to a request for all; `version` is what Versions::list() said
    /// before that. Those that have not changed are not rendered again.
    std::shared_ptr<const ProcessList> add_list(std::uint64_t version, std::size_t killed,
                                                const std::vector<process::ProcessView>& processes);
    std::uint64_t list_version() const { return versions_.list(); }

  private:
    bool holds(const RenderedProcess& known) const;

    const process::Versions& versions_;
    mutable std::shared_mutex mutex_;  // guards all below, for moments; each request reads
    std::unordered_map<std::string, std::shared_ptr<const RenderedProcess>> by_id_;
    std::shared_ptr<const ProcessList> list_;
};

}  // namespace zona::api
