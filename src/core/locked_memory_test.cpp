#include "core/locked_memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

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
