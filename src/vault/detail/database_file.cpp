#include "vault/detail/database_file.h"

#include <algorithm>
#include <array>
#include <utility>

namespace zona::vault::detail {
namespace {

constexpr auto kPageBytes = static_cast<sqlite3_int64>(kPageSize);
/// SQLite reads and writes a page, who copies an image many: so much is given to the VFS beneath at
/// once. Source: os_unix.c of SQLite, which takes no more than 131,071 bytes.
constexpr std::size_t kMostAtOnce = 16 * kPageSize;

std::size_t clear_of(sqlite3_int64 offset) {
    return offset == 0 ? kClearHeader : 0;
}

/// What page 1 must say of all pages: 4,096 bytes, of which the trailer is reserved. Source: the
/// database header of SQLite's file format, bytes 16 and 20.
bool has_room_for_trailers(std::span<const std::byte> page) {
    return page[16] == std::byte{kPageSize >> 8U} && page[17] == std::byte{0} &&
           page[20] == std::byte{kTrailerSize};
}

bool is_pages(std::span<const std::byte> bytes, sqlite3_int64 offset) {
    return !bytes.empty() && bytes.size() % kPageSize == 0 && offset % kPageBytes == 0;
}

int code_of(Opened result) {
    switch (result) {
        case Opened::kGood:
            return SQLITE_OK;
        case Opened::kUnknownKey:
            return SQLITE_IOERR_AUTH;
        case Opened::kDamaged:
        case Opened::kUnwritten:
            return SQLITE_IOERR_DATA;
    }
    return SQLITE_IOERR;
}

}  // namespace

int DatabaseFile::check_first_page() {
    sqlite3_int64 bytes = 0;
    if (const int code = size(&bytes); code != SQLITE_OK) return code;
    if (bytes == 0) return SQLITE_NOTFOUND;
    std::array<std::byte, kPageSize> first;
    const int header = VfsFile::read(std::span(first).first(kClearHeader), 0);
    if (header == SQLITE_OK && !has_room_for_trailers(first)) {
        sqlite3_log(SQLITE_IOERR_DATA, "the database was made without encryption");
        return SQLITE_IOERR_DATA;
    }
    const int code = read(first, 0);
    // A file of less than a page.
    return code == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : code;
}

int DatabaseFile::read(std::span<std::byte> out, sqlite3_int64 offset) {
    if (offset + std::ssize(out) <= static_cast<sqlite3_int64>(kClearHeader))
        return VfsFile::read(out, offset);
    if (!is_pages(out, offset)) {
        sqlite3_log(SQLITE_IOERR_READ, "a read of %d bytes at %lld is no page",
                    static_cast<int>(out.size()), static_cast<long long>(offset));
        return SQLITE_IOERR_READ;
    }
    if (out.size() > kPageSize && out.size() <= kMostAtOnce && read_at_once(out, offset))
        return SQLITE_OK;
    for (; !out.empty(); out = out.subspan(kPageSize), offset += kPageBytes) {
        if (const int code = read_surely(out.first(kPageSize), offset); code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

/// False when any page needs a closer look.
bool DatabaseFile::read_at_once(std::span<std::byte> out, sqlite3_int64 offset) {
    if (VfsFile::read(out, offset) != SQLITE_OK) return false;
    for (; !out.empty(); out = out.subspan(kPageSize), offset += kPageBytes) {
        if (cipher_.open(BlockKind::kPage, static_cast<std::uint64_t>(offset), clear_of(offset),
                         out.first(kPageSize)) != Opened::kGood)
            return false;
    }
    return true;
}

int DatabaseFile::read_surely(std::span<std::byte> out, sqlite3_int64 offset) {
    const int code = read_page(out, offset);
    if (code != SQLITE_IOERR_DATA && code != SQLITE_IOERR_AUTH) return code;
    // It may just be on its way from one key to another: nobody writes while this is held.
    const std::scoped_lock lock(state_->writing);
    const int again = read_page(out, offset);
    if (again == SQLITE_IOERR_AUTH) {
        sqlite3_log(again, "page %lld is encrypted under key %08x, which is not there",
                    static_cast<long long>(offset / kPageBytes + 1), std::to_underlying(key_read_));
    } else if (again == SQLITE_IOERR_DATA) {
        sqlite3_log(again,
                    "page %lld is not what was written there: damaged, exchanged, or of another "
                    "database",
                    static_cast<long long>(offset / kPageBytes + 1));
    }
    return again;
}

int DatabaseFile::read_page(std::span<std::byte> out, sqlite3_int64 offset) {
    const int code = VfsFile::read(out, offset);
    if (code == SQLITE_IOERR_SHORT_READ) {
        // Behind the end there are zeros, as SQLite wants; a piece of a page is damage, which it
        // would take for a page.
        sqlite3_int64 bytes = 0;
        if (const int failed = size(&bytes); failed != SQLITE_OK) return failed;
        return offset >= bytes ? code : SQLITE_IOERR_DATA;
    }
    if (code != SQLITE_OK) return code;
    key_read_ = PageCipher::key_of(out);
    return code_of(
        cipher_.open(BlockKind::kPage, static_cast<std::uint64_t>(offset), clear_of(offset), out));
}

int DatabaseFile::truncate(sqlite3_int64 size) {
    const std::scoped_lock lock(state_->writing);
    return VfsFile::truncate(size);
}

int DatabaseFile::write(std::span<const std::byte> in, sqlite3_int64 offset) {
    if (!is_pages(in, offset)) {
        sqlite3_log(SQLITE_IOERR_WRITE, "a write of %d bytes at %lld is no page",
                    static_cast<int>(in.size()), static_cast<long long>(offset));
        return SQLITE_IOERR_WRITE;
    }
    if (offset == 0 && !has_room_for_trailers(in)) {
        sqlite3_log(
            SQLITE_IOERR_WRITE,
            "pages without %d reserved bytes, or not of %d, have no place for what encrypts them",
            static_cast<int>(kTrailerSize), static_cast<int>(kPageSize));
        return SQLITE_IOERR_WRITE;
    }
    while (!in.empty()) {
        const std::size_t size = std::min(in.size(), kMostAtOnce);
        if (const int code = write_pages(in.first(size), offset); code != SQLITE_OK) return code;
        in = in.subspan(size);
        offset += static_cast<sqlite3_int64>(size);
    }
    return SQLITE_OK;
}

int DatabaseFile::write_pages(std::span<const std::byte> in, sqlite3_int64 offset) {
    if (sealed_.size() < in.size()) sealed_.resize(in.size());
    const auto sealed = std::span(sealed_).first(in.size());
    std::ranges::copy(in, sealed.begin());
    for (std::size_t at = 0; at < sealed.size(); at += kPageSize) {
        const sqlite3_int64 place = offset + static_cast<sqlite3_int64>(at);
        if (!cipher_.seal(BlockKind::kPage, static_cast<std::uint64_t>(place), clear_of(place),
                          sealed.subspan(at, kPageSize))) {
            sqlite3_log(SQLITE_IOERR_AUTH, "there is no key to encrypt with");
            return SQLITE_IOERR_AUTH;
        }
    }
    const std::scoped_lock lock(state_->writing);
    if (state_->written) {
        const auto first = static_cast<std::size_t>(offset / kPageBytes);
        const std::size_t end = first + sealed.size() / kPageSize;
        if (state_->written->size() < end) state_->written->resize(end);
        for (std::size_t page = first; page < end; ++page)
            (*state_->written)[page] = true;
    }
    return VfsFile::write(sealed, offset);
}

}  // namespace zona::vault::detail
