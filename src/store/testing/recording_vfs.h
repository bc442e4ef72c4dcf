/// @file
/// RecordingVfs: an SQLite VFS that writes down what is written, cut and synced, in order, so that
/// a test can make the files that a power cut at any moment could have left.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <sqlite3.h>

#include "core/random.h"

namespace zona::store {

/// Whether a sync that was recorded counts; kLies is the disk that promises too much.
enum class Syncs : std::uint8_t { kHold, kLie };

class RecordingVfs {
  public:
    /// Registers itself under `name`; files are those of the default VFS.
    explicit RecordingVfs(std::string name);
    ~RecordingVfs();
    RecordingVfs(const RecordingVfs&) = delete;
    RecordingVfs& operator=(const RecordingVfs&) = delete;

    const std::string& name() const { return name_; }
    /// How much has been recorded until now.
    std::size_t moment() const;

    /// Writes into `directory` what the files hold after a power cut at `moment`: all that was
    /// synced; of everything else each 512 bytes are there or not, as `random` has it.
    void cut_power(std::size_t moment, Syncs syncs, core::Random& random,
                   const std::string& directory) const;

    /// One thing that was done to a file.
    struct Operation {
        enum class Kind : std::uint8_t { kWrite, kTruncate, kSync, kDelete };
        Kind kind = Kind::kWrite;
        std::string file;  ///< its name without the directory
        std::int64_t offset = 0;
        std::string bytes;
    };
    void record(Operation operation);

  private:
    const std::string name_;
    sqlite3_vfs vfs_;
    mutable std::mutex mutex_;
    std::vector<Operation> operations_;  // guarded by mutex_
};

}  // namespace zona::store
