/// @file
/// Outbox: write sets of several documents, where the server has no transactions.
///
/// A set is written down first, as one document of zona.outbox (a large one as a head and parts,
/// the head last): for each document its key, the tag that it must have, what it is and what it
/// becomes. Then each is written, with the set's tag, if it has the tag that it must have; a
/// removed one leaves a tombstone. When all are written the tombstones go, then the set: it is
/// done.
///
///     state     meaning                          who finds it
///     forward   some of it may be written        writes the rest; if one cannot be: undo
///     undo      one could not be written         gives back what has the set's tag; goes
///     done      all is written                   removes the tombstones; goes
///     undone    given back by somebody else      left for a while, so that its owner learns it
///
/// Every step can be done twice and by two at once, since it names the tag that it replaces. While
/// a set is there nobody changes a document with its tag (Outbox::is_busy()), so recovery can tell
/// what was written. Source: design decision 3, docs/adr/0009-mongodb.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "store/mongo/detail/client.h"
#include "store/mongo/detail/session.h"
#include "store/mongo/detail/tags.h"

namespace zona::store::mongo {

/// What became of a set.
enum class SetOutcome : std::uint8_t {
    kDone,
    kConflict,   ///< somebody was quicker: all of it was given back
    kDuplicate,  ///< a unique index refused it: all of it was given back
};

/// Sets that are younger are their owners'.
inline constexpr std::chrono::seconds kOwnersTime{10};

class Outbox {
  public:
    /// All outlive it.
    Outbox(const core::Clock& clock, Tags& tags, core::Logger log)
        : clock_(clock), tags_(tags), log_(std::move(log)) {}

    /// Writes the changes, all or none. `index`: the one that refused, of kDuplicate.
    /// Errors: those of Client: the set is undone or finished by recovery.
    core::Result<SetOutcome> write(Client& client, const std::vector<Change>& changes,
                                   std::string& index);
    /// Whether a set of this process may be half written: nothing may go on before recover().
    bool is_unfinished() const { return unfinished_; }

    /// Whether the document belongs to a set of somebody else's that is not finished.
    core::Result<bool> is_busy(Client& client, const std::string& tag) const;

    /// Finishes or undoes the sets that are older than this, 0: all; how many. Not while write() is
    /// at work in this process.
    core::Result<std::size_t> recover(Client& client, std::chrono::seconds older_than);

  private:
    /// One document of a set, in the form in which it stands in the outbox: c its collection, k its
    /// key, b the tag that it must have, o what it is, n what it becomes.
    using Steps = std::vector<Bson>;

    core::Result<Steps> steps_of(Client& client, const std::vector<Change>& changes,
                                 const std::string& tag, bool& overtaken) const;
    core::Result<SetOutcome> write_steps(Client& client, const std::string& tag, const Steps& steps,
                                         std::string& index) const;
    core::Result<bool> was_done(Client& client, const std::string& tag) const;
    core::Result<void> write_down(Client& client, const std::string& tag, const Steps& steps) const;
    core::Result<Steps> read_back(Client& client, const Bson& head) const;
    core::Result<SetOutcome> forward(Client& client, const std::string& tag, const Steps& steps,
                                     std::string& index) const;
    core::Result<SetOutcome> step(Client& client, const std::string& tag, const Bson& step,
                                  std::string& index) const;
    core::Result<void> finish(Client& client, const std::string& tag, const Steps& steps) const;
    core::Result<void> undo(Client& client, const std::string& tag, const Steps& steps) const;
    core::Result<void> undo_step(Client& client, const std::string& tag, const Bson& step) const;
    core::Result<bool> move_on(Client& client, const std::string& tag, const char* from,
                               const char* to) const;
    core::Result<void> drop(Client& client, const std::string& tag) const;
    core::Result<void> recover_one(Client& client, const Bson& head) const;
    core::Result<void> drop_orphans(Client& client, std::int64_t before) const;

    const core::Clock& clock_;
    Tags& tags_;
    const core::Logger log_;
    std::atomic<bool> unfinished_ = false;
};

}  // namespace zona::store::mongo
