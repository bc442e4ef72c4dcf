#include <algorithm>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "os/fd.h"
#include "store/sqlite/detail/pieces.h"
#include "store/sqlite_database.h"

namespace zona::store {
namespace {

using core::Code;
using core::Error;
using core::Result;

/// Source: SQLite's file format, "The Database Header".
constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::size_t kHeader = 100;
/// The disk gets so much at a time, while more comes.
constexpr std::uint64_t kMostWaiting = std::uint64_t{8} << 20U;

std::uint32_t big_endian(std::span<const std::byte> at, std::size_t bytes) {
    std::uint32_t out = 0;
    for (const std::byte one : at.first(bytes))
        out = out << 8U | std::to_integer<std::uint32_t>(one);
    return out;
}

class FileWriter final : public ImageWriter {
  public:
    FileWriter(std::string path, os::UniqueFd made, sqlite3_vfs& vfs)
        : path_(std::move(path)),
          made_(std::move(made)),
          storage_(std::make_unique<std::byte[]>(static_cast<std::size_t>(vfs.szOsFile))) {
        std::memset(storage_.get(), 0, static_cast<std::size_t>(vfs.szOsFile));
    }
    ~FileWriter() override {
        if (file()->pMethods != nullptr) file()->pMethods->xClose(file());
    }

    Result<void> open(sqlite3_vfs& vfs) {
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB;
        const int code = vfs.xOpen(&vfs, path_.c_str(), file(), flags, &flags);
        return code == SQLITE_OK ? Result<void>() : failed("open", code);
    }

    Result<void> write(std::span<const std::byte> pages) override {
        if (offset_ == 0) ZONA_TRY_VOID(read_header(pages));
        if (pages.size() % page_ != 0)
            return Error(Code::kInvalidArgument, "a part of a database's image is whole pages");
        ZONA_TRY_VOID(write_at(offset_, pages));
        offset_ += pages.size();
        if (offset_ - begun_ >= kMostWaiting) {
            os::start_writeback(made_.get());
            begun_ = offset_;
        }
        return {};
    }

    Result<void> put(std::uint64_t offset, std::span<const std::byte> pages) override {
        if (page_ == 0 || offset % page_ != 0 || offset > offset_ || pages.size() % page_ != 0)
            return Error(Code::kInvalidArgument, "a part of a database's image is whole pages");
        if (offset == 0) ZONA_TRY_VOID(read_header(pages));
        ZONA_TRY_VOID(write_at(offset, pages));
        offset_ = std::max(offset_, offset + pages.size());
        was_put_ = true;
        return {};
    }

    Result<void> finish() override {
        ZONA_TRY_VOID(cut());
        if (offset_ == 0 || offset_ != std::uint64_t{page_} * pages_) {
            return Error(Code::kConflict,
                         fmt::format("the database has {} bytes, and says that it has {}", offset_,
                                     std::uint64_t{page_} * pages_));
        }
        const int code = file()->pMethods->xSync(file(), SQLITE_SYNC_FULL);
        if (code != SQLITE_OK) return failed("sync", code);
        return os::sync_directory(path_.substr(0, path_.rfind('/')));
    }

    std::uint64_t bytes() const override { return offset_; }

    Result<void> read(std::span<std::byte> into, std::uint64_t offset) override {
        if (page_ == 0 || into.size() % page_ != 0 || offset % page_ != 0 ||
            offset + into.size() > offset_)
            return Error(Code::kInvalidArgument, "a part of a database's image is whole pages");
        const auto read = [this](std::byte* data, int size, sqlite3_int64 at) {
            return file()->pMethods->xRead(file(), data, size, at);
        };
        const int code = detail::for_each_piece(into, offset, read);
        if (code != SQLITE_OK) return failed("read", code).recode(Code::kInternal);
        return {};
    }

  private:
    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> pages) {
        const auto write = [this](const std::byte* data, int size, sqlite3_int64 at) {
            return file()->pMethods->xWrite(file(), data, size, at);
        };
        const int code = detail::for_each_piece(pages, offset, write);
        return code == SQLITE_OK ? Result<void>() : failed("write", code);
    }

    Result<void> cut() {
        const std::uint64_t size = std::uint64_t{page_} * pages_;
        if (!was_put_ || offset_ <= size) return {};
        const int code = file()->pMethods->xTruncate(file(), static_cast<sqlite3_int64>(size));
        if (code != SQLITE_OK) return failed("cut", code);
        offset_ = size;
        return {};
    }

    sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(storage_.get()); }

    Result<void> read_header(std::span<const std::byte> first) {
        const bool named =
            first.size() >= kHeader && std::memcmp(first.data(), kMagic.data(), kMagic.size()) == 0;
        page_ = named ? big_endian(first.subspan(16), 2) : 0;
        if (page_ < 512 || (page_ & (page_ - 1)) != 0)
            return Error(Code::kInvalidArgument, "this is no image of a database");
        pages_ = big_endian(first.subspan(28), 4);
        return {};
    }

    Error failed(std::string_view what, int code) const {
        const auto kind = (code & 0xFF) == SQLITE_FULL || code == SQLITE_IOERR_WRITE
                              ? Code::kResourceExhausted
                              : Code::kUnavailable;
        return {kind, fmt::format("cannot {} {}: {}", what, path_, sqlite3_errstr(code))};
    }

    const std::string path_;
    const os::UniqueFd made_;  // beside SQLite's: it holds no locks that closing this would lose
    const std::unique_ptr<std::byte[]> storage_;  // as large as the VFS wants
    std::uint64_t offset_ = 0;
    std::uint64_t begun_ = 0;  // up to where the disk was told to write
    std::size_t page_ = 0;
    std::uint32_t pages_ = 0;
    bool was_put_ = false;
};

}  // namespace

Result<std::unique_ptr<ImageWriter>> ImageWriter::create(const std::string& path,
                                                         const std::string& vfs) {
    sqlite3_vfs* const found = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
    if (found == nullptr)
        return Error(Code::kInvalidArgument, fmt::format("there is no SQLite VFS '{}'", vfs));
    ZONA_TRY(const auto there, os::stat_path(path));
    if (there) return Error(Code::kConflict, fmt::format("{} is there already", path));
    ZONA_TRY(os::UniqueFd made, os::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    auto writer = std::make_unique<FileWriter>(path, std::move(made), *found);
    ZONA_TRY_VOID(writer->open(*found));
    return std::unique_ptr<ImageWriter>(std::move(writer));
}

}  // namespace zona::store
