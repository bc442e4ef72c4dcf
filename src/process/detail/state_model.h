/// @file
/// The desired state in memory: what a snapshot holds, and what each journal record changes.
///
/// Live changes and replay go through the same functions, so that what is loaded is what was there.
/// Plain data without locks: the owner serialises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "process/stored_process.h"

namespace zona::process::detail {

// Owners besides the model: the supervisor, and a snapshot that is being written.
using AppPtr = std::shared_ptr<const StoredApp>;
using ProcessPtr = std::shared_ptr<const StoredProcess>;

/// Names an app's content in the files: the sequence number of the record that brought it. An app
/// that 500 instances share is written once.
using AppKey = std::uint64_t;

/// The apps in use, each once, by key and by content.
class AppTable {
  public:
    struct Entry {
        AppPtr app;
        AppKey key = 0;
        std::size_t uses = 0;   ///< processes, killed ones included
        std::size_t bytes = 0;  ///< about what it takes in a file
    };

    /// The entry of this app or of one with equal content; nullptr if there is none.
    const Entry* find(const AppPtr& app) const;
    const Entry* find(AppKey key) const;
    /// Adds an app with no uses. Precondition: neither app nor key is there.
    void add(AppKey key, AppPtr app);
    /// Precondition: the app is there, by this very pointer.
    void use(const StoredApp* app);
    /// Drops the app with its last use.
    void release(const StoredApp* app);
    void drop_unused();

    const std::map<AppKey, Entry>& entries() const { return entries_; }
    /// The bytes of all entries.
    std::size_t bytes() const { return bytes_; }

  private:
    void erase(std::map<AppKey, Entry>::iterator entry);

    std::map<AppKey, Entry> entries_;
    std::unordered_map<const StoredApp*, AppKey> by_pointer_;
    std::unordered_multimap<std::size_t, AppKey> by_name_;  // a hash of namespace and name
    std::size_t bytes_ = 0;
};

/// About the bytes that an app takes in a file.
std::size_t app_bytes(const StoredApp& app);

/// All processes, and those that `zona kill` set aside.
class StateModel {
  public:
    /// Adds or replaces. Precondition: its app is in apps(), by this very pointer.
    void put(ProcessPtr process);
    /// Whether it was there.
    bool remove(const core::Uuid& id);
    bool set_desired(const core::Uuid& id, Desired desired);
    /// Sets all processes aside. An older set keeps what the new one does not replace: apps of
    /// other names. Without processes nothing changes.
    void kill();
    void forget_killed();

    /// For loading: what a snapshot says.
    void add_killed(ProcessPtr process);
    void set_next_pm_id(std::uint32_t next) { next_pm_id_ = next; }

    const std::map<core::Uuid, ProcessPtr>& processes() const { return processes_; }
    const std::vector<ProcessPtr>& killed() const { return killed_; }
    /// Above every pm_id since the list was last empty.
    std::uint32_t next_pm_id() const { return next_pm_id_; }
    AppTable& apps() { return apps_; }
    const AppTable& apps() const { return apps_; }

  private:
    std::map<core::Uuid, ProcessPtr> processes_;
    std::vector<ProcessPtr> killed_;
    AppTable apps_;
    std::uint32_t next_pm_id_ = 0;
};

/// By pm_id, then by id.
std::vector<ProcessPtr> in_order(const std::map<core::Uuid, ProcessPtr>& processes);

}  // namespace zona::process::detail
