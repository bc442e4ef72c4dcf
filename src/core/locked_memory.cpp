#include "core/locked_memory.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace zona::core {
namespace {

/// 2,048 keys; a few of them are what a host with thousands of tenants needs.
constexpr std::size_t kMappingSize = std::size_t{64} << 10U;
/// Larger ones have mappings of their own.
constexpr std::size_t kLargestPiece = 4096;
/// Pieces have 32, 64, ... 4,096 bytes.
constexpr std::size_t kSizes = 8;

constexpr std::size_t class_of(std::size_t size) {
    return static_cast<std::size_t>(std::bit_width((size - 1) / kLockedPieceSize));
}
static_assert(class_of(1) == 0 && class_of(kLockedPieceSize) == 0 && class_of(33) == 1);
static_assert(class_of(kLargestPiece) == kSizes - 1);

std::size_t whole_pages(std::size_t size) {
    static const auto kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (size + kPage - 1) / kPage * kPage;
}

/// Memory that the kernel itself does not map; nullptr where there is none.
void* map_secret(std::size_t size) {
#ifdef SYS_memfd_secret
    const auto fd = static_cast<int>(::syscall(SYS_memfd_secret, O_CLOEXEC));
    if (fd < 0) return nullptr;
    void* memory = MAP_FAILED;
    if (::ftruncate(fd, static_cast<off_t>(size)) == 0)
        memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return memory == MAP_FAILED ? nullptr : memory;
#else
    (void)size;
    return nullptr;
#endif
}

struct Mapping {
    std::byte* memory = nullptr;
    bool is_locked = false;
};

/// A page is locked, and takes memory, once something stands in it. Before Linux 4.4 all are at
/// once: of what that kernel lacks glibc says EINVAL, others ENOSYS.
bool lock(void* memory, std::size_t size) {
    if (::mlock2(memory, size, MLOCK_ONFAULT) == 0) return true;
    return (errno == EINVAL || errno == ENOSYS) && ::mlock(memory, size) == 0;
}

/// Throws std::bad_alloc.
Mapping map(std::size_t size) {
    void* memory = map_secret(size);
    bool is_locked = memory != nullptr;  // such memory is never swapped
    if (memory == nullptr) {
        memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        is_locked = lock(memory, size);
        ::madvise(memory, size, MADV_WIPEONFORK);
    }
    ::madvise(memory, size, MADV_DONTDUMP);
    return {static_cast<std::byte*>(memory), is_locked};
}

class Pieces {
  public:
    std::span<std::byte> take(std::size_t size) {
        const std::scoped_lock lock(mutex_);
        if (size > kLargestPiece) return take_large(size);
        const std::size_t size_class = class_of(size);
        if (free_[size_class].empty()) grow(size_class);
        std::byte* const piece = free_[size_class].back();
        free_[size_class].pop_back();
        ++state_.pieces;
        return {piece, size};
    }

    void give_back(std::span<std::byte> bytes) noexcept {
        ::explicit_bzero(bytes.data(), bytes.size());
        const std::scoped_lock lock(mutex_);
        --state_.pieces;
        if (bytes.size() > kLargestPiece) return give_back_large(bytes);
        free_[class_of(bytes.size())].push_back(bytes.data());  // within what grow() has reserved
    }

    LockedMemory state() {
        const std::scoped_lock lock(mutex_);
        return state_;
    }

  private:
    void grow(std::size_t size_class) {
        const std::size_t piece = kLockedPieceSize << size_class;
        const std::size_t pieces = kMappingSize / piece;
        free_[size_class].reserve(made_[size_class] + pieces);
        const Mapping made = map(kMappingSize);
        made_[size_class] += pieces;
        count(kMappingSize, made.is_locked);
        for (std::size_t i = pieces; i-- > 0;)
            free_[size_class].push_back(made.memory + i * piece);
    }

    std::span<std::byte> take_large(std::size_t size) {
        const std::size_t mapped = whole_pages(size);
        const auto place = large_.emplace(nullptr, Mapping()).first;
        auto node = large_.extract(place);  // so that nothing can fail once there is memory
        node.mapped() = map(mapped);
        node.key() = node.mapped().memory;
        count(mapped, node.mapped().is_locked);
        ++state_.pieces;
        const std::span<std::byte> out(node.mapped().memory, size);
        large_.insert(std::move(node));
        return out;
    }

    void give_back_large(std::span<std::byte> bytes) noexcept {
        const auto found = large_.find(bytes.data());
        const std::size_t mapped = whole_pages(bytes.size());
        state_.mapped -= mapped;
        if (!found->second.is_locked) state_.unlocked -= mapped;
        large_.erase(found);
        ::munmap(bytes.data(), mapped);
    }

    void count(std::size_t mapped, bool is_locked) {
        state_.mapped += mapped;
        if (!is_locked) state_.unlocked += mapped;
    }

    std::mutex mutex_;
    // All guarded by mutex_.
    std::array<std::vector<std::byte*>, kSizes> free_;
    std::array<std::size_t, kSizes> made_{};
    std::map<std::byte*, Mapping> large_;
    LockedMemory state_;
};

/// Never destroyed: keys of static objects outlive everything else.
Pieces& pieces() {
    static auto& kPieces = *new Pieces;
    return kPieces;
}

}  // namespace

std::span<std::byte, kLockedPieceSize> take_locked_piece() {
    return pieces().take(kLockedPieceSize).first<kLockedPieceSize>();
}

void give_back_locked_piece(std::byte* piece) noexcept {
    pieces().give_back({piece, kLockedPieceSize});
}

std::span<std::byte> take_locked(std::size_t size) {
    if (size == 0) return {};
    return pieces().take(size);
}

void give_back_locked(std::span<std::byte> bytes) noexcept {
    if (!bytes.empty()) pieces().give_back(bytes);
}

LockedMemory locked_memory() {
    return pieces().state();
}

}  // namespace zona::core
