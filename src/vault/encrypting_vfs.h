/// @file
/// EncryptingVfs: SQLite databases of which nothing lies on the disk in clear.
///
/// A VFS of SQLite over its own unix VFS. Database, write-ahead log and temporary files are
/// encrypted, page by page, by AES-256-GCM: what was changed, torn, exchanged within a file,
/// between files or between tenants is not read but reported. In clear are the first 100 bytes of a
/// database (SQLite's header: versions, sizes, counters), page numbers and sizes in the log, and
/// how large and how often written everything is. It does not notice that a whole file, or the end
/// of a log, was put back to an earlier state.
///
/// A database is used by one process at a time, by any number of connections within it. Format:
/// docs/adr/0008-encrypted-files.md. Source: SEC-04, SEC-06.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/result.h"
#include "vault/data_keys.h"

struct sqlite3;

namespace zona::vault {

/// A VFS registered with SQLite. All members from any thread; connections by SQLite's own rules.
class EncryptingVfs {
  public:
    /// What it is called and stands on.
    struct Options {
        std::string name = "zona-encrypted";  ///< for sqlite3_open_v2
        /// The VFS beneath. With unix-excl there is no shared memory file, which would hold page
        /// numbers, and a second process is kept out.
        std::string base = "unix-excl";
    };
    /// Registers it. `random` must outlive the object.
    /// Errors: kNotFound when there is no such base, kConflict when the name is taken.
    static core::Result<std::unique_ptr<EncryptingVfs>> create(Options options,
                                                               core::Random& random);
    /// Precondition: every connection is closed.
    ~EncryptingVfs();
    EncryptingVfs(const EncryptingVfs&) = delete;
    EncryptingVfs& operator=(const EncryptingVfs&) = delete;

    /// For sqlite3_open_v2.
    const std::string& name() const;

    /// Says how the database at the absolute `path` is encrypted, before it is opened; a path that
    /// was not added cannot be opened. `id` is the file's own, made once and kept with whatever
    /// names the file: its pages open as no other file's. A backup that is copied byte by byte
    /// keeps it. What a crash left of rekey() is finished here.
    ///
    /// Errors: kConflict when the path is there already, kInvalidArgument when it is not absolute;
    /// as of rekey() when there is something to be finished.
    core::Result<void> add(const std::string& path, const core::Uuid& id,
                           std::shared_ptr<const DataKeys> keys);
    /// Forgets it; to be called when its connections are closed. A path that is not there is
    /// success.
    void remove(const std::string& path);

    /// Encrypts pages of the database file anew that are under an older key than the current one,
    /// at most `most_pages` of them (about 4 kB of memory each), beside open connections:
    /// checkpoints wait meanwhile, nobody else does. To be called until it says true: the end was
    /// reached. A crash at any moment costs nothing. The log changes keys by itself, as it begins
    /// anew.
    ///
    /// Errors: kNotFound for a path that was not added or a key that is not there, kConflict
    /// for a damaged page, kUnavailable and others for those of reading and writing; what was done
    /// stays.
    core::Result<bool> rekey(const std::string& path, std::size_t most_pages);
    /// How many blocks of the database and its log are encrypted under which key; blocks that were
    /// never written count for key 0. When an old key does not appear, this file needs it no more
    /// (KeyRing::retire); of a database in use that is certain only while the caller holds the
    /// right to write (BEGIN IMMEDIATE), for a commit may be on its way.
    ///
    /// Errors: kUnavailable for those of reading; a missing file has no blocks.
    core::Result<std::map<KeyId, std::uint64_t>> keys_in_use(const std::string& path) const;

    /// The pages of the database file that SQLite has written since this was asked last, counted
    /// from 0, in order; nothing: it was not asked since the path was added, or the path is not
    /// there. A bit of memory for each page from then on. What is in the log alone is not among
    /// them: they are what has changed between two images of the file (store::SqliteDatabase::
    /// with_image()) if this is asked while one is looked at, for nobody writes the file then.
    std::optional<std::vector<std::uint64_t>> take_written(const std::string& path);

  private:
    struct Body;
    explicit EncryptingVfs(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

/// Makes a connection that was just opened through an EncryptingVfs fit for it: 32 bytes of each
/// page reserved, 4,096 bytes a page, write-ahead log, no spilling of the cache into it. To be
/// called before anything else. A new database is written.
///
/// The two errors that the VFS adds to SQLite's: SQLITE_IOERR_DATA, a page is not what was written
/// there; SQLITE_IOERR_AUTH, the key of a page is not there. sqlite3_log gets which page, which
/// key.
///
/// Errors here: kConflict when the database was made without encryption or does not open with
/// the keys, kUnavailable when somebody else holds it, kResourceExhausted for a full disk,
/// kInternal for others of SQLite.
core::Result<void> prepare_encrypted(sqlite3* connection);

/// Moves all of the database's log into its file and empties it, beside open connections, so that
/// nothing in it is under an older key. Who writes waits meanwhile, for at most `patience`; readers
/// are waited for. To be called again when it fails. `vfs` is the VFS's name.
/// Errors: kUnavailable when somebody read for too long; as of prepare_encrypted().
core::Result<void> empty_log(const std::string& path, const std::string& vfs,
                             std::chrono::milliseconds patience);

}  // namespace zona::vault
