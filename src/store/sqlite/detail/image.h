/// @file
/// How a file is read as it is at one moment, beside whoever writes it.
///
/// A reader that has begun keeps every checkpoint from going further than the end of the log that
/// it saw. So if all of the log is in the file when it begins, the file alone is what the reader
/// sees, and nobody changes it until the reader ends: its pages can be copied in any order, at the
/// speed of the disk. All of it: of a page that is in the log several times, a checkpoint moves the
/// last only, and none if it may not go so far. A log that has been moved up to some place and goes
/// on behind it leaves a file of no moment. Source: SQLite's wal.c, "walCheckpoint",
/// "walIteratorNext".
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/clock.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/session.h"
#include "store/sqlite_database.h"

namespace zona::store::detail {

/// One file, for the members of SqliteDatabase of the same names. Any thread; blocks.
class Copying {
  public:
    /// `setup` and `database`, of which it uses submit_write(), outlive it.
    Copying(ConnectionOptions options, const SessionSetup& setup, Database& database)
        : options_(std::move(options)), setup_(setup), database_(database) {}

    core::Result<void> with_snapshot(std::move_only_function<core::Result<void>(Reader&)> work);
    core::Result<void> with_image(std::move_only_function<core::Result<void>(Image&)> work);
    core::Result<void> scrub();

  private:
    /// Begins to read while nothing is written, with all of the log in the file; the moment, or
    /// nothing: others read what was before. Errors: those of SQLite.
    core::Result<std::optional<core::SystemTime>> begin_at_rest(Connection& reader,
                                                                Connection& checkpoints);

    const ConnectionOptions options_;
    const SessionSetup& setup_;
    Database& database_;
};

}  // namespace zona::store::detail
