/// @file
/// Sealed files: streams of bytes on a disk or elsewhere, encrypted and authenticated in order.
///
/// For what is no database: blobs, spools, backups. The content is cut into chunks of 64 KiB, each
/// sealed with its number and with whether it is the last one; so a reader notices when a chunk was
/// changed, exchanged, left out, put in from another file, or when the end is missing, and it gives
/// out nothing before it knows. Format: docs/adr/0008-encrypted-files.md. Source: SEC-04, SEC-09.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/random.h"
#include "core/result.h"
#include "vault/data_keys.h"

namespace zona::vault {

/// Writes one sealed file from its beginning to its end. One thread at a time.
class SealedWriter {
  public:
    /// Writes the header to `fd`, which stays the caller's and outlives the object; a file, pipe or
    /// socket that blocks. `purpose` says what the file is and whose, "backup|acme|2026-03-01": a
    /// reader has to name the same one. It is not stored.
    /// Errors: kNotFound when the tenant's keys were erased; those of writing.
    static core::Result<SealedWriter> create(int fd, const DataKeys& keys, std::string_view purpose,
                                             core::Random& random);
    SealedWriter(SealedWriter&&) noexcept;
    SealedWriter& operator=(SealedWriter&&) noexcept;
    /// Without finish() the file has no end, and no reader takes it.
    ~SealedWriter();

    /// Adds content; up to 64 KiB wait in memory for more.
    /// Errors: from errno, kTooLarge beyond 2^32 chunks (256 TiB); the file cannot be finished
    /// then.
    core::Result<void> write(std::span<const std::byte> content);
    /// Writes the last chunk. The caller syncs the file and gives it its name. Once.
    /// Errors: as of write(); kConflict after an error or a second time.
    core::Result<void> finish();

  private:
    struct Body;
    explicit SealedWriter(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

/// Reads one sealed file from its beginning to its end. One thread at a time.
class SealedReader {
  public:
    /// Reads the header from `fd`, which stays the caller's and outlives the object; a file, pipe
    /// or socket that blocks. Errors: kConflict for what is no sealed file or of a newer format,
    /// kNotFound, naming it, when its key is not there; those of reading. Whether `purpose` is the
    /// right one shows with read().
    static core::Result<SealedReader> open(int fd, const DataKeys& keys, std::string_view purpose);
    SealedReader(SealedReader&&) noexcept;
    SealedReader& operator=(SealedReader&&) noexcept;
    ~SealedReader();

    /// The next content, at least a byte unless `into` is empty; 0 is the end, and then everything
    /// was there. What was given out is genuine; that it is all of it is known only at the end.
    /// Errors: kConflict for a file that was changed, cut, lengthened, or is of another purpose,
    /// key or tenant; those of reading. An error stays.
    core::Result<std::size_t> read(std::span<std::byte> into);
    /// The key that the file is encrypted under.
    KeyId key() const;

  private:
    struct Body;
    explicit SealedReader(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

}  // namespace zona::vault
