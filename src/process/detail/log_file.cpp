#include "process/detail/log_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

namespace zona::process::detail {
namespace {

using core::Error;
using core::Result;

constexpr std::size_t kFirstPiece = 4096;
constexpr std::size_t kPiece = 65536;
/// How far last_lines() looks back: per line, and in all.
constexpr std::uint64_t kMostBackPerLine = LogReader::kMostLine;
constexpr std::uint64_t kMostBack = 64U << 20U;
constexpr std::size_t kRemembered = 32;

std::uint64_t fnv1a(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : bytes)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

Result<std::string> read_text(const os::UniqueFd& file, std::uint64_t offset, std::size_t size) {
    std::string text(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        ZONA_TRY(const std::size_t got,
                 os::read_at(file.get(), std::as_writable_bytes(std::span(text)).subspan(have),
                             offset + have));
        if (got == 0) break;
        have += got;
    }
    text.resize(have);
    return text;
}

Result<std::uint32_t> hash_before(const os::UniqueFd& file, std::uint64_t offset) {
    const std::uint64_t size = std::min<std::uint64_t>(offset, kRemembered);
    ZONA_TRY(const std::string text, read_text(file, offset - size, size));
    return static_cast<std::uint32_t>(fnv1a(text) >> 16U);
}

/// At most `size` bytes of `text` such that no UTF-8 character is cut, unless it is none.
std::size_t whole_characters(std::string_view text, std::size_t size) {
    for (std::size_t back = 0; back < 4 && back < size; ++back) {
        if ((static_cast<unsigned char>(text[size - back]) & 0xC0U) != 0x80U) return size - back;
    }
    return size;
}

}  // namespace

std::uint64_t hash_of_path(std::string_view path) {
    return fnv1a(path) >> 16U;
}

LogFile::LogFile(std::string path, std::string index_path, Follow follow, KeepOpen keep)
    : path_(std::move(path)),
      index_path_(std::move(index_path)),
      follow_(follow),
      keep_(keep),
      piece_(kFirstPiece) {}

Error LogFile::named(Error error) const {
    return std::move(std::move(error).context(path_));
}

void LogFile::release() {
    if (keep_ == KeepOpen::kYes) return;
    file_.reset();
    index_.reset();
    index_current_ = false;
}

/// Whether there is a file. Another one than the position's, opened again by name, begins anew.
Result<bool> LogFile::open() {
    if (file_) return true;
    auto file = os::open_file(path_, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) {
        if (file.error().code() == core::Code::kNotFound) return false;
        return file.take_error();
    }
    ZONA_TRY(const os::FileStat stat, os::stat_fd(file->get()));
    if (inode_ != 0 && stat.inode != inode_) {
        seek(0);
        limit_.reset();
    }
    if (follow_ == Follow::kNo && !limit_) limit_ = stat.size;
    inode_ = stat.inode;
    file_ = std::move(*file);
    return true;
}

void LogFile::seek(std::uint64_t offset) {
    buffer_.clear();
    begin_ = offset;
    used_ = 0;
    head_.reset();
    gone_ = false;
    piece_ = kFirstPiece;
    block_.reset();
    untimed_end_ = 0;
    index_current_ = false;
}

Result<std::size_t> LogFile::read_more() {
    ZONA_TRY(const bool there, open());
    if (!there) return std::size_t{0};
    if (used_ > 0) {
        buffer_.erase(0, used_);
        begin_ += used_;
        used_ = 0;
    }
    std::size_t size = piece_;
    if (limit_) size = std::min<std::uint64_t>(size, *limit_ - std::min(*limit_, buffer_end()));
    if (size == 0) return std::size_t{0};
    const std::size_t before = buffer_.size();
    buffer_.resize(before + size);
    auto got = os::read_at(file_.get(), std::as_writable_bytes(std::span(buffer_)).subspan(before),
                           begin_ + before);
    buffer_.resize(before + got.value_or(0));
    if (!got) return named(got.take_error());
    if (*got > 0) {
        index_current_ = false;
        piece_ = std::max(piece_, std::min(piece_ * 2, kPiece));
    }
    return *got;
}

/// At the end of what there is: whether to look again, because there is more, or because the
/// position has moved into the file that took the name or to the beginning of a shortened one.
Result<bool> LogFile::look_again() {
    if (follow_ == Follow::kNo || !file_) return false;
    ZONA_TRY(const os::FileStat held, os::stat_fd(file_.get()));
    if (held.size < buffer_end()) {
        seek(0);
        return true;
    }
    ZONA_TRY(const auto named_now, os::stat_path(path_));
    if (!named_now || named_now->inode == inode_) return false;
    // Its last bytes may have come between our read and the look at its name.
    if (held.size > buffer_end()) return true;
    if (used_ < buffer_.size() && !gone_) {
        gone_ = true;
        return false;
    }
    seek(0);
    file_.reset();
    index_.reset();
    inode_ = 0;
    return true;
}

Result<std::optional<LogFile::Line>> LogFile::peek() {
    std::size_t searched = 0;
    for (;;) {
        const std::string_view rest = std::string_view(buffer_).substr(used_);
        const std::size_t newline = rest.find('\n', searched);
        if (std::min(newline, rest.size()) > LogReader::kMostLine) {
            head_ = whole_characters(rest, LogReader::kMostLine);
            return std::optional(
                Line{.offset = begin_ + used_, .text = rest.substr(0, *head_), .split = true});
        }
        if (newline != std::string_view::npos) {
            head_ = newline + 1;
            return std::optional(Line{.offset = begin_ + used_, .text = rest.substr(0, newline)});
        }
        searched = rest.size();
        ZONA_TRY(const std::size_t got, read_more());
        if (got > 0) continue;
        ZONA_TRY(const bool again, look_again());
        if (!again) break;
        searched = 0;
    }
    release();
    const bool complete = follow_ == Follow::kNo || gone_;
    if (!complete || used_ == buffer_.size()) return std::optional<Line>();
    head_ = buffer_.size() - used_;
    return std::optional(Line{.offset = begin_ + used_,
                              .text = std::string_view(buffer_).substr(used_),
                              .partial = true});
}

void LogFile::pop() {
    used_ += std::exchange(head_, std::nullopt).value_or(0);
    if (used_ < buffer_.size()) return;
    begin_ += used_;
    used_ = 0;
    buffer_.clear();
}

Result<std::string_view> LogFile::bytes(std::size_t most) {
    for (;;) {
        if (used_ < buffer_.size()) {
            const std::string_view rest = std::string_view(buffer_).substr(used_, most);
            used_ += rest.size();
            return rest;
        }
        piece_ = most;
        ZONA_TRY(const std::size_t got, read_more());
        if (got > 0) continue;
        ZONA_TRY(const bool again, look_again());
        if (!again) break;
    }
    release();
    return std::string_view();
}

Result<std::optional<core::SystemTime>> LogFile::time() {
    return time_at(begin_ + used_);
}

Result<std::optional<core::SystemTime>> LogFile::time_at(std::uint64_t offset) {
    using Time = std::optional<core::SystemTime>;
    const auto known = [&]() -> std::optional<Time> {
        if (block_ && offset >= block_->record.offset && offset < block_->end) {
            return Time(block_->record.time);
        }
        if (offset < untimed_end_) return Time();
        return std::nullopt;
    };
    // What ended openly may have got a successor with the bytes that were read since.
    if (!index_current_ && block_ && block_->end == UINT64_MAX) block_.reset();
    if (!index_current_ && untimed_end_ == UINT64_MAX) untimed_end_ = 0;
    if (const auto found = known()) return *found;
    if (!index_) {
        ZONA_TRY(index_, LogIndexReader::open(index_path_));
    } else if (!index_current_) {
        ZONA_TRY_VOID(index_->refresh());
    }
    index_current_ = true;
    if (index_->inode() != inode_) {
        untimed_end_ = UINT64_MAX;
    } else if (const auto block = index_->find(offset)) {
        block_ = block;
    } else {
        const auto first = index_->offset_since(core::SystemTime::min());
        untimed_end_ = first ? std::max(*first, offset + 1) : UINT64_MAX;
    }
    return known().value_or(Time());
}

/// How many bytes there are to read.
Result<std::uint64_t> LogFile::readable_size() {
    ZONA_TRY(const bool there, open());
    if (!there) return std::uint64_t{0};
    if (limit_) return *limit_;
    ZONA_TRY(const os::FileStat stat, os::stat_fd(file_.get()));
    return stat.size;
}

/// The beginning of the line that the byte at `offset` is in, if it is not too far back.
Result<std::uint64_t> LogFile::line_start(std::uint64_t offset) {
    if (offset == 0 || !file_) return offset;
    const std::uint64_t size = std::min<std::uint64_t>(offset, LogReader::kMostLine);
    auto text = read_text(file_, offset - size, size);
    if (!text) return named(text.take_error());
    const std::size_t newline = text->rfind('\n');
    if (newline != std::string::npos) return offset - size + newline + 1;
    return size == offset ? 0 : offset;
}

Result<std::uint64_t> LogFile::end() {
    ZONA_TRY(const std::uint64_t size, readable_size());
    if (follow_ == Follow::kNo) return size;
    return line_start(size);
}

Result<std::uint64_t> LogFile::since(core::SystemTime since) {
    ZONA_TRY(const std::uint64_t size, readable_size());
    ZONA_TRY(const LogIndexReader index, LogIndexReader::open(index_path_));
    const auto first = index.inode() == inode_ ? index.offset_since(since) : std::nullopt;
    if (!first || *first >= size) return end();
    return line_start(*first);
}

Result<std::vector<LogFile::Start>> LogFile::last_lines(std::size_t most) {
    ZONA_TRY(const std::uint64_t stop, end());
    std::vector<Start> starts;
    const std::uint64_t back = std::min(kMostBack, kMostBackPerLine * most);
    const std::uint64_t lowest = stop - std::min(stop, back);
    std::uint64_t high = stop;
    while (high > lowest && starts.size() < most) {
        const std::uint64_t low = high - std::min<std::uint64_t>(high - lowest, kPiece);
        auto text = read_text(file_, low, high - low);
        if (!text) return named(text.take_error());
        for (std::size_t i = text->size(); i-- > 0 && starts.size() < most;) {
            // The newline at the very end ends the last line, it begins none.
            if ((*text)[i] == '\n' && low + i + 1 < stop) starts.push_back({.offset = low + i + 1});
        }
        high = low;
    }
    // The beginning of the file, or the middle of a line that is too long to look for its
    // beginning.
    if (starts.size() < most && stop > lowest) starts.push_back({.offset = lowest});
    for (Start& start : starts) {
        ZONA_TRY(start.time, time_at(start.offset));
    }
    std::ranges::reverse(starts);
    release();
    return starts;
}

LogFilePosition LogFile::position() const {
    LogFilePosition position{.path_hash = hash_of_path(path_), .offset = begin_ + used_};
    os::UniqueFd opened;
    if (!file_) {
        auto file = os::open_file(path_, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (!file) return position;
        opened = std::move(*file);
    }
    const os::UniqueFd& file = file_ ? file_ : opened;
    const auto stat = os::stat_fd(file.get());
    const auto before = hash_before(file, position.offset);
    if (!stat || !before) return position;
    position.inode = inode_ != 0 ? inode_ : stat->inode;
    position.before = *before;
    return position;
}

Result<void> LogFile::seek(const LogFilePosition& position) {
    seek(0);
    ZONA_TRY(const std::uint64_t size, readable_size());
    if (!file_ || position.inode != inode_ || position.offset > size) return {};
    auto before = hash_before(file_, position.offset);
    if (!before) return named(before.take_error());
    if (*before == position.before) seek(position.offset);
    release();
    return {};
}

}  // namespace zona::process::detail
