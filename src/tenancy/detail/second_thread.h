/// @file
/// SecondThread: one thread reads, another works on what was read, in order.
///
/// A backup decrypts pages while those before are hashed, sealed and written; a restore does the
/// same the other way round. What waits between the two is bounded.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "core/result.h"

namespace zona::tenancy::detail {

/// Used by one thread. Whatever `take` uses is the second thread's between the first next() and
/// the end of finish() or of the object.
class SecondThread {
  public:
    /// Called on the second thread with each piece; after an error not again.
    using Take = std::function<core::Result<void>(std::span<const std::byte>)>;

    /// On a host that has no thread left, hand_over() calls `take` itself.
    explicit SecondThread(Take take);
    /// Waits for the piece that is being taken, and forgets those behind it.
    ~SecondThread();
    SecondThread(const SecondThread&) = delete;
    SecondThread& operator=(const SecondThread&) = delete;

    /// Room for the next piece, of `bytes`; waits while all room is in use. Errors: that of `take`
    /// for an earlier piece.
    core::Result<std::span<std::byte>> next(std::size_t bytes);
    /// The room that next() gave has been filled. Once for each.
    void hand_over();
    /// A copy of `piece`. Errors: as next().
    core::Result<void> add(std::span<const std::byte> piece);
    /// Waits until all was taken; nothing may be added after. Errors: as next().
    core::Result<void> finish();

  private:
    /// One is filled, one taken, one lies between.
    static constexpr std::size_t kPieces = 3;
    /// Waits for more; ends when all was taken; ends.
    enum class Then : std::uint8_t { kGoOn, kFinish, kForget };

    void run();
    void take_one(std::span<const std::byte> piece);
    void end(Then then);

    const Take take_;
    std::array<std::vector<std::byte>, kPieces> pieces_;  // each is one thread's, by the counts

    std::mutex mutex_;  // guards the next block
    std::condition_variable changed_;
    std::size_t given_ = 0;  // pieces
    std::size_t taken_ = 0;
    Then then_ = Then::kGoOn;
    std::optional<core::Error> failed_;

    std::thread thread_;
};

}  // namespace zona::tenancy::detail
