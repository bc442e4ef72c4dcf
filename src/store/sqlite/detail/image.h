/// @file
/// How a file is read as it is at one moment, beside whoever writes it.
///
/// A reader that has begun keeps every checkpoint from going further than the end of the log that
/// it saw. So once the log up to there is in the file, the file alone is what the reader sees, and
/// nobody changes it until the reader ends: its pages can be copied in any order, at the speed of
/// the disk. Source: SQLite's wal.c, "walCheckpoint".
#pragma once

#include <functional>
#include <memory>

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
    /// When a reader began, and the frames of the log at that moment.
    struct Begun {
        int frames = 0;
        core::SystemTime moment{};
    };
    /// Begins to read between two transactions.
    core::Result<Begun> begin_between(Connection& reader, Connection& checkpoints);

    const ConnectionOptions options_;
    const SessionSetup& setup_;
    Database& database_;
};

}  // namespace zona::store::detail
