/// @file
/// The bytes of the exit history: a header block, then one block per record, 128 bytes each, little
/// endian, with a CRC-32C in the last four. Pure functions; take any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process/history.h"

namespace zona::process::detail {

inline constexpr std::size_t kExitBlock = 128;

/// The first block of a file.
std::string exits_header();
std::string encode_exit(const ExitRecord& record);
/// A mark that the exits of `process` before it are to be forgotten.
std::string encode_forgotten(const core::Uuid& process);

struct ExitEntry {
    ExitRecord record;
    bool forgotten = false;  ///< a mark; only `record.process` counts
};

enum class ExitsHeader : std::uint8_t {
    kGood,
    kMissing,  ///< the file ends before it does: it was being made
    kDamaged,
    kNewer,
};

struct ExitsReading {
    ExitsHeader header = ExitsHeader::kMissing;
    std::uint32_t format = 0;  ///< kNewer: the file's
    std::vector<ExitEntry> entries;
    std::size_t damaged = 0;       ///< whole blocks that were skipped
    std::size_t torn_bytes = 0;    ///< behind the last whole block
    std::uint64_t good_bytes = 0;  ///< up to the end of the last whole block
};

ExitsReading read_exits(std::string_view text);

}  // namespace zona::process::detail
