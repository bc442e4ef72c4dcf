// The log of changes beside the latest whole backup: what a restore to a chosen moment is made of.
#include <algorithm>

#include <fcntl.h>

#include "core/fault.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/log_ends.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/whole_parts.h"
#include "vault/encrypting_vfs.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

namespace {

SystemTime in_milliseconds(SystemTime time) {
    return std::chrono::floor<std::chrono::milliseconds>(time);
}

/// What a log without a state in memory has, read from its files.
struct Chain {
    LogEnd end;
    PageSums sums;
};
Result<Chain> read_chain(const std::string& image, const vault::DataKeys& keys,
                         std::size_t page_bytes) {
    Chain out{.end = {}, .sums = PageSums(page_bytes)};
    ZONA_TRY(const os::UniqueFd file, os::open_file(image, O_RDONLY));
    ZONA_TRY(const BackupTitle title, read_title(file.get()));
    std::uint64_t at = 0;
    BackupVisitor visitor;
    visitor.pages = [&](std::span<const std::byte> pages) -> Result<void> {
        out.sums.put(at, pages);
        at += pages.size();
        return {};
    };
    ZONA_TRY(const BackupSummary summary, read_backup(file.get(), title, keys, visitor));
    if (summary.content != BackupContent::kImage)
        return Error(Code::kUnsupported, "the whole backup has no image of it; the next one has");
    ZONA_TRY(const auto links, links_until(image, SystemTime::max()));
    ZONA_TRY(out.end, read_log(links, end_of_image(summary), keys,
                               [&](std::uint64_t offset, std::span<const std::byte> pages) {
                                   out.sums.put(offset, pages);
                                   return Result<void>();
                               }));
    return out;
}

/// When a file was written last; of one whose log holds something, 0.
Result<std::int64_t> last_written(const std::string& path) {
    ZONA_TRY(const auto log, os::stat_path(path + "-wal"));
    ZONA_TRY(const auto file, os::stat_path(path));
    return file && !(log && log->size > 0) ? file->mtime_ns : 0;
}

}  // namespace

/// One call of log_changes().
struct TenantOperations::LogWork {
    const Tenants::Parts& parts;
    WholeBackup whole;
    detail::LogEnds ends;
    Steps& steps;
    LogReport report;
    std::optional<Error> failed;

    std::string image(const std::string& name) const {
        return fmt::format("{}/{}.zbk", whole.directory, name);
    }
};

/// Keeps others from changing a tenant's database while it is logged; one that is being changed is
/// not logged: its database must not be opened then.
class TenantOperations::Logging {
  public:
    Logging(TenantOperations& operations, const std::string& code) : operations_(operations) {
        const std::lock_guard lock(operations_.mutex_);
        allowed_ = !operations_.busy_.contains(code);
        if (allowed_) operations_.logging_ = code;
    }
    Logging(const Logging&) = delete;
    Logging& operator=(const Logging&) = delete;
    ~Logging() {
        const std::lock_guard lock(operations_.mutex_);
        operations_.logging_.clear();
        operations_.one_logged_.notify_all();
    }
    bool is_allowed() const { return allowed_; }

  private:
    TenantOperations& operations_;
    bool allowed_ = false;
};

std::unique_lock<std::mutex> TenantOperations::log_turn() {
    ++log_waiting_;
    std::unique_lock lock(log_mutex_);
    --log_waiting_;
    return lock;
}

Result<LogReport> TenantOperations::log_changes(const core::ProgressSink& tell) {
    // A mutex lets whoever has just had it have it again: others would never come to their turn.
    LogReport skipped;
    skipped.has_skipped = true;
    if (log_waiting_ > 0) return skipped;
    const std::unique_lock lock(log_mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return skipped;
    return log_held(tell);
}

Result<LogReport> TenantOperations::log_held(const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const auto latest, latest_whole(options_.backups + "/" + std::string(kAllBackups)));
    if (!latest) return LogReport();
    ZONA_TRY(const auto keys, parts.files->find_keys(kCoreOwner));
    ZONA_TRY(WholeList list, read_list(*latest, *keys));
    ZONA_TRY(auto ends, detail::read_ends(*latest, list.whole.uuid, *keys));
    Steps steps(tell, 1, stopping_);
    LogWork work{.parts = parts,
                 .whole = std::move(list.whole),
                 .ends = std::move(ends),
                 .steps = steps,
                 .report = {},
                 .failed = {}};
    // Links are sealed with keys that may be newer than those beside them.
    ZONA_TRY(const std::string ring, os::read_file(parts.files->ring()));
    const std::string copy = work.whole.directory + "/keys.json";
    ZONA_TRY(const std::string copied, os::read_file(copy));
    if (ring != copied) ZONA_TRY_VOID(os::replace_file(copy, ring, 0600));
    const SystemTime begun = in_milliseconds(deps_.clock.system());
    ZONA_TRY_VOID(log_tenants(work));
    ZONA_TRY_VOID(tidy_ends(work, begun));
    const BackupTitle title{.owner = std::string(kCoreOwner),
                            .id = work.whole.uuid,
                            .made_at = work.whole.made_at,
                            .zona = options_.zona};
    ZONA_TRY_VOID(detail::write_ends(work.whole.directory, title, work.ends, *keys, deps_.random));
    note_written();
    for (const auto& [name, end] : work.ends)
        work.report.until[name] = end.until;
    if (work.failed) return *std::move(work.failed);
    return std::move(work.report);
}

/// One moment for all that were looked at, so that everything can be restored to it; what was
/// erased holds up nobody.
Result<void> TenantOperations::tidy_ends(LogWork& work, SystemTime begun) const {
    const SystemTime now = in_milliseconds(deps_.clock.system());
    for (auto end = work.ends.begin(); end != work.ends.end();) {
        ZONA_TRY(const auto image, os::stat_path(work.image(end->first)));
        if (!image) {
            end = work.ends.erase(end);
            continue;
        }
        if (end->second.until >= begun) end->second.until = std::max(now, end->second.until);
        ++end;
    }
    return {};
}

/// Tenants first, as in a whole backup.
Result<void> TenantOperations::log_tenants(LogWork& work) {
    const auto logged = [&](const std::string& name, Result<void> done) -> Result<void> {
        if (done || done.error().code() == Code::kCancelled) return done;
        logged_.erase(name);
        if (done.error().code() == Code::kUnsupported) return {};
        Error error = done.take_error().context(fmt::format("the log of {}", name));
        deps_.log.report("changes could not be logged", error, {{"owner", name}});
        if (!work.failed) work.failed = std::move(error);
        return {};
    };
    auto tenants = detail::wait_for<std::vector<Tenant>>(
        [&](auto done) { work.parts.registry->list(std::move(done)); });
    if (!tenants) return tenants.take_error();
    const std::string shared = std::string(kSharedImage);
    work.steps.begin("log", tenants->size() + 2, "databases");
    std::uint64_t done = 0;
    for (const Tenant& tenant : *tenants) {
        ZONA_TRY_VOID(work.steps.at(++done));
        const std::string directory = work.parts.databases->directory_of(tenant);
        if (tenant.erased_at || directory.empty()) continue;
        const Logging logging(*this, tenant.code);
        if (!logging.is_allowed()) {
            work.report.has_skipped = true;
            continue;
        }
        ZONA_TRY(const auto image, os::stat_path(work.image(tenant.code)));
        if (!image) {
            if (tenant.status != TenantStatus::kActive) continue;
            ZONA_TRY_VOID(logged(tenant.code, begin_log(work, tenant)));
            continue;
        }
        ZONA_TRY_VOID(logged(tenant.code, log_database(work, tenant.code, tenant.code,
                                                       directory + "/data.db", nullptr)));
    }
    ZONA_TRY(const auto image, os::stat_path(work.image(shared)));
    if (image && !tenants->empty()) {
        auto database = work.parts.sessions->database(tenants->front().code, WhileHeld::kOpen);
        ZONA_TRY_VOID(logged(shared, database ? log_database(work, shared, std::string(kCoreOwner),
                                                             shared_path(work.parts), *database)
                                              : Result<void>(database.error())));
    }
    ZONA_TRY_VOID(work.steps.at(++done));
    return logged(std::string(kCoreOwner),
                  log_database(work, std::string(kCoreOwner), std::string(kCoreOwner),
                               core_path(work.parts), work.parts.core));
}

/// A tenant that the whole backup does not know.
Result<void> TenantOperations::begin_log(LogWork& work, const Tenant& tenant) {
    Logged logged;
    ZONA_TRY(const BackupSummary summary,
             write_backup(work.parts, tenant, work.image(tenant.code), core::Uuid::v4(deps_.random),
                          work.steps, &logged));
    work.ends[tenant.code] = {
        .number = 0, .until = summary.title.made_at, .written = logged.written};
    logged_[tenant.code] = std::move(logged);
    ++work.report.begun;
    return {};
}

/// `database`: null: that of a tenant, which is opened only if there is something to be seen.
Result<void> TenantOperations::log_database(LogWork& work, const std::string& name,
                                            const std::string& owner, const std::string& path,
                                            const std::shared_ptr<store::Database>& database) {
    const SystemTime now = in_milliseconds(deps_.clock.system());
    const std::string image = work.image(name);
    std::optional<Logged> known;
    if (const auto found = logged_.find(name);
        found != logged_.end() && found->second.image == image && found->second.path == path)
        known = found->second;
    std::shared_ptr<store::Database> open = database;
    if (!open && known) open = known->database.lock();
    if (!open) {
        // Nobody has it open: there is something to be seen only if its file says so.
        ZONA_TRY(const std::int64_t written, last_written(path));
        const auto end = work.ends.find(name);
        const auto used = work.parts.sessions->in_use();
        if (end != work.ends.end() && written != 0 && written == end->second.written &&
            std::ranges::find(used, owner) == used.end()) {
            end->second.until = now;
            ++work.report.unchanged;
            return {};
        }
        ZONA_TRY(open, work.parts.sessions->database(owner));
    }
    auto* const file = dynamic_cast<store::SqliteDatabase*>(open.get());
    if (file == nullptr) return {};
    // Another object may have been closed, and its file changed, in between.
    if (known && known->database.lock() != open) known.reset();
    Logged next{.database = open,
                .changes = file->stats().changes,
                .image = image,
                .path = path,
                .end = known ? known->end : LogEnd(),
                .written = known ? known->written : 0};
    const auto reached = [&](const Logged& state, SystemTime until) {
        work.ends[name] = {.number = state.end.number, .until = until, .written = state.written};
    };
    if (known && known->changes == next.changes) {
        reached(*known, now);
        ++work.report.unchanged;
        return {};
    }
    // What goes wrong from here on makes the next time a comparison of all pages.
    logged_.erase(name);
    ZONA_TRY_VOID(file->with_image([&](store::Image& seen) {
        return write_link(work, known ? &*known : nullptr, seen, path, next);
    }));
    reached(next, std::max(now, next.end.moment));
    logged_[name] = std::move(next);
    return {};
}

Result<void> TenantOperations::write_link(LogWork& work, const Logged* known, store::Image& image,
                                          const std::string& path, Logged& next) {
    const std::string owner = owner_of_image(next.image);
    ZONA_TRY(const auto keys, work.parts.files->find_keys(owner));
    auto written = work.parts.files->vfs().take_written(path);
    // Nobody writes the file now.
    ZONA_TRY(const auto file, os::stat_path(path));
    next.written = file ? file->mtime_ns : 0;
    std::vector<std::uint64_t> pages;
    if (known != nullptr && written) {
        pages = *std::move(written);
        std::erase_if(
            pages, [&](std::uint64_t page) { return page >= image.bytes() / image.page_bytes(); });
    } else {
        ZONA_TRY(const Chain chain, read_chain(next.image, *keys, image.page_bytes()));
        next.end = chain.end;
        ZONA_TRY(pages, changed_pages(image, chain.sums));
    }
    if (pages.empty() && image.bytes() == next.end.bytes) {
        ++work.report.unchanged;
        return {};
    }
    const std::uint64_t number = next.end.number + 1;
    ZONA_TRY(NewFile out, NewFile::create(link_file(next.image, number)));
    BackupTitle title{.owner = owner,
                      .id = core::Uuid::v4(deps_.random),
                      .made_at = in_milliseconds(image.moment()),
                      .zona = options_.zona};
    ZONA_TRY(const auto writer, BackupWriter::create_link(out.fd(), title, work.parts.build_type,
                                                          {.base = next.end.base,
                                                           .number = number,
                                                           .previous = next.end.sha256,
                                                           .bytes = image.bytes()},
                                                          *keys, deps_.random));
    ZONA_TRY_VOID(write_pages(image, pages, *writer));
    ZONA_TRY(const BackupSummary summary, writer->finish());
    ZONA_FAULT("tenancy.link_written");
    ZONA_TRY_VOID(out.commit());
    next.end.number = number;
    next.end.sha256 = summary.sha256;
    next.end.bytes = image.bytes();
    next.end.moment = title.made_at;
    ++work.report.written;
    work.report.bytes += summary.bytes;
    return {};
}

/// The image of `name` that reaches to the moment that is asked for: of the backup that is named,
/// or of the latest one that was made before.
Result<std::string> TenantOperations::image_at(const Tenants::Parts& parts, const std::string& name,
                                               const RestoreRequest& request) {
    if (!request.backup.empty()) {
        ZONA_TRY(const std::string directory, whole_directory(request.backup));
        return fmt::format("{}/{}.zbk", directory, name);
    }
    ZONA_TRY(const auto wholes, whole_backups());
    std::string oldest;
    for (const WholeBackup& whole : wholes) {
        std::string image = fmt::format("{}/{}.zbk", whole.directory, name);
        ZONA_TRY(const auto there, os::stat_path(image));
        if (!there) continue;
        ZONA_TRY(const os::UniqueFd file, os::open_file(image, O_RDONLY));
        ZONA_TRY(const BackupTitle title, read_title(file.get()));
        if (title.made_at <= *request.at) return image;
        oldest = std::move(image);
    }
    // It is too young, which whoever reads it will say.
    if (!oldest.empty()) return oldest;
    return Error(Code::kNotFound,
                 fmt::format("no whole backup has a log of {}", parts.build_type == BuildType::kMssp
                                                                    ? request.tenant
                                                                    : "the shared database"))
        .detail({"at", "",
                 "zona backup create makes one, from which a log goes on; zona tenant backups "
                 "shows what else can be restored"});
}

}  // namespace zona::tenancy
