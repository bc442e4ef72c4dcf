#include "net/detail/deadline_queue.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "os/fd.h"
#include "os/timer_fd.h"

namespace zona::net::detail {
namespace {

/// Deadlines nearer to each other than this share one wake-up.
constexpr std::chrono::milliseconds kGrain{2};

}  // namespace

DeadlineQueue::Entry::Entry(std::shared_ptr<DeadlineQueue> queue)
    : queue_(std::move(queue)), index_(queue_->entries_.size()) {
    queue_->entries_.push_back(this);
}

DeadlineQueue::Entry::~Entry() {
    Entry* last = queue_->entries_.back();
    queue_->entries_[index_] = last;
    last->index_ = index_;
    queue_->entries_.pop_back();
    if (queue_->entries_.empty()) queue_->disarm();
}

void DeadlineQueue::Entry::set_deadline(core::SteadyTime moment) {
    moment_ = moment;
    if (moment < queue_->armed_for_) queue_->arm(moment);
}

DeadlineQueue::DeadlineQueue(const asio::any_io_executor& executor, const core::Clock& clock)
    : clock_(clock), timer_(executor) {
    core::Result<os::UniqueFd> made = os::make_timer_fd();
    if (!made.has_value()) {
        usable_ = made.take_error();
        return;
    }
    boost::system::error_code error;
    timer_.assign(made->get(), error);
    if (error) {
        usable_ = core::Error::from_errno(error.value(), "watch a timer");
        return;
    }
    std::ignore = std::move(*made).release();  // timer_ owns it now
}

core::Result<void> DeadlineQueue::usable() const {
    return usable_;
}

void DeadlineQueue::arm(core::SteadyTime moment) {
    armed_for_ = moment;
    const auto wait = std::max(moment - clock_.steady(), core::SteadyTime::duration(kGrain));
    const core::Result<void> armed = os::arm_timer_fd(timer_.native_handle(), wait);
    if (!armed.has_value()) usable_ = armed;
    if (!watched_) watch();
}

void DeadlineQueue::watch() {
    watched_ = true;
    timer_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this(),
                       generation = ++generation_](const boost::system::error_code& error) {
                          const auto self = weak.lock();
                          if (error || self == nullptr || generation != self->generation_) return;
                          self->watched_ = false;
                          os::drain_eventfd(self->timer_.native_handle());
                          self->expire();
                      });
}

void DeadlineQueue::disarm() {
    if (armed()) std::ignore = os::disarm_timer_fd(timer_.native_handle());
    armed_for_ = Entry::kNone;
    watched_ = false;
    ++generation_;
    boost::system::error_code
        ignored;  // a wait that cannot be cancelled reports to an old generation
    timer_.cancel(ignored);
}

void DeadlineQueue::expire() {
    // What is set meanwhile waits for the one arm() at the end.
    armed_for_ = core::SteadyTime::min();
    const core::SteadyTime now = clock_.steady();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        Entry& entry = *entries_[i];
        if (entry.moment_ > now) continue;
        entry.set_deadline(Entry::kNone);
        entry.on_deadline();
    }
    core::SteadyTime nearest = Entry::kNone;
    for (const Entry* entry : entries_)
        nearest = std::min(nearest, entry->moment_);
    armed_for_ = Entry::kNone;
    if (nearest != Entry::kNone) arm(nearest);
}

}  // namespace zona::net::detail
