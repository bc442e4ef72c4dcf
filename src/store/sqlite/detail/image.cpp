#include "store/sqlite/detail/image.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "store/blocking.h"

namespace zona::store::detail {

using core::Code;
using core::Error;
using core::Result;

namespace {

using std::chrono::milliseconds;

/// Between two looks whether readers have ended; so many.
constexpr milliseconds kPause{2};
constexpr int kLooks = 15'000;
/// Whole pages, of whatever size; a page at a time would be a system call for each. Source:
/// os_unix.c of SQLite, which takes no more than 131,071 bytes at once.
constexpr std::size_t kMostAtOnce = std::size_t{64} << 10U;

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
        while (!into.empty()) {
            const std::size_t size = std::min(into.size(), kMostAtOnce);
            const int code = file_->pMethods->xRead(file_, into.data(), static_cast<int>(size),
                                                    static_cast<sqlite3_int64>(offset));
            if (code != SQLITE_OK) return connection_.error(code);
            into = into.subspan(size);
            offset += size;
        }
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

Result<Copying::Begun> Copying::begin_between(Connection& reader, Connection& checkpoints) {
    for (int look = 0; look < kLooks; ++look) {
        // On the writer's thread, so that no commit comes between.
        const auto begun = write_and_wait(database_, [&](Writer&) -> Result<Begun> {
            if (reader.in_transaction()) ZONA_TRY_VOID(reader.execute("COMMIT"));
            ZONA_TRY_VOID(begin(reader));
            const core::SystemTime moment = setup_.clock->system();
            ZONA_TRY(const auto moved, checkpoint(checkpoints, SQLITE_CHECKPOINT_PASSIVE));
            return Begun{.frames = moved ? moved->frames : -1, .moment = moment};
        });
        if (!begun || begun->frames >= 0) return begun;
        std::this_thread::sleep_for(kPause);
    }
    return Error(Code::kUnavailable, "the write-ahead log was being moved for half a minute");
}

Result<void> Copying::with_image(std::move_only_function<Result<void>(Image&)> work) {
    ZONA_TRY(const auto checkpoints, Connection::open(options_, Access::kWrite));
    ZONA_TRY(const auto reader, Connection::open(options_, Access::kRead));
    // Most of it, while nobody waits.
    ZONA_TRY_VOID(checkpoint(*checkpoints, SQLITE_CHECKPOINT_PASSIVE));
    ZONA_TRY(const Begun begun, begin_between(*reader, *checkpoints));
    for (int look = 0;; ++look) {
        ZONA_TRY(const auto moved, checkpoint(*checkpoints, SQLITE_CHECKPOINT_PASSIVE));
        // A log that began anew had been moved as a whole.
        if (moved && (moved->moved >= begun.frames || moved->frames < begun.frames)) break;
        if (look == kLooks) {
            return Error(Code::kUnavailable,
                         "readers of the database did not end within half a minute");
        }
        std::this_thread::sleep_for(kPause);
    }
    FileImage image(*reader, setup_, begun.moment);
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
