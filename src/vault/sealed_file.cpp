#include "vault/sealed_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "os/fd.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;

// Header: magic 8 (its last byte is the format), key id 4, chunk size 4 (both little endian), salt
// 32. Then chunks of that size, each with its tag behind it; the last one may be shorter or empty.
constexpr std::array<char, 8> kMagic{'z', 'o', 'n', 'a', 's', 'f', '\n', '\1'};
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kHeaderSize = kMagic.size() + 4 + 4 + kSaltSize;
constexpr std::uint32_t kChunk = 64U << 10U;
constexpr std::uint64_t kMostChunks = std::uint64_t{1} << 32U;

using Header = std::array<std::byte, kHeaderSize>;

void put32(std::span<std::byte> at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
        at[i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint32_t get32(std::span<const std::byte> at) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i)
        out |= std::to_integer<std::uint32_t>(at[i]) << (8 * i);
    return out;
}

/// The key of one file: no two have the same salt, so nonces may count.
crypto::Aes256Gcm cipher_for(const crypto::Key& key, const Header& header) {
    return crypto::Aes256Gcm(
        crypto::derive_key(key, std::span(header).last<kSaltSize>(), "zona sealed file 1"));
}

/// The place of a chunk, STREAM: its number, and whether it is the last. Source: Hoang,
/// Reyhanitabar, Rogaway, Vizar, Online authenticated encryption, 2015.
crypto::Nonce nonce_of(std::uint64_t chunk, bool last) {
    crypto::Nonce out{};
    put32(std::span(out).first<4>(), static_cast<std::uint32_t>(chunk));
    out.back() = std::byte{last};
    return out;
}

std::vector<std::byte> associated_data(const Header& header, std::string_view purpose) {
    std::vector<std::byte> out(header.begin(), header.end());
    const auto bytes = std::as_bytes(std::span(purpose));
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

/// Reads until `into` is full or the input ends. How much was read.
Result<std::size_t> read_full(int fd, std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
        ZONA_TRY(const auto got, os::read_some(fd, into.subspan(done)));
        if (!got) return Error(Code::kInvalidArgument, "a sealed file is read from what blocks");
        if (*got == 0) break;
        done += *got;
    }
    return done;
}

}  // namespace

struct SealedWriter::Body {
    /// Seals what is gathered as the chunk `number` and writes it.
    Result<void> flush(bool last) {
        const std::span<std::byte> text = std::span(buffer).first(used);
        const crypto::Tag tag = cipher.seal(nonce_of(number, last), associated, text, text);
        std::ranges::copy(tag, buffer.begin() + static_cast<std::ptrdiff_t>(used));
        const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()),
                                     used + tag.size());
        used = 0;
        ++number;
        auto written = os::write_all(fd, bytes);
        ended = last || !written;
        return written;
    }

    int fd;
    std::vector<std::byte> associated;
    crypto::Aes256Gcm cipher;
    std::vector<std::byte> buffer = std::vector<std::byte>(kChunk + crypto::kTagSize);
    std::size_t used = 0;
    std::uint64_t number = 0;
    bool ended = false;  ///< finished, or broken by an error

    ~Body() { crypto::wipe(buffer); }
};

SealedWriter::SealedWriter(std::unique_ptr<Body> body) : body_(std::move(body)) {}
SealedWriter::SealedWriter(SealedWriter&&) noexcept = default;
SealedWriter& SealedWriter::operator=(SealedWriter&&) noexcept = default;
SealedWriter::~SealedWriter() = default;

Result<SealedWriter> SealedWriter::create(int fd, const DataKeys& keys, std::string_view purpose,
                                          core::Random& random) {
    ZONA_TRY(const KeyId id, keys.current());
    ZONA_TRY(const crypto::Key key, keys.get(id));
    Header header;
    const auto at = std::ranges::copy(std::as_bytes(std::span(kMagic)), header.begin()).out;
    put32(std::span(at, 4), std::to_underlying(id));
    put32(std::span(at + 4, 4), kChunk);
    random.fill(std::span(header).last<kSaltSize>());
    ZONA_TRY_VOID(os::write_all(
        fd, std::string_view(reinterpret_cast<const char*>(header.data()), header.size())));
    return SealedWriter(
        std::unique_ptr<Body>(new Body{.fd = fd,
                                       .associated = associated_data(header, purpose),
                                       .cipher = cipher_for(key, header)}));
}

Result<void> SealedWriter::write(std::span<const std::byte> content) {
    if (body_->ended) return Error(Code::kConflict, "the sealed file has ended");
    while (!content.empty()) {
        // A full chunk waits for more: only then is it known not to be the last.
        if (body_->used == kChunk) {
            if (body_->number + 1 >= kMostChunks) {
                body_->ended = true;
                return Error(Code::kTooLarge, "a sealed file holds at most 256 TiB");
            }
            ZONA_TRY_VOID(body_->flush(false));
        }
        const std::size_t count = std::min(content.size(), kChunk - body_->used);
        std::memcpy(body_->buffer.data() + body_->used, content.data(), count);
        body_->used += count;
        content = content.subspan(count);
    }
    return {};
}

Result<void> SealedWriter::finish() {
    if (body_->ended) return Error(Code::kConflict, "the sealed file has ended");
    return body_->flush(true);
}

struct SealedReader::Body {
    static Error damaged(std::uint64_t chunk) {
        return Error(
            Code::kConflict,
            fmt::format("the sealed file does not open in chunk {}: it was changed or cut, "
                        "or is of another purpose or tenant",
                        chunk + 1));
    }

    /// The next chunk into `text`, and a byte of the one behind it, which says that there is one.
    Result<void> next_chunk() {
        if (number >= kMostChunks) return damaged(number);
        std::size_t have = 0;
        if (ahead) buffer[have++] = *ahead;
        ZONA_TRY(const std::size_t got, read_full(fd, std::span(buffer).subspan(have)));
        const std::size_t there = have + got;
        last = there < buffer.size();
        const std::size_t sealed = std::min<std::size_t>(there, chunk + crypto::kTagSize);
        if (sealed < crypto::kTagSize) return damaged(number);
        if (!last) ahead = buffer.back();
        const std::span<std::byte> bytes = std::span(buffer).first(sealed - crypto::kTagSize);
        crypto::Tag tag;
        std::copy_n(buffer.begin() + std::ssize(bytes), tag.size(), tag.begin());
        if (!cipher.open(nonce_of(number, last), associated, bytes, tag, bytes))
            return damaged(number);
        ++number;
        text = bytes;
        return {};
    }

    int fd;
    KeyId key;
    std::uint32_t chunk;
    std::vector<std::byte> associated;
    crypto::Aes256Gcm cipher;
    std::vector<std::byte> buffer;  ///< a chunk, its tag, and one byte more
    std::span<std::byte> text;      ///< in buffer: opened, not given out
    std::optional<std::byte> ahead;
    std::uint64_t number = 0;
    bool last = false;
    std::optional<Error> failed;

    ~Body() { crypto::wipe(buffer); }
};

SealedReader::SealedReader(std::unique_ptr<Body> body) : body_(std::move(body)) {}
SealedReader::SealedReader(SealedReader&&) noexcept = default;
SealedReader& SealedReader::operator=(SealedReader&&) noexcept = default;
SealedReader::~SealedReader() = default;

Result<SealedReader> SealedReader::open(int fd, const DataKeys& keys, std::string_view purpose) {
    Header header;
    ZONA_TRY(const std::size_t got, read_full(fd, header));
    const auto magic = std::as_bytes(std::span(kMagic));
    if (got != header.size() || !std::equal(magic.begin(), magic.end() - 1, header.begin()))
        return Error(Code::kConflict, "this is no sealed file");
    if (header[kMagic.size() - 1] != magic.back())
        return Error(Code::kConflict, "the sealed file is in a format of another zona");
    const KeyId id{get32(std::span(header).subspan<kMagic.size(), 4>())};
    const std::uint32_t chunk = get32(std::span(header).subspan<kMagic.size() + 4, 4>());
    // The size is a part of the format; another one would let a stranger choose our memory.
    if (chunk != kChunk) return Error(Code::kConflict, "the sealed file's header is damaged");
    ZONA_TRY(const crypto::Key key, keys.get(id));
    return SealedReader(std::unique_ptr<Body>(
        new Body{.fd = fd,
                 .key = id,
                 .chunk = chunk,
                 .associated = associated_data(header, purpose),
                 .cipher = cipher_for(key, header),
                 .buffer = std::vector<std::byte>(std::size_t{chunk} + crypto::kTagSize + 1)}));
}

Result<std::size_t> SealedReader::read(std::span<std::byte> into) {
    if (body_->failed) return *body_->failed;
    if (into.empty()) return 0;
    while (body_->text.empty()) {
        if (body_->last) return 0;
        if (auto opened = body_->next_chunk(); !opened) {
            body_->failed = opened.take_error();
            return *body_->failed;
        }
    }
    const std::size_t count = std::min(into.size(), body_->text.size());
    std::memcpy(into.data(), body_->text.data(), count);
    body_->text = body_->text.subspan(count);
    return count;
}

KeyId SealedReader::key() const {
    return body_->key;
}

}  // namespace zona::vault
