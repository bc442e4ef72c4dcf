/// @file
/// DeadlineQueue: the deadlines of many connections on one timer.
///
/// Owned by a shared_ptr. A deadline that is set later than the nearest one, or taken back, costs
/// no system call; the timer finds out when it fires, and is not set again while nobody has a
/// deadline. Without entries it is disarmed: a server that nobody talks to does not wake up. One
/// executor, no locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "core/clock.h"
#include "core/result.h"

namespace zona::net::detail {

namespace asio = boost::asio;

class DeadlineQueue : public std::enable_shared_from_this<DeadlineQueue> {
  public:
    /// Something with at most one deadline at a time. Leaves the queue when it dies.
    class Entry {
      public:
        explicit Entry(std::shared_ptr<DeadlineQueue> queue);
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        virtual ~Entry();

      protected:
        static constexpr core::SteadyTime kNone = core::SteadyTime::max();

        /// Replaces the deadline; kNone takes it back.
        void set_deadline(core::SteadyTime moment);
        /// Called once, soon after the deadline; there is none then until a new one is set. Must
        /// not end an entry.
        virtual void on_deadline() = 0;

      private:
        friend class DeadlineQueue;
        // An entry may be the last to go, with its server gone.
        std::shared_ptr<DeadlineQueue> queue_;
        std::size_t index_ = 0;  ///< in entries_
        core::SteadyTime moment_ = kNone;
    };

    DeadlineQueue(const asio::any_io_executor& executor, const core::Clock& clock);
    DeadlineQueue(const DeadlineQueue&) = delete;
    DeadlineQueue& operator=(const DeadlineQueue&) = delete;

    /// Whether there is a timer; without one no deadline is noticed, so nobody should be served.
    /// Errors: kResourceExhausted.
    core::Result<void> usable() const;

    /// Calls on_deadline() of all that are due by the clock. The timer does this; tests with a
    /// clock of their own call it themselves.
    void expire();

    /// Whether the timer is set.
    bool armed() const { return armed_for_ != Entry::kNone; }

  private:
    void arm(core::SteadyTime moment);
    void disarm();
    void watch();

    const core::Clock& clock_;
    asio::posix::stream_descriptor timer_;
    core::Result<void> usable_;
    bool watched_ = false;          ///< a wait for timer_ is in progress
    std::uint64_t generation_ = 0;  ///< of that wait: a cancelled one may still report
    std::vector<Entry*> entries_;
    core::SteadyTime armed_for_ = Entry::kNone;  ///< never later than the nearest deadline
};

}  // namespace zona::net::detail
