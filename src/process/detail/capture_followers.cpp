#include "process/detail/capture_followers.h"

#include <algorithm>
#include <utility>

#include "process/capture.h"

namespace zona::process {
namespace detail {

CaptureFollowers::CaptureFollowers(std::uint32_t slots)
    : slots_(slots), followed_(new std::atomic<bool>[slots]()) {}

std::uint64_t CaptureFollowers::add(std::span<const std::uint32_t> slots,
                                    std::function<void()> wake) {
    Follower follower{.slots = {slots.begin(), slots.end()}, .wake = std::move(wake)};
    std::ranges::sort(follower.slots);
    follower.slots.erase(std::ranges::unique(follower.slots).begin(), follower.slots.end());
    std::erase_if(follower.slots, [&](std::uint32_t slot) { return slot >= slots_; });
    const std::scoped_lock lock(mutex_);
    const std::uint64_t id = next_id_++;
    for (const std::uint32_t slot : follower.slots) {
        by_slot_[slot].push_back(id);
        followed_[slot].store(true, std::memory_order_relaxed);
    }
    followers_.emplace(id, std::move(follower));
    return id;
}

void CaptureFollowers::remove(std::uint64_t id) {
    const std::scoped_lock lock(mutex_);
    const auto found = followers_.find(id);
    if (found == followers_.end()) return;
    for (const std::uint32_t slot : found->second.slots) {
        const auto entry = by_slot_.find(slot);
        std::erase(entry->second, id);
        if (!entry->second.empty()) continue;
        followed_[slot].store(false, std::memory_order_relaxed);
        by_slot_.erase(entry);
    }
    followers_.erase(found);
}

void CaptureFollowers::rearm(std::uint64_t id) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = followers_.find(id); found != followers_.end()) {
        found->second.armed = true;
    }
}

void CaptureFollowers::wake(std::uint32_t slot) {
    const std::scoped_lock lock(mutex_);
    const auto entry = by_slot_.find(slot);
    if (entry == by_slot_.end()) return;
    for (const std::uint64_t id : entry->second) {
        Follower& follower = followers_.at(id);
        if (std::exchange(follower.armed, false)) follower.wake();
    }
}

}  // namespace detail

Subscription::Subscription(std::shared_ptr<detail::CaptureFollowers> followers, std::uint64_t id)
    : followers_(std::move(followers)), id_(id) {}

Subscription::Subscription(Subscription&& other) noexcept
    : followers_(std::move(other.followers_)), id_(other.id_) {}

Subscription& Subscription::operator=(Subscription&& other) noexcept {
    if (this != &other) {
        if (followers_) followers_->remove(id_);
        followers_ = std::move(other.followers_);
        id_ = other.id_;
    }
    return *this;
}

Subscription::~Subscription() {
    if (followers_) followers_->remove(id_);
}

void Subscription::rearm() {
    if (followers_) followers_->rearm(id_);
}

}  // namespace zona::process
