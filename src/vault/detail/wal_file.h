/// @file
/// WalFile: the write-ahead log, frame by frame.
///
/// A frame is a header of 24 bytes (page number, size of the database after a commit, two salts,
/// two checksums) and a page. The first 16 stay clear and are authenticated with the frame; the
/// checksums, which are over the page in clear, are encrypted with it.
///
/// SQLite writes header and page of each frame by themselves. Here they are gathered and written up
/// to a commit in few pieces; what is behind the last commit never reaches anybody. Two rewrites
/// of frames in place, of headers alone and of pages alone, come after SQLite had to empty its
/// cache within a transaction, and are done by reading the frame back.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "vault/detail/page_cipher.h"
#include "vault/detail/vfs_file.h"

namespace zona::vault::detail {

/// Bytes before the first frame; no secret in them.
inline constexpr std::size_t kWalHeaderSize = 32;
/// Bytes of a frame's header.
inline constexpr std::size_t kFrameHeaderSize = 24;
/// Bytes of those that stay clear.
inline constexpr std::size_t kFrameClear = 16;
/// Bytes of a frame.
inline constexpr std::size_t kFrameSize = kFrameHeaderSize + kPageSize;
/// Frames written at once. 32 would be 128 KiB, at which SQLite's unix VFS says "disk full".
inline constexpr std::size_t kMostGathered = 31;

class WalFile final : public VfsFile {
  public:
    WalFile(sqlite3_file* base, PageCipher cipher);

    /// Whether any frame of the log opens with our keys.
    bool has_good_frame();

    int close() override;
    int read(std::span<std::byte> out, sqlite3_int64 offset) override;
    int write(std::span<const std::byte> in, sqlite3_int64 offset) override;
    int truncate(sqlite3_int64 size) override;
    int sync(int flags) override;
    int size(sqlite3_int64* out) override;
    /// Forgets gathered frames: they belong to a transaction that was rolled back, and another
    /// connection may write in their place.
    void write_lock_released() override;

  private:
    using Frame = std::array<std::byte, kFrameSize>;

    int write_log_header(std::span<const std::byte> in);
    int write_page(std::span<const std::byte> in, sqlite3_int64 frame);
    /// Takes the frame in frame_, in clear, to be written at `frame`.
    int gather(sqlite3_int64 frame);
    /// Reads the frame at `frame` into frame_, in clear.
    int load(sqlite3_int64 frame);
    int store(sqlite3_int64 frame);
    int recover(std::span<std::byte> out, sqlite3_int64 frame, int code);
    int settle_header();
    /// Settles everything that SQLite believes written.
    int flush();

    PageCipher cipher_;
    Frame frame_;
    /// A header whose page has not come yet, for the frame at header_at_; -1 is none.
    std::array<std::byte, kFrameHeaderSize> header_{};
    sqlite3_int64 header_at_ = -1;
    /// Sealed frames, one behind the other, for gathered_at_ on; as large as was needed.
    std::vector<std::byte> gathered_;
    std::size_t gathered_frames_ = 0;
    sqlite3_int64 gathered_at_ = 0;
    /// Up to where this connection wrote frames since the log began anew: a frame there that does
    /// not open is damaged and not the end of the log.
    sqlite3_int64 written_to_ = 0;
};

}  // namespace zona::vault::detail
