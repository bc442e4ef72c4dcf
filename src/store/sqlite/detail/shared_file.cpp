#include "store/sqlite/detail/shared_file.h"

#include <algorithm>
#include <future>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "store/sqlite/detail/schema.h"
#include "store/sqlite/detail/word_index.h"

namespace zona::store::detail {

using core::Code;
using core::Error;
using core::Result;

namespace {

Error too_many(std::size_t waiting, const char* what) {
    return Error(Code::kTooManyRequests,
                 fmt::format("{} {} wait for the database already", waiting, what));
}

Error being_closed() {
    return Error(Code::kCancelled, "the database is being closed");
}

Result<void> check_structure(Connection& connection) {
    ZONA_TRY(Statement findings, connection.prepare("PRAGMA integrity_check(10)"));
    std::string text;
    while (true) {
        ZONA_TRY(const bool row, findings.step());
        if (!row) break;
        text += fmt::format("{}{}", text.empty() ? "" : "; ", findings.text(0));
    }
    if (text == "ok") return {};
    return connection.error(SQLITE_CORRUPT).context(text);
}

}  // namespace

SharedFile::SharedFile(const SqliteOptions& options, SessionSetup setup, const Shared& shared)
    : shared_(shared),
      setup_(std::move(setup)),
      connection_({.path = options.path,
                   .vfs = options.vfs,
                   .prepare = options.prepare,
                   .cache = options.cache}),
      max_readers_(options.readers),
      max_waiting_reads_(options.max_waiting_reads),
      max_waiting_writes_(options.max_waiting_writes),
      max_batch_(options.max_batch),
      checkpointer_({.rest = options.rest_frames,
                     .checkpoint = options.checkpoint_frames,
                     .reset = options.reset_frames},
                    setup_.log) {}

SharedFile::~SharedFile() {
    {
        Lock lock(mutex_);
        stop_ = true;
        quiet_.wait(lock, [this] { return is_done(); });
    }
    shared_.open_files.remove(*this);
    close_connections();
}

Result<void> SharedFile::begin() {
    shared_.open_files.use(*this);
    Result<void> ready = prepare();
    fill_words();
    const std::lock_guard lock(mutex_);
    reserved_ = false;
    turn_ended();
    return ready;
}

Result<void> SharedFile::prepare() {
    ZONA_TRY(Connection* const connection, writer());
    auto ready = prepare_schema(*connection, setup_.layouts, setup_.log);
    if (!ready.has_value()) return ready.take_error().context(connection_.path);
    ZONA_TRY(words_missing_, is_filling(*connection, setup_.layouts));
    // Preparing has checkpoints of its own, which take the place of ours.
    watch_log(*connection);
    return {};
}

/// Some of what is missing in indexes of words, and so on behind others' changes until nothing is.
/// What stops it is told, and the next opening goes on.
void SharedFile::fill_words() {
    if (!std::exchange(words_missing_, false)) return;
    auto more = std::make_shared<bool>(false);
    WriteWork some = [more](Writer& writer) -> Result<void> {
        ZONA_TRY(*more, static_cast<Session&>(writer).fill_words());
        return {};
    };
    Callback<void> done = [this, more](const Result<void>& filled) {
        ZONA_FAULT("store.filled_some");
        if (!filled.has_value()) {
            setup_.log.report(
                "an index of words could not be filled; it is gone on with when the "
                "database is opened again",
                filled.error());
            return;
        }
        words_missing_ = *more;
        fill_words();
    };
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    writes_.push_back({.work = std::move(some), .done = std::move(done), .answer = {}});
    schedule();
}

Result<void> SharedFile::scrub() {
    std::promise<Result<void>> merged;
    submit_write(
        [](Writer& writer) -> Result<void> { return static_cast<Session&>(writer).merge_words(); },
        [&merged](Result<void> done) { merged.set_value(std::move(done)); });
    ZONA_TRY_VOID(merged.get_future().get());
    return copying_.scrub();
}

void SharedFile::watch_log(Connection& connection) {
    const auto hook = [](void* checkpointer, sqlite3*, const char*, int frames) {
        static_cast<Checkpointer*>(checkpointer)->committed(static_cast<std::uint32_t>(frames));
        return SQLITE_OK;
    };
    sqlite3_wal_hook(connection.get(), hook, &checkpointer_);
}

// Work that comes.

void SharedFile::submit_write(WriteWork work, Callback<void> done) {
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        if (!stop_ && writes_.size() < max_waiting_writes_) {
            writes_.push_back({.work = std::move(work), .done = std::move(done), .answer = {}});
            if (writes_.size() == wanted_) more_.notify_one();
            schedule();
            return;
        }
        stopping = stop_;
    }
    done(stopping ? being_closed() : too_many(max_waiting_writes_, "changes"));
}

void SharedFile::submit(SessionWork work) {
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        if (!stop_ && reads_.size() < max_waiting_reads_) {
            reads_.push_back(std::move(work));
            schedule();
            return;
        }
        stopping = stop_;
    }
    work(stopping ? being_closed() : too_many(max_waiting_reads_, "reads"));
}

void SharedFile::submit_read(ReadWork work) {
    submit([work = std::move(work)](Result<Session*> session) mutable {
        if (!session.has_value()) {
            work(session.take_error());
            return;
        }
        work(static_cast<Reader*>(*session));
    });
}

void SharedFile::check(Callback<void> done) {
    submit([done = std::move(done)](Result<Session*> session) mutable {
        if (!session.has_value()) {
            done(session.take_error());
            return;
        }
        done(check_structure((*session)->connection()));
    });
}

void SharedFile::while_closed(ClosedWork work, Callback<void> done) {
    {
        const std::lock_guard lock(mutex_);
        if (!stop_) {
            closed_works_.push_back({.work = std::move(work), .done = std::move(done)});
            schedule();
            return;
        }
    }
    done(being_closed());
}

SqliteStats SharedFile::stats() const {
    return {.transactions = committed_ + failed_,
            .batches = batches_,
            .checkpoints = checkpointer_.checkpoints(),
            .wal_frames = checkpointer_.frames(),
            .opened = opened_,
            .changes = checkpointer_.commits()};
}

DatabaseLoad SharedFile::load() const {
    const std::size_t idle = shared_.idle_readers.size(this);
    const std::lock_guard lock(mutex_);
    // What waits for a thread stands in the queue still.
    const std::size_t reading = reading_ - reads_to_begin_;
    return {.connections = reading + idle + (open_ ? 1U : 0U),
            .reading = reading,
            .writing = batch_,
            .waiting_reads = reads_.size(),
            .waiting_writes = writes_.size(),
            .committed = committed_,
            .failed = failed_,
            .commits = batches_};
}

// Whose turn it is.

void SharedFile::schedule() {
    if (reserved_) return;
    if (!closed_works_.empty()) {
        if (!is_quiet()) return;
        reserved_ = true;
        shared_.checkpoints.add(closed_turn_);
        return;
    }
    if (!writing_ && !writes_.empty()) {
        writing_ = true;
        shared_.writers.add(write_turn_);
    }
    while (reading_ < max_readers_ && reads_to_begin_ < reads_.size()) {
        ++reading_;
        ++reads_to_begin_;
        shared_.readers.add(read_turn_);
    }
    if (checkpoint_due_ && !checkpointing_) {
        checkpointing_ = true;
        checkpoint_due_ = false;
        shared_.checkpoints.add(checkpoint_turn_);
    }
}

void SharedFile::turn_ended() {
    schedule();
    quiet_.notify_all();
}

bool SharedFile::is_quiet() const {
    return !writing_ && reading_ == 0 && !checkpointing_ && !reserved_;
}

bool SharedFile::is_done() const {
    return is_quiet() && writes_.empty() && reads_.empty() && closed_works_.empty();
}

bool SharedFile::reserve_for_closing() {
    const std::lock_guard lock(mutex_);
    if (stop_ || !is_done()) return false;
    reserved_ = true;
    return true;
}

void SharedFile::close_now() {
    close_connections();
    const std::lock_guard lock(mutex_);
    reserved_ = false;
    turn_ended();
}

/// The writer's last, so that closing it moves the whole log into the file.
void SharedFile::close_connections() {
    shared_.idle_readers.drop(this);
    writer_.reset();
    open_ = false;
    checkpointer_.closed();
}

// Turns.

After SharedFile::write_turn() {
    OpenFiles& open_files = shared_.open_files;
    Batch batch = gather();
    open_files.use(*this);
    write(batch);
    for (WaitingWrite& waiting : batch)
        waiting.done(std::move(waiting.answer));
    batch.clear();
    if (writer_) checkpointer_.finish(*writer_);
    {
        const std::lock_guard lock(mutex_);
        if (writes_.empty()) checkpointer_.rest();
        checkpoint_due_ |= checkpointer_.take_due();
        batch_ = 0;
        if (!writes_.empty() && closed_works_.empty()) {
            schedule();
            return After::kAgain;
        }
        writing_ = false;
        turn_ended();
    }
    // From here on the file may be gone.
    open_files.trim();
    return After::kDone;
}

/// When the last batch was large it waits a little for the next to become as large: the clients
/// that were answered are about to come back. Not while others wait for the thread.
SharedFile::Batch SharedFile::gather() {
    Lock lock(mutex_);
    wanted_ = std::min(max_batch_, last_batch_ * 3 / 4);
    if (writes_.size() < wanted_ && shared_.writers.nobody_waits())
        more_.wait_for(lock, kGather, [this] { return writes_.size() >= wanted_ || stop_; });
    wanted_ = SIZE_MAX;
    Batch batch;
    if (writes_.size() <= max_batch_) {
        batch.swap(writes_);
    } else {
        const auto end = writes_.begin() + static_cast<std::ptrdiff_t>(max_batch_);
        std::move(writes_.begin(), end, std::back_inserter(batch));
        writes_.erase(writes_.begin(), end);
    }
    last_batch_ = batch.size();
    batch_ = batch.size();
    return batch;
}

void SharedFile::write(Batch& batch) {
    auto connection = writer();
    if (!connection.has_value()) {
        for (WaitingWrite& waiting : batch)
            waiting.answer = connection.error();
        failed_ += batch.size();
        return;
    }
    batches_ += commit(**connection, setup_, batch);
    for (const WaitingWrite& waiting : batch)
        ++(waiting.answer.has_value() ? committed_ : failed_);
    const auto is_full = [](const WaitingWrite& waiting) {
        return !waiting.answer.has_value() &&
               waiting.answer.error().code() == Code::kResourceExhausted;
    };
    if (std::ranges::any_of(batch, is_full)) checkpointer_.disk_full();
}

Result<Connection*> SharedFile::writer() {
    if (broken_) return *broken_;
    if (writer_) return writer_.get();
    ZONA_TRY(writer_, Connection::open(connection_, Access::kWrite));
    ++opened_;
    open_ = true;
    watch_log(*writer_);
    return writer_.get();
}

After SharedFile::read_turn() {
    OpenFiles& open_files = shared_.open_files;
    SessionWork work;
    {
        const std::lock_guard lock(mutex_);
        work = std::move(reads_.front());
        reads_.pop_front();
        --reads_to_begin_;
    }
    open_files.use(*this);
    read(work);
    work = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (closed_works_.empty() && reads_to_begin_ < reads_.size()) {
            ++reads_to_begin_;
            return After::kAgain;
        }
        --reading_;
        turn_ended();
    }
    // From here on the file may be gone.
    open_files.trim();
    return After::kDone;
}

void SharedFile::read(SessionWork& work) {
    if (broken_) {
        work(*broken_);
        return;
    }
    std::unique_ptr<Connection> connection = shared_.idle_readers.take(this);
    if (!connection) {
        auto opened = Connection::open(connection_, Access::kRead);
        if (!opened.has_value()) {
            work(opened.take_error());
            return;
        }
        connection = *std::move(opened);
    }
    serve(*connection, work);
    shared_.idle_readers.give(this, std::move(connection));
}

void SharedFile::serve(Connection& connection, SessionWork& work) {
    const auto run = [&connection](const char* sql) -> Result<void> {
        ZONA_TRY(Statement statement, connection.prepare(sql));
        return statement.run();
    };
    if (auto begun = run("BEGIN"); !begun.has_value()) {
        work(begun.take_error());
        return;
    }
    Session session(connection, setup_);
    work(&session);
    // Nothing was changed: there is nothing that could fail to be kept.
    (void)run("COMMIT");
}

After SharedFile::checkpoint_turn() {
    OpenFiles& open_files = shared_.open_files;
    if (auto connection = Connection::open(connection_, Access::kWrite); connection.has_value()) {
        checkpointer_.pass(**connection);
    } else {
        setup_.log.report("the write-ahead log could not be moved into the database",
                          connection.error());
    }
    {
        const std::lock_guard lock(mutex_);
        checkpointing_ = false;
        turn_ended();
    }
    // From here on the file may be gone.
    open_files.trim();
    return After::kDone;
}

/// Nothing else is under way: it has the file reserved.
After SharedFile::closed_turn() {
    WaitingClosed waiting;
    {
        const std::lock_guard lock(mutex_);
        waiting = std::move(closed_works_.front());
        closed_works_.pop_front();
    }
    close_connections();
    Result<void> answer = waiting.work();
    broken_.reset();
    shared_.open_files.use(*this);
    auto ready = prepare();
    if (!ready.has_value()) {
        writer_.reset();
        broken_ = ready.error();
        if (answer.has_value()) answer = ready.take_error();
    }
    fill_words();
    waiting.done(std::move(answer));
    waiting = {};
    const std::lock_guard lock(mutex_);
    reserved_ = false;
    turn_ended();
    return After::kDone;
}

}  // namespace zona::store::detail
