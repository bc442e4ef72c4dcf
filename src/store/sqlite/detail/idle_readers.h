/// @file
/// IdleReaders: connections for reading that nobody uses now; few, over all files.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>

#include "store/sqlite/detail/connection.h"

namespace zona::store::detail {

class IdleReaders {
  public:
    explicit IdleReaders(std::size_t most) : most_(most) {}

    /// The one of this file that was used last; nullptr: there is none.
    std::unique_ptr<Connection> take(const void* file);
    /// Keeps it. The one that was used longest ago, of any file, is closed when there are too many;
    /// before this returns, so that after drop() none of a file is open.
    void give(const void* file, std::unique_ptr<Connection> connection);
    /// Closes those of this file.
    void drop(const void* file);
    std::size_t size() const;
    std::size_t size(const void* file) const;

  private:
    struct Idle {
        const void* file;
        std::unique_ptr<Connection> connection;
    };

    const std::size_t most_;
    mutable std::mutex mutex_;
    std::list<Idle> idle_;  // guarded by mutex_; the last used one in front
};

}  // namespace zona::store::detail
