/// @file
/// SqliteProcess: what is set once for all of SQLite in this process.
///
/// What SQLite has to say goes into zona's log: recoveries, damage, trouble of the disk, with the
/// file's name and never with a value of a document. A connection begins small: no memory for pages
/// ahead of their use, and little for small objects; a process with a hundred open files needs a
/// third of the memory so. SQLite's own count of its memory, a lock for each allocation, is off.
#pragma once

#include <memory>

#include "core/log.h"
#include "core/result.h"

namespace zona::store {

/// In force while it lives. One at a time.
class SqliteProcess {
  public:
    /// To be called before anything else uses SQLite, by a composition root. Without it SQLite
    /// works as it does by itself. Errors  kConflict: SQLite is in use.
    static core::Result<std::unique_ptr<SqliteProcess>> begin(core::Logger log);
    /// Precondition: every connection is closed, and nothing uses SQLite any more.
    ~SqliteProcess();
    SqliteProcess(const SqliteProcess&) = delete;
    SqliteProcess& operator=(const SqliteProcess&) = delete;

  private:
    explicit SqliteProcess(core::Logger log) : log_(std::move(log)) {}
    /// SQLite's callback: `self`, a result code, what it says.
    static void say(void* self, int code, const char* text);

    core::Logger log_;
};

}  // namespace zona::store
