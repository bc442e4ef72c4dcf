#include "core/locked_memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/secret.h"

namespace zona::core {
namespace {

/// The "VmFlags:" of the mapping that holds `address`.
std::string flags_of(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    bool is_it = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::istringstream range(line);
        if (range >> std::hex >> begin >> dash >> end && dash == '-')
            is_it = begin <= wanted && wanted < end;
        if (is_it && line.starts_with("VmFlags:")) return line + ' ';
    }
    return {};
}

// SEC-07
TEST(LockedMemory, IsNeitherDumpedNorSwapped) {
    const auto piece = take_locked_piece();

    const std::string flags = flags_of(piece.data());
    EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
    const LockedMemory now = locked_memory();
    EXPECT_GE(now.pieces, 1U);
    if (now.unlocked == 0) {
        EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
    }
    give_back_locked_piece(piece.data());
}

// SEC-07
TEST(LockedMemory, AnySizeIsNeitherDumpedNorSharedAndIsGivenBack) {
    const LockedMemory before = locked_memory();
    for (const std::size_t size : {1UZ, 33UZ, 4096UZ, 4097UZ, 1'000'000UZ}) {
        const auto one = take_locked(size);
        const auto two = take_locked(size);
        ASSERT_EQ(one.size(), size);
        EXPECT_EQ(std::ranges::count(one, std::byte{0}), static_cast<std::ptrdiff_t>(size));
        std::ranges::fill(one, std::byte{0xa5});
        EXPECT_EQ(two.back(), std::byte{0});
        EXPECT_NE(flags_of(one.data()).find(" dd "), std::string::npos) << size;
        EXPECT_NE(flags_of(&one.back()).find(" dd "), std::string::npos) << size;
        give_back_locked(one);
        give_back_locked(two);
    }
    EXPECT_TRUE(take_locked(0).empty());
    EXPECT_EQ(locked_memory().pieces, before.pieces);
    EXPECT_EQ(locked_memory().unlocked, before.unlocked);
}

// SEC-07
TEST(LockedMemory, TakesMemoryOnlyWhereSomethingStandsInIt) {
    const auto pages = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto bytes = take_locked(100 * pages);
    std::vector<unsigned char> resident(100);
    bytes[7 * pages] = std::byte{0xa5};
    ASSERT_EQ(::mincore(bytes.data(), bytes.size(), resident.data()), 0);
    EXPECT_EQ(std::ranges::count_if(resident, [](unsigned char page) { return (page & 1) != 0; }),
              1);
    EXPECT_NE(resident[7] & 1, 0);
    give_back_locked(bytes);
}

// SEC-07, SEC-27
TEST(LockedMemory, HoldsTheBytesOfSecrets) {
    const Secret secret(std::string(100, 's'));
    const Secret copy = secret;
    for (const Secret* const one : {&secret, &copy}) {
        const std::string flags = flags_of(one->reveal().data());
        EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
    }
    EXPECT_NE(secret.reveal().data(), copy.reveal().data());
}

// SEC-07
TEST(LockedMemory, PiecesAreApartAndZeroWhenTheyAreGivenBack) {
    const std::size_t before = locked_memory().pieces;
    std::set<std::byte*> pieces;
    for (int i = 0; i < 5000; ++i) {
        const auto piece = take_locked_piece();
        EXPECT_EQ(std::ranges::count(piece, std::byte{0}), std::ptrdiff_t{kLockedPieceSize});
        std::ranges::fill(piece, std::byte{0xa5});
        EXPECT_TRUE(pieces.insert(piece.data()).second);
    }
    EXPECT_EQ(locked_memory().pieces, before + 5000);
    for (std::byte* const piece : pieces) {
        EXPECT_EQ(piece[kLockedPieceSize - 1], std::byte{0xa5});
        give_back_locked_piece(piece);
        EXPECT_EQ(piece[0], std::byte{0});
    }
    EXPECT_EQ(locked_memory().pieces, before);
}

}  // namespace
}  // namespace zona::core
