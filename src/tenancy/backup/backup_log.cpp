#include "tenancy/backup/backup_log.h"

#include <algorithm>
#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/time_format.h"
#include "crypto/hash.h"
#include "os/fd.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

namespace {

constexpr std::string_view kSuffix = ".zbk";
/// What is read at once.
constexpr std::size_t kPiece = std::size_t{1} << 20U;

Error broken(const std::string& path, std::uint64_t number, std::string_view what) {
    return Error(Code::kConflict, fmt::format("link {} of a log {}", number, what))
        .detail({path, "", "restore to a moment before it, or to a later backup"});
}

std::optional<std::uint64_t> number_of(std::string_view name) {
    if (!name.ends_with(kSuffix)) return std::nullopt;
    name.remove_suffix(kSuffix.size());
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out);
    if (error != std::errc() || end != name.data() + name.size() || out == 0) return std::nullopt;
    return out;
}

Result<BackupSummary> read_link(const LogFile& link, const LogEnd& before,
                                const vault::DataKeys& keys, const ChangeVisitor& visit) {
    ZONA_TRY(const os::UniqueFd file, os::open_file(link.path, O_RDONLY));
    ZONA_TRY(const BackupTitle title, read_title(file.get()));
    BackupVisitor visitor;
    visitor.head = [&](BuildType, BackupContent content) -> Result<void> {
        if (content == BackupContent::kChanges) return {};
        return broken(link.path, link.number, "is none");
    };
    visitor.link = [&](const LogLink& said) -> Result<void> {
        if (said.base == before.base && said.number == before.number + 1 &&
            said.previous == before.sha256)
            return {};
        return broken(link.path, link.number,
                      "does not go on from the one before: one was left out, changed or exchanged");
    };
    visitor.changes = visit;
    return read_backup(file.get(), title, keys, visitor);
}

}  // namespace

std::string log_directory(const std::string& image) {
    std::string_view name = image;
    if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
    return std::string(name) + ".log";
}

std::string link_file(const std::string& image, std::uint64_t number) {
    return fmt::format("{}/{:08}{}", log_directory(image), number, kSuffix);
}

Result<std::vector<LogFile>> log_files(const std::string& image) {
    std::vector<LogFile> out;
    const std::string directory = log_directory(image);
    ZONA_TRY(const auto there, os::stat_path(directory));
    if (!there) return out;
    ZONA_TRY(const auto names, os::list_directory(directory));
    for (const std::string& name : names) {
        const auto number = number_of(name);
        if (!number) continue;
        LogFile link{.path = directory + "/" + name, .number = *number};
        ZONA_TRY(const os::UniqueFd file, os::open_file(link.path, O_RDONLY));
        auto title = read_title(file.get());
        if (!title) return title.take_error().context(link.path);
        link.moment = title->made_at;
        out.push_back(std::move(link));
    }
    std::ranges::sort(out, {}, &LogFile::number);
    return out;
}

Result<std::vector<LogFile>> links_until(const std::string& image, SystemTime at) {
    ZONA_TRY(std::vector<LogFile> all, log_files(image));
    const auto end =
        std::ranges::find_if(all, [&](const LogFile& link) { return link.moment > at; });
    all.erase(end, all.end());
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].number != i + 1) return broken(link_file(image, i + 1), i + 1, "is missing");
    }
    return all;
}

LogEnd end_of_image(const BackupSummary& image) {
    return {.base = image.title.id,
            .number = 0,
            .sha256 = image.sha256,
            .bytes = image.bytes,
            .moment = image.title.made_at};
}

Result<LogEnd> read_log(std::span<const LogFile> links, const LogEnd& image,
                        const vault::DataKeys& keys, const ChangeVisitor& visit) {
    LogEnd end = image;
    for (const LogFile& link : links) {
        auto summary = read_link(link, end, keys, visit);
        if (!summary)
            return summary.take_error().context(fmt::format("link {} of the log", link.number));
        end.number = link.number;
        end.sha256 = summary->sha256;
        end.bytes = summary->link->bytes;
        end.moment = summary->title.made_at;
    }
    return end;
}

PageSums::Sum PageSums::sum_of(std::span<const std::byte> page) {
    const auto digest = crypto::sha256(page);
    Sum out;
    std::ranges::copy_n(digest.begin(), static_cast<std::ptrdiff_t>(out.size()), out.begin());
    return out;
}

void PageSums::put(std::uint64_t offset, std::span<const std::byte> pages) {
    auto page = static_cast<std::size_t>(offset / page_bytes_);
    for (; pages.size() >= page_bytes_; pages = pages.subspan(page_bytes_), ++page) {
        if (sums_.size() <= page) sums_.resize(page + 1);
        sums_[page] = sum_of(pages.first(page_bytes_));
    }
}

bool PageSums::has(std::uint64_t offset, std::span<const std::byte> page) const {
    const auto number = static_cast<std::size_t>(offset / page_bytes_);
    return number < sums_.size() && sums_[number] == sum_of(page);
}

Result<void> write_pages(store::Image& image, std::span<const std::uint64_t> pages,
                         BackupWriter& writer) {
    const std::size_t size = image.page_bytes();
    std::vector<std::byte> piece(kPiece);
    while (!pages.empty()) {
        // Those that stand side by side.
        std::size_t count = 1;
        while (count < pages.size() && pages[count] == pages[0] + count &&
               (count + 1) * size <= piece.size())
            ++count;
        const std::uint64_t offset = pages[0] * size;
        const auto part = std::span(piece).first(count * size);
        ZONA_TRY_VOID(image.read(part, offset));
        ZONA_TRY_VOID(writer.put_pages(offset, part));
        pages = pages.subspan(count);
    }
    return {};
}

Result<std::vector<std::uint64_t>> changed_pages(store::Image& image, const PageSums& sums) {
    const std::size_t size = image.page_bytes();
    std::vector<std::uint64_t> out;
    std::vector<std::byte> page(size);
    for (std::uint64_t at = 0; at < image.bytes(); at += size) {
        ZONA_TRY_VOID(image.read(page, at));
        if (!sums.has(at, page)) out.push_back(at / size);
    }
    return out;
}

}  // namespace zona::tenancy
