#include "tenancy/backup/backup_copies.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "os/fd.h"
#include "tenancy/detail/operation_parts.h"

namespace zona::tenancy {

namespace fs = std::filesystem;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

/// Files that are written anew under their name; others never change once they have one.
bool may_change(std::string_view name) {
    return name.ends_with("/keys.json") || name.ends_with("/ends.zbk");
}

/// Those that say what else is there come last.
int rank_of(std::string_view name) {
    if (name.ends_with("/whole.zbk")) return 2;
    return name.ends_with("/ends.zbk") ? 1 : 0;
}

/// The names of finished files below `root`, in the order in which they are to be copied.
Result<std::vector<std::string>> finished_in(const std::string& root) {
    std::vector<std::string> out;
    std::error_code failed;
    for (fs::recursive_directory_iterator at(root, failed), end; !failed && at != end;
         at.increment(failed)) {
        const std::string name = at->path().lexically_relative(root).string();
        if (name.ends_with(".tmp")) {
            at.disable_recursion_pending();
            continue;
        }
        std::error_code gone;
        if (at->is_regular_file(gone)) out.push_back(name);
    }
    if (failed) return Error::from_errno(failed.value(), fmt::format("cannot read {}", root));
    std::ranges::sort(out, {},
                      [](const std::string& name) { return std::pair(rank_of(name), name); });
    return out;
}

/// Its size and hash while each piece goes to `take`.
Result<std::string> read_through(const std::string& path,
                                 const std::function<Result<void>(std::string_view)>& take) {
    ZONA_TRY(const os::UniqueFd file, os::open_file(path, O_RDONLY));
    std::vector<std::byte> piece(kPiece);
    crypto::Sha256 hash;
    for (;;) {
        ZONA_TRY(const auto got, os::read_some(file.get(), piece));
        if (!got || *got == 0) break;
        const auto part = std::span(piece).first(*got);
        hash.add(part);
        if (take) ZONA_TRY_VOID(take({reinterpret_cast<const char*>(part.data()), part.size()}));
    }
    return crypto::hex(hash.finish());
}

Result<bool> is_there(const std::string& from, const std::string& to, const std::string& name) {
    ZONA_TRY(const auto here, os::stat_path(from + "/" + name));
    ZONA_TRY(const auto there, os::stat_path(to + "/" + name));
    if (!here) return true;  // deleted meanwhile
    if (!there || there->size != here->size) return false;
    if (!may_change(name)) return true;
    ZONA_TRY(const std::string one, read_through(from + "/" + name, {}));
    ZONA_TRY(const std::string other, read_through(to + "/" + name, {}));
    return one == other;
}

Result<std::uint64_t> copy(const std::string& from, const std::string& to) {
    std::uint64_t bytes = 0;
    ZONA_TRY(NewFile file, NewFile::create(to));
    ZONA_TRY(const std::string read, read_through(from, [&](std::string_view part) {
                 bytes += part.size();
                 return os::write_all(file.fd(), part);
             }));
    ZONA_TRY_VOID(os::sync_data(file.fd()));
    ZONA_TRY(const std::string written, read_through(to + ".tmp", {}));
    if (written != read) {
        return Error(Code::kConflict, fmt::format("the copy {} has SHA-256 {}, and the backup {}",
                                                  to, written, read));
    }
    ZONA_TRY_VOID(file.commit());
    return bytes;
}

}  // namespace

Result<CopyReport> copy_backups(const std::string& from, const std::string& to,
                                const std::function<Result<void>()>& go_on) {
    std::error_code failed;
    if (!fs::is_directory(to, failed)) {
        return Error(Code::kInvalidArgument, fmt::format("{} is no directory", to))
            .detail({"backup.copy_to", "", "mount what it is to be, or make it"});
    }
    if (to == from || to.starts_with(from + "/")) {
        return Error(Code::kInvalidArgument, fmt::format("{} is within the backups themselves", to))
            .detail({"backup.copy_to", "", "give a directory on another disk"});
    }
    CopyReport out;
    ZONA_TRY(const auto there, os::stat_path(from));
    if (!there) return out;
    ZONA_TRY(const auto names, finished_in(from));
    for (const std::string& name : names) {
        ZONA_TRY_VOID(go_on());
        ++out.files;
        ZONA_TRY(const bool copied, is_there(from, to, name));
        if (copied) continue;
        ZONA_TRY(const std::uint64_t bytes, copy(from + "/" + name, to + "/" + name));
        ++out.copied;
        out.bytes += bytes;
    }
    return out;
}

}  // namespace zona::tenancy
