#include "store/sqlite_database.h"

#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "os/fd.h"
#include "store/detail/page_token.h"
#include "store/sqlite/detail/checkpointer.h"
#include "store/sqlite/detail/commit_queue.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/image.h"
#include "store/sqlite/detail/read_pool.h"
#include "store/sqlite/detail/schema.h"
#include "store/sqlite/detail/session.h"

namespace zona::store {
namespace {

using core::Code;
using core::Error;
using core::Result;
using detail::Access;
using detail::Connection;

/// Destroyed from the last member up: threads before what they use, the writer's connection last,
/// so that closing it moves the whole log into the file.
class OpenFile final : public SqliteDatabase {
  public:
    OpenFile(const SqliteOptions& options, detail::SessionSetup setup,
             std::unique_ptr<Connection> writer, std::unique_ptr<Connection> checkpoints,
             std::vector<std::unique_ptr<Connection>> readers)
        : setup_(std::move(setup)),
          writer_(std::move(writer)),
          readers_(std::move(readers), setup_, options.max_waiting_reads),
          checkpointer_(std::move(checkpoints), options.checkpoint_frames, options.reset_frames,
                        setup_.log),
          writes_(*writer_, setup_, checkpointer_,
                  {.waiting = options.max_waiting_writes, .batch = options.max_batch}),
          copying_({.path = options.path,
                    .vfs = options.vfs,
                    .prepare = options.prepare,
                    .cache = options.cache},
                   setup_, *this) {}

    void submit_read(ReadWork work) override {
        readers_.submit([work = std::move(work)](Result<detail::Session*> session) mutable {
            if (!session.has_value()) {
                work(session.take_error());
                return;
            }
            work(static_cast<Reader*>(*session));
        });
    }

    void submit_write(WriteWork work, Callback<void> done) override {
        writes_.submit(std::move(work), std::move(done));
    }

    SqliteStats stats() const override {
        return {.transactions = writes_.transactions(),
                .batches = writes_.batches(),
                .checkpoints = checkpointer_.checkpoints(),
                .wal_frames = checkpointer_.frames()};
    }

    void check(Callback<void> done) override {
        readers_.submit([done = std::move(done)](Result<detail::Session*> session) mutable {
            if (!session.has_value()) {
                done(session.take_error());
                return;
            }
            done(check_structure((*session)->connection()));
        });
    }

    Result<void> with_snapshot(std::move_only_function<Result<void>(Reader&)> work) override {
        return copying_.with_snapshot(std::move(work));
    }
    Result<void> with_image(std::move_only_function<Result<void>(Image&)> work) override {
        return copying_.with_image(std::move(work));
    }
    Result<void> scrub() override { return copying_.scrub(); }

  private:
    static Result<void> check_structure(Connection& connection) {
        ZONA_TRY(detail::Statement findings, connection.prepare("PRAGMA integrity_check(10)"));
        std::string text;
        while (true) {
            ZONA_TRY(const bool row, findings.step());
            if (!row) break;
            text += fmt::format("{}{}", text.empty() ? "" : "; ", findings.text(0));
        }
        if (text == "ok") return {};
        return connection.error(SQLITE_CORRUPT).context(text);
    }

    const detail::SessionSetup setup_;
    const std::unique_ptr<Connection> writer_;
    detail::ReadPool readers_;
    detail::Checkpointer checkpointer_;
    detail::CommitQueue writes_;
    detail::Copying copying_;
};

Error invalid(std::string message) {
    return Error(Code::kInvalidArgument, "the database's options: " + std::move(message));
}

Result<void> check_options(const SqliteOptions& options) {
    if (!options.path.starts_with('/')) return invalid("the path is not absolute");
    if (options.page_token_key.reveal().size() < detail::kMinTokenKey)
        return invalid(
            fmt::format("a key for page tokens has {} bytes at least", detail::kMinTokenKey));
    if (options.readers < 1 || options.readers > 64)
        return invalid("there are 1 to 64 threads for reading");
    if (options.max_batch < 1 || options.max_waiting_writes < 1 || options.max_waiting_reads < 1 ||
        options.max_examined < 1 || options.checkpoint_frames < 1 || options.reset_frames < 1)
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

}  // namespace

Result<std::unique_ptr<SqliteDatabase>> open_sqlite(const SqliteOptions& options,
                                                    const core::Clock& clock,
                                                    const core::Logger& log) {
    ZONA_TRY_VOID(check_options(options));
    ZONA_TRY(detail::SessionSetup setup, make_setup(options, clock, log));
    ZONA_TRY_VOID(make_file(options.path));
    const detail::ConnectionOptions connection{.path = options.path,
                                               .vfs = options.vfs,
                                               .prepare = options.prepare,
                                               .cache = options.cache};
    ZONA_TRY(auto writer, Connection::open(connection, Access::kWrite));
    if (auto ready = detail::prepare_schema(*writer, setup.layouts, log); !ready.has_value())
        return ready.take_error().context(options.path);
    ZONA_TRY(auto checkpoints, Connection::open(connection, Access::kWrite));
    std::vector<std::unique_ptr<Connection>> readers;
    for (std::size_t i = 0; i < options.readers; ++i) {
        ZONA_TRY(auto reader, Connection::open(connection, Access::kRead));
        readers.push_back(std::move(reader));
    }
    return std::make_unique<OpenFile>(options, std::move(setup), std::move(writer),
                                      std::move(checkpoints), std::move(readers));
}

}  // namespace zona::store
