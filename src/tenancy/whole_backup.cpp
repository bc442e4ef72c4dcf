#include "tenancy/whole_backup.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fcntl.h>

#include "core/fault.h"
#include "core/time_format.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/operation_parts.h"
#include "vault/sealed_file.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kCore = "core";
constexpr std::string_view kAll = "_all";
constexpr std::size_t kMostList = std::size_t{64} << 20U;

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
    return json::serialize(json::object{{"members", std::move(members)},
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
        const auto core = std::ranges::find(list.members, kCore, &WholeMember::owner);
        if (core == list.members.end()) return no_list("the core database is not in it");
        ZONA_TRY_VOID(restore_image(*core, how_.state + "/core.db"));
        ZONA_TRY(const auto tenants, tenants_of_core());
        ZONA_TRY_VOID(os::make_directories(how_.state + "/tenants", 0700));
        for (const WholeMember& member : list.members) {
            if (member.owner == kCore) continue;
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
        return list;
    }

  private:
    Result<std::vector<Tenant>> tenants_of_core() {
        ZONA_TRY(const auto core,
                 files_.open_database(how_.state + "/core.db", kCore, core_collections()));
        TenantRegistry registry(core, how_.clock, &files_.core_fields());
        return answer_to<std::vector<Tenant>>([&](auto done) { registry.list(std::move(done)); });
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
        return restore_documents(member);
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
        if (out.title.owner != member.owner)
            return no_list(
                fmt::format("the file of {} is one of {}", member.owner, out.title.owner));
        ZONA_TRY(out.keys, files_.find_keys(member.owner));
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
        if (summary.sha256 == member.sha256 && summary.documents == member.documents) return {};
        return no_list(fmt::format("the file of {} is not the one that is listed", member.owner));
    }

    Result<void> restore_image(const WholeMember& member, const std::string& path) {
        ZONA_TRY(const File file, open(member));
        ZONA_TRY(const os::FileStat status, os::stat_fd(file.fd.get()));
        begin(member.owner, status.size);
        {
            ZONA_TRY(const auto writer, files_.write_image(path, member.owner));
            BackupVisitor visitor;
            visitor.pages = [&](std::span<const std::byte> pages) { return writer->write(pages); };
            ZONA_TRY(const BackupSummary summary,
                     read_backup(file.fd.get(), file.title, *file.keys, visitor));
            ZONA_TRY_VOID(same(member, summary));
            ZONA_TRY_VOID(writer->finish());
            ZONA_TRY_VOID(compare(member, *writer));
        }
        ZONA_TRY(const auto database,
                 files_.open_database(path, member.owner, specs_of(member.owner)));
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
    core::Progress present_;
    std::size_t number_ = 0;
};

}  // namespace

Result<void> write_list(const WholeList& list, const vault::DataKeys& keys, core::Random& random) {
    ZONA_TRY(NewFile file, NewFile::create(list.whole.directory + "/whole.zbk"));
    const std::string line = render_title({.owner = std::string(kCore),
                                           .id = list.whole.uuid,
                                           .made_at = list.whole.made_at,
                                           .zona = list.whole.zona});
    ZONA_TRY_VOID(os::write_all(file.fd(), line));
    ZONA_TRY(auto sealed, vault::SealedWriter::create(file.fd(), keys, "list " + line, random));
    const std::string text = list_text(list);
    ZONA_TRY_VOID(sealed.write(std::as_bytes(std::span(text))));
    ZONA_TRY_VOID(sealed.finish());
    ZONA_TRY_VOID(file.commit());
    return {};
}

Result<WholeList> read_list(const std::string& directory, const vault::DataKeys& keys) {
    ZONA_TRY(const os::UniqueFd file, os::open_file(directory + "/whole.zbk", O_RDONLY));
    ZONA_TRY(const BackupTitle title, read_title(file.get()));
    ZONA_TRY(auto sealed,
             vault::SealedReader::open(file.get(), keys, "list " + render_title(title)));
    std::string text;
    std::vector<std::byte> piece(std::size_t{1} << 16U);
    for (;;) {
        ZONA_TRY(const std::size_t got, sealed.read(piece));
        if (got == 0) break;
        text.append(reinterpret_cast<const char*>(piece.data()), got);
        if (text.size() > kMostList) return no_list("its list has no end");
    }
    WholeList out;
    out.whole.uuid = title.id;
    out.whole.made_at = title.made_at;
    out.whole.zona = title.zona;
    out.whole.directory = directory;
    ZONA_TRY_VOID(read_members(text, out));
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
    ZONA_TRY(const Busy busy, occupy(std::string(kAll)));
    const auto now = std::chrono::floor<std::chrono::milliseconds>(deps_.clock.system());
    WholeBackup whole{.uuid = core::Uuid::v4(deps_.random), .made_at = now, .zona = options_.zona};
    const std::string final_name = path_of(fmt::format("{}/{}", kAll, whole.uuid.to_string()));
    whole.directory = final_name + ".tmp";
    ZONA_TRY_VOID(os::make_directories(whole.directory, 0700));
    auto filled = fill_whole(parts, whole, tell);
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
    if (options_.keep != 0) {
        ZONA_TRY(const auto all, whole_backups());
        for (std::size_t i = options_.keep; i < all.size(); ++i)
            ZONA_TRY_VOID(remove_whole(all[i].uuid.to_string()));
    }
    return whole;
}

/// Tenants first: what the core database says of them is then at least as new as their files, and
/// its counters are past every number that is in use.
Result<void> TenantOperations::fill_whole(const Tenants::Parts& parts, WholeBackup& whole,
                                          const core::ProgressSink& tell) {
    auto tenants =
        answer_to<std::vector<Tenant>>([&](auto done) { parts.registry->list(std::move(done)); });
    if (!tenants) return tenants.take_error();
    Steps steps(tell, tenants->size() + 1, stopping_);
    WholeList list;
    const auto add = [&](const std::string& owner, const BackupSummary& summary) {
        list.members.push_back(
            {.owner = owner, .documents = summary.documents, .sha256 = summary.sha256});
        whole.documents += summary.documents;
        whole.bytes += summary.bytes;
    };
    for (const Tenant& tenant : *tenants) {
        if (tenant.erased_at) continue;
        ZONA_TRY(const Busy busy, occupy(tenant.code));
        ZONA_TRY(const BackupSummary summary,
                 write_backup(parts, tenant, fmt::format("{}/{}.zbk", whole.directory, tenant.code),
                              core::Uuid::v4(deps_.random), steps));
        add(tenant.code, summary);
        ++whole.tenants;
    }
    ZONA_TRY(const BackupSummary core, write_core(parts, whole.directory + "/core.zbk", steps));
    add(std::string(kCore), core);
    ZONA_TRY(const std::string ring, os::read_file(parts.files->ring()));
    ZONA_TRY_VOID(os::replace_file(whole.directory + "/keys.json", ring, 0600));
    list.whole = whole;
    ZONA_TRY(const auto keys, parts.files->find_keys(kCore));
    return write_list(list, *keys, deps_.random);
}

Result<BackupSummary> TenantOperations::write_core(const Tenants::Parts& parts,
                                                   const std::string& path, Steps& steps) {
    auto* const file = dynamic_cast<store::SqliteDatabase*>(parts.core.get());
    if (file == nullptr) {
        return Error(Code::kUnsupported,
                     "the core database is no file, and its server's own backups are to be used");
    }
    ZONA_TRY(const auto keys, parts.files->find_keys(kCore));
    ZONA_TRY(NewFile out, NewFile::create(path));
    const auto now = std::chrono::floor<std::chrono::milliseconds>(deps_.clock.system());
    BackupTitle title{.owner = std::string(kCore),
                      .id = core::Uuid::v4(deps_.random),
                      .made_at = now,
                      .zona = options_.zona};
    ZONA_TRY(const auto writer, BackupWriter::create(out.fd(), std::move(title), parts.build_type,
                                                     BackupContent::kImage, *keys, deps_.random));
    ZONA_TRY_VOID(file->with_image([&](store::Image& image) {
        return copy_image(image, *writer, core_collections(), store::Scope::core(), steps);
    }));
    ZONA_TRY(BackupSummary summary, writer->finish());
    ZONA_TRY_VOID(out.commit());
    return summary;
}

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
    Steps steps(tell, list.members.size(), stopping_);
    for (const WholeMember& member : list.members) {
        const std::string path = fmt::format("{}/{}.zbk", directory, member.owner);
        const auto owned = parts.files->find_keys(member.owner);
        ZONA_TRY(const auto there, os::stat_path(path));
        // Erased since, its part of the backup with it.
        if (!there && !owned) continue;
        ZONA_TRY(const Opened opened, open_backup(parts, member.owner, path));
        steps.begin("read " + member.owner, opened.bytes, "bytes");
        BackupVisitor visitor;
        visitor.progress = [&](std::uint64_t bytes) { return steps.at(bytes); };
        ZONA_TRY(const BackupSummary summary,
                 read_backup(opened.file.get(), opened.title, *opened.keys, visitor));
        if (summary.sha256 != member.sha256 || summary.documents != member.documents) {
            return no_list(
                fmt::format("the file of {} is not the one that is listed", member.owner));
        }
    }
    return std::move(list.whole);
}

Result<void> TenantOperations::remove_whole(const std::string& uuid) {
    ZONA_TRY(const core::Uuid id, core::Uuid::parse(uuid));
    ZONA_TRY(const std::string directory, whole_directory(id.to_string()));
    // Not half of one under its name.
    ZONA_TRY_VOID(os::rename_file(directory, directory + ".tmp"));
    return remove_tree(directory + ".tmp");
}

}  // namespace zona::tenancy
