#include "store/sqlite_engine.h"

#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "os/fd.h"
#include "store/detail/page_token.h"
#include "store/sqlite/detail/idle_readers.h"
#include "store/sqlite/detail/open_files.h"
#include "store/sqlite/detail/session.h"
#include "store/sqlite/detail/shared_file.h"
#include "store/sqlite/detail/turns.h"

namespace zona::store {
namespace {

using core::Code;
using core::Error;
using core::Result;

Error invalid(std::string message) {
    return Error(Code::kInvalidArgument, "the database's options: " + std::move(message));
}

Result<void> check_options(const SqliteOptions& options) {
    if (!options.path.starts_with('/')) return invalid("the path is not absolute");
    if (options.page_token_key.reveal().size() < detail::kMinTokenKey)
        return invalid(
            fmt::format("a key for page tokens has {} bytes at least", detail::kMinTokenKey));
    if (options.readers < 1 || options.readers > 64) return invalid("1 to 64 may read at one time");
    if (options.max_batch < 1 || options.max_waiting_writes < 1 || options.max_waiting_reads < 1 ||
        options.max_examined < 1 || options.checkpoint_frames < 1 || options.rest_frames < 1 ||
        options.reset_frames < 1)
        return invalid("a limit of 0 would let nothing through");
    return {};
}

Result<detail::SessionSetup> make_setup(const SqliteOptions& options, const core::Clock& clock,
                                        core::Logger log) {
    detail::SessionSetup setup{.collections = options.collections,
                               .page_token_key = options.page_token_key,
                               .max_examined = options.max_examined,
                               .clock = &clock,
                               .log = std::move(log)};
    for (const CollectionSpec* spec : options.collections) {
        ZONA_TRY_VOID(validate(*spec));
        for (const auto& [other, layout] : setup.layouts) {
            if (other->name == spec->name)
                return invalid(fmt::format("two collections are called {}", spec->name));
        }
        setup.layouts.emplace(spec, detail::Layout(*spec));
    }
    return setup;
}

/// Before SQLite does it with the mode of the process. Not when it is there: closing a descriptor
/// of it would drop the locks of whoever has it open in this process.
Result<void> make_file(const std::string& path) {
    ZONA_TRY(const auto there, os::stat_path(path));
    if (there) return {};
    ZONA_TRY(const os::UniqueFd file, os::open_file(path, O_WRONLY | O_CREAT, 0600));
    return {};
}

Result<void> check_engine(const SqliteEngineOptions& options) {
    const auto within = [](std::size_t number, std::size_t most) {
        return number >= 1 && number <= most;
    };
    if (within(options.writers, 256) && within(options.readers, 256) &&
        within(options.checkpoints, 16) && options.open_files >= 1)
        return {};
    return Error(Code::kInvalidArgument,
                 "the engine's options: there are 1 to 256 threads for writing and for reading, 1 "
                 "to 16 for checkpoints, and at least 1 open file");
}

}  // namespace

/// Destroyed from the last member up: threads before what they use.
struct SqliteEngine::Body {
    Body(const SqliteEngineOptions& options, const core::Clock& the_clock, core::Logger the_log)
        : clock(the_clock),
          log(std::move(the_log)),
          idle_readers(options.idle_readers),
          open_files(options.open_files),
          writers("store-writer", options.writers),
          readers("store-reader", options.readers),
          checkpoints("store-wal", options.checkpoints) {}

    const core::Clock& clock;
    const core::Logger log;
    detail::IdleReaders idle_readers;
    detail::OpenFiles open_files;
    detail::TurnPool writers;
    detail::TurnPool readers;
    detail::TurnPool checkpoints;
    const detail::Shared shared{.writers = writers,
                                .readers = readers,
                                .checkpoints = checkpoints,
                                .idle_readers = idle_readers,
                                .open_files = open_files};
};

Result<std::unique_ptr<SqliteEngine>> SqliteEngine::create(const SqliteEngineOptions& options,
                                                           const core::Clock& clock,
                                                           const core::Logger& log) {
    ZONA_TRY_VOID(check_engine(options));
    return std::unique_ptr<SqliteEngine>(
        new SqliteEngine(std::make_unique<Body>(options, clock, log)));
}

SqliteEngine::SqliteEngine(std::unique_ptr<Body> body) : body_(std::move(body)) {}

SqliteEngine::~SqliteEngine() = default;

Result<std::unique_ptr<SqliteDatabase>> SqliteEngine::open(const SqliteOptions& options) {
    ZONA_TRY_VOID(check_options(options));
    ZONA_TRY(detail::SessionSetup setup, make_setup(options, body_->clock, body_->log));
    ZONA_TRY_VOID(make_file(options.path));
    auto file = std::make_unique<detail::SharedFile>(options, std::move(setup), body_->shared);
    ZONA_TRY_VOID(file->begin());
    return std::unique_ptr<SqliteDatabase>(std::move(file));
}

SqliteEngineStats SqliteEngine::stats() const {
    return {.open_files = body_->open_files.size(),
            .idle_readers = body_->idle_readers.size(),
            .closed_for_others = body_->open_files.closed()};
}

}  // namespace zona::store
