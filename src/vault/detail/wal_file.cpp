#include "vault/detail/wal_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace zona::vault::detail {
namespace {

constexpr auto kFirstFrame = static_cast<sqlite3_int64>(kWalHeaderSize);
constexpr auto kStride = static_cast<sqlite3_int64>(kFrameSize);

long long number_of(sqlite3_int64 frame) {
    return (frame - kFirstFrame) / kStride + 1;
}

bool is_frame(sqlite3_int64 offset) {
    return offset >= kFirstFrame && (offset - kFirstFrame) % kStride == 0;
}

/// A frame that ends a transaction names the size of the database after it.
bool is_commit(std::span<const std::byte> header) {
    return std::ranges::any_of(header.subspan(4, 4), [](std::byte b) { return b != std::byte{0}; });
}

}  // namespace

WalFile::WalFile(sqlite3_file* base, PageCipher cipher)
    : VfsFile(base), cipher_(std::move(cipher)) {}

bool WalFile::has_good_frame() {
    for (sqlite3_int64 frame = kFirstFrame;; frame += kStride) {
        const int code = load(frame);
        if (code == SQLITE_OK) return true;
        if (code != SQLITE_IOERR_DATA && code != SQLITE_IOERR_AUTH) return false;
    }
}

int WalFile::close() {
    return flush();
}

int WalFile::truncate(sqlite3_int64 size) {
    const int code = flush();
    written_to_ = std::min(written_to_, size);
    return code == SQLITE_OK ? VfsFile::truncate(size) : code;
}

int WalFile::sync(int flags) {
    const int code = flush();
    return code == SQLITE_OK ? VfsFile::sync(flags) : code;
}

int WalFile::size(sqlite3_int64* out) {
    const int code = flush();
    return code == SQLITE_OK ? VfsFile::size(out) : code;
}

void WalFile::write_lock_released() {
    gathered_frames_ = 0;
    header_at_ = -1;
}

int WalFile::read(std::span<std::byte> out, sqlite3_int64 offset) {
    const sqlite3_int64 gathered_to =
        gathered_at_ + static_cast<sqlite3_int64>(gathered_frames_) * kStride;
    const bool gathered =
        gathered_frames_ != 0 && offset < gathered_to && offset + std::ssize(out) > gathered_at_;
    if (gathered || header_at_ >= 0) {
        if (const int code = flush(); code != SQLITE_OK) return code;
    }
    if (offset + std::ssize(out) <= kFirstFrame) return VfsFile::read(out, offset);
    const sqlite3_int64 within = offset < kFirstFrame ? -1 : (offset - kFirstFrame) % kStride;
    if (within < 0 || within + std::ssize(out) > kStride) {
        sqlite3_log(SQLITE_IOERR_READ, "a read of %d bytes at %lld is within no frame",
                    static_cast<int>(out.size()), static_cast<long long>(offset));
        return SQLITE_IOERR_READ;
    }
    const sqlite3_int64 frame = offset - within;
    const int code = load(frame);
    if (code == SQLITE_OK) {
        std::ranges::copy(std::span(frame_).subspan(static_cast<std::size_t>(within), out.size()),
                          out.begin());
        return SQLITE_OK;
    }
    std::ranges::fill(out, std::byte{0});
    // Whole frames are read while the log is recovered, and where we wrote them ourselves.
    return out.size() == kFrameSize && frame >= written_to_ ? recover(out, frame, code) : code;
}

/// A frame that was torn, or is left from before the log began anew, ends the log: SQLite sees that
/// by zeros. A key that is missing does not: the transactions are there.
int WalFile::recover(std::span<std::byte> out, sqlite3_int64 frame, int code) {
    if (code != SQLITE_IOERR_DATA && code != SQLITE_IOERR_AUTH) return code;
    std::array<std::byte, kWalHeaderSize> log;
    std::array<std::byte, kFrameHeaderSize> header;
    if (const int failed = VfsFile::read(log, 0); failed != SQLITE_OK) return failed;
    if (const int failed = VfsFile::read(header, frame); failed != SQLITE_OK) return failed;
    const bool of_this_log = std::memcmp(&log[16], &header[8], 8) == 0;
    if (of_this_log && code == SQLITE_IOERR_AUTH) return code;
    if (of_this_log) {
        sqlite3_log(SQLITE_NOTICE_RECOVER_WAL,
                    "the log ends before frame %lld, which is torn or damaged", number_of(frame));
    }
    std::ranges::fill(out, std::byte{0});
    return SQLITE_OK;
}

int WalFile::load(sqlite3_int64 frame) {
    if (const int code = VfsFile::read(frame_, frame); code != SQLITE_OK) return code;
    const KeyId key = PageCipher::key_of(frame_);
    switch (
        cipher_.open(BlockKind::kFrame, static_cast<std::uint64_t>(frame), kFrameClear, frame_)) {
        case Opened::kGood:
            return SQLITE_OK;
        case Opened::kUnknownKey:
            sqlite3_log(SQLITE_IOERR_AUTH,
                        "frame %lld of the log is encrypted under key %08x, which is not there",
                        number_of(frame), std::to_underlying(key));
            return SQLITE_IOERR_AUTH;
        case Opened::kDamaged:
        case Opened::kUnwritten:
            return SQLITE_IOERR_DATA;
    }
    return SQLITE_IOERR;
}

int WalFile::write(std::span<const std::byte> in, sqlite3_int64 offset) {
    if (offset == 0 && in.size() == kWalHeaderSize) return write_log_header(in);
    if (in.size() == kFrameHeaderSize && is_frame(offset)) {
        const int code = settle_header();
        std::ranges::copy(in, header_.begin());
        header_at_ = offset;
        return code;
    }
    const sqlite3_int64 frame = offset - static_cast<sqlite3_int64>(kFrameHeaderSize);
    if (in.size() == kPageSize && is_frame(frame)) return write_page(in, frame);
    sqlite3_log(SQLITE_IOERR_WRITE, "a write of %d bytes at %lld is no part of a frame",
                static_cast<int>(in.size()), static_cast<long long>(offset));
    return SQLITE_IOERR_WRITE;
}

int WalFile::write_log_header(std::span<const std::byte> in) {
    constexpr std::array<std::byte, 4> kSize{std::byte{0}, std::byte{0}, std::byte{kPageSize >> 8U},
                                             std::byte{0}};
    if (!std::ranges::equal(in.subspan(8, 4), kSize)) return SQLITE_IOERR_WRITE;
    if (const int code = flush(); code != SQLITE_OK) return code;
    written_to_ = 0;
    return VfsFile::write(in, 0);
}

int WalFile::write_page(std::span<const std::byte> in, sqlite3_int64 frame) {
    const bool is_new = header_at_ == frame;
    if (is_new) {
        std::ranges::copy(header_, frame_.begin());
        header_at_ = -1;
    } else {
        if (const int code = flush(); code != SQLITE_OK) return code;
        if (const int code = load(frame); code != SQLITE_OK) return code;
    }
    std::ranges::copy(in, frame_.begin() + kFrameHeaderSize);
    return is_new ? gather(frame) : store(frame);
}

int WalFile::gather(sqlite3_int64 frame) {
    const bool commits = is_commit(frame_);
    const sqlite3_int64 end = gathered_at_ + static_cast<sqlite3_int64>(gathered_frames_) * kStride;
    if (gathered_frames_ != 0 && frame < end) {
        // Taken up again behind an earlier savepoint: what was gathered from here on is void.
        gathered_frames_ =
            static_cast<std::size_t>(std::max<sqlite3_int64>(0, frame - gathered_at_) / kStride);
    } else if (gathered_frames_ == kMostGathered || frame != end) {
        if (const int code = flush(); code != SQLITE_OK) return code;
    }
    if (gathered_frames_ == 0) gathered_at_ = frame;
    if (!cipher_.seal(BlockKind::kFrame, static_cast<std::uint64_t>(frame), kFrameClear, frame_)) {
        sqlite3_log(SQLITE_IOERR_AUTH, "there is no key to encrypt with");
        return SQLITE_IOERR_AUTH;
    }
    gathered_.resize(gathered_frames_ * kFrameSize);
    gathered_.insert(gathered_.end(), frame_.begin(), frame_.end());
    ++gathered_frames_;
    return commits || gathered_frames_ == kMostGathered ? flush() : SQLITE_OK;
}

int WalFile::store(sqlite3_int64 frame) {
    if (!cipher_.seal(BlockKind::kFrame, static_cast<std::uint64_t>(frame), kFrameClear, frame_))
        return SQLITE_IOERR_AUTH;
    return VfsFile::write(frame_, frame);
}

/// A header for which no page came is a new header for a frame that is there.
int WalFile::settle_header() {
    if (header_at_ < 0) return SQLITE_OK;
    const sqlite3_int64 frame = std::exchange(header_at_, -1);
    const auto header = header_;
    if (const int code = flush(); code != SQLITE_OK) return code;
    if (const int code = load(frame); code != SQLITE_OK) return code;
    std::ranges::copy(header, frame_.begin());
    return store(frame);
}

int WalFile::flush() {
    if (const std::size_t frames = std::exchange(gathered_frames_, 0); frames != 0) {
        const std::size_t bytes = frames * kFrameSize;
        const int code = VfsFile::write(std::span(gathered_).first(bytes), gathered_at_);
        if (code != SQLITE_OK) {
            header_at_ = -1;
            return code;
        }
        written_to_ = std::max(written_to_, gathered_at_ + static_cast<sqlite3_int64>(bytes));
    }
    return settle_header();
}

}  // namespace zona::vault::detail
