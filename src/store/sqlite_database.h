/// @file
/// The embedded store: one SQLite file in WAL mode.
///
/// One thread writes: it takes all transactions that wait, runs each in a savepoint, commits them
/// together with one sync (synchronous=FULL), then answers. A pool of threads reads, each with a
/// connection of its own, and never waits for the writer. A third kind of thread moves the WAL into
/// the file behind both. Deleted content is overwritten in the file (`secure_delete`).
/// Measured in docs/perf.md; layout and formats: docs/adr/0007-document-store.md.
///
/// A full disk: writes fail with kResourceExhausted and leave nothing behind, reads go on, writes
/// succeed again when there is space. A damaged file: kInternal, naming the file and what to do; it
/// is never repaired or replaced by itself. Source: REL-16, DATA-39, DATA-41, design decision 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "core/secret.h"
#include "store/database.h"

struct sqlite3;

namespace zona::store {

/// Where it is and what it may take.
struct SqliteOptions {
    std::string path;  ///< absolute; the directory must be there. `-wal` and `-shm` stand beside it
    /// All that this database may be asked for; they must outlive it.
    std::vector<const CollectionSpec*> collections;
    /// What signs page tokens, at least 32 bytes; the same for all who serve the same clients.
    core::Secret page_token_key;
    /// The SQLite VFS to open with, which is registered already; empty: the default. This is where
    /// an encrypting one is put in.
    std::string vfs;
    /// Called with each new connection before its first statement, on the thread that opens it.
    std::function<core::Result<void>(sqlite3*)> prepare;

    std::size_t readers = 2;                ///< threads, 1 to 64
    std::size_t max_waiting_reads = 4096;   ///< more are refused
    std::size_t max_waiting_writes = 4096;  ///< more are refused
    std::size_t max_batch = 1024;           ///< transactions of one commit
    /// Documents of one operation; a count that an index answers by itself is free.
    std::size_t max_examined = 100000;
    core::ByteCount cache = core::ByteCount::mib(16);  ///< of pages, each connection
    std::uint32_t checkpoint_frames = 4096;            ///< of WAL between two checkpoints
    std::uint32_t reset_frames = 65536;                ///< of WAL from which it is begun anew
};

/// What it has done since it was opened.
struct SqliteStats {
    std::uint64_t transactions = 0;  ///< committed or failed
    std::uint64_t batches = 0;       ///< syncs that they took
    std::uint64_t checkpoints = 0;
    std::uint64_t wal_frames = 0;  ///< in the WAL now
};

/// The whole file as it is at one moment, while others go on writing.
class Image {
  public:
    Image() = default;
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
    virtual ~Image() = default;

    /// The documents of that moment.
    virtual Reader& reader() = 0;
    /// How large the file is: a multiple of page_bytes().
    virtual std::uint64_t bytes() const = 0;
    virtual std::size_t page_bytes() const = 0;  ///< of each page
    /// Reads whole pages, in clear, whatever encrypts the file. Errors: those of the disk;
    /// kInternal: damaged.
    virtual core::Result<void> read(std::span<std::byte> into, std::uint64_t offset) = 0;
};

/// An open file.
class SqliteDatabase : public Database {
  public:
    /// The counters now; they are not of one moment.
    virtual SqliteStats stats() const = 0;

    /// Reads the whole file and holds it against its own structure; takes a second for each few
    /// hundred MB. `done` gets success, or kInternal with the first findings.
    virtual void check(Callback<void> done) = 0;

    /// @{
    /// Runs `work` on the calling thread, over one state of the database and connections of its
    /// own: however long it takes, nobody waits for it, but the log grows meanwhile. Of an image
    /// the log is moved into the file first, for which readers that began earlier are waited for.
    /// Blocks; not on a thread of the database's own. Errors: those of the work; kUnavailable: the
    /// readers did not end within half a minute.
    virtual core::Result<void> with_snapshot(
        std::move_only_function<core::Result<void>(Reader&)> work) = 0;
    virtual core::Result<void> with_image(
        std::move_only_function<core::Result<void>(Image&)> work) = 0;
    /// @}

    /// Moves the log into the file and cuts it to nothing, so that what was removed is nowhere on
    /// the disk. Blocks until nobody reads what was. Errors: as with_image().
    virtual core::Result<void> scrub() = 0;
};

/// Writes a database file from the pages of an Image.
class ImageWriter {
  public:
    /// Makes the file at the absolute `path` (mode 0600) through this VFS; empty: the default.
    /// Errors: kConflict: something is there. Those of the disk.
    static core::Result<std::unique_ptr<ImageWriter>> create(const std::string& path,
                                                             const std::string& vfs);
    ImageWriter() = default;
    ImageWriter(const ImageWriter&) = delete;
    ImageWriter& operator=(const ImageWriter&) = delete;
    /// Without finish() the file is worthless, and stays.
    virtual ~ImageWriter() = default;

    /// Adds the next pages, whole ones. Errors: kInvalidArgument: no pages of a database.
    /// kResourceExhausted: a full disk. Others of the disk.
    virtual core::Result<void> write(std::span<const std::byte> pages) = 0;
    /// Syncs the file and its directory. Errors: those of the disk; kConflict: the file says that
    /// it has another size.
    virtual core::Result<void> finish() = 0;
    /// How large it is so far.
    virtual std::uint64_t bytes() const = 0;
    /// Reads back whole pages of what was written. Errors: as Image::read().
    virtual core::Result<void> read(std::span<std::byte> into, std::uint64_t offset) = 0;
};

/// Opens or makes the file (mode 0600), brings it to the declared collections, starts its threads.
///
/// New indexes are filled and documents of older versions migrated before this returns, in
/// transactions of 1,000 documents each; interrupted, the next open goes on where it was.
/// `clock` must outlive the database.
/// Errors  kInvalidArgument: an option, or a declaration that validate() refuses. kConflict: the
///         file was written by a newer zona, or holds documents that a new unique or required index
///         cannot take; it names the collection, and nothing of what was stored is lost.
///         kInternal: not a database, or a damaged one. kResourceExhausted: a full disk.
core::Result<std::unique_ptr<SqliteDatabase>> open_sqlite(const SqliteOptions& options,
                                                          const core::Clock& clock,
                                                          const core::Logger& log);

}  // namespace zona::store
