/// @file
/// SqliteEngine: the threads, and the limits, of all SQLite files that are opened through it.
///
/// However many files there are, the number of threads is bounded. Files get turns in the order in
/// which work came for them: a turn writes one batch, answers one read, or moves one log, and a
/// file with more to do stands behind the others. One file is written by one thread at a time and
/// read by `SqliteOptions::readers`, so that slow work of one file leaves threads for the others as
/// long as there are more threads than files with slow work.
///
/// Many commits at one time are cheap although each is a sync of its own: the kernel and the disk
/// do those together that come together. That is why there are more writers than cores.
///
/// Files without work are closed when too many are open (SqliteDatabase). Measured in docs/perf.md;
/// docs/adr/0007-document-store.md says why it is so. Source: design decision 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "store/sqlite_database.h"

namespace zona::store {

/// How much there is of everything, for all files together.
struct SqliteEngineOptions {
    std::size_t writers = 16;     ///< threads, 1 to 256; made as they are needed, as the others
    std::size_t readers = 4;      ///< threads, 1 to 256
    std::size_t checkpoints = 4;  ///< threads, 1 to 16
    /// Files that have connections: about 100 kB of memory and two descriptors each, and as much
    /// for each reader. More are open only while all of them have work.
    std::size_t open_files = 128;
    std::size_t idle_readers = 16;  ///< connections for reading that are kept for the next read
};

/// What it has done; not of one moment.
struct SqliteEngineStats {
    std::size_t open_files = 0;
    std::size_t idle_readers = 0;
    std::uint64_t closed_for_others = 0;  ///< files
};

/// Any thread.
class SqliteEngine {
  public:
    /// `clock` must outlive it. Errors  kInvalidArgument: an option.
    static core::Result<std::unique_ptr<SqliteEngine>> create(const SqliteEngineOptions& options,
                                                              const core::Clock& clock,
                                                              const core::Logger& log);
    /// Precondition: its databases are gone.
    ~SqliteEngine();
    SqliteEngine(const SqliteEngine&) = delete;
    SqliteEngine& operator=(const SqliteEngine&) = delete;

    /// Opens or makes the file (mode 0600) and brings it to the declared collections. Blocks.
    ///
    /// New indexes are filled and documents of older versions migrated before this returns, in
    /// transactions of 1,000 documents each; interrupted, the next open goes on where it was. A
    /// file that is as declared is not written.
    /// Errors  kInvalidArgument: an option, or a declaration that validate() refuses. kConflict:
    ///         the file was written by a newer zona, or holds documents that a new unique or
    ///         required index cannot take; it names the collection, and nothing of what was stored
    ///         is lost. kInternal: not a database, or a damaged one. kResourceExhausted: a full
    ///         disk.
    core::Result<std::unique_ptr<SqliteDatabase>> open(const SqliteOptions& options);

    /// The counters now.
    SqliteEngineStats stats() const;

  private:
    struct Body;
    explicit SqliteEngine(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

}  // namespace zona::store
