/// @file
/// SharedFile: one database file whose work is done by the threads of an engine.
///
/// It has three kinds of turns: one that writes, several that read, one that moves the log into the
/// file. While none of them is under way or waits, the file may be closed for another
/// (open_files.h); what is submitted then waits until that is done, and the next turn opens it
/// again. All of this is decided in schedule().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "store/sqlite/detail/checkpointer.h"
#include "store/sqlite/detail/commit.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/idle_readers.h"
#include "store/sqlite/detail/image.h"
#include "store/sqlite/detail/open_files.h"
#include "store/sqlite/detail/session.h"
#include "store/sqlite/detail/turns.h"
#include "store/sqlite_database.h"

namespace zona::store::detail {

/// What all files of an engine share.
struct Shared {
    TurnPool& writers;
    TurnPool& readers;
    TurnPool& checkpoints;
    IdleReaders& idle_readers;
    OpenFiles& open_files;
};

class SharedFile final : public SqliteDatabase, private Closable {
  public:
    /// How long a batch waits for more.
    static constexpr std::chrono::microseconds kGather{500};

    /// `shared` outlives it.
    SharedFile(const SqliteOptions& options, SessionSetup setup, const Shared& shared);
    ~SharedFile() override;

    /// Opens it and brings it to its collections; to be called first, once. Errors: as
    /// SqliteEngine::open().
    core::Result<void> begin();

    void submit_read(ReadWork work) override;
    void submit_write(WriteWork work, Callback<void> done) override;
    SqliteStats stats() const override;
    DatabaseLoad load() const override;
    void check(Callback<void> done) override;
    void while_closed(ClosedWork work, Callback<void> done) override;
    core::Result<void> with_snapshot(
        std::move_only_function<core::Result<void>(Reader&)> work) override {
        return copying_.with_snapshot(std::move(work));
    }
    core::Result<void> with_image(
        std::move_only_function<core::Result<void>(Image&)> work) override {
        return copying_.with_image(std::move(work));
    }
    core::Result<void> scrub() override;

  private:
    using SessionWork = std::move_only_function<void(core::Result<Session*>)>;
    using Batch = std::vector<WaitingWrite>;
    using Lock = std::unique_lock<std::mutex>;
    struct WaitingClosed {
        ClosedWork work;
        Callback<void> done;
    };
    /// Calls one member of the file.
    template <After (SharedFile::*kTake)()>
    class TurnOf final : public Turn {
      public:
        explicit TurnOf(SharedFile& file) : file_(file) {}
        After take() override { return (file_.*kTake)(); }

      private:
        SharedFile& file_;
    };

    bool reserve_for_closing() override;
    void close_now() override;

    void submit(SessionWork work);
    /// Under the lock: asks for the turns that there is work for.
    void schedule();
    /// Under the lock: schedule(), and tells who waits for the end.
    void turn_ended();
    /// Under the lock: no turn waits or is under way, nor is it being closed.
    bool is_quiet() const;
    /// Under the lock: nothing is left to be done.
    bool is_done() const;

    After write_turn();
    After read_turn();
    After checkpoint_turn();
    After closed_turn();

    Batch gather();
    void write(Batch& batch);
    core::Result<Connection*> writer();
    void watch_log(Connection& connection);
    void read(SessionWork& work);
    void serve(Connection& connection, SessionWork& work);
    core::Result<void> prepare();
    void close_connections();
    void fill_words();

    const Shared& shared_;
    const SessionSetup setup_;
    const ConnectionOptions connection_;
    Copying copying_{connection_, setup_, *this};
    const std::size_t max_readers_;
    const std::size_t max_waiting_reads_;
    const std::size_t max_waiting_writes_;
    const std::size_t max_batch_;
    std::atomic<std::uint64_t> committed_ = 0;  // transactions
    std::atomic<std::uint64_t> batches_ = 0;
    std::atomic<std::uint64_t> failed_ = 0;
    std::atomic<std::uint64_t> opened_ = 0;
    std::atomic<bool> open_ = false;  // there is a writer_

    TurnOf<&SharedFile::write_turn> write_turn_{*this};
    TurnOf<&SharedFile::read_turn> read_turn_{*this};
    TurnOf<&SharedFile::checkpoint_turn> checkpoint_turn_{*this};
    TurnOf<&SharedFile::closed_turn> closed_turn_{*this};

    Checkpointer checkpointer_;
    // These belong to the turn that writes, or to whoever has it reserved.
    std::unique_ptr<Connection> writer_;
    std::size_t last_batch_ = 0;
    bool words_missing_ = false;  // when it was prepared; fill_words() is to follow
    // Changed only by whoever has it reserved: it could not be opened after while_closed().
    std::optional<core::Error> broken_;

    mutable std::mutex mutex_;  // guards the rest
    std::condition_variable quiet_;
    std::condition_variable more_;  // for a batch that gathers
    Batch writes_;
    std::deque<SessionWork> reads_;
    std::deque<WaitingClosed> closed_works_;
    std::size_t wanted_ = SIZE_MAX;  // so many waiting writes end the gathering
    bool writing_ = false;           // its turn waits or is under way, as with the next ones
    bool checkpoint_due_ = false;
    bool checkpointing_ = false;
    std::size_t batch_ = 0;           // transactions that are being written
    std::size_t reading_ = 0;         // turns
    std::size_t reads_to_begin_ = 0;  // turns of these that wait
    bool reserved_ = true;            // somebody opens or closes it: no turn is given
    bool stop_ = false;               // it is being destroyed
};

}  // namespace zona::store::detail
