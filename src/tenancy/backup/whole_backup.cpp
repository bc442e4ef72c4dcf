#include "tenancy/backup/whole_backup.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fcntl.h>

#include "core/fault.h"
#include "core/time_format.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "tenancy/core_collections.h"
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

namespace {

constexpr std::string_view kCore = kCoreOwner;
constexpr std::string_view kAll = kAllBackups;

Error no_list(std::string_view what) {
    return {Code::kConflict, fmt::format("this is no whole backup: {}", what)};
}

std::string text_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::uint64_t number_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return 0;
    return static_cast<std::uint64_t>(value->get_int64());
}

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
    list.whole.tenants = number_in(*said, "tenants");
    list.whole.documents = number_in(*said, "documents");
    list.whole.bytes = number_in(*said, "bytes");
    return {};
}

Specs specs_of(std::string_view owner) {
    return owner == kCore ? core_collections() : tenant_collections();
}

Result<store::Scope> scope_of_owner(const std::string& owner) {
    if (owner == kCore) return store::Scope::core();
    return store::Scope::tenant(owner);
}

/// Restores one file after the other.
class Restorer {
  public:
    Restorer(const WholeRestore& how, const core::ProgressSink& tell, EncryptedFiles& files)
        : how_(how), tell_(tell), files_(files) {}

    Result<WholeList> restore() {
        ZONA_TRY(const auto keys, files_.find_keys(kCore));
        ZONA_TRY(WholeList list, read_list(how_.backup, *keys));
        present_.steps = list.members.size();
        if (how_.at) {
            ZONA_TRY(ends_, detail::read_ends(how_.backup, list.whole.uuid, *keys));
        }
        const auto core = std::ranges::find(list.members, kCore, &WholeMember::owner);
        if (core == list.members.end()) return no_list("the core database is not in it");
        ZONA_TRY_VOID(restore_image(*core, how_.state + "/core.db"));
        ZONA_TRY(const auto tenants, tenants_of_core());
        ZONA_TRY_VOID(os::make_directories(how_.state + "/tenants", 0700));
        for (const WholeMember& member : list.members) {
            if (member.owner == kCore) continue;
            if (member.owner == kSharedImage) {
                if (how_.at)
                    ZONA_TRY_VOID(restore_image(member, how_.state + "/tenants/shared.db"));
                continue;
            }
            const auto tenant = std::ranges::find(tenants, member.owner, &Tenant::code);
            if (tenant == tenants.end() || tenant->erased_at) continue;
            const std::string file = fmt::format("{}/{}.zbk", how_.backup, member.owner);
            ZONA_TRY(const auto there, os::stat_path(file));
            if (!there) {
                how_.log.warn("the backup has no file of this tenant", {{"tenant", member.owner}});
                continue;
            }
            ZONA_TRY_VOID(restore_tenant(member, *tenant));
        }
        if (how_.at) ZONA_TRY_VOID(restore_later(tenants, list));
        return list;
    }

  private:
    Result<std::vector<Tenant>> tenants_of_core() {
        ZONA_TRY(const auto core,
                 files_.open_database(how_.state + "/core.db", kCore, core_collections()));
        TenantRegistry registry(core, how_.clock, &files_.core_fields());
        return answer_to<std::vector<Tenant>>([&](auto done) { registry.list(std::move(done)); });
    }

    /// Tenants that were made after the backup, or missing in it, and have an image of before the
    /// moment.
    Result<void> restore_later(const std::vector<Tenant>& tenants, WholeList& list) {
        for (const Tenant& tenant : tenants) {
            if (std::ranges::find(list.members, tenant.code, &WholeMember::owner) !=
                list.members.end())
                continue;
            const std::string file = fmt::format("{}/{}.zbk", how_.backup, tenant.code);
            ZONA_TRY(const auto there, os::stat_path(file));
            if (!there || tenant.erased_at) continue;
            ZONA_TRY(const os::UniqueFd opened, os::open_file(file, O_RDONLY));
            ZONA_TRY(const BackupTitle title, read_title(opened.get()));
            if (title.made_at > *how_.at) {
                how_.log.warn("the tenant has no image of before then, and no documents",
                              {{"tenant", tenant.code}});
                continue;
            }
            const WholeMember later{.owner = tenant.code, .documents = 0, .sha256 = {}};
            ZONA_TRY_VOID(restore_tenant(later, tenant));
            ++list.whole.tenants;
            std::erase_if(list.whole.missing, [&](const MissingTenant& missing) {
                return missing.tenant == tenant.code;
            });
        }
        return {};
    }

    Result<void> restore_tenant(const WholeMember& member, const Tenant& tenant) {
        const std::string own =
            fmt::format("{}/tenants/{}{}{}", how_.state, tenant.code,
                        tenant.database.name.empty() ? "" : "/", tenant.database.name);
        ZONA_TRY(const BackupContent content, content_of(member));
        if (content == BackupContent::kImage) {
            ZONA_TRY_VOID(os::make_directories(own, 0700));
            return restore_image(member, own + "/data.db");
        }
        // They are in the shared image.
        return how_.at ? Result<void>() : restore_documents(member);
    }

    struct File {
        os::UniqueFd fd;
        BackupTitle title;
        std::shared_ptr<const vault::DataKeys> keys;
    };
    Result<File> open(const WholeMember& member) const {
        File out;
        ZONA_TRY(out.fd,
                 os::open_file(fmt::format("{}/{}.zbk", how_.backup, member.owner), O_RDONLY));
        ZONA_TRY(out.title, read_title(out.fd.get()));
        if (out.title.owner != owner_of_member(member.owner))
            return no_list(
                fmt::format("the file of {} is one of {}", member.owner, out.title.owner));
        ZONA_TRY(out.keys, files_.find_keys(out.title.owner));
        return out;
    }

    Result<BackupContent> content_of(const WholeMember& member) const {
        ZONA_TRY(const File file, open(member));
        BackupContent content = BackupContent::kDocuments;
        BackupVisitor peek;
        bool seen = false;
        peek.head = [&](BuildType, BackupContent said) -> Result<void> {
            content = said;
            seen = true;
            return Error(Code::kCancelled, "");
        };
        auto read = read_backup(file.fd.get(), file.title, *file.keys, peek);
        if (!seen) return read.take_error();
        return content;
    }

    void begin(const std::string& owner, std::uint64_t total) {
        present_.step = "restore " + owner;
        present_.total = total;
        present_.done = 0;
        present_.number = ++number_;
        present_.unit = "bytes";
        if (tell_) tell_(present_);
    }

    Result<void> same(const WholeMember& member, const BackupSummary& summary) const {
        const bool listed = !member.sha256.empty();
        if (!listed || (summary.sha256 == member.sha256 && summary.documents == member.documents))
            return {};
        return no_list(fmt::format("the file of {} is not the one that is listed", member.owner));
    }

    Result<void> restore_image(const WholeMember& member, const std::string& path) {
        ZONA_TRY(const File file, open(member));
        ZONA_TRY(const os::FileStat status, os::stat_fd(file.fd.get()));
        begin(member.owner, status.size);
        std::size_t links = 0;
        {
            ZONA_TRY(const auto writer, files_.write_image(path, file.title.owner));
            detail::SecondThread writing(
                [&](std::span<const std::byte> pages) { return writer->write(pages); });
            BackupVisitor visitor;
            visitor.pages = [&](std::span<const std::byte> pages) { return writing.add(pages); };
            ZONA_TRY(const BackupSummary summary,
                     read_backup(file.fd.get(), file.title, *file.keys, visitor));
            ZONA_TRY_VOID(writing.finish());
            ZONA_TRY_VOID(same(member, summary));
            ZONA_TRY(links, add_links(member, summary, *file.keys, *writer));
            ZONA_TRY_VOID(writer->finish());
            if (links == 0 && !member.sha256.empty()) ZONA_TRY_VOID(compare(member, *writer));
        }
        ZONA_TRY(const auto database,
                 files_.open_database(path, file.title.owner, specs_of(member.owner)));
        // Each page was proven by its link; that they belong together is proven here.
        if (how_.at) return files_.check(path);
        ZONA_TRY(const store::Scope scope, scope_of_owner(member.owner));
        ZONA_TRY(const std::uint64_t documents,
                 store::read_and_wait(*database, [&](store::Reader& reader) {
                     return count_all(reader, specs_of(member.owner), scope);
                 }));
        if (documents == member.documents) return {};
        return Error(Code::kConflict,
                     fmt::format("what was restored of {} has {} documents, and the backup {}",
                                 member.owner, documents, member.documents));
    }

    /// How many links the moment has.
    Result<std::size_t> add_links(const WholeMember& member, const BackupSummary& image,
                                  const vault::DataKeys& keys, store::ImageWriter& writer) const {
        if (!how_.at) return 0;
        ZONA_TRY(const auto links,
                 detail::find_links(fmt::format("{}/{}.zbk", how_.backup, member.owner), ends_,
                                    *how_.at));
        ZONA_TRY_VOID(read_log(links, end_of_image(image), keys,
                               [&](std::uint64_t offset, std::span<const std::byte> pages) {
                                   return writer.put(offset, pages);
                               }));
        return links.size();
    }

    /// What was made is read again from the file.
    static Result<void> compare(const WholeMember& member, store::ImageWriter& made) {
        crypto::Sha256 hash;
        std::vector<std::byte> piece(std::size_t{1} << 20U);
        for (std::uint64_t at = 0; at < made.bytes();) {
            const auto size = std::min<std::uint64_t>(piece.size(), made.bytes() - at);
            ZONA_TRY_VOID(made.read(std::span(piece).first(size), at));
            hash.add(std::span(piece).first(size));
            at += size;
        }
        const std::string sha256 = crypto::hex(hash.finish());
        if (sha256 == member.sha256) return {};
        return Error(Code::kConflict,
                     fmt::format("what was restored of {} has SHA-256 {}, and the backup {}",
                                 member.owner, sha256, member.sha256));
    }

    Result<void> restore_documents(const WholeMember& member) {
        ZONA_TRY(const File file, open(member));
        ZONA_TRY(const os::FileStat status, os::stat_fd(file.fd.get()));
        begin(member.owner, status.size);
        ZONA_TRY(const auto database, files_.open_database(how_.state + "/tenants/shared.db", kCore,
                                                           tenant_collections()));
        ZONA_TRY(const store::Scope scope, scope_of_owner(member.owner));
        RecordSink sink(*database, scope);
        const Specs specs = tenant_collections();
        const store::CollectionSpec* spec = nullptr;
        BackupVisitor visitor;
        visitor.collection = [&](const std::string& name, int version) -> Result<void> {
            const auto found = std::ranges::find(specs, name, &store::CollectionSpec::name);
            if (found == specs.end() || (*found)->version != version) {
                return no_list(fmt::format("it has {} in version {}, which this zona does not know",
                                           name, version));
            }
            spec = *found;
            return {};
        };
        visitor.record = [&](const store::Record& record) { return sink.add(*spec, record); };
        ZONA_TRY(const BackupSummary summary,
                 read_backup(file.fd.get(), file.title, *file.keys, visitor));
        ZONA_TRY_VOID(same(member, summary));
        ZONA_TRY_VOID(sink.flush());
        std::vector<CollectionSum> made;
        ZONA_TRY_VOID(read_snapshot(*database, [&](store::Reader& reader) -> Result<void> {
            ZONA_TRY(made, sum_up(reader, specs, scope, {}));
            return {};
        }));
        if (made == summary.collections) return {};
        return Error(Code::kConflict, fmt::format("what was restored of {} is not what the backup "
                                                  "has",
                                                  member.owner));
    }

    const WholeRestore& how_;
    const core::ProgressSink& tell_;
    EncryptedFiles& files_;
    detail::LogEnds ends_;
    core::Progress present_;
    std::size_t number_ = 0;
};

}  // namespace

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

Result<WholeList> restore_whole(const WholeRestore& restore, const core::ProgressSink& tell) {
    for (const char* name : {"/core.db", "/keys.json", "/tenants"}) {
        ZONA_TRY(const auto there, os::stat_path(restore.state + name));
        if (there) {
            return Error(Code::kConflict, fmt::format("there is data in {} already", restore.state))
                .detail({"", "", "restore into a home that is not there yet"});
        }
    }
    ZONA_TRY_VOID(os::make_directories(restore.state, 0700));
    const auto work = [&]() -> Result<WholeList> {
        ZONA_TRY(const std::string ring, os::read_file(restore.backup + "/keys.json"));
        ZONA_TRY_VOID(os::replace_file(restore.state + "/keys.json", ring, 0600));
        std::string token_key(32, '\0');
        restore.random.fill(std::as_writable_bytes(std::span(token_key)));
        ZONA_TRY(const auto files,
                 EncryptedFiles::open({.ring = restore.state + "/keys.json",
                                       .root_keys = restore.root_keys,
                                       .clock = restore.clock,
                                       .random = restore.random,
                                       .log = restore.log,
                                       .page_token_key = core::Secret(std::move(token_key))}));
        return Restorer(restore, tell, *files).restore();
    };
    auto done = work();
    if (!done) {
        for (const char* name : {"/core.db", "/core.db-wal", "/keys.json", "/tenants"}) {
            if (auto removed = remove_tree(restore.state + name); !removed)
                restore.log.report("a part of a restore stays", removed.error());
        }
    }
    return done;
}

Result<WholeBackup> TenantOperations::back_up_all(const core::ProgressSink& tell) {
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
    auto lock = log_turn();
    // So that there is no gap between the log of the one before and this.
    if (options_.log == Log::kOn) {
        if (auto logged = log_held({}); !logged)
            deps_.log.report("the log before a whole backup has a gap", logged.error());
    }
    const auto now = std::chrono::floor<std::chrono::milliseconds>(deps_.clock.system());
    WholeBackup whole{.uuid = core::Uuid::v4(deps_.random), .made_at = now, .zona = options_.zona};
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
    ZONA_TRY_VOID(forget_old_wholes());
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
    auto tenants =
        answer_to<std::vector<Tenant>>([&](auto done) { parts.registry->list(std::move(done)); });
    if (!tenants) return tenants.take_error();
    Steps steps(tell, tenants->size() + 1, stopping_);
    WholeList list{.whole = whole, .members = {}};
    ZONA_TRY_VOID(add_tenants(parts, *std::move(tenants), list, steps, logged));
    whole = list.whole;
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
