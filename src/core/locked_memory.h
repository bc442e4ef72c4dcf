/// @file
/// LockedMemory: memory for keys and secrets, kept out of core dumps and off the swap.
///
/// Small pieces lie together in mappings of their own: not dumped (MADV_DONTDUMP), not given to
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

/// `size` bytes, all zeros, in a piece of some size or, beyond 4,096 bytes, a mapping of their own;
/// none for 0. Throws std::bad_alloc. Any thread.
std::span<std::byte> take_locked(std::size_t size);
/// Overwrites and takes back what take_locked() gave, with its size.
void give_back_locked(std::span<std::byte> bytes) noexcept;

/// How well pieces are kept.
struct LockedMemory {
    std::size_t pieces = 0;    ///< of any size, in use
    std::size_t mapped = 0;    ///< bytes
    std::size_t unlocked = 0;  ///< of them, bytes that could be swapped out
};
/// Now. Any thread.
LockedMemory locked_memory();

}  // namespace zona::core
