#include "process/detail/state_exits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "process/detail/state_checksum.h"

namespace zona::process::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are written as they are");

constexpr std::uint32_t kFormat = 1;
constexpr std::array kMagic = {'Z', 'O', 'N', 'A', 'E', 'X', 'I', 'T'};

struct Header {
    std::array<char, 8> magic;
    std::uint32_t format;
    std::uint32_t block_bytes;
    std::array<char, 108> reserved;
    std::uint32_t checksum;
};

constexpr std::uint64_t kMostKb = (std::uint64_t{1} << 53U) - 1;  // as bytes it fits a ByteCount

enum class Kind : std::uint32_t { kExit = 1, kForgotten = 2 };

struct Block {
    std::array<std::uint8_t, 16> process;
    std::uint64_t incarnation;
    std::int64_t spawned_ns;
    std::int64_t exited_ns;
    std::int64_t user_us;
    std::int64_t system_us;
    std::uint64_t max_rss_kb;
    std::uint64_t out_begin;
    std::uint64_t out_end;
    std::uint64_t err_begin;
    std::uint64_t err_end;
    std::int32_t pid;
    std::int32_t status;
    std::uint32_t flags;
    std::int32_t error_number;
    std::uint8_t how;
    std::uint8_t failed_step;
    std::array<std::uint8_t, 6> reserved;
    Kind kind;
    std::uint32_t checksum;
};

static_assert(sizeof(Header) == kExitBlock && sizeof(Block) == kExitBlock);

template <class T>
std::string seal_block(T block) {
    using Bytes = std::array<char, kExitBlock>;
    block.checksum = 0;
    auto bytes = std::bit_cast<Bytes>(block);
    const std::uint32_t checksum = crc32c({bytes.data(), kExitBlock - sizeof(checksum)});
    std::memcpy(bytes.data() + kExitBlock - sizeof checksum, &checksum, sizeof checksum);
    return {bytes.data(), bytes.size()};
}

template <class T>
std::optional<T> open_block(std::string_view text) {
    T block;
    std::memcpy(&block, text.data(), sizeof block);
    const bool whole = crc32c(text.substr(0, kExitBlock - sizeof block.checksum)) == block.checksum;
    return whole ? std::optional<T>(block) : std::nullopt;
}

std::optional<ExitEntry> read_block(std::string_view text) {
    const auto block = open_block<Block>(text);
    if (!block.has_value()) return std::nullopt;
    if (block->kind != Kind::kExit && block->kind != Kind::kForgotten) return std::nullopt;
    ExitEntry entry;
    entry.forgotten = block->kind == Kind::kForgotten;
    ExitRecord& record = entry.record;
    record.process.bytes = block->process;
    record.incarnation = block->incarnation;
    record.pid = block->pid;
    record.spawned_at = core::SystemTime(std::chrono::nanoseconds(block->spawned_ns));
    record.exited_at = core::SystemTime(std::chrono::nanoseconds(block->exited_ns));
    record.how = block->how;
    record.status = block->status;
    record.flags = block->flags;
    record.user_cpu = std::chrono::microseconds(block->user_us);
    record.system_cpu = std::chrono::microseconds(block->system_us);
    record.max_rss = core::ByteCount::kib(static_cast<std::int64_t>(block->max_rss_kb & kMostKb));
    record.out = {block->out_begin, block->out_end};
    record.err = {block->err_begin, block->err_end};
    record.error_number = block->error_number;
    record.failed_step = static_cast<os::SpawnStep>(block->failed_step);
    return entry;
}

}  // namespace

std::string exits_header() {
    return seal_block(Header{.magic = kMagic, .format = kFormat, .block_bytes = kExitBlock});
}

std::string encode_exit(const ExitRecord& record) {
    return seal_block(Block{
        .process = record.process.bytes,
        .incarnation = record.incarnation,
        .spawned_ns = record.spawned_at.time_since_epoch().count(),
        .exited_ns = record.exited_at.time_since_epoch().count(),
        .user_us = record.user_cpu.count(),
        .system_us = record.system_cpu.count(),
        .max_rss_kb = static_cast<std::uint64_t>(record.max_rss.bytes()) / 1024,
        .out_begin = record.out.begin,
        .out_end = record.out.end,
        .err_begin = record.err.begin,
        .err_end = record.err.end,
        .pid = record.pid,
        .status = record.status,
        .flags = record.flags,
        .error_number = record.error_number,
        .how = static_cast<std::uint8_t>(record.how),
        .failed_step = static_cast<std::uint8_t>(record.failed_step),
        .kind = Kind::kExit,
    });
}

std::string encode_forgotten(const core::Uuid& process) {
    return seal_block(Block{.process = process.bytes, .kind = Kind::kForgotten});
}

ExitsReading read_exits(std::string_view text) {
    ExitsReading reading;
    reading.torn_bytes = text.size() % kExitBlock;
    reading.good_bytes = text.size() - reading.torn_bytes;
    if (text.size() < kExitBlock) return reading;
    const auto header = open_block<Header>(text);
    const bool whole = header.has_value() && header->magic == kMagic;
    if (whole && header->format > kFormat) {
        reading.header = ExitsHeader::kNewer;
        reading.format = header->format;
        return reading;
    }
    const bool good = whole && header->format == kFormat && header->block_bytes == kExitBlock;
    reading.header = good ? ExitsHeader::kGood : ExitsHeader::kDamaged;
    for (std::size_t at = kExitBlock; at < reading.good_bytes; at += kExitBlock) {
        if (auto entry = read_block(text.substr(at, kExitBlock))) {
            reading.entries.push_back(std::move(*entry));
        } else {
            ++reading.damaged;
        }
    }
    return reading;
}

}  // namespace zona::process::detail
