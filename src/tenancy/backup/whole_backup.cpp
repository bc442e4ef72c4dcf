#include "tenancy/backup/whole_backup.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fcntl.h>

#include "core/fault.h"
#include "core/time_format.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/backup_fields.h"
#include "tenancy/detail/log_ends.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/sealed_note.h"
#include "tenancy/detail/second_thread.h"
#include "tenancy/detail/whole_parts.h"
#include "tenancy/operations/tenant_operations.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using detail::number_in;
using detail::text_in;

namespace {

constexpr std::string_view kCore = kCoreOwner;
constexpr std::string_view kAll = kAllBackups;

std::string list_text(const WholeList& list) {
    json::array members;
    for (const WholeMember& member : list.members) {
        members.push_back(
            {{"owner", member.owner}, {"documents", member.documents}, {"sha256", member.sha256}});
    }
    json::array missing;
    for (const MissingTenant& one : list.whole.missing)
        missing.push_back({{"tenant", one.tenant}, {"reason", one.reason}});
    return json::serialize(json::object{{"members", std::move(members)},
                                        {"missing", std::move(missing)},
                                        {"shared_elsewhere", list.shared_elsewhere},
                                        {"tenants", list.whole.tenants},
                                        {"documents", list.whole.documents},
                                        {"bytes", list.whole.bytes}});
}

Result<void> read_members(std::string_view text, WholeList& list) {
    boost::system::error_code failed;
    const json::value value = json::parse(text, failed);
    const json::object* said = failed ? nullptr : value.if_object();
    const json::value* members = said == nullptr ? nullptr : said->if_contains("members");
    if (members == nullptr || !members->is_array()) return no_list("its list is none");
    for (const json::value& one : members->get_array()) {
        if (!one.is_object()) return no_list("its list is none");
        const json::object& member = one.get_object();
        list.members.push_back({.owner = text_in(member, "owner"),
                                .documents = number_in(member, "documents"),
                                .sha256 = text_in(member, "sha256")});
    }
    const json::value* missing = said->if_contains("missing");  // not in the oldest ones
    const json::array none;
    for (const json::value& one :
         missing != nullptr && missing->is_array() ? missing->get_array() : none) {
        if (!one.is_object()) return no_list("its list is none");
        list.whole.missing.push_back({.tenant = text_in(one.get_object(), "tenant"),
                                      .reason = text_in(one.get_object(), "reason")});
    }
    const json::value* elsewhere = said->if_contains("shared_elsewhere");
    list.shared_elsewhere = elsewhere != nullptr && elsewhere->is_bool() && elsewhere->get_bool();
    list.whole.tenants = number_in(*said, "tenants");
    list.whole.documents = number_in(*said, "documents");
    list.whole.bytes = number_in(*said, "bytes");
    return {};
}

}  // namespace

const WholeMember* WholeList::find(std::string_view owner) const {
    const auto found = std::ranges::find(members, owner, &WholeMember::owner);
    return found == members.end() ? nullptr : &*found;
}

Result<void> write_list(const WholeList& list, const vault::DataKeys& keys, core::Random& random) {
    const detail::SealedNote note{.title = {.owner = std::string(kCore),
                                            .id = list.whole.uuid,
                                            .made_at = list.whole.made_at,
                                            .zona = list.whole.zona},
                                  .text = list_text(list)};
    return detail::write_note(list.whole.directory + "/whole.zbk", "list", note, keys, random);
}

Result<WholeList> read_list(const std::string& directory, const vault::DataKeys& keys) {
    ZONA_TRY(detail::SealedNote note, detail::read_note(directory + "/whole.zbk", "list", keys));
    WholeList out;
    out.whole.uuid = note.title.id;
    out.whole.made_at = note.title.made_at;
    out.whole.zona = note.title.zona;
    out.whole.directory = directory;
    out.whole.until = note.title.made_at;
    ZONA_TRY_VOID(read_members(note.text, out));
    return out;
}

Result<std::optional<std::string>> latest_whole(const std::string& root) {
    std::optional<std::string> out;
    ZONA_TRY(const auto there, os::stat_path(root));
    if (!there) return out;
    ZONA_TRY(const auto names, os::list_directory(root));
    core::SystemTime latest{};
    for (const std::string& name : names) {
        if (name.ends_with(".tmp")) continue;
        const std::string directory = root + "/" + name;
        const auto file = os::open_file(directory + "/whole.zbk", O_RDONLY);
        const auto title = file ? read_title(file->get()) : file.error();
        if (!title || (out && title->made_at <= latest)) continue;
        latest = title->made_at;
        out = directory;
    }
    return out;
}

Result<WholeBackup> TenantOperations::back_up_all(const core::ProgressSink& tell,
                                                  std::optional<core::Uuid> id) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    if (!parts.instance.empty()) {
        return Error(Code::kUnsupported,
                     "the core database is in MongoDB, and a whole backup is of files")
            .detail(
                {"", "",
                 "zona tenant backup of each tenant, or a backup_schedule of its own; mongodump "
                 "of the core database (docs/guides/several-hosts.md)"});
    }
    ZONA_TRY(const Busy busy, occupy(std::string(kAll)));
    if (id) {
        ZONA_TRY(const auto made, whole_backups());
        const auto there = std::ranges::find(made, *id, &WholeBackup::uuid);
        if (there != made.end()) return *there;
    }
    auto lock = log_turn();
    // So that there is no gap between the log of the one before and this.
    if (options_.log == Log::kOn) {
        if (auto logged = log_held({}); !logged)
            deps_.log.report("the log before a whole backup has a gap", logged.error());
    }
    const auto now = std::chrono::floor<std::chrono::milliseconds>(deps_.clock.system());
    WholeBackup whole{
        .uuid = id ? *id : core::Uuid::v4(deps_.random), .made_at = now, .zona = options_.zona};
    const std::string final_name = path_of(fmt::format("{}/{}", kAll, whole.uuid.to_string()));
    whole.directory = final_name + ".tmp";
    // Those above one are made for everybody else.
    for (const std::string& directory :
         {options_.backups, path_of(std::string(kAll)), whole.directory})
        ZONA_TRY_VOID(os::make_directories(directory, 0700));
    std::map<std::string, Logged> logged;
    auto filled = fill_whole(parts, whole, tell, logged);
    // The images have taken note of what was written: what was known of the log before is nothing.
    logged_.clear();
    if (!filled) {
        if (auto removed = remove_tree(whole.directory); !removed)
            deps_.log.report("a part of a backup stays", removed.error());
        return filled.take_error();
    }
    ZONA_FAULT("tenancy.whole_written");
    ZONA_TRY_VOID(os::sync_directory(whole.directory));
    ZONA_TRY_VOID(os::rename_file(whole.directory, final_name));
    ZONA_TRY_VOID(os::sync_directory(path_of(std::string(kAll))));
    whole.directory = final_name;
    whole.until = whole.made_at;
    for (auto& [name, one] : logged)
        one.image = fmt::format("{}/{}.zbk", final_name, name);
    logged_ = std::move(logged);
    lock.unlock();
    note_written();
    if (auto forgotten = forget_old_wholes(); !forgotten)
        deps_.log.report("old whole backups could not be deleted", forgotten.error());
    return whole;
}

/// The newest stay, and any older one that has a tenant that all newer ones miss.
Result<void> TenantOperations::forget_old_wholes() {
    if (options_.keep == 0) return {};
    ZONA_TRY(const auto all, whole_backups());
    std::set<std::string> lacking;  // in all that are newer
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::set<std::string> missing;
        for (const MissingTenant& one : all[i].missing)
            missing.insert(one.tenant);
        const bool is_needed = !std::ranges::includes(missing, lacking);
        if (i >= options_.keep && !is_needed) {
            ZONA_TRY_VOID(remove_whole(all[i].uuid.to_string()));
            continue;
        }
        if (i == 0) lacking = missing;
        std::erase_if(lacking, [&](const std::string& code) { return !missing.contains(code); });
    }
    return {};
}

namespace {

/// Whether others may be backed up although one could not be: not when zona stops, and not on a
/// full disk.
bool concerns_one_tenant(const Error& error) {
    return error.code() != Code::kCancelled && error.code() != Code::kResourceExhausted;
}

}  // namespace

Result<void> TenantOperations::add_tenants(const Tenants::Parts& parts, std::vector<Tenant> tenants,
                                           WholeList& list, Steps& steps,
                                           std::map<std::string, Logged>& logged) {
    WholeBackup& whole = list.whole;
    const auto add = [&](const Tenant& tenant) -> Result<void> {
        ZONA_TRY(const Busy busy, occupy(tenant.code));
        Logged own;
        ZONA_TRY(const BackupSummary summary,
                 write_backup(parts, tenant, fmt::format("{}/{}.zbk", whole.directory, tenant.code),
                              core::Uuid::v4(deps_.random), steps, &own));
        if (summary.content == BackupContent::kImage) logged[tenant.code] = std::move(own);
        list.members.push_back(
            {.owner = tenant.code, .documents = summary.documents, .sha256 = summary.sha256});
        whole.documents += summary.documents;
        whole.bytes += summary.bytes;
        ++whole.tenants;
        return {};
    };
    // Whoever could not be read is asked once more when all others are done.
    for (const bool is_last : {false, true}) {
        std::vector<Tenant> left;
        for (Tenant& tenant : tenants) {
            if (tenant.erased_at) continue;
            auto added = add(tenant);
            if (added) continue;
            if (!concerns_one_tenant(added.error())) return added;
            if (is_last) {
                deps_.log.report("a tenant is missing in a backup", added.error(),
                                 {{"tenant", tenant.code}, {"backup", whole.uuid.to_string()}});
                whole.missing.push_back({.tenant = tenant.code, .reason = added.error().message()});
            }
            left.push_back(std::move(tenant));
        }
        tenants = std::move(left);
    }
    return {};
}

/// Tenants first: what the core database says of them is then at least as new as their files, and
/// its counters are past every number that is in use.
Result<void> TenantOperations::fill_whole(const Tenants::Parts& parts, WholeBackup& whole,
                                          const core::ProgressSink& tell,
                                          std::map<std::string, Logged>& logged) {
    auto tenants = detail::wait_for<std::vector<Tenant>>(
        [&](auto done) { parts.registry->list(std::move(done)); });
    if (!tenants) return tenants.take_error();
    Steps steps(tell, tenants->size() + 1, stopping_);
    WholeList list{.whole = whole, .members = {}};
    ZONA_TRY_VOID(add_tenants(parts, *std::move(tenants), list, steps, logged));
    whole = list.whole;
    if (parts.build_type == BuildType::kSingleTenant) {
        const auto database = parts.sessions->database(kDefaultTenant, WhileHeld::kOpen);
        list.shared_elsewhere =
            database && dynamic_cast<store::SqliteDatabase*>(database->get()) == nullptr;
    }
    const bool shared = parts.build_type == BuildType::kSingleTenant && options_.log == Log::kOn;
    for (const std::string_view name : {kSharedImage, kCore}) {
        if (name == kSharedImage && !shared) continue;
        const std::string file(name);
        auto image = write_core(parts, file, fmt::format("{}/{}.zbk", whole.directory, file), steps,
                                logged[file]);
        const bool twice = name == kSharedImage;
        // The shared one may be in MongoDB, or not to be read like the tenants in it.
        if (!image && twice &&
            (image.error().code() == Code::kUnsupported ||
             (!whole.missing.empty() && concerns_one_tenant(image.error())))) {
            logged.erase(file);
            continue;
        }
        if (!image) return image.take_error();
        list.members.push_back(
            {.owner = file, .documents = image->documents, .sha256 = image->sha256});
        whole.documents += twice ? 0 : image->documents;
        whole.bytes += image->bytes;
    }
    ZONA_TRY(const std::string ring, os::read_file(parts.files->ring()));
    ZONA_TRY_VOID(os::replace_file(whole.directory + "/keys.json", ring, 0600));
    list.whole = whole;
    ZONA_TRY(const auto keys, parts.files->find_keys(kCore));
    return write_list(list, *keys, deps_.random);
}

Result<BackupSummary> TenantOperations::write_core(const Tenants::Parts& parts,
                                                   const std::string& name, const std::string& path,
                                                   Steps& steps, Logged& logged) {
    std::shared_ptr<store::Database> database = parts.core;
    if (name == kSharedImage) {
        ZONA_TRY(database, parts.sessions->database(kDefaultTenant, WhileHeld::kOpen));
    }
    auto* const file = dynamic_cast<store::SqliteDatabase*>(database.get());
    if (file == nullptr) {
        return Error(Code::kUnsupported,
                     "the core database is no file, and its server's own backups are to be used");
    }
    ZONA_TRY(const auto keys, parts.files->find_keys(kCore));
    ZONA_TRY(NewFile out, NewFile::create(path));
    logged = {.database = database,
              .changes = file->stats().changes,
              .image = path,
              .path = name == kSharedImage ? shared_path(parts) : core_path(parts),
              .end = {}};
    BackupSummary summary;
    ZONA_TRY_VOID(file->with_image([&](store::Image& image) -> Result<void> {
        ZONA_TRY_VOID(note_image(parts, logged));
        const auto moment = std::chrono::floor<std::chrono::milliseconds>(image.moment());
        BackupTitle title{.owner = std::string(kCore),
                          .id = core::Uuid::v4(deps_.random),
                          .made_at = moment,
                          .zona = options_.zona};
        ZONA_TRY(const auto writer,
                 BackupWriter::create(out.fd(), std::move(title), parts.build_type,
                                      BackupContent::kImage, *keys, deps_.random));
        // Of the shared one by the tenants' own files.
        const Specs specs = name == kSharedImage ? Specs() : core_collections();
        ZONA_TRY_VOID(copy_image(image, *writer, specs, store::Scope::core(), steps));
        ZONA_TRY(summary, writer->finish());
        return {};
    }));
    ZONA_TRY_VOID(out.commit());
    logged.end = end_of_image(summary);
    return summary;
}

namespace {

/// Up to when all of a whole backup can be restored.
Result<core::SystemTime> until_of(const WholeList& list, const vault::DataKeys& keys) {
    // With the image that all share its log went, too, when a tenant was erased.
    if (list.find(kSharedImage) != nullptr) {
        const std::string image = fmt::format("{}/{}.zbk", list.whole.directory, kSharedImage);
        ZONA_TRY(const auto there, os::stat_path(image));
        if (!there) return list.whole.made_at;
    }
    ZONA_TRY(const auto ends, detail::read_ends(list.whole.directory, list.whole.uuid, keys));
    const auto core = ends.find(std::string(kCore));
    return core == ends.end() ? list.whole.made_at : core->second.until;
}

}  // namespace

Result<std::vector<WholeBackup>> TenantOperations::whole_backups() {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    std::vector<WholeBackup> out;
    const std::string root = path_of(std::string(kAll));
    ZONA_TRY(const auto there, os::stat_path(root));
    if (!there) return out;
    ZONA_TRY(const auto names, os::list_directory(root));
    ZONA_TRY(const auto keys, parts.files->find_keys(kCore));
    for (const std::string& name : names) {
        if (name.ends_with(".tmp")) continue;
        const std::string directory = fmt::format("{}/{}", root, name);
        auto list = read_list(directory, *keys);
        if (list) {
            if (const auto until = until_of(*list, *keys)) {
                list->whole.until = *until;
            } else {
                deps_.log.report("the end of a log cannot be read", until.error(),
                                 {{"directory", directory}});
            }
            if (deps_.copies != nullptr)
                list->whole.copied_at =
                    deps_.copies->copied_at(fmt::format("{}/{}/whole.zbk", kAll, name));
            out.push_back(std::move(list->whole));
        } else {
            deps_.log.report("a backup cannot be read", list.error(), {{"directory", directory}});
        }
    }
    std::ranges::sort(out, std::greater<>(), &WholeBackup::made_at);
    return out;
}

Result<std::string> TenantOperations::whole_directory(const std::string& backup) const {
    if (backup.starts_with('/')) return backup;
    ZONA_TRY(const core::Uuid id, core::Uuid::parse(backup));
    std::string directory = path_of(fmt::format("{}/{}", kAll, id.to_string()));
    ZONA_TRY(const auto there, os::stat_path(directory));
    if (there) return directory;
    return Error(Code::kNotFound, fmt::format("there is no whole backup {}", id.to_string()));
}

Result<WholeBackup> TenantOperations::verify_all(const std::string& backup,
                                                 const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const std::string directory, whole_directory(backup));
    ZONA_TRY(const auto keys, parts.files->find_keys(kCore));
    ZONA_TRY(WholeList list, read_list(directory, *keys));
    ZONA_TRY(const auto ends, detail::read_ends(directory, list.whole.uuid, *keys));
    Steps steps(tell, list.members.size(), stopping_);
    for (const WholeMember& member : list.members) {
        const std::string path = fmt::format("{}/{}.zbk", directory, member.owner);
        const std::string owner = owner_of_member(member.owner);
        const auto owned = parts.files->find_keys(owner);
        ZONA_TRY(const auto there, os::stat_path(path));
        // Erased since, its part of the backup with it.
        if (!there && (!owned || member.owner == kSharedImage)) continue;
        ZONA_TRY(const Opened opened, open_backup(parts, owner, path));
        steps.begin("read " + member.owner, opened.bytes, "bytes");
        BackupVisitor visitor;
        visitor.progress = [&](std::uint64_t bytes) { return steps.at(bytes); };
        ZONA_TRY(const BackupSummary summary,
                 read_backup(opened.file.get(), opened.title, *opened.keys, visitor));
        if (summary.sha256 != member.sha256 || summary.documents != member.documents) {
            return no_list(
                fmt::format("the file of {} is not the one that is listed", member.owner));
        }
        if (summary.content != BackupContent::kImage) continue;
        // What was written when the ends were is there, and perhaps more.
        ZONA_TRY(const auto links, links_until(path, core::SystemTime::max()));
        const auto end = ends.find(member.owner);
        if (end != ends.end() && links.size() < end->second.number) {
            return no_list(
                fmt::format("link {} of the log of {} is missing", links.size() + 1, member.owner));
        }
        ZONA_TRY_VOID(read_log(links, end_of_image(summary), *opened.keys, {}));
    }
    return std::move(list.whole);
}

Result<std::optional<WholeBackup>> TenantOperations::check_restore(const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const auto wholes, whole_backups());
    if (wholes.empty()) return std::nullopt;
    const WholeBackup& whole = wholes.front();
    const std::string directory = scratch_name(parts);
    WholeRestore restore{.backup = whole.directory,
                         .state = directory,
                         .root_keys = parts.files->root_keys(),
                         .clock = deps_.clock,
                         .random = deps_.random,
                         .log = deps_.log};
    if (whole.until > whole.made_at) restore.at = whole.until;
    auto restored = restore_whole(restore, tell);
    auto removed = remove_tree(directory);
    if (!restored) {
        deps_.log.report("the latest whole backup could not be restored", restored.error(),
                         {{"backup", whole.uuid.to_string()}});
        return restored.take_error().context(fmt::format("backup {}", whole.uuid.to_string()));
    }
    if (!removed) return removed.take_error();
    // The backup itself names whom it never had; a member of it has lost its file.
    for (const MissingTenant& one : restored->whole.missing) {
        if (restored->find(one.tenant) == nullptr) continue;
        Error error(Code::kConflict, fmt::format("backup {}: {}: {}", whole.uuid.to_string(),
                                                 one.tenant, one.reason));
        deps_.log.report("a tenant of the latest whole backup could not be restored", error);
        return error.detail({whole.directory, "",
                             "zona backup create makes another one; look for what has removed the "
                             "file"});
    }
    WholeBackup checked = whole;
    checked.missing = restored->whole.missing;
    return std::optional(std::move(checked));
}

/// Before it is done: a copy that stays for ever is worse than one that is looked for in vain.
Result<void> TenantOperations::note_removal(const std::string& name, CopyEnd end) const {
    if (deps_.copies == nullptr) return {};
    return deps_.copies->note_removal(name, end);
}

Result<void> TenantOperations::remove_whole(const std::string& uuid) {
    ZONA_TRY(const core::Uuid id, core::Uuid::parse(uuid));
    ZONA_TRY(const std::string directory, whole_directory(id.to_string()));
    const auto lock = log_turn();
    ZONA_TRY_VOID(note_removal(fmt::format("{}/{}", kAll, id.to_string())));
    // Not half of one under its name.
    ZONA_TRY_VOID(os::rename_file(directory, directory + ".tmp"));
    return remove_tree(directory + ".tmp");
}

}  // namespace zona::tenancy
