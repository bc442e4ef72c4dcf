#include "tenancy/operations/tenant_operations.h"

#include <algorithm>
#include <filesystem>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fcntl.h>

#include "core/fault.h"
#include "tenancy/compliance.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/second_thread.h"
#include "vault/encrypting_vfs.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// What is read, sealed and written at once.
constexpr std::size_t kPiece = std::size_t{256} << 10U;

/// Whether a move to MongoDB has not come to its end.
bool is_unfinished_there(const Tenants::Parts& parts, const TenantWork& work) {
    if (!is_mongo_host(work.to.host)) return false;
    const auto tenant = detail::wait_for<std::optional<Tenant>>(
        [&](auto done) { parts.registry->find(work.tenant, std::move(done)); });
    return tenant && *tenant &&
           ((*tenant)->database.host != work.to.host || (*tenant)->database.name != work.to.name);
}

bool is_embedded_file(const Tenants::Parts& parts, const Tenant& tenant) {
    return !parts.databases->directory_of(tenant).empty();
}

}  // namespace

Result<NewFile> NewFile::create(std::string path) {
    ZONA_TRY_VOID(os::make_directories(path.substr(0, path.rfind('/')), 0700));
    ZONA_TRY(os::UniqueFd fd,
             os::open_file(path + ".tmp", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    return NewFile(std::move(fd), std::move(path));
}

NewFile::~NewFile() {
    if (!fd_.valid()) return;
    if (!os::remove_file(temporary())) return;  // resume() takes it away
}

Result<std::uint64_t> NewFile::commit() {
    ZONA_TRY_VOID(os::sync_data(fd_.get()));
    ZONA_TRY(const os::FileStat status, os::stat_fd(fd_.get()));
    ZONA_FAULT("tenancy.backup_written");
    ZONA_TRY_VOID(os::rename_file(temporary(), path_));
    fd_.reset();
    ZONA_TRY_VOID(os::sync_directory(path_.substr(0, path_.rfind('/'))));
    ZONA_FAULT("tenancy.backup_named");
    return status.size;
}

Result<void> remove_tree(const std::string& path) {
    std::error_code failed;
    std::filesystem::remove_all(path, failed);
    if (failed) return Error::from_errno(failed.value(), fmt::format("cannot remove {}", path));
    const std::string parent = path.substr(0, path.rfind('/'));
    ZONA_TRY(const auto there, os::stat_path(parent));
    return there ? os::sync_directory(parent) : Result<void>();
}

Result<void> read_snapshot(store::Database& database,
                           const std::function<Result<void>(store::Reader&)>& read) {
    if (auto* file = dynamic_cast<store::SqliteDatabase*>(&database))
        return file->with_snapshot([&](store::Reader& reader) { return read(reader); });
    auto done = store::read_and_wait(database, [&](store::Reader& reader) -> Result<int> {
        ZONA_TRY_VOID(read(reader));
        return 0;
    });
    if (!done) return done.take_error();
    return {};
}

TenantOperations::TenantOperations(OperationsOptions options, OperationsDeps deps)
    : options_(std::move(options)), deps_(std::move(deps)), run_(core::Uuid::v4(deps_.random)) {}

TenantOperations::~TenantOperations() = default;

void TenantOperations::stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
}

Result<Tenant> TenantOperations::tenant_of(const Tenants::Parts& parts,
                                           const std::string& code) const {
    auto found = detail::wait_for<std::optional<Tenant>>(
        [&](auto done) { parts.registry->find(code, std::move(done)); });
    if (!found) return found.take_error();
    if (*found) return **std::move(found);
    return Error(Code::kNotFound, fmt::format("there is no tenant '{}'", code));
}

Result<TenantOperations::Busy> TenantOperations::occupy(const std::string& code) {
    std::unique_lock lock(mutex_);
    if (!busy_.insert(code).second) {
        return Error(Code::kConflict,
                     fmt::format("another operation is under way with the tenant {}", code))
            .detail({"tenant", "", "wait for its end (zona execution list)"});
    }
    // It is not logged again from now on; what is being logged is over soon, and whoever changes
    // the database must not find it open.
    one_logged_.wait(lock, [&] { return logging_ != code; });
    return Busy(*this, code);
}

bool TenantOperations::is_busy(const std::string& code) const {
    const std::lock_guard lock(mutex_);
    return busy_.contains(code);
}

Result<void> TenantOperations::check_left_to_us(const Tenants::Parts& parts,
                                                const Tenant& tenant) const {
    if (parts.instance.empty()) return {};
    if (tenant.status == TenantStatus::kActive) {
        return Error(Code::kConflict,
                     fmt::format("the tenant {} is served, by other hosts too", tenant.code))
            .detail({"tenant", "", "suspend it first: zona tenant suspend " + tenant.code});
    }
    ZONA_TRY_VOID(works_of(parts).own(tenant.code, parts.instance));
    return {};
}

Result<void> TenantOperations::wait_for_others(const Tenants::Parts& parts, const Tenant& tenant,
                                               Steps& steps) {
    if (parts.instance.empty()) return {};
    steps.begin("wait for the other hosts",
                static_cast<std::uint64_t>(parts.others_time / std::chrono::seconds(1)), "seconds");
    {
        // They see the change, or serve nobody any more, and what they had begun is over, making it
        // active included.
        std::unique_lock lock(mutex_);
        const auto until = std::chrono::steady_clock::now() + parts.others_time;
        stopped_.wait_until(lock, until, [this] { return stopping_.load(); });
        if (stopping_) return Error(Code::kCancelled, "zona is stopping");
    }
    ZONA_TRY_VOID(works_of(parts).own(tenant.code, parts.instance));
    ZONA_TRY(const Tenant after, tenant_of(parts, tenant.code));
    const bool is_same = after.status == tenant.status &&
                         after.database.host == tenant.database.host &&
                         after.database.name == tenant.database.name;
    if (is_same) return {};
    return Error(Code::kConflict,
                 fmt::format("another host has changed the tenant {} meanwhile", tenant.code))
        .detail({"tenant", "", "ask again while it is suspended"});
}

std::string TenantOperations::new_name() {
    return "d" + core::Uuid::v4(deps_.random).to_string().substr(0, 8);
}

std::string TenantOperations::scratch_name(const Tenants::Parts& parts) const {
    return fmt::format("{}/scratch/{}-{}", parts.directory, run_.to_string(),
                       core::Uuid::v4(deps_.random).to_string());
}

namespace {

/// Where several hosts have one ring: whether a backup under this key can be opened, which none of
/// them has forgotten.
Result<void> check_key(const Tenants::Parts& parts, const std::string& owner, vault::KeyId key) {
    if (parts.instance.empty()) return {};
    ZONA_TRY_VOID(parts.files->key_ring().follow());
    ZONA_TRY(const auto keys, parts.files->find_keys(owner));
    auto found = keys->get(key);
    if (found) return {};
    return found.take_error().context(
        "the backup took so long that another host has forgotten its key meanwhile");
}

}  // namespace

Result<BackupRecord> TenantOperations::back_up_tenant(const std::string& code,
                                                      const core::ProgressSink& tell,
                                                      std::optional<core::Uuid> id) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const Tenant tenant, tenant_of(parts, code));
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    if (id) {
        ZONA_TRY(const auto made, backups(tenant.code));
        const auto there = std::ranges::find(made, *id, &BackupRecord::uuid);
        if (there != made.end()) return *there;
    }
    if (tenant.erased_at)
        return Error(Code::kConflict, fmt::format("the tenant {} was erased", tenant.code));
    ZONA_TRY_VOID(os::make_directories(options_.backups, 0700));
    Steps steps(tell, 1, stopping_);
    BackupRecord record{.uuid = id ? *id : core::Uuid::v4(deps_.random),
                        .tenant = tenant.code,
                        .name = tenant.name,
                        .status = tenant.status,
                        .connection_status = tenant.connection_status,
                        .database = tenant.database,
                        .zona = options_.zona};
    record.database.password = {};
    record.file = fmt::format("{}/{}.zbk", tenant.code, record.uuid.to_string());
    ZONA_TRY(const auto keys, parts.files->keys(tenant.code));
    ZONA_TRY(const vault::KeyId key, keys->current());
    ZONA_TRY(const BackupSummary summary,
             write_backup(parts, tenant, path_of(record.file), record.uuid, steps));
    note_written();
    ZONA_TRY(const auto status, os::stat_path(path_of(record.file)));
    record.made_at = summary.title.made_at;
    record.content = summary.content;
    record.documents = summary.documents;
    record.bytes = status ? status->size : 0;
    record.sha256 = summary.sha256;
    ZONA_TRY(record, BackupRecords(parts.core, deps_.clock).add(record));
    // From now on a rotation elsewhere sees that the key is needed.
    if (auto opens = check_key(parts, tenant.code, key); !opens) {
        ZONA_TRY_VOID(remove_backup(tenant.code, record.uuid.to_string()));
        return opens.take_error();
    }
    if (auto kept = keep_newest(tenant); !kept)
        deps_.log.report("old backups could not be deleted", kept.error());
    return record;
}

Result<BackupSummary> TenantOperations::write_backup(const Tenants::Parts& parts,
                                                     const Tenant& tenant, const std::string& path,
                                                     const core::Uuid& id, Steps& steps,
                                                     Logged* logged) {
    ZONA_TRY(const auto database, exact_database(parts, tenant));
    ZONA_TRY(const auto keys, parts.files->keys(tenant.code));
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    auto* const file = is_embedded_file(parts, tenant)
                           ? dynamic_cast<store::SqliteDatabase*>(database.get())
                           : nullptr;
    const auto content = file != nullptr ? BackupContent::kImage : BackupContent::kDocuments;
    ZONA_TRY(NewFile out, NewFile::create(path));
    std::unique_ptr<BackupWriter> writer;
    const auto begin = [&](core::SystemTime moment) -> Result<void> {
        BackupTitle title{.owner = tenant.code,
                          .id = id,
                          .made_at = std::chrono::floor<std::chrono::milliseconds>(moment),
                          .zona = options_.zona};
        ZONA_TRY(writer, BackupWriter::create(out.fd(), std::move(title), parts.build_type, content,
                                              *keys, deps_.random));
        return {};
    };
    const Specs specs = tenant_collections();
    if (file != nullptr && logged != nullptr) {
        *logged = {.database = database,
                   .changes = file->stats().changes,
                   .image = path,
                   .path = parts.databases->directory_of(tenant) + "/data.db",
                   .end = {}};
    }
    const auto add_image = [&](store::Image& image) -> Result<void> {
        if (logged != nullptr) ZONA_TRY_VOID(note_image(parts, *logged));
        ZONA_TRY_VOID(begin(image.moment()));
        return copy_image(image, *writer, specs, scope, steps);
    };
    const auto now = deps_.clock.system();
    const auto copy_documents = [&](store::Reader& reader) -> Result<void> {
        ZONA_TRY_VOID(begin(now));
        ZONA_TRY(const std::uint64_t total, count_all(reader, specs, scope));
        steps.begin("copy", total, "documents");
        std::uint64_t done = 0;
        for (const store::CollectionSpec* spec : specs) {
            ZONA_TRY_VOID(writer->begin_collection(spec->name, spec->version));
            ZONA_TRY_VOID(for_each_record(reader, store::Collection(*spec, scope),
                                          [&](const store::Record& record) -> Result<void> {
                                              ZONA_TRY_VOID(writer->add(record));
                                              return steps.at(++done);
                                          }));
        }
        return {};
    };
    ZONA_TRY_VOID(file != nullptr ? file->with_image(add_image)
                                  : read_snapshot(*database, copy_documents));
    ZONA_TRY(BackupSummary summary, writer->finish());
    ZONA_TRY_VOID(out.commit());
    if (logged != nullptr) logged->end = end_of_image(summary);
    return summary;
}

/// The log of the image that is looked at goes on from what is written after this.
Result<void> TenantOperations::note_image(const Tenants::Parts& parts, Logged& logged) {
    (void)parts.files->vfs().take_written(logged.path);
    ZONA_TRY(const auto file, os::stat_path(logged.path));
    logged.written = file ? file->mtime_ns : 0;
    return {};
}

Result<void> TenantOperations::copy_image(store::Image& image, BackupWriter& writer,
                                          const Specs& specs, const store::Scope& scope,
                                          Steps& steps) {
    for (const store::CollectionSpec* spec : specs) {
        ZONA_TRY(const std::uint64_t documents, count_all(image.reader(), {spec}, scope));
        writer.count({.name = spec->name, .documents = documents, .sha256 = {}});
    }
    steps.begin("copy", image.bytes(), "bytes");
    detail::SecondThread sealing(
        [&](std::span<const std::byte> pages) { return writer.add_pages(pages); });
    for (std::uint64_t at = 0; at < image.bytes();) {
        const auto size = std::min<std::uint64_t>(kPiece, image.bytes() - at);
        ZONA_TRY(const auto part, sealing.next(size));
        ZONA_TRY_VOID(image.read(part, at));
        sealing.hand_over();
        at += size;
        ZONA_TRY_VOID(steps.at(at));
    }
    return sealing.finish();
}

/// It is to be copied.
void TenantOperations::note_written() const {
    if (deps_.copies != nullptr) deps_.copies->note_change();
}

Result<void> TenantOperations::keep_newest(const Tenant& tenant) {
    std::size_t keep = options_.keep;
    ZONA_TRY(const Compliance own, Compliance::parse(*tenant.compliance_settings));
    if (own.backups_kept) keep = static_cast<std::size_t>(*own.backups_kept);
    if (keep == 0) return {};
    ZONA_TRY(const auto all, backups(tenant.code));
    for (std::size_t i = keep; i < all.size(); ++i)
        ZONA_TRY_VOID(remove_backup(tenant.code, all[i].uuid.to_string()));
    return {};
}

Result<std::vector<BackupRecord>> TenantOperations::backups(const std::string& code) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(auto out, BackupRecords(parts.core, deps_.clock).list(code));
    if (deps_.copies == nullptr) return out;
    for (BackupRecord& record : out)
        record.copied_at = deps_.copies->copied_at(record.file);
    return out;
}

Result<void> TenantOperations::remove_backup(const std::string& code, const std::string& uuid) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    const BackupRecords records(parts.core, deps_.clock);
    ZONA_TRY(const auto all, records.list(code));
    for (const BackupRecord& record : all) {
        if (record.uuid.to_string() != uuid) continue;
        ZONA_TRY_VOID(note_removal(record.file));
        ZONA_TRY_VOID(os::remove_file(path_of(record.file)));
        return records.remove(record.id);
    }
    return Error(Code::kNotFound, fmt::format("the tenant {} has no backup {}", code, uuid));
}

Result<TenantOperations::Opened> TenantOperations::open_backup(const Tenants::Parts& parts,
                                                               const std::string& owner,
                                                               const std::string& backup) {
    std::string path = backup;
    if (!path.starts_with('/')) {
        ZONA_TRY(const core::Uuid id, core::Uuid::parse(backup));
        ZONA_TRY(const auto all, BackupRecords(parts.core, deps_.clock).list(owner));
        const auto found = std::ranges::find(all, id, &BackupRecord::uuid);
        if (found == all.end()) {
            return Error(Code::kNotFound,
                         fmt::format("the tenant {} has no backup {}", owner, id.to_string()));
        }
        path = path_of(found->file);
    }
    Opened out;
    ZONA_TRY(out.file, os::open_file(path, O_RDONLY));
    out.path = std::move(path);
    ZONA_TRY(const os::FileStat status, os::stat_fd(out.file.get()));
    out.bytes = status.size;
    ZONA_TRY(out.title, read_title(out.file.get()));
    if (out.title.owner != owner) {
        return Error(Code::kConflict,
                     fmt::format("the backup is of {}, and not of {}", out.title.owner, owner))
            .detail({"", "one tenant's backup is not restored as another's",
                     "name the tenant that it is of, if you mean it"});
    }
    auto keys = parts.files->find_keys(owner);
    if (!keys) {
        return keys.take_error()
            .context(
                fmt::format("the keys of {}, which its backups open with, are not here", owner))
            .detail({"", "",
                     "bring back state/keys.json, and the root key, of the installation "
                     "that made it"});
    }
    out.keys = *std::move(keys);
    return out;
}

Result<BackupSummary> TenantOperations::verify(const std::string& code, const std::string& backup,
                                               const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    Steps steps(tell, 1, stopping_);
    ZONA_TRY(const Opened opened, open_backup(parts, code, backup));
    steps.begin("read", opened.bytes, "bytes");
    BackupVisitor visitor;
    // Each document is looked at, too.
    visitor.record = [](const store::Record&) -> Result<void> { return {}; };
    visitor.progress = [&](std::uint64_t bytes) { return steps.at(bytes); };
    return read_backup(opened.file.get(), opened.title, *opened.keys, visitor);
}

Result<void> TenantOperations::resume() {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const auto works, works_of(parts).under_way());
    for (const TenantWork& work : works) {
        // Another host is at it.
        if (work.instance != parts.instance) continue;
        deps_.log.warn("something was not finished with a tenant", {{"tenant", work.tenant}});
        // A copy in MongoDB waits for the move to be asked for again.
        if (work.kind == TenantWork::Kind::kMove && is_unfinished_there(parts, work)) continue;
        const auto done =
            work.kind == TenantWork::Kind::kErase
                ? erase(work.tenant, work.name == "keep" ? Backups::kKeep : Backups::kErase)
                : clean_up(parts, work);
        if (!done) deps_.log.report("it could not be finished", done.error());
    }
    const std::string scratch = parts.directory + "/scratch";
    ZONA_TRY(const auto left, os::stat_path(scratch));
    const auto names = left ? os::list_directory(scratch) : std::vector<std::string>();
    if (!names) return names.error();
    for (const std::string& name : *names) {
        if (!name.starts_with(run_.to_string())) ZONA_TRY_VOID(remove_tree(scratch + "/" + name));
    }
    const auto lock = log_turn();
    return remove_nameless(options_.backups);
}

/// Backups and links that never got their name.
Result<void> TenantOperations::remove_nameless(const std::string& directory) {
    ZONA_TRY(const auto there, os::stat_path(directory));
    if (!there) return {};
    ZONA_TRY(const auto names, os::list_directory(directory));
    for (const std::string& name : names) {
        const std::string path = directory + "/" + name;
        if (name.ends_with(".tmp")) {
            ZONA_TRY_VOID(remove_tree(path));
        } else if (!name.ends_with(".zbk") && std::filesystem::is_directory(path)) {
            ZONA_TRY_VOID(remove_nameless(path));
        }
    }
    return {};
}

}  // namespace zona::tenancy
