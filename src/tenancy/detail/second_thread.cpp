#include "tenancy/detail/second_thread.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "os/thread.h"

namespace zona::tenancy::detail {

using core::Result;

SecondThread::SecondThread(Take take) : take_(std::move(take)) {
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
        // Then it is slower.
    }
}

SecondThread::~SecondThread() {
    end(Then::kForget);
}

Result<std::span<std::byte>> SecondThread::next(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failed_ || given_ - taken_ < kPieces; });
    if (failed_) return *failed_;
    std::vector<std::byte>& piece = pieces_[given_ % kPieces];
    lock.unlock();
    piece.resize(bytes);
    return std::span(piece);
}

void SecondThread::hand_over() {
    if (!thread_.joinable()) {
        take_one(pieces_[given_ % kPieces]);
        return;
    }
    const std::scoped_lock lock(mutex_);
    ++given_;
    changed_.notify_all();
}

Result<void> SecondThread::add(std::span<const std::byte> piece) {
    ZONA_TRY(const auto room, next(piece.size()));
    std::ranges::copy(piece, room.begin());
    hand_over();
    return {};
}

Result<void> SecondThread::finish() {
    end(Then::kFinish);
    if (failed_) return *failed_;
    return {};
}

void SecondThread::end(Then then) {
    {
        const std::scoped_lock lock(mutex_);
        then_ = then;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void SecondThread::run() {
    os::name_this_thread("zona-second");
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return then_ != Then::kGoOn || taken_ < given_; });
        if (taken_ == given_ || then_ == Then::kForget || failed_) return;
        const auto& piece = pieces_[taken_ % kPieces];
        lock.unlock();
        take_one(piece);
        lock.lock();
        ++taken_;
        changed_.notify_all();
    }
}

void SecondThread::take_one(std::span<const std::byte> piece) {
    auto done = take_(piece);
    if (done) return;
    const std::scoped_lock lock(mutex_);
    if (!failed_) failed_ = done.take_error();
    changed_.notify_all();
}

}  // namespace zona::tenancy::detail
