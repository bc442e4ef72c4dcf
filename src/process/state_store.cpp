#include "process/state_store.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "os/child.h"
#include "process/detail/state_codec.h"
#include "process/detail/state_files.h"
#include "process/detail/state_image.h"
#include "process/detail/state_journal.h"
#include "process/detail/state_load.h"
#include "process/detail/state_model.h"
#include "process/detail/state_saved.h"

namespace zona::process {
namespace {

using core::Code;
using core::Error;
using core::Result;

std::vector<StoredProcess> copies(const std::vector<detail::ProcessPtr>& processes) {
    std::vector<StoredProcess> out;
    out.reserve(processes.size());
    for (const detail::ProcessPtr& process : processes)
        out.push_back(*process);
    return out;
}

Error unknown(const core::Uuid& id) {
    return Error(Code::kNotFound, fmt::format("the state holds no process {}", id.to_string()));
}

}  // namespace

class StateStore::Body {
  public:
    Body(StateStoreOptions options, core::Logger log)
        : options_(std::move(options)), log_(std::move(log)), directory_(options_.directory) {}
    ~Body();
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

    Result<void> load();
    Result<void> start();

    LoadedState take_loaded();
    Result<void> put(const StoredProcess& process);
    Result<void> remove(const core::Uuid& id);
    Result<void> set_desired(const core::Uuid& id, Desired desired);
    Result<void> mark_killed();
    Result<void> clear_killed(std::optional<std::uint64_t> unless_after);
    void commit(Done done);
    Result<SaveReport> save(EmptySave empty);
    Result<SavedProcesses> load_saved() const;
    std::vector<StoredProcess> killed() const;

  private:
    core::ByteCount read_limit() const;
    Result<void> append(const std::string& body);
    void run();
    Result<void> make_durable(std::uint64_t target);
    Result<void> rewrite();
    Result<detail::StateImage> begin_segment();
    Result<void> write_snapshot(const detail::StateImage& image);
    Result<void> sync(const detail::JournalFile& journal);
    void tidy(std::uint64_t oldest_needed);
    void mark_durable(std::uint64_t sequence);

    const StateStoreOptions options_;
    const core::Logger log_;
    const detail::StateDirectory directory_;

    mutable std::mutex mutex_;  // guards the next block
    std::condition_variable wake_;
    LoadedState loaded_;
    detail::StateModel model_;
    std::uint64_t sequence_ = 0;         // of the last record
    std::uint64_t durable_ = 0;          // up to here a power cut undoes nothing
    std::uint64_t killed_sequence_ = 0;  // of the last kill
    std::uint64_t journal_bytes_ = 0;    // behind the last snapshot
    std::uint64_t rewrite_at_ = 0;       // journal_bytes_ that ask for a snapshot
    std::uint64_t segment_ = 0;          // number of journal_
    bool rewrite_wanted_ = false;
    bool broken_ = true;   // what is appended now would not be found: a snapshot has to come first
    bool synced_ = false;  // the journal was synced since it was opened
    bool stop_ = false;
    std::vector<Done> waiting_;
    // Replaced by the writer under the lock, so that it may read the pointer without.
    std::unique_ptr<detail::JournalFile> journal_;

    // The writer's alone, and open()'s before there is one.
    bool sync_failed_ = false;  // the kernel has dropped pages: only a rewrite makes them safe
    bool directory_synced_ = false;
    bool snapshot_present_ = false;
    std::uint64_t snapshot_journal_ = 0;  // the first segment that the snapshot needs
    std::uint64_t next_segment_ = 1;
    std::vector<std::string> replaced_;  // damaged files, until a snapshot has what is good in them

    mutable std::mutex saving_;  // one save or load_saved at a time
    std::thread writer_;
};

core::ByteCount StateStore::Body::read_limit() const {
    // JSON writes some bytes as six.
    return core::ByteCount(options_.state_limit.bytes() * 6) + core::ByteCount::mib(64);
}

Result<void> StateStore::Body::load() {
    ZONA_TRY_VOID(directory_.make());
    detail::StateSource source;
    ZONA_TRY(source.segments, directory_.segments());
    source.read = [this](std::string_view name) { return directory_.read(name, read_limit()); };
    ZONA_TRY(detail::StateLoading loading, detail::load_state(source));

    model_ = std::move(loading.model);
    sequence_ = loading.sequence;
    killed_sequence_ = sequence_;
    journal_bytes_ = loading.journal_bytes;
    rewrite_at_ = std::max(options_.journal_size.as_size(), 2 * loading.snapshot_bytes);
    snapshot_present_ = loading.snapshot_present;
    snapshot_journal_ = loading.snapshot_journal;
    const std::uint64_t highest = source.segments.empty() ? 0 : source.segments.back();
    next_segment_ = std::max(highest, snapshot_journal_) + 1;
    replaced_ = std::move(loading.replaced);
    loaded_ = {.processes = copies(detail::in_order(model_.processes())),
               .next_pm_id = model_.next_pm_id(),
               .killed = copies(model_.killed()),
               .warnings = std::move(loading.warnings)};

    for (const std::string& name : loading.damaged)
        ZONA_TRY_VOID(directory_.set_aside(name));
    if (!loading.rewrite && loading.segment != 0) {
        ZONA_TRY(
            detail::JournalFile journal,
            detail::JournalFile::resume(directory_.path_of(detail::journal_name(loading.segment)),
                                        loading.segment_bytes));
        journal_ = std::make_unique<detail::JournalFile>(std::move(journal));
        segment_ = loading.segment;
        broken_ = false;
        return {};
    }
    // A new home has nothing to be written yet but the journal itself.
    const bool is_new = !loading.rewrite && !snapshot_present_;
    auto begun = is_new ? Result<void>() : rewrite();
    if (is_new) {
        if (auto image = begin_segment(); image.has_value()) {
            broken_ = false;
        } else {
            begun = image.take_error();
        }
    }
    if (begun.has_value()) return {};
    if (begun.error().code() != Code::kResourceExhausted) return begun.take_error();
    loaded_.warnings.push_back(
        fmt::format("changes are refused until there is space: {}", begun.error().message()));
    return {};
}

Result<void> StateStore::Body::start() {
    try {
        writer_ = std::thread([this] { run(); });
    } catch (const std::system_error& failure) {
        return Error::from_errno(failure.code().value(), "start the thread of the state store");
    }
    return {};
}

StateStore::Body::~Body() {
    if (!writer_.joinable()) return;
    {
        const std::scoped_lock lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    writer_.join();
}

LoadedState StateStore::Body::take_loaded() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(loaded_, {});
}

Result<void> StateStore::Body::append(const std::string& body) {
    if (broken_) {
        rewrite_wanted_ = true;
        wake_.notify_one();
        return Error(Code::kResourceExhausted,
                     fmt::format("{}: a new snapshot has to be written before anything can change, "
                                 "and there was no space for it: free some and try again",
                                 options_.directory));
    }
    const std::string line = detail::journal_line(sequence_ + 1, body);
    if (auto written = journal_->append(line); !written.has_value()) {
        return std::move(written.take_error().context("the change was not stored"));
    }
    ++sequence_;
    journal_bytes_ += line.size();
    if (journal_bytes_ > rewrite_at_ && !rewrite_wanted_) {
        rewrite_wanted_ = true;
        wake_.notify_one();
    }
    return {};
}

Result<void> StateStore::Body::put(const StoredProcess& process) {
    if (process.app == nullptr) return Error(Code::kInvalidArgument, "a process without an app");
    const std::scoped_lock lock(mutex_);
    const detail::AppTable::Entry* const known = model_.apps().find(process.app);
    if (known == nullptr) {
        // Whatever is written has to be accepted when it is read.
        ZONA_TRY_VOID(validate(process.app->spec, NameRule::kForeign));
        const std::size_t bytes = model_.apps().bytes() + detail::app_bytes(*process.app);
        if (bytes > options_.state_limit.as_size()) {
            return Error(
                Code::kTooLarge,
                fmt::format("the settings and environments of all apps would take {} bytes; "
                            "the limit is {}",
                            bytes, options_.state_limit.bytes()));
        }
    }
    const detail::AppKey key = known == nullptr ? sequence_ + 1 : known->key;
    ZONA_TRY_VOID(
        append(detail::encode_put(process, key, known == nullptr ? process.app.get() : nullptr)));
    if (known == nullptr) model_.apps().add(key, process.app);
    auto stored = std::make_shared<StoredProcess>(process);
    stored->app = model_.apps().find(key)->app;
    model_.put(std::move(stored));
    return {};
}

Result<void> StateStore::Body::remove(const core::Uuid& id) {
    const std::scoped_lock lock(mutex_);
    if (!model_.processes().contains(id)) return unknown(id);
    ZONA_TRY_VOID(append(detail::encode_remove(id)));
    model_.remove(id);
    return {};
}

Result<void> StateStore::Body::set_desired(const core::Uuid& id, Desired desired) {
    const std::scoped_lock lock(mutex_);
    const auto found = model_.processes().find(id);
    if (found == model_.processes().end()) return unknown(id);
    if (found->second->desired == desired) return {};
    ZONA_TRY_VOID(append(detail::encode_desired(id, desired)));
    model_.set_desired(id, desired);
    return {};
}

Result<void> StateStore::Body::mark_killed() {
    const std::scoped_lock lock(mutex_);
    if (model_.processes().empty()) return {};
    ZONA_TRY_VOID(append(detail::encode_kill()));
    model_.kill();
    killed_sequence_ = sequence_;
    return {};
}

Result<void> StateStore::Body::clear_killed(std::optional<std::uint64_t> unless_after) {
    const std::scoped_lock lock(mutex_);
    if (model_.killed().empty() || killed_sequence_ > unless_after.value_or(sequence_)) return {};
    ZONA_TRY_VOID(append(detail::encode_forget_killed()));
    model_.forget_killed();
    return {};
}

void StateStore::Body::commit(Done done) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(done));
    wake_.notify_one();
}

Result<SaveReport> StateStore::Body::save(EmptySave empty) {
    const std::scoped_lock saving(saving_);
    detail::StateImage image;
    std::uint64_t sequence = 0;
    {
        const std::scoped_lock lock(mutex_);
        image = detail::processes_of(model_);
        sequence = sequence_;
    }
    if (image.processes.empty() && empty == EmptySave::kRefuse) {
        return Error(
            Code::kConflict,
            "there are no processes to save, and the saved list was left as it is: to save "
            "an empty list, force it");
    }
    ZONA_TRY_VOID(detail::write_saved(directory_, read_limit(), image));
    if (auto cleared = clear_killed(sequence); !cleared.has_value()) {
        log_.report("the list is saved, and the killed processes are still remembered",
                    cleared.error());
    }
    return SaveReport{directory_.path_of(detail::current_name(detail::kSaved)),
                      image.processes.size()};
}

Result<SavedProcesses> StateStore::Body::load_saved() const {
    const std::scoped_lock saving(saving_);
    auto saved = detail::read_saved(directory_, read_limit());
    if (saved.has_value() && saved->has_value()) {
        detail::SavedReading& reading = **saved;
        const bool newest = reading.name == detail::current_name(detail::kSaved);
        return SavedProcesses{.from = newest ? SavedFrom::kSaved : SavedFrom::kPrevious,
                              .file = directory_.path_of(reading.name),
                              .processes = copies(reading.image.processes),
                              .warnings = std::move(reading.warnings)};
    }
    SavedProcesses out{.from = SavedFrom::kKilled, .processes = killed()};
    if (out.processes.empty()) {
        if (!saved.has_value()) return saved.take_error();
        return Error(Code::kNotFound, "nothing was saved: `zona save` keeps the present processes");
    }
    if (!saved.has_value()) out.warnings.push_back(saved.error().message());
    return out;
}

std::vector<StoredProcess> StateStore::Body::killed() const {
    const std::scoped_lock lock(mutex_);
    return copies(model_.killed());
}

void StateStore::Body::run() {
    os::block_all_signals();
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stop_ || rewrite_wanted_ || !waiting_.empty(); });
        if (stop_ && waiting_.empty()) return;
        std::vector<Done> batch = std::exchange(waiting_, {});
        const std::uint64_t target = sequence_;
        lock.unlock();
        if (!batch.empty()) {
            const Result<void> result = make_durable(target);
            for (Done& done : batch)
                done(result);
        }
        lock.lock();
        if (!rewrite_wanted_ || stop_) continue;
        lock.unlock();
        if (auto written = rewrite(); !written.has_value()) {
            log_.report("a new snapshot of the state could not be written", written.error());
        }
        lock.lock();
    }
}

Result<void> StateStore::Body::make_durable(std::uint64_t target) {
    bool broken = false;
    {
        const std::scoped_lock lock(mutex_);
        if (synced_ && durable_ >= target) return {};
        broken = broken_;
    }
    if (broken || sync_failed_) return rewrite();
    if (auto synced = sync(*journal_); synced.has_value()) {
        mark_durable(target);
        return {};
    }
    return rewrite();
}

Result<void> StateStore::Body::sync(const detail::JournalFile& journal) {
    auto synced = journal.sync();
    // The file's name in the directory may be as new as its content.
    if (synced.has_value() && !directory_synced_) synced = directory_.sync();
    if (synced.has_value()) {
        directory_synced_ = true;
    } else {
        log_.report("the journal could not be synced, all will be written anew", synced.error());
        sync_failed_ = true;
    }
    return synced;
}

void StateStore::Body::mark_durable(std::uint64_t sequence) {
    const std::scoped_lock lock(mutex_);
    durable_ = std::max(durable_, sequence);
    synced_ = true;
}

Result<void> StateStore::Body::rewrite() {
    {
        const std::scoped_lock lock(mutex_);
        rewrite_wanted_ = false;
        // If this fails, the next attempt waits for as much again.
        rewrite_at_ = journal_bytes_ + options_.journal_size.as_size();
    }
    ZONA_TRY(const detail::StateImage image, begin_segment());
    ZONA_TRY_VOID(write_snapshot(image));
    for (const std::string& name : std::exchange(replaced_, {})) {
        if (auto aside = directory_.set_aside(name); !aside.has_value()) {
            log_.report("a damaged file could not be renamed", aside.error());
        }
    }
    tidy(std::exchange(snapshot_journal_, image.journal));
    return {};
}

Result<detail::StateImage> StateStore::Body::begin_segment() {
    const auto take_image = [this] {
        detail::StateImage image = detail::image_of(model_);
        image.sequence = sequence_;
        image.journal = segment_;
        return image;
    };
    {
        const std::scoped_lock lock(mutex_);
        if (journal_ != nullptr && journal_->size() == 0) return take_image();
    }
    ZONA_TRY(detail::JournalFile created,
             detail::JournalFile::create(directory_.path_of(detail::journal_name(next_segment_))));
    auto journal = std::make_unique<detail::JournalFile>(std::move(created));
    detail::StateImage image;
    bool safe = !sync_failed_;
    {
        const std::scoped_lock lock(mutex_);
        segment_ = next_segment_++;
        std::swap(journal_, journal);
        image = take_image();
        safe = safe && !broken_;
    }
    // From here on only the new segment can hold what is not synced.
    directory_synced_ = false;
    if (journal != nullptr && safe && sync(*journal).has_value()) mark_durable(image.sequence);
    return image;
}

Result<void> StateStore::Body::write_snapshot(const detail::StateImage& image) {
    // The snapshot names the new segment, so that has to be found after a power cut.
    if (!directory_synced_) ZONA_TRY_VOID(directory_.sync());
    directory_synced_ = true;
    const std::string text = detail::encode_image(image);
    ZONA_TRY_VOID(directory_.write_generation(
        detail::kSnapshot, text,
        snapshot_present_ ? detail::Former::kIsPrevious : detail::Former::kIsGone));
    snapshot_present_ = true;
    sync_failed_ = false;
    mark_durable(image.sequence);
    const std::scoped_lock lock(mutex_);
    broken_ = false;
    // Records that came while the snapshot was being written are in journal_ already.
    journal_bytes_ = journal_->size();
    rewrite_at_ = std::max(options_.journal_size.as_size(), 2 * text.size());
    return {};
}

void StateStore::Body::tidy(std::uint64_t oldest_needed) {
    const auto segments = directory_.segments();
    if (!segments.has_value()) {
        log_.report("old journal segments could not be looked for", segments.error());
        return;
    }
    for (const std::uint64_t segment : *segments) {
        if (segment >= oldest_needed) break;
        if (auto removed = directory_.remove(detail::journal_name(segment)); !removed.has_value()) {
            log_.report("an old journal segment could not be removed", removed.error());
        }
        ZONA_FAULT("state.segment_removed");
    }
}

Result<std::unique_ptr<StateStore>> StateStore::open(StateStoreOptions options, core::Logger log) {
    auto body = std::make_unique<Body>(std::move(options), std::move(log));
    ZONA_TRY_VOID(body->load());
    ZONA_TRY_VOID(body->start());
    return std::unique_ptr<StateStore>(new StateStore(std::move(body)));
}

StateStore::StateStore(std::unique_ptr<Body> body) : body_(std::move(body)) {}
StateStore::~StateStore() = default;

LoadedState StateStore::take_loaded() {
    return body_->take_loaded();
}
Result<void> StateStore::put(const StoredProcess& process) {
    return body_->put(process);
}
Result<void> StateStore::remove(const core::Uuid& id) {
    return body_->remove(id);
}
Result<void> StateStore::set_desired(const core::Uuid& id, Desired desired) {
    return body_->set_desired(id, desired);
}
Result<void> StateStore::mark_killed() {
    return body_->mark_killed();
}
Result<void> StateStore::clear_killed() {
    return body_->clear_killed(std::nullopt);
}
void StateStore::commit(Done done) {
    body_->commit(std::move(done));
}
Result<SaveReport> StateStore::save(EmptySave empty) {
    return body_->save(empty);
}
Result<SavedProcesses> StateStore::load_saved() const {
    return body_->load_saved();
}
std::vector<StoredProcess> StateStore::killed() const {
    return body_->killed();
}

}  // namespace zona::process
