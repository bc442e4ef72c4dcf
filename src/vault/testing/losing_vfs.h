/// @file
/// LosingVfs: files that lose in a power cut what was not synced, for tests of what stands on them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/random.h"

namespace zona::vault {

/// A VFS of SQLite over "unix-excl" that remembers each write since the last sync of its file.
///
/// The power goes with a chosen operation; from then on everything fails, and when all connections
/// are closed settle() leaves in the files what a disk might hold: what was synced, and of each
/// later write all, nothing, or some of its 512-byte sectors. Names are durable at once. Any
/// thread.
class LosingVfs {
  public:
    /// `name` is for sqlite3_open_v2 and for the base of other VFSs.
    explicit LosingVfs(std::string name);
    ~LosingVfs();
    LosingVfs(const LosingVfs&) = delete;
    LosingVfs& operator=(const LosingVfs&) = delete;

    /// The power goes with the `operations`-th write, cut or sync from now on; that one is not
    /// done.
    void cut_power_after(std::uint64_t operations);
    /// Whether it is gone.
    bool power_is_gone() const;
    /// The power is back. Precondition: every connection is closed.
    void settle(core::Random& random);

    struct Body;

  private:
    std::unique_ptr<Body> body_;
};

}  // namespace zona::vault
