/// @file
/// Recorder: what is done goes on record, from any thread, at the cost of one write to a file.
///
/// record() hands an entry to the spool and returns; a thread of its own takes over what the spool
/// and transactions have brought, round by round, as one writer of all chains, and has the heads
/// signed. What is on its way when the daemon dies is taken over by the next one, once.
///
/// When the spool is full, because a database could not be had for long, changes are refused before
/// they are begun (room()); what has happened already and finds no room is counted, told in the log
/// and, as soon as there is room, in the record itself. Source: AUDIT-02, AUDIT-15, AUDIT-16.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "audit/books.h"
#include "audit/chain.h"
#include "audit/notary.h"
#include "audit/spool.h"
#include "audit/subjects.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"

namespace zona::audit {

/// Whether this host gives numbers now: with a permit for each transaction, or not, because another
/// host of the same core database does. Blocks.
using Turn = std::function<core::Result<std::optional<Permit>>()>;

/// What it works with; all outlive it.
struct RecorderDeps {
    const core::Clock& clock;
    core::Random& random;  ///< fit for keys, any thread
    core::Logger log;
    core::MetricRegistry& metrics;
};

/// Entries that wait in memory until start().
inline constexpr std::size_t kMostEarly = 10'000;
/// How often heads are signed while a chain grows.
inline constexpr std::chrono::seconds kSignEvery{60};
/// The part of one thread's time that taking over has, one in so many, while requests come faster
/// than that: they pay a tenth. Beyond kHurryAt bytes in the spool it takes what it needs.
inline constexpr int kOneIn = 10;
inline constexpr std::uint64_t kHurryAt = 64U << 20U;  ///< see kOneIn
/// For how long entries gather before they are taken over together.
inline constexpr std::chrono::milliseconds kGather{50};

/// All members from any thread, but for those that say so.
class Recorder {
  public:
    /// Records from here on. Until start() entries wait in memory, kMostEarly at most: their keys
    /// cannot be had yet. Chains grow from then on.
    Recorder(std::unique_ptr<Spool> spool, RecorderDeps deps);
    /// stop().
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Puts an entry on record in a scope (Scope::code()); what is none was meant for none, and is
    /// in the core's. Never fails: see above.
    void record(const std::string& scope, const Entry& entry);
    /// An entry of now, for record().
    Entry begin() const { return new_entry(deps_.clock, deps_.random); }
    /// Whether a change may be begun. Errors: kResourceExhausted: it could not be put on record.
    core::Result<void> room() const;
    /// A transaction with append() was committed there.
    void appended(const store::Scope& scope);

    /// Takes over what there is from now on, on a thread of its own, what an earlier daemon has
    /// left first. `look_around`: how often all records are looked at for entries that wait, which
    /// a host that has died has left; 0: there is no other host. `seal` is how entries lie in the
    /// spool. `books` and what `turn` and `seal` use outlive stop(). Once.
    void start(Books& books, Turn turn, std::chrono::seconds look_around, SpoolSeal seal = {});
    /// Takes over what it can, signs, and ends the thread. What is left waits in the spool; what
    /// waits in memory, because there was no start(), is lost, which the log says.
    void stop();
    /// Takes over what waits for this scope, on the caller's thread, and signs the head: for those
    /// who want to see or verify what was just done. Where another host gives the numbers it does
    /// both, with its next look around. Blocks. Errors: kUnavailable before start();
    /// those of the databases.
    core::Result<void> settle(const store::Scope& scope);

    /// The id of its spool.
    const std::string& spool() const { return spool_->id(); }
    /// The books that it was started with. Errors: kUnavailable before start().
    core::Result<Books*> books() const;

  private:
    enum class Way : std::uint8_t { kOwn, kDiverted };
    /// Whether all is taken over, or one batch, so that others come to their turn.
    enum class Pace : std::uint8_t { kAll, kGentle };
    struct Chain {
        Head head;  ///< as it was made here last
        std::string signed_hash{kNoHash};
        std::optional<core::SteadyTime> signed_at;
        bool resumed = false;  ///< what an earlier daemon has put elsewhere is known
        /// A chain that was set back has another hash, too.
        bool is_signed() const { return head.hash == signed_hash; }
        std::optional<core::SteadyTime> try_again;
        std::chrono::seconds pause{0};
    };

    void run();
    void round(bool is_last);
    void take_over_due(Pace pace);
    std::set<std::string> due();
    core::Result<void> look_around();
    core::Result<void> take_over(const std::string& code, Pace pace);
    core::Result<void> take_all(const store::Scope& scope, const std::string& from, Way way,
                                Pace pace);
    void rest_after(core::SteadyTime::duration work);
    core::Result<bool> take_some(const store::Scope& scope, const std::string& from, Way way);
    core::Result<void> resume(const std::string& code, Chain& chain);
    core::Result<void> sign(const std::string& code, Chain& chain);
    void failed(const std::string& code, const core::Error& error);
    void sign_due(bool is_last);
    core::SteadyTime next_turn();
    void tell_lost();
    core::Result<void> add(const std::string& scope, const Entry& entry);

    RecorderDeps deps_;
    Subjects subjects_;
    std::unique_ptr<Spool> spool_;
    core::Counter& recorded_;
    core::Counter& lost_total_;
    core::Gauge& waiting_bytes_;
    core::Counter& failures_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable gathered_;  // stop_ alone
    // All guarded by mutex_.
    std::set<std::string> appended_;
    bool work_ = false;
    bool stop_ = false;
    std::uint64_t lost_ = 0;
    std::vector<std::pair<std::string, Entry>> early_;  ///< until start(): scope, entry
    Books* books_ = nullptr;
    std::thread thread_;

    std::mutex writing_;  // held by who takes over: one at a time
    // All guarded by writing_.
    Turn turn_;
    std::optional<Permit> permit_;
    std::optional<Notary> notary_;
    std::map<std::string, Chain> chains_;
    std::chrono::seconds look_around_{0};
    std::optional<core::SteadyTime> looked_around_;
};

}  // namespace zona::audit
