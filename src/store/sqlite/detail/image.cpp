#include "store/sqlite/detail/image.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "store/blocking.h"
#include "store/sqlite/detail/pieces.h"

namespace zona::store::detail {

using core::Code;
using core::Error;
using core::Result;

namespace {

using std::chrono::milliseconds;

/// Between two looks whether readers have ended; so many.
constexpr milliseconds kPause{2};
constexpr int kLooks = 15'000;
/// While nothing is written: short readers end so soon, and new ones read what there is.
constexpr milliseconds kPauseAtRest{1};
constexpr int kLooksAtRest = 10;
/// Between two times of that, for those who write.
constexpr milliseconds kPauseForWriters{50};
constexpr int kTimesAtRest = 500;

/// Frames of the log, and of them those that are in the file; nothing: another checkpoint runs.
struct Moved {
    int frames = 0;
    int moved = 0;
};
Result<std::optional<Moved>> checkpoint(Connection& connection, int mode) {
    Moved out;
    const int code =
        sqlite3_wal_checkpoint_v2(connection.get(), nullptr, mode, &out.frames, &out.moved);
    if ((code & 0xFF) == SQLITE_BUSY) return std::nullopt;
    if (code != SQLITE_OK) return connection.error(code);
    return out;
}

/// Begins a transaction, and its state with it.
Result<void> begin(Connection& connection) {
    ZONA_TRY_VOID(connection.execute("BEGIN"));
    ZONA_TRY_VOID(connection.integer("SELECT count(*) FROM sqlite_master"));
    return {};
}

class FileImage final : public Image {
  public:
    FileImage(Connection& connection, const SessionSetup& setup, core::SystemTime moment)
        : connection_(connection), session_(connection, setup), moment_(moment) {}

    Result<void> open() {
        const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_FILE_POINTER,
                                              static_cast<void*>(&file_));
        if (code != SQLITE_OK) return connection_.error(code);
        ZONA_TRY(const std::int64_t page, connection_.integer("PRAGMA page_size"));
        ZONA_TRY(const std::int64_t pages, connection_.integer("PRAGMA page_count"));
        page_bytes_ = static_cast<std::size_t>(page);
        bytes_ = static_cast<std::uint64_t>(pages) * page_bytes_;
        return {};
    }

    Reader& reader() override { return session_; }
    std::uint64_t bytes() const override { return bytes_; }
    std::size_t page_bytes() const override { return page_bytes_; }
    core::SystemTime moment() const override { return moment_; }

    Result<void> read(std::span<std::byte> into, std::uint64_t offset) override {
        if (into.size() % page_bytes_ != 0 || offset % page_bytes_ != 0 ||
            offset + into.size() > bytes_) {
            return Error(Code::kInvalidArgument, "a part of a database's image is whole pages");
        }
        const auto read = [this](std::byte* data, int size, sqlite3_int64 at) {
            return file_->pMethods->xRead(file_, data, size, at);
        };
        const int code = for_each_piece(into, offset, read);
        if (code != SQLITE_OK) return connection_.error(code);
        return {};
    }

  private:
    Connection& connection_;
    Session session_;
    const core::SystemTime moment_;
    sqlite3_file* file_ = nullptr;
    std::size_t page_bytes_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace

Result<void> Copying::with_snapshot(std::move_only_function<Result<void>(Reader&)> work) {
    ZONA_TRY(const auto reader, Connection::open(options_, Access::kRead));
    ZONA_TRY_VOID(begin(*reader));
    Session session(*reader, setup_);
    return work(session);
}

Result<std::optional<core::SystemTime>> Copying::begin_at_rest(Connection& reader,
                                                               Connection& checkpoints) {
    // On the writer's thread, so that no commit comes between.
    return write_and_wait(database_, [&](Writer&) -> Result<std::optional<core::SystemTime>> {
        for (int look = 0; look < kLooksAtRest; ++look) {
            if (look > 0) std::this_thread::sleep_for(kPauseAtRest);
            // Anew each time: with another checkpoint under way it may have to begin further back.
            if (reader.in_transaction()) ZONA_TRY_VOID(reader.execute("COMMIT"));
            ZONA_TRY_VOID(begin(reader));
            const core::SystemTime moment = setup_.clock->system();
            ZONA_TRY(const auto moved, checkpoint(checkpoints, SQLITE_CHECKPOINT_PASSIVE));
            if (moved && moved->moved == moved->frames) return moment;
        }
        ZONA_TRY_VOID(reader.execute("COMMIT"));
        return std::nullopt;
    });
}

Result<void> Copying::with_image(std::move_only_function<Result<void>(Image&)> work) {
    ZONA_TRY(const auto checkpoints, Connection::open(options_, Access::kWrite));
    ZONA_TRY(const auto reader, Connection::open(options_, Access::kRead));
    std::optional<core::SystemTime> moment;
    std::optional<Moved> before;
    for (int time = 0; !moment; ++time) {
        if (time == kTimesAtRest) {
            return Error(Code::kUnavailable,
                         "readers of the database did not end within half a minute");
        }
        if (time > 0) std::this_thread::sleep_for(kPauseForWriters);
        // Most of it, while nobody waits.
        ZONA_TRY(const auto now, checkpoint(*checkpoints, SQLITE_CHECKPOINT_PASSIVE));
        // A reader that holds it where it was the last time is a long one: those who write would
        // stand still for nothing.
        const bool held = now && before && now->moved < now->frames && now->moved == before->moved;
        before = now;
        if (held) continue;
        ZONA_TRY(moment, begin_at_rest(*reader, *checkpoints));
    }
    FileImage image(*reader, setup_, *moment);
    ZONA_TRY_VOID(image.open());
    return work(image);
}

Result<void> Copying::scrub() {
    ZONA_TRY(const auto checkpoints, Connection::open(options_, Access::kWrite));
    for (int look = 0; look < kLooks; ++look) {
        ZONA_TRY(const auto moved, checkpoint(*checkpoints, SQLITE_CHECKPOINT_TRUNCATE));
        if (moved) return {};
        std::this_thread::sleep_for(kPause);
    }
    return Error(Code::kUnavailable, "readers of the database did not end within half a minute");
}

}  // namespace zona::store::detail
