// Restoring everything into a fresh home.
#include <algorithm>

#include <fcntl.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/log_ends.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/second_thread.h"
#include "tenancy/detail/whole_parts.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kCore = kCoreOwner;
/// Below `tenants`, for as long as documents are held against their backup; no tenant has this
/// code.
constexpr std::string_view kProof = "_proof";

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
        ZONA_TRY(list_, read_list(how_.backup, *keys));
        present_.steps = list_.members.size();
        if (how_.at) {
            ZONA_TRY(ends_, detail::read_ends(how_.backup, list_.whole.uuid, *keys));
        }
        const WholeMember* const core = list_.find(kCore);
        if (core == nullptr) return no_list("the core database is not in it");
        ZONA_TRY_VOID(restore_image(*core, how_.state + "/core.db"));
        ZONA_TRY(const auto tenants, tenants_of_core());
        ZONA_TRY_VOID(os::make_directories(how_.state + "/tenants", 0700));
        for (const WholeMember& member : list_.members) {
            if (member.owner == kCore) continue;
            if (member.owner == kSharedImage) {
                if (how_.at) ZONA_TRY_VOID(restore_image(member, shared_path()));
                continue;
            }
            const auto tenant = std::ranges::find(tenants, member.owner, &Tenant::code);
            if (tenant == tenants.end() || tenant->erased_at) {
                leave_out(member);
                continue;
            }
            ZONA_TRY(const auto there, os::stat_path(file_of(member.owner)));
            ZONA_TRY_VOID(there ? restore_tenant(member, *tenant) : miss(member));
        }
        for (const Tenant& tenant : tenants) {
            if (tenant.erased_at || list_.find(tenant.code) != nullptr) continue;
            ZONA_TRY_VOID(restore_later(tenant));
        }
        return std::move(list_);
    }

  private:
    std::string file_of(std::string_view member) const {
        return fmt::format("{}/{}.zbk", how_.backup, member);
    }
    std::string shared_path() const { return how_.state + "/tenants/shared.db"; }

    Result<std::vector<Tenant>> tenants_of_core() {
        ZONA_TRY(const auto core,
                 files_.open_database(how_.state + "/core.db", kCore, core_collections()));
        TenantRegistry registry(core, how_.clock, &files_.core_fields());
        return detail::wait_for<std::vector<Tenant>>(
            [&](auto done) { registry.list(std::move(done)); });
    }

    void leave_out(const WholeMember& member) {
        --list_.whole.tenants;
        list_.whole.documents -= member.documents;
    }

    /// A tenant whose file is gone: with its keys, if it was erased since.
    Result<void> miss(const WholeMember& member) {
        // Its documents come from the log of what all share.
        if (how_.at && list_.find(kSharedImage) != nullptr) return {};
        leave_out(member);
        const auto keys = files_.find_keys(member.owner);
        if (!keys && keys.error().code() != Code::kNotFound) return keys.error();
        if (keys) {
            list_.whole.missing.push_back(
                {.tenant = member.owner, .reason = "its file is not in the backup any more"});
        }
        return {};
    }

    /// A tenant that was made after the backup, or is missing in it: it may have an image of before
    /// the moment.
    Result<void> restore_later(const Tenant& tenant) {
        auto& missing = list_.whole.missing;
        const auto known = std::ranges::find(missing, tenant.code, &MissingTenant::tenant);
        if (how_.at && list_.find(kSharedImage) != nullptr) {  // the log of which has it
            if (known == missing.end()) ++list_.whole.tenants;
            return {};
        }
        const auto is_there = [&]() -> Result<bool> {
            const std::string file = file_of(tenant.code);
            ZONA_TRY(const auto there, os::stat_path(file));
            if (!how_.at || !there) return false;
            ZONA_TRY(const os::UniqueFd opened, os::open_file(file, O_RDONLY));
            ZONA_TRY(const BackupTitle title, read_title(opened.get()));
            return title.made_at <= *how_.at;
        };
        ZONA_TRY(const bool has_image, is_there());
        if (!has_image) {
            if (known == missing.end()) {
                missing.push_back(
                    {.tenant = tenant.code,
                     .reason = "it was made later, and no log has its documents of then"});
            }
            return {};
        }
        const WholeMember later{.owner = tenant.code, .documents = 0, .sha256 = {}};
        ZONA_TRY_VOID(restore_tenant(later, tenant));
        ++list_.whole.tenants;
        if (known != missing.end()) missing.erase(known);
        return {};
    }

    struct Head {
        BuildType type = BuildType::kMssp;
        BackupContent content = BackupContent::kDocuments;
    };

    /// Into the file that the tenant is served from; if there is none, it is told.
    Result<void> restore_tenant(const WholeMember& member, const Tenant& tenant) {
        ZONA_TRY(const Head head, head_of(member));
        const bool is_image = head.content == BackupContent::kImage;
        if (head.type == BuildType::kSingleTenant) {
            if (list_.shared_elsewhere)
                return leave(member, head, "the database that all share was in MongoDB");
            if (!how_.at) return restore_documents(member, shared_path(), kCore);
            if (list_.find(kSharedImage) != nullptr) return {};
            return leave(member, head, "there is no log of the database that all share");
        }
        if (tenant.database.host != kEmbedded) {
            return leave(member, head,
                         fmt::format("its database is in MongoDB, at {}, and was left as it is",
                                     tenant.database.host));
        }
        const std::string own =
            fmt::format("{}/tenants/{}{}{}", how_.state, tenant.code,
                        tenant.database.name.empty() ? "" : "/", tenant.database.name);
        if (!is_image && how_.at)
            return leave(member, head, "it was in MongoDB at the backup, and there is no log");
        ZONA_TRY_VOID(os::make_directories(own, 0700));
        return is_image ? restore_image(member, own + "/data.db")
                        : restore_documents(member, own + "/data.db", tenant.code);
    }

    /// Proves that it could be restored.
    Result<void> leave(const WholeMember& member, const Head& head, std::string reason) {
        if (head.content == BackupContent::kImage) {
            ZONA_TRY(const File file, open(member));
            ZONA_TRY(const os::FileStat status, os::stat_fd(file.fd.get()));
            begin(member.owner, status.size);
            ZONA_TRY(const BackupSummary summary,
                     read_backup(file.fd.get(), file.title, *file.keys, {}));
            ZONA_TRY_VOID(same(member, summary));
        } else {
            const std::string proof = how_.state + "/tenants/" + std::string(kProof);
            ZONA_TRY_VOID(os::make_directories(proof, 0700));
            ZONA_TRY_VOID(restore_documents(member, fmt::format("{}/{}.db", proof, member.owner),
                                            member.owner));
            ZONA_TRY_VOID(remove_tree(proof));
        }
        list_.not_restored.push_back({.tenant = member.owner,
                                      .reason = std::move(reason),
                                      .file = file_of(member.owner),
                                      .documents = member.documents});
        return {};
    }

    struct File {
        os::UniqueFd fd;
        BackupTitle title;
        std::shared_ptr<const vault::DataKeys> keys;
    };
    Result<File> open(const WholeMember& member) const {
        File out;
        ZONA_TRY(out.fd, os::open_file(file_of(member.owner), O_RDONLY));
        ZONA_TRY(out.title, read_title(out.fd.get()));
        if (out.title.owner != owner_of_member(member.owner))
            return no_list(
                fmt::format("the file of {} is one of {}", member.owner, out.title.owner));
        ZONA_TRY(out.keys, files_.find_keys(out.title.owner));
        return out;
    }

    Result<Head> head_of(const WholeMember& member) const {
        ZONA_TRY(const File file, open(member));
        std::optional<Head> head;
        BackupVisitor peek;
        peek.head = [&](BuildType type, BackupContent content) -> Result<void> {
            head = {.type = type, .content = content};
            return Error(Code::kCancelled, "");
        };
        auto read = read_backup(file.fd.get(), file.title, *file.keys, peek);
        if (!head) return read.take_error();
        return *head;
    }

    void begin(const std::string& owner, std::uint64_t total) {
        present_.step = "restore " + owner;
        present_.total = total;
        present_.done = 0;
        present_.number = ++number_;
        present_.unit = "bytes";
        tell_(present_);
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
        ZONA_TRY(const auto links, detail::find_links(file_of(member.owner), ends_, *how_.at));
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

    /// `owner`: whose keys the database at `path` is encrypted with.
    Result<void> restore_documents(const WholeMember& member, const std::string& path,
                                   std::string_view owner) {
        ZONA_TRY(const File file, open(member));
        ZONA_TRY(const os::FileStat status, os::stat_fd(file.fd.get()));
        begin(member.owner, status.size);
        ZONA_TRY(const auto database, files_.open_database(path, owner, tenant_collections()));
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
    WholeList list_;
    detail::LogEnds ends_;
    core::Progress present_;
    std::size_t number_ = 0;
};
}  // namespace

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

}  // namespace zona::tenancy
