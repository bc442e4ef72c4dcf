#include "vault/detail/scratch_file.h"

#include <algorithm>

namespace zona::vault::detail {
namespace {

constexpr auto kBlock = static_cast<sqlite3_int64>(kPageSize);

/// Where a block lies; it is bound to its place.
std::array<std::byte, 8> place(std::size_t index) {
    std::array<std::byte, 8> out;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<std::byte>(index >> (8 * i));
    return out;
}

}  // namespace

ScratchFile::ScratchFile(sqlite3_file* base, core::Random& random)
    : VfsFile(base), cipher_(crypto::Key::random(random)), nonces_(random) {}

int ScratchFile::load(std::size_t index) {
    if (index >= seals_.size() || !seals_[index].written) {
        block_.fill(std::byte{0});
        return SQLITE_OK;
    }
    const auto at = static_cast<sqlite3_int64>(index) * kBlock;
    if (const int code = VfsFile::read(block_, at); code != SQLITE_OK)
        return code == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : code;
    const Seal& seal = seals_[index];
    return cipher_.open(seal.nonce, place(index), block_, seal.tag, block_) ? SQLITE_OK
                                                                            : SQLITE_IOERR_DATA;
}

int ScratchFile::store(std::size_t index) {
    if (index >= seals_.size()) seals_.resize(index + 1);
    Seal& seal = seals_[index];
    seal.nonce = nonces_.next();
    seal.tag = cipher_.seal(seal.nonce, place(index), block_, block_);
    seal.written = true;
    return VfsFile::write(block_, static_cast<sqlite3_int64>(index) * kBlock);
}

int ScratchFile::read(std::span<std::byte> out, sqlite3_int64 offset) {
    const sqlite3_int64 there = std::clamp<sqlite3_int64>(size_ - offset, 0, std::ssize(out));
    std::ranges::fill(out.subspan(static_cast<std::size_t>(there)), std::byte{0});
    for (sqlite3_int64 done = 0; done < there;) {
        const auto index = static_cast<std::size_t>((offset + done) / kBlock);
        const sqlite3_int64 within = (offset + done) % kBlock;
        const sqlite3_int64 count = std::min(kBlock - within, there - done);
        if (const int code = load(index); code != SQLITE_OK) return code;
        std::copy_n(block_.begin() + within, count, out.begin() + done);
        done += count;
    }
    return there == std::ssize(out) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int ScratchFile::write(std::span<const std::byte> in, sqlite3_int64 offset) {
    for (sqlite3_int64 done = 0; done < std::ssize(in);) {
        const auto index = static_cast<std::size_t>((offset + done) / kBlock);
        const sqlite3_int64 within = (offset + done) % kBlock;
        const sqlite3_int64 count = std::min(kBlock - within, std::ssize(in) - done);
        if (count != kBlock) {
            if (const int code = load(index); code != SQLITE_OK) return code;
        }
        std::copy_n(in.begin() + done, count, block_.begin() + within);
        if (const int code = store(index); code != SQLITE_OK) return code;
        done += count;
    }
    size_ = std::max(size_, offset + std::ssize(in));
    return SQLITE_OK;
}

int ScratchFile::truncate(sqlite3_int64 size) {
    const auto whole = static_cast<std::size_t>(size / kBlock);
    const sqlite3_int64 rest = size % kBlock;
    if (size < size_ && rest != 0) {
        // What is behind the new end must not come back when the file grows again.
        if (const int code = load(whole); code != SQLITE_OK) return code;
        std::fill(block_.begin() + rest, block_.end(), std::byte{0});
        if (const int code = store(whole); code != SQLITE_OK) return code;
    }
    const std::size_t blocks = whole + (rest != 0 ? 1 : 0);
    if (seals_.size() > blocks) seals_.resize(blocks);
    size_ = size;
    return VfsFile::truncate(static_cast<sqlite3_int64>(blocks) * kBlock);
}

int ScratchFile::size(sqlite3_int64* out) {
    *out = size_;
    return SQLITE_OK;
}

}  // namespace zona::vault::detail
