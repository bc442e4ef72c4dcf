/// @file
/// SqliteDatabase: the embedded store, one SQLite file in WAL mode.
///
/// It is opened through an engine (sqlite_engine.h), whose threads do the work of all its files.
/// One at a time writes to a file: it takes all transactions that wait, runs each in a savepoint,
/// commits them together with one sync (synchronous=FULL), then answers. Several read, each with a
/// connection of its own, and never wait for the writer. The WAL is moved into the file behind
/// both. Deleted content is overwritten in the file (`secure_delete`).
///
/// A file without work may be closed for another, and is opened again by the next work. Whoever
/// holds the database notices nothing; an error of opening again is the answer to that work, and
/// the next one tries anew.
///
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

    std::size_t readers = 2;                ///< that read at one time, 1 to 64
    std::size_t max_waiting_reads = 4096;   ///< more are refused
    std::size_t max_waiting_writes = 4096;  ///< more are refused
    std::size_t max_batch = 1024;           ///< transactions of one commit
    /// Documents of one operation; a count that an index answers by itself is free, and so are sums
    /// of whole numbers in groups where filter and fields are those of indexes.
    std::size_t max_examined = 100000;
    core::ByteCount cache = core::ByteCount::mib(16);  ///< of pages, each connection
    std::uint32_t checkpoint_frames = 4096;            ///< of WAL between two checkpoints
    /// The same when nobody waits to write: a log that stays small is written over and over in the
    /// same blocks, which a disk syncs two to three times as often as new ones.
    std::uint32_t rest_frames = 512;
    std::uint32_t reset_frames = 65536;  ///< of WAL from which it is begun anew under load
};

/// What it has done since it was opened.
struct SqliteStats {
    std::uint64_t transactions = 0;  ///< committed or failed
    std::uint64_t batches = 0;       ///< syncs that they took
    std::uint64_t checkpoints = 0;
    std::uint64_t wal_frames = 0;  ///< in the WAL now
    std::uint64_t opened = 0;      ///< how often it was opened for writing
    std::uint64_t changes = 0;     ///< commits that have changed something
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
    /// What was acknowledged before it is in it, and what was begun after it is not.
    virtual core::SystemTime moment() const = 0;
    /// Reads whole pages, in clear, whatever encrypts the file. Errors: those of the disk;
    /// kInternal: damaged.
    virtual core::Result<void> read(std::span<std::byte> into, std::uint64_t offset) = 0;
};

/// A file. Destroying it waits for its work, not on a thread of the engine's.
class SqliteDatabase : public Database {
  public:
    /// What is done with a file that nobody has open.
    using ClosedWork = std::move_only_function<core::Result<void>()>;

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

    /// Merges the indexes of words, moves the log into the file and cuts it to nothing, so that
    /// what was removed is nowhere on the disk. Blocks until nobody reads what was; not on a thread
    /// of the database's own. Errors: as with_image(); those of a change.
    virtual core::Result<void> scrub() = 0;

    /// Closes the file when what is under way is done, its log moved into it, calls `work`, which
    /// may put another file in its place, and opens what is there then as SqliteEngine::open()
    /// does. Work of others waits meanwhile. `work` runs on the engine's thread for checkpoints and
    /// may take as long as it needs: other files' logs only grow. `done` gets the error of `work`,
    /// else that of opening; after one of opening all work gets it until while_closed() is
    /// called again and opens something.
    virtual void while_closed(ClosedWork work, Callback<void> done) = 0;
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
    /// Puts pages over those that were written, or behind them, which must leave no gap; page 1
    /// says how many pages there are from then on. Errors: as write().
    virtual core::Result<void> put(std::uint64_t offset, std::span<const std::byte> pages) = 0;
    /// Cuts what is behind the pages that put() has left, then syncs the file and its directory.
    /// Errors: those of the disk; kConflict: the file says that it has another size.
    virtual core::Result<void> finish() = 0;
    /// How large it is so far.
    virtual std::uint64_t bytes() const = 0;
    /// Reads back whole pages of what was written. Errors: as Image::read().
    virtual core::Result<void> read(std::span<std::byte> into, std::uint64_t offset) = 0;
};

}  // namespace zona::store
