/// @file
/// StateStore: the desired state of all processes, kept in HOME/state/ through kills and power
/// cuts.
///
/// What is kept is what the owner wants, not what happens: no start, death or restart of a process
/// writes here. Every change goes to the journal by one write(2) before the call returns, so that
/// it survives the death of the daemon; commit() tells when it also survives a power cut. From time
/// to time a snapshot takes the place of the journal. A full disk refuses changes and stops
/// nothing.
///
///     HOME/state/snapshot.json, snapshot.previous.json   the state and the journal segment behind
///     it HOME/state/journal.N                               changes, one line each
///     HOME/state/saved.json, saved.previous.json         what `zona save` wrote
///     HOME/state/*.damaged                               what could not be read: never deleted
///
/// All are mode 0600 in a directory of 0700, because environments hold secrets; nothing of an
/// environment goes into a message or the log. One daemon per directory: HOME/lock sees to that.
///
/// Threading: all members may be called from any thread. Changes take microseconds and never wait
/// for the disk; one thread of the store's own, asleep while nothing is asked of it, does the rest.
/// Formats, the order of writes and what each crash leaves: docs/adr/0003-state-files.md.
/// Source: PM-11, REL-20, REL-21, design decision 13.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/byte_count.h"
#include "core/log.h"
#include "core/random.h"
#include "core/result.h"
#include "process/stored_process.h"

namespace zona::process {

/// Where it is and how much it takes.
struct StateStoreOptions {
    std::string directory;  ///< HOME/state, absolute; made if it is not there
    /// A new snapshot is due when the journal is larger than this and than twice the last snapshot.
    core::ByteCount journal_size = core::ByteCount::mib(1);
    /// Of the settings and environments of all apps together.
    core::ByteCount state_limit = core::ByteCount::mib(256);
};

/// What open() found.
struct LoadedState {
    std::vector<StoredProcess> processes;  ///< by pm_id; instances share their app
    std::uint32_t next_pm_id = 0;          ///< above every one given since the list was last empty
    /// Set aside by `zona kill`: not to be started, but offered by `resurrect`. A pm_id may also be
    /// that of a present process.
    std::vector<StoredProcess> killed;
    /// Sentences for the log and for `zona doctor`: what was damaged, what served in its place,
    /// what is lost. Empty after a clean stop and after kill -9.
    std::vector<std::string> warnings;
};

/// Whether save() may replace a saved list by an empty one.
enum class EmptySave : std::uint8_t { kRefuse, kAllow };

/// What save() has written.
struct SaveReport {
    std::string file;           ///< absolute
    std::size_t processes = 0;  ///< how many are in it
};

/// Where a list to be resurrected comes from.
enum class SavedFrom : std::uint8_t {
    kSaved,     ///< saved.json
    kPrevious,  ///< saved.previous.json, because saved.json is damaged or missing
    kKilled,    ///< nothing is saved: what the last `zona kill` ended
};

/// What resurrect brings back.
struct SavedProcesses {
    SavedFrom from = SavedFrom::kSaved;
    std::string file;  ///< absolute; empty for kKilled
    std::vector<StoredProcess> processes;
    std::vector<std::string> warnings;
};

/// The desired state of all processes, on disk. Guarantees, errors and threading: state_store.h.
class StateStore {
  public:
    /// Called once, with success when everything is on the disk.
    using Done = std::move_only_function<void(core::Result<void>)>;

    /// Loads what is there, mends what a crash left, and starts the store's thread.
    ///
    /// Damage is no error: what cannot be used is kept under another name, the previous generation
    /// serves in its place, and the warnings say what is lost. On a full disk the store opens, and
    /// changes are refused until there is space.
    /// Errors  kConflict: a file of a newer format (both formats and what to do in the message);
    ///         nothing was touched. kForbidden and others: the directory or a file in it cannot be
    ///         made, read or written; files may have been set aside.
    static core::Result<std::unique_ptr<StateStore>> open(StateStoreOptions options,
                                                          core::Logger log);

    /// Answers every commit() first.
    ~StateStore();
    StateStore(const StateStore&) = delete;
    StateStore& operator=(const StateStore&) = delete;

    /// What was found, given away: the second call returns an empty one.
    LoadedState take_loaded();

    /// Each change is in the journal when the call returns; kill -9 does not undo it. On an error
    /// nothing changed, neither in the file nor here, and a later call may succeed.
    /// Errors of all changes: kResourceExhausted, the disk is full (or was, and damaged files are
    /// still to be replaced); others as write(2).

    /// Adds a process, or replaces the one with its id. The app is stored once for all that share
    /// it, by pointer or by content.
    /// Errors  kInvalidArgument: no app, or one that validate() refuses. kTooLarge: over
    /// state_limit.
    core::Result<void> put(const StoredProcess& process);
    /// Errors  kNotFound: no such process.
    core::Result<void> remove(const core::Uuid& id);
    /// Writes nothing if that is its desired state already. Errors  kNotFound: no such process.
    core::Result<void> set_desired(const core::Uuid& id, Desired desired);
    /// `zona kill`: all processes are set aside until the next save() or clear_killed(), so that
    /// the next start finds none. They replace those that an earlier kill set aside, but for apps
    /// whose names are not among them. Without processes nothing changes.
    core::Result<void> mark_killed();
    /// After a resurrect.
    core::Result<void> clear_killed();

    /// Calls `done` on the store's thread when all changes made before this call are safe from a
    /// power cut; one fdatasync(2) serves all who wait. On an error they are safe from the death of
    /// the daemon only, and the next commit() writes everything anew. `done` must not call back
    /// into the store's destructor. A restart of a process never needs this.
    void commit(Done done);

    /// `zona save`: writes the present processes to saved.json and forgets the killed ones. Waits
    /// for the disk.
    /// Errors  kConflict: there are no processes and `empty` is kRefuse, or saved.json is of a
    /// newer
    ///         format. kResourceExhausted and others as write(2). The saved list is the old one
    ///         then.
    core::Result<SaveReport> save(EmptySave empty);

    /// `zona resurrect`: the saved list, or its previous generation if it is damaged, or else the
    /// killed processes. Changes nothing; no file is deleted.
    /// Errors  kNotFound: nothing was saved or killed. kConflict: what was saved is damaged (both
    ///         generations) or of a newer format.
    core::Result<SavedProcesses> load_saved() const;

    /// Those that are set aside now.
    std::vector<StoredProcess> killed() const;

  private:
    class Body;
    explicit StateStore(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

}  // namespace zona::process
