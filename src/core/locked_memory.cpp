#include "core/locked_memory.h"

#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace zona::core {
namespace {

/// 2,048 keys; a few of them are what a host with thousands of tenants needs.
constexpr std::size_t kMappingSize = std::size_t{64} << 10U;

/// Memory that the kernel itself does not map; nullptr where there is none.
void* map_secret() {
#ifdef SYS_memfd_secret
    const auto fd = static_cast<int>(::syscall(SYS_memfd_secret, O_CLOEXEC));
    if (fd < 0) return nullptr;
    void* memory = MAP_FAILED;
    if (::ftruncate(fd, static_cast<off_t>(kMappingSize)) == 0)
        memory = ::mmap(nullptr, kMappingSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return memory == MAP_FAILED ? nullptr : memory;
#else
    return nullptr;
#endif
}

class Pieces {
  public:
    std::byte* take() {
        const std::scoped_lock lock(mutex_);
        if (free_.empty()) grow();
        std::byte* const piece = free_.back();
        free_.pop_back();
        ++state_.pieces;
        return piece;
    }

    void give_back(std::byte* piece) noexcept {
        ::explicit_bzero(piece, kLockedPieceSize);
        const std::scoped_lock lock(mutex_);
        free_.push_back(piece);  // within what grow() has reserved
        --state_.pieces;
    }

    LockedMemory state() {
        const std::scoped_lock lock(mutex_);
        return state_;
    }

  private:
    void grow() {
        constexpr std::size_t kPieces = kMappingSize / kLockedPieceSize;
        free_.reserve(state_.mapped / kLockedPieceSize + kPieces);
        void* memory = map_secret();
        bool is_locked = memory != nullptr;  // such memory is never swapped
        if (memory == nullptr) {
            memory = ::mmap(nullptr, kMappingSize, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (memory == MAP_FAILED) throw std::bad_alloc();
            is_locked = ::mlock(memory, kMappingSize) == 0;
            ::madvise(memory, kMappingSize, MADV_WIPEONFORK);
        }
        ::madvise(memory, kMappingSize, MADV_DONTDUMP);
        state_.mapped += kMappingSize;
        if (!is_locked) state_.unlocked += kMappingSize;
        auto* const bytes = static_cast<std::byte*>(memory);
        for (std::size_t i = kPieces; i-- > 0;)
            free_.push_back(bytes + i * kLockedPieceSize);
    }

    std::mutex mutex_;
    // All guarded by mutex_.
    std::vector<std::byte*> free_;
    LockedMemory state_;
};

/// Never destroyed: keys of static objects outlive everything else.
Pieces& pieces() {
    static auto& kPieces = *new Pieces;
    return kPieces;
}

}  // namespace

std::span<std::byte, kLockedPieceSize> take_locked_piece() {
    return std::span<std::byte, kLockedPieceSize>(pieces().take(), kLockedPieceSize);
}

void give_back_locked_piece(std::byte* piece) noexcept {
    pieces().give_back(piece);
}

LockedMemory locked_memory() {
    return pieces().state();
}

}  // namespace zona::core
