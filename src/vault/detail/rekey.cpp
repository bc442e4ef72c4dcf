#include "vault/detail/rekey.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "os/fd.h"

namespace zona::vault::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

// The file beside the database: a line that says what it is, then page number 8 (little endian) and
// page, again and again. It has its name only when it is whole.
constexpr std::string_view kBeginning = "zona rekey 1\n";
constexpr std::size_t kNumberSize = 8;
constexpr std::size_t kEntrySize = kNumberSize + kPageSize;
constexpr std::size_t kMostBytes = std::size_t{256} << 20U;

using Page = std::array<std::byte, kPageSize>;

Error failed(int code, std::string_view what) {
    return Error(Code::kUnavailable, fmt::format("{}: {}", what, ::sqlite3_errstr(code)));
}

sqlite3_int64 offset_of(std::uint64_t page) {
    return static_cast<sqlite3_int64>(page) * static_cast<sqlite3_int64>(kPageSize);
}

std::size_t clear_of(std::uint64_t page) {
    return page == 0 ? kClearHeader : 0;
}

Opened open_page(PageCipher& cipher, std::uint64_t page, std::span<std::byte> bytes) {
    return cipher.open(BlockKind::kPage, page * kPageSize, clear_of(page), bytes);
}

Result<void> write_page(VfsFile& file, std::uint64_t page, std::span<const std::byte> bytes) {
    const int code = file.write(bytes, offset_of(page));
    return code == SQLITE_OK ? Result<void>{} : failed(code, "a page cannot be written");
}

Result<void> sync(VfsFile& file) {
    const int code = file.sync(SQLITE_SYNC_NORMAL);
    return code == SQLITE_OK ? Result<void>{} : failed(code, "the database cannot be synced");
}

void append_entry(std::string& out, std::uint64_t page, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < kNumberSize; ++i)
        out += static_cast<char>(page >> (8 * i));
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::uint64_t number_of(std::string_view entry) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < kNumberSize; ++i)
        out |= std::uint64_t{static_cast<unsigned char>(entry[i])} << (8 * i);
    return out;
}

/// The page in its new form; the caller holds the lock, so nobody writes it.
Result<void> seal_anew(VfsFile& file, PageCipher& cipher, std::uint64_t page, Page& bytes) {
    const int code = file.read(bytes, offset_of(page));
    if (code != SQLITE_OK) return failed(code, "a page cannot be read");
    const KeyId key = PageCipher::key_of(bytes);
    switch (open_page(cipher, page, bytes)) {
        case Opened::kGood:
            break;
        case Opened::kUnknownKey:
            return Error(Code::kNotFound,
                         fmt::format("page {} is encrypted under key {:08x}, which is not there",
                                     page + 1, std::to_underlying(key)));
        case Opened::kDamaged:
        case Opened::kUnwritten:
            return Error(Code::kConflict, fmt::format("page {} is damaged", page + 1));
    }
    if (!cipher.seal(BlockKind::kPage, page * kPageSize, clear_of(page), bytes))
        return Error(Code::kNotFound, "there is no key to encrypt with");
    return {};
}

/// Writes what stands in the text of the file beside the database; with kTorn only the pages that
/// do not open. Whatever is written was verified to open.
enum class Which : std::uint8_t { kAll, kTorn };

Result<void> write_entries(std::string_view text, VfsFile& file, PageCipher& cipher, Which which) {
    Page bytes;
    for (text.remove_prefix(kBeginning.size()); !text.empty(); text.remove_prefix(kEntrySize)) {
        const std::uint64_t page = number_of(text);
        const auto sealed = std::as_bytes(std::span(text.substr(kNumberSize, kPageSize)));
        if (which == Which::kTorn) {
            const int code = file.read(bytes, offset_of(page));
            if (code == SQLITE_OK && open_page(cipher, page, bytes) == Opened::kGood) continue;
            std::ranges::copy(sealed, bytes.begin());
            if (open_page(cipher, page, bytes) != Opened::kGood) {
                return Error(Code::kConflict,
                             "a page is torn, and its copy does not open with these keys");
            }
        }
        ZONA_TRY_VOID(write_page(file, page, sealed));
    }
    return sync(file);
}

}  // namespace

std::string rekey_path(const std::string& database) {
    return database + "-rekey";
}

Result<bool> rekey_some(const std::string& database, VfsFile& file, PageCipher& cipher,
                        DatabaseState& state, std::size_t most) {
    ZONA_TRY(const KeyId current, cipher.current());
    sqlite3_int64 size = 0;
    if (const int code = file.size(&size); code != SQLITE_OK) return failed(code, "no size");
    const std::uint64_t pages = static_cast<std::uint64_t>(size) / kPageSize;
    std::string text(kBeginning);
    std::uint64_t page = state.next_page;
    Page bytes;
    for (; page < pages && text.size() < kBeginning.size() + most * kEntrySize; ++page) {
        const auto end = std::span(bytes).last<kTrailerSize>();
        const std::uint64_t at = (page + 1) * kPageSize - kTrailerSize;
        const int code = file.read(end, static_cast<sqlite3_int64>(at));
        if (code != SQLITE_OK) return failed(code, "a page cannot be read");
        if (PageCipher::key_of(end) == current) continue;
        ZONA_TRY_VOID(seal_anew(file, cipher, page, bytes));
        append_entry(text, page, bytes);
    }
    if (text.size() > kBeginning.size()) {
        ZONA_TRY_VOID(os::replace_file(rekey_path(database), text, 0600));
        ZONA_TRY_VOID(write_entries(text, file, cipher, Which::kAll));
        ZONA_TRY_VOID(os::remove_file(rekey_path(database)));
        // Durably, before anybody writes one of these pages: an old copy must not come back.
        ZONA_TRY_VOID(os::sync_directory(database.substr(0, database.rfind('/') + 1)));
    }
    const bool done = page >= pages;
    state.next_page = done ? 0 : page;
    return done;
}

Result<void> finish_rekey(const std::string& database, VfsFile& file, PageCipher& cipher) {
    const std::string beside = rekey_path(database);
    const auto text = os::read_file(beside, kMostBytes);
    if (!text) return text.error();
    if (!text->starts_with(kBeginning) || (text->size() - kBeginning.size()) % kEntrySize != 0)
        return Error(Code::kConflict, fmt::format("{} is not what it should be", beside));
    auto written = write_entries(*text, file, cipher, Which::kTorn);
    if (!written) return std::move(written.take_error()).context(beside);
    ZONA_TRY_VOID(os::remove_file(beside));
    return os::sync_directory(database.substr(0, database.rfind('/') + 1));
}

}  // namespace zona::vault::detail
