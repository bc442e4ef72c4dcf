#include "net/detail/deadline_queue.h"

#include <algorithm>
#include <utility>

namespace zona::net::detail {
namespace {

/// Deadlines nearer to each other than this share one wake-up.
constexpr std::chrono::milliseconds kGrain{2};

}  // namespace

DeadlineQueue::Entry::Entry(std::shared_ptr<DeadlineQueue> queue) : queue_(std::move(queue)) {
    index_ = queue_->entries_.size();
    queue_->entries_.push_back(this);
}

DeadlineQueue::Entry::~Entry() {
    set_deadline(kNone);
    Entry* last = queue_->entries_.back();
    queue_->entries_[index_] = last;
    last->index_ = index_;
    queue_->entries_.pop_back();
}

void DeadlineQueue::Entry::set_deadline(core::SteadyTime moment) {
    queue_->moved(std::exchange(moment_, moment), moment);
}

DeadlineQueue::DeadlineQueue(const asio::any_io_executor& executor, const core::Clock& clock)
    : clock_(clock), timer_(executor) {}

void DeadlineQueue::moved(core::SteadyTime from, core::SteadyTime to) {
    if (from == Entry::kNone && to != Entry::kNone) ++waiting_;
    if (from != Entry::kNone && to == Entry::kNone) --waiting_;
    if (to < armed_for_) arm(to);
    if (waiting_ == 0 && armed()) disarm();
}

void DeadlineQueue::arm(core::SteadyTime moment) {
    armed_for_ = moment;
    timer_.expires_after(std::max(moment - clock_.steady(), core::SteadyTime::duration(kGrain)));
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (error) return;
        if (const auto self = weak.lock()) self->expire();
    });
}

void DeadlineQueue::disarm() {
    armed_for_ = Entry::kNone;
    timer_.cancel();
}

void DeadlineQueue::expire() {
    armed_for_ =
        core::SteadyTime::min();  // what is set meanwhile waits for the one arm() at the end
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
