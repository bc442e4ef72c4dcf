#include "process/log_index.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

namespace zona::process {
namespace {

using core::Result;

constexpr std::array<char, 8> kMagic = {'Z', 'L', 'O', 'G', 'I', 'X', '1', '\n'};
constexpr std::uint64_t kOffsetBits = 48;
constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << kOffsetBits) - 1;
/// A torn or damaged end longer than this makes the whole index suspect: it is begun anew.
constexpr std::uint64_t kMostBadRecords = 4096;
constexpr mode_t kMode = 0600;

struct Header {
    std::array<char, 8> magic = kMagic;
    std::uint64_t inode = 0;
    std::uint64_t writer = 0;  ///< number and its complement; 0 = none
    std::uint64_t reserved = 0;
};
constexpr std::uint64_t kHeaderBytes = sizeof(Header);
static_assert(kHeaderBytes == 32);

struct Packed {
    std::uint64_t offset_and_check = 0;
    std::int64_t time_ns = 0;
};
constexpr std::uint64_t kRecordBytes = sizeof(Packed);
static_assert(kRecordBytes == 16);

/// 16 bits over offset and time; not 0 for all zeroes, so a hole in the file is no record.
std::uint64_t check_of(std::uint64_t offset, std::uint64_t time) {
    std::uint64_t mixed = (offset + 0x9e3779b97f4a7c15U) ^ (time * 0xbf58476d1ce4e5b9U);
    mixed = (mixed ^ (mixed >> 29U)) * 0x94d049bb133111ebU;
    return mixed >> kOffsetBits;
}

Packed pack(const LogIndexRecord& record) {
    const std::int64_t time = record.time.time_since_epoch().count();
    const std::uint64_t offset = record.offset & kOffsetMask;
    return {offset | check_of(offset, static_cast<std::uint64_t>(time)) << kOffsetBits, time};
}

std::optional<LogIndexRecord> unpack(const Packed& packed) {
    const std::uint64_t offset = packed.offset_and_check & kOffsetMask;
    const std::uint64_t check = packed.offset_and_check >> kOffsetBits;
    if (check != check_of(offset, static_cast<std::uint64_t>(packed.time_ns))) return std::nullopt;
    return LogIndexRecord{offset, core::SystemTime(std::chrono::nanoseconds(packed.time_ns))};
}

std::uint64_t pack_writer(std::uint32_t writer) {
    return std::uint64_t{writer} | std::uint64_t{~writer} << 32U;
}

std::optional<std::uint32_t> unpack_writer(std::uint64_t packed) {
    const auto writer = static_cast<std::uint32_t>(packed);
    if (packed != pack_writer(writer)) return std::nullopt;
    return writer;
}

template <class T>
std::string_view bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::uint64_t records_in(std::uint64_t size) {
    return size < kHeaderBytes ? 0 : (size - kHeaderBytes) / kRecordBytes;
}

std::uint64_t position_of(std::uint64_t number) {
    return kHeaderBytes + number * kRecordBytes;
}

/// The header of an index file; nullopt when it is none.
Result<std::optional<Header>> read_header(const os::UniqueFd& file) {
    Header header;
    ZONA_TRY(const std::size_t got,
             os::read_at(file.get(), std::as_writable_bytes(std::span(&header, 1)), 0));
    if (got != kHeaderBytes || header.magic != kMagic) return std::optional<Header>();
    return std::optional(header);
}

std::optional<LogIndexRecord> read_record(const os::UniqueFd& file, std::uint64_t number) {
    Packed packed;
    const auto got =
        os::read_at(file.get(), std::as_writable_bytes(std::span(&packed, 1)), position_of(number));
    if (!got || *got != kRecordBytes) return std::nullopt;
    return unpack(packed);
}

/// Whether the records of an index may be about a log file of `size` bytes.
bool fits(const os::UniqueFd& file, std::uint64_t records, std::uint64_t size) {
    const std::uint64_t stop = records > kMostBadRecords ? records - kMostBadRecords : 0;
    for (std::uint64_t number = records; number > stop; --number) {
        if (const auto record = read_record(file, number - 1)) return record->offset <= size;
    }
    return records == 0;
}

}  // namespace

std::string log_index_path(std::string_view directory, std::string_view log_path) {
    std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
    for (const char c : log_path)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    std::string name(log_path.substr(log_path.rfind('/') + 1).substr(0, 64));
    for (char& c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!plain) c = '-';
    }
    return fmt::format("{}/{}-{:016x}.idx", directory, name, hash);
}

LogIndexWriter::LogIndexWriter(std::string path, LogIndexLimits limits)
    : path_(std::move(path)), limits_(limits) {
    limits_.bytes = std::max(limits_.bytes, position_of(8));
}

Result<void> LogIndexWriter::begin(std::uint64_t inode, std::uint64_t size) {
    begun_ = false;
    next_ = core::SteadyTime::min();
    writer_.reset();
    auto file = os::open_file(path_, O_RDONLY);
    if (file) {
        ZONA_TRY(const auto header, read_header(*file));
        ZONA_TRY(const os::FileStat stat, os::stat_fd(file->get()));
        if (header && header->inode == inode && fits(*file, records_in(stat.size), size)) {
            inode_ = inode;
            writer_ = unpack_writer(header->writer);
            begun_ = true;
            return {};
        }
    } else if (file.error().code() != core::Code::kNotFound) {
        return file.take_error();
    }
    return begin_anew(inode);
}

Result<void> LogIndexWriter::begin_anew(std::uint64_t inode) {
    begun_ = false;
    const std::string temporary = path_ + ".tmp";
    ZONA_TRY(os::UniqueFd file, os::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, kMode));
    Header header;
    header.inode = inode;
    if (writer_) header.writer = pack_writer(*writer_);
    ZONA_TRY_VOID(os::write_all(file.get(), bytes_of(header)));
    ZONA_TRY_VOID(os::rename_file(temporary, path_));
    inode_ = inode;
    begun_ = true;
    return {};
}

Result<void> LogIndexWriter::note(std::uint64_t offset, core::SteadyTime steady,
                                  core::SystemTime now) {
    if (!due(steady)) return {};
    next_ = steady + limits_.interval;
    return append(LogIndexRecord{offset, now});
}

Result<void> LogIndexWriter::append(LogIndexRecord record) {
    auto file = os::open_file(path_, O_RDWR);
    if (!file && file.error().code() == core::Code::kNotFound) {
        ZONA_TRY_VOID(begin_anew(inode_));
        file = os::open_file(path_, O_RDWR);
    }
    if (!file) return file.take_error();
    ZONA_TRY(os::FileStat stat, os::stat_fd(file->get()));
    if (stat.size >= limits_.bytes) {
        ZONA_TRY(*file, thin_out(*file, records_in(stat.size)));
        ZONA_TRY(stat, os::stat_fd(file->get()));
    }
    // A torn record at the end is written over.
    return os::write_all_at(file->get(), bytes_of(pack(record)),
                            position_of(records_in(stat.size)));
}

Result<os::UniqueFd> LogIndexWriter::thin_out(const os::UniqueFd& file, std::uint64_t records) {
    const std::string temporary = path_ + ".tmp";
    ZONA_TRY(os::UniqueFd thinned, os::open_file(temporary, O_RDWR | O_CREAT | O_TRUNC, kMode));
    Header header;
    header.inode = inode_;
    if (writer_) header.writer = pack_writer(*writer_);
    ZONA_TRY_VOID(os::write_all(thinned.get(), bytes_of(header)));

    constexpr std::uint64_t kPiece = 4096;
    const std::uint64_t keep_all = records - records / 4;
    std::vector<Packed> piece(kPiece);
    std::string kept;
    for (std::uint64_t first = 0; first < records; first += kPiece) {
        const std::uint64_t wanted = std::min(kPiece, records - first);
        ZONA_TRY(const std::size_t got,
                 os::read_at(file.get(), std::as_writable_bytes(std::span(piece).first(wanted)),
                             position_of(first)));
        kept.clear();
        for (std::uint64_t i = 0; i < got / kRecordBytes; ++i) {
            if (first + i >= keep_all || (first + i) % 2 == 0) kept += bytes_of(piece[i]);
        }
        ZONA_TRY_VOID(os::write_all(thinned.get(), kept));
    }
    ZONA_TRY_VOID(os::rename_file(temporary, path_));
    return thinned;
}

Result<void> LogIndexWriter::set_writer(std::uint32_t writer) {
    if (writer_ == writer || !begun_) return {};
    ZONA_TRY(os::UniqueFd file, os::open_file(path_, O_WRONLY));
    ZONA_TRY_VOID(
        os::write_all_at(file.get(), bytes_of(pack_writer(writer)), offsetof(Header, writer)));
    writer_ = writer;
    return {};
}

Result<LogIndexReader> LogIndexReader::open(std::string path) {
    LogIndexReader reader(std::move(path));
    ZONA_TRY_VOID(reader.refresh());
    return reader;
}

void LogIndexReader::clear() {
    file_.reset();
    count_ = 0;
    inode_ = 0;
}

Result<void> LogIndexReader::refresh() {
    auto file = os::open_file(path_, O_RDONLY);
    if (!file) {
        clear();
        if (file.error().code() == core::Code::kNotFound) return {};
        return file.take_error();
    }
    clear();
    ZONA_TRY(const std::optional<Header> header, read_header(*file));
    ZONA_TRY(const os::FileStat stat, os::stat_fd(file->get()));
    if (!header) return {};
    file_ = std::move(*file);
    count_ = records_in(stat.size);
    inode_ = header->inode;
    return {};
}

std::optional<LogIndexRecord> LogIndexReader::record(std::uint64_t number) const {
    return read_record(file_, number);
}

std::optional<LogIndexRecord> LogIndexReader::good_at(std::uint64_t& number,
                                                      std::uint64_t first) const {
    for (;; --number) {
        if (const auto found = record(number)) return found;
        if (number == first) return std::nullopt;
    }
}

std::optional<LogIndexRecord> LogIndexReader::good_from(std::uint64_t number) const {
    for (; number < count_; ++number) {
        if (const auto found = record(number)) return found;
    }
    return std::nullopt;
}

template <class Predicate>
std::optional<std::uint64_t> LogIndexReader::last_where(Predicate before) const {
    std::optional<std::uint64_t> last;
    std::uint64_t low = 0;
    std::uint64_t high = count_;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        std::uint64_t number = middle;
        const auto found = good_at(number, low);
        if (!found || before(*found)) {
            if (found) last = number;
            low = middle + 1;
        } else {
            high = number;
        }
    }
    return last;
}

std::optional<LogIndexReader::Block> LogIndexReader::find(std::uint64_t offset) const {
    const auto number =
        last_where([&](const LogIndexRecord& candidate) { return candidate.offset <= offset; });
    if (!number) return std::nullopt;
    Block block;
    const auto found = record(*number);
    if (!found) return std::nullopt;  // the file changed below us
    block.record = *found;
    if (const auto next = good_from(*number + 1)) block.end = std::max(next->offset, offset + 1);
    return block;
}

std::optional<core::SystemTime> LogIndexReader::time_at(std::uint64_t offset) const {
    const auto block = find(offset);
    if (!block) return std::nullopt;
    return block->record.time;
}

std::optional<std::uint64_t> LogIndexReader::offset_since(core::SystemTime since) const {
    if (count_ == 0) return std::nullopt;
    const auto number =
        last_where([&](const LogIndexRecord& candidate) { return candidate.time < since; });
    const auto first = good_from(number ? *number + 1 : 0);
    if (!first) return std::nullopt;
    return first->offset;
}

}  // namespace zona::process
