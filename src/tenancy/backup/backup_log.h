/// @file
/// The log of an image: what has changed in a database file since it was copied, link by link, so
/// that it can be made as it was at each of these moments.
///
/// Beside the image `NAME.zbk` lies a directory `NAME.log` with a file for each link,
/// `00000001.zbk` and so on (backup_format.h). A link names the image, its own number, and the hash
/// of the link before, which stands for all of them: one that is missing, changed, exchanged or of
/// another log is refused by its number. That the last ones are missing shows only in what is kept
/// elsewhere (LogEnd). Source: REL-07, SEC-09, docs/adr/0010-point-in-time.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/sqlite_database.h"
#include "tenancy/backup/backup_format.h"
#include "vault/data_keys.h"

namespace zona::tenancy {

/// The directory of the log of the image in this file.
std::string log_directory(const std::string& image);
/// The file of a link of it.
std::string link_file(const std::string& image, std::uint64_t number);

/// A link that is there, as its title in clear says.
struct LogFile {
    std::string path;
    std::uint64_t number = 0;
    core::SystemTime moment{};  ///< of which it makes the database
};
/// All that are there, by number; of a log that there is not, none. Errors: those of the disk;
/// kConflict: a link without a title.
core::Result<std::vector<LogFile>> log_files(const std::string& image);
/// Those up to a moment, none of them missing. Errors: kConflict, naming the link that is missing.
core::Result<std::vector<LogFile>> links_until(const std::string& image, core::SystemTime at);

/// Where a log has come to.
struct LogEnd {
    core::Uuid base;
    std::uint64_t number = 0;  ///< of the last link; 0: the image itself
    std::string sha256;        ///< of the last link, or of the image
    std::uint64_t bytes = 0;   ///< of the database file then
    core::SystemTime moment{};
};
/// The end of a log without links.
LogEnd end_of_image(const BackupSummary& image);

/// Told the pages of each link in turn.
using ChangeVisitor =
    std::function<core::Result<void>(std::uint64_t offset, std::span<const std::byte> pages)>;
/// Reads links in order; each must go on from the one before, the first from `image`.
/// Errors: kConflict, naming the link: it does not, or is damaged. Those of read_backup() and of
/// `visit`.
core::Result<LogEnd> read_log(std::span<const LogFile> links, const LogEnd& image,
                              const vault::DataKeys& keys, const ChangeVisitor& visit);

/// Hashes of the pages of a database file: 16 bytes of memory for each.
class PageSums {
  public:
    /// `page_bytes`: of each page.
    explicit PageSums(std::size_t page_bytes) : page_bytes_(page_bytes) {}
    /// These pages stand at `offset` now. Precondition: whole pages.
    void put(std::uint64_t offset, std::span<const std::byte> pages);
    /// Whether this page stands at `offset`.
    bool has(std::uint64_t offset, std::span<const std::byte> page) const;

  private:
    using Sum = std::array<std::byte, 16>;
    static Sum sum_of(std::span<const std::byte> page);
    const std::size_t page_bytes_;
    std::vector<Sum> sums_;
};

/// Writes a link: those pages of `image` that may have changed, `pages` counted from 0 and in
/// order. Errors: those of both.
core::Result<void> write_pages(store::Image& image, std::span<const std::uint64_t> pages,
                               BackupWriter& writer);
/// The pages of `image` that are not what `sums` has. Errors: those of reading.
core::Result<std::vector<std::uint64_t>> changed_pages(store::Image& image, const PageSums& sums);

}  // namespace zona::tenancy
