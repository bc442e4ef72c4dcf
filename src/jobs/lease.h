/// @file
/// Leases: that one of several instances does something, and how what a former holder still writes
/// is refused.
///
/// A lease is a document of the core database, so it works on every backend: its holder, a fencing
/// number that grows each time it is taken, and a beat that the holder changes while it works.
///
/// **Clocks.** No moment of one host is compared with one of another. Who wants a lease that
/// somebody has looks at it twice, `kLeaseTime` apart by its own steady clock, and takes it only if
/// nothing has moved in between; the holder beats three times in that time and gives up by itself
/// when it could not beat for as long. So the one assumption is that steady clocks run at about the
/// same speed; clocks that are set, wrong or jump do not matter. A host that was stopped for longer
/// loses its leases and is found out by the fencing number: Fence::check() in each transaction.
///
/// A holder that is known to be dead is not waited for: an earlier life of the same instance.
/// The members are called within transactions. Source: BG-12, Kleppmann, "How to do distributed
/// locking".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/random.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::jobs {

/// Without a beat for this long a lease can be taken by another.
inline constexpr std::chrono::seconds kLeaseTime{30};
/// Between two beats of a holder.
inline constexpr std::chrono::seconds kBeatTime{10};

/// Who can hold a lease. Two that live at one time never share both.
struct Holder {
    std::string instance;  ///< an installation; the same after a restart
    std::string life;      ///< one run of its daemon

    bool operator==(const Holder&) const = default;
};

/// What a lease's document says.
struct LeaseState {
    std::string line;  ///< made with the lease: numbers of different lines do not compare
    Holder holder;     ///< both empty: it is free
    std::int64_t fence = 0;
    std::int64_t beat = 0;
    bool cancel = false;  ///< somebody wants the holder to stop

    bool is_free() const { return holder.instance.empty(); }
    bool operator==(const LeaseState&) const = default;
};

/// What a holder shows with each change, so that it has no effect once another has taken over.
/// A value type; any thread.
class Fence {
  public:
    /// What take_lease() gives: the lease's name, its line, and its number now.
    Fence(std::string lease, std::string line, std::int64_t number)
        : lease_(std::move(lease)), line_(std::move(line)), number_(number) {}

    std::int64_t number() const { return number_; }

    /// In the core database: the lease is still ours. To be called in the transaction of the
    /// change. Errors: kConflict when it is not.
    core::Result<void> check(store::Writer& core) const;
    /// In any database, `fences` being its jobs::job_fences_spec(): nobody who took the lease after
    /// us has written there; from now on nobody who had it before us can. To be called in the
    /// transaction of the change. Errors: kConflict when somebody has.
    core::Result<void> admit(store::Writer& writer, const store::Collection& fences) const;

  private:
    std::string lease_;
    std::string line_;
    std::int64_t number_;
};

/// What is known of a lease; a free one that was never taken if there is no document.
core::Result<LeaseState> find_lease(store::Reader& core, const std::string& name);

/// Takes it from whoever has it: the caller has seen that it may be. Its number is one more.
/// `line` is used for a lease that is new.
core::Result<Fence> take_lease(store::Writer& core, const std::string& name, const Holder& holder,
                               const std::string& line);

/// Shows that the holder lives. Gives the state; errors: kConflict when it is not the holder's.
core::Result<LeaseState> beat_lease(store::Writer& core, const std::string& name,
                                    const Fence& fence);

/// Frees it if it is still the caller's; else nothing.
core::Result<void> free_lease(store::Writer& core, const std::string& name, const Fence& fence);

/// Removes what is known of it: of what is never begun again. Whoever had it has lost it.
core::Result<void> forget_lease(store::Writer& core, const std::string& name);

/// Asks the holder to stop: it finds out with its next beat. False: it is free.
core::Result<bool> cancel_lease(store::Writer& core, const std::string& name);

}  // namespace zona::jobs
