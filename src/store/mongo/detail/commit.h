/// @file
/// Commit: calls a function with a Writer, takes what it changed to the server, and does both again
/// where that may help.
///
///     what it changed              the server has transactions       it has none
///     nothing                      -                                 -
///     one new document, unasked    one insert                        one insert
///     one document                 the server's transaction          one conditional write
///     several                      the server's transaction          the outbox
///
/// A conditional write names the tag of what it replaces (stored.h). Where somebody was quicker the
/// function is called again, at most kTries times, with growing pauses.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/mongo/detail/client.h"
#include "store/mongo/detail/outbox.h"
#include "store/mongo/detail/session.h"
#include "store/mongo/detail/storage_sums.h"

namespace zona::store::mongo {

/// How often a function is called at most.
inline constexpr int kTries = 12;

/// Lets many read, or one write; who wants to write is not held up by those who come to read later.
class Gate {
  public:
    std::shared_lock<std::shared_mutex> to_read() {
        const std::lock_guard turn(turn_);
        return std::shared_lock(state_);
    }
    std::unique_lock<std::shared_mutex> to_write() {
        const std::lock_guard turn(turn_);
        return std::unique_lock(state_);
    }

  private:
    std::mutex turn_;
    std::shared_mutex state_;
};

class Committer {
  public:
    /// Both outlive it.
    Committer(const SessionSetup& setup, const core::Clock& clock)
        : setup_(setup), sums_(setup.collections, clock), outbox_(clock, tags_, setup.log) {}

    /// Any thread with a client of its own; where the server has no transactions, one at a time.
    core::Result<void> run(Client& client, Database::WriteWork& work);
    void run(Client& client, Database::ReadWork& work);
    /// As Outbox::recover(). Any thread.
    core::Result<std::size_t> recover(Client& client, std::chrono::seconds older_than);

    std::uint64_t transactions() const { return transactions_; }
    std::uint64_t failed() const { return failed_; }
    std::uint64_t repeated() const { return repeated_; }
    std::uint64_t recovered() const { return recovered_; }

  private:
    core::Result<void> try_until_kept(Client& client, Database::WriteWork& work);
    /// What follows from one call of the function.
    enum class Next : std::uint8_t {
        kAnswer,  ///< it has ended, well or not
        kAsk,     ///< again, and nothing is taken for granted
        kRepeat,  ///< again, somebody was quicker
        kGoOn,    ///< again, the server or the way to it failed
    };
    struct Ended {
        Next next = Next::kAnswer;
        core::Result<void> answer;
    };
    Ended call(Client& client, Database::WriteWork& work, Care care);
    Ended keep(Client& client, const std::vector<Change>& changes, Care care);
    Ended in_transaction(Client& client, const std::vector<Change>& changes, Care care);
    Ended alone(Client& client, const Change& change, Care care);
    Ended by_outbox(Client& client, const std::vector<Change>& changes, Care care);
    core::Result<Counted> write_one(Client& client, const Change& change, const std::string& tag);
    core::Result<bool> is_there(Client& client, const Change& change, const std::string& tag);
    core::Result<bool> is_busy(Client& client, const std::vector<Change>& changes);
    core::Result<void> apply(Client& client, const std::vector<Change>& changes, bool& overtaken);
    static Ended refused(core::Error error, const Failure& failure, Care care,
                         const std::vector<Change>& changes);
    core::Result<void> settle(Client& client);

    const SessionSetup& setup_;
    StorageSums sums_;
    Tags tags_;
    Outbox outbox_;
    Gate gate_;
    std::atomic<std::uint64_t> transactions_ = 0;
    std::atomic<std::uint64_t> failed_ = 0;
    std::atomic<std::uint64_t> repeated_ = 0;
    std::atomic<std::uint64_t> recovered_ = 0;
};

}  // namespace zona::store::mongo
