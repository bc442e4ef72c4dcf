/// @file
/// LockedMemory: small pieces of memory for keys, kept out of core dumps and off the swap.
///
/// The pieces lie together in mappings of their own: not dumped (MADV_DONTDUMP), not given to
/// children of fork (MADV_WIPEONFORK), locked in memory, and where the kernel has memfd_secret(2)
/// out of its own sight, too. Locking is refused beyond RLIMIT_MEMLOCK; then the memory may be
/// swapped out, and locked_memory() says so. Source: SEC-07; madvise(2), mlock(2).
#pragma once

#include <cstddef>
#include <span>

namespace zona::core {

/// Bytes of a piece.
inline constexpr std::size_t kLockedPieceSize = 32;

/// A piece, all zeros. Never fails while there is memory: throws std::bad_alloc as new does. Any
/// thread.
std::span<std::byte, kLockedPieceSize> take_locked_piece();
/// Overwrites it and takes it back. `piece` is the beginning of one that was taken.
void give_back_locked_piece(std::byte* piece) noexcept;

/// How well pieces are kept.
struct LockedMemory {
    std::size_t pieces = 0;    ///< in use
    std::size_t mapped = 0;    ///< bytes
    std::size_t unlocked = 0;  ///< of them, bytes that could be swapped out
};
/// Now. Any thread.
LockedMemory locked_memory();

}  // namespace zona::core
