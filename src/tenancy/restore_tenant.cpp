// Restoring and moving: new documents in the place of old ones, all or none.
#include <algorithm>

#include <fcntl.h>

#include "core/fault.h"
#include "tenancy/detail/operation_parts.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

const store::CollectionSpec* spec_of(const std::string& name) {
    const Specs specs = tenant_collections();
    const auto found = std::ranges::find(specs, name, &store::CollectionSpec::name);
    return found == specs.end() ? nullptr : *found;
}

Error unknown_collection(const std::string& name, int version) {
    return {Code::kConflict,
            fmt::format("the backup has documents of {} in version {}, which this zona does not "
                        "know: restore it with the one that made it",
                        name, version)};
}

/// Gives each record of a backup, with its collection, to `take`. Documents of an older version
/// than today's are refused: they are migrated when a database is opened, and not here.
BackupVisitor records_to(
    std::function<Result<void>(const store::CollectionSpec&, const store::Record&)> take) {
    BackupVisitor visitor;
    auto present = std::make_shared<const store::CollectionSpec*>(nullptr);  // by both below
    visitor.collection = [present](const std::string& name, int version) -> Result<void> {
        *present = spec_of(name);
        if (*present == nullptr || (*present)->version != version)
            return unknown_collection(name, version);
        return {};
    };
    visitor.record = [present, take = std::move(take)](const store::Record& record) {
        return take(**present, record);
    };
    return visitor;
}

Error being(std::string_view what, const std::string& code) {
    return Error(Code::kUnavailable, fmt::format("the tenant {} is being {}", code, what))
        .detail({"", "", "ask again when that is over"});
}

}  // namespace

/// What one restore works with.
struct TenantOperations::Restoring {
    const Tenants::Parts& parts;
    Tenant tenant;
    Opened& opened;
    Steps& steps;
    Existing existing;
};

/// To its beginning, behind the title, which must be the same as before.
Result<void> TenantOperations::read_again(Opened& opened) {
    ZONA_TRY(opened.file, os::open_file(opened.path, O_RDONLY));
    ZONA_TRY(const BackupTitle title, read_title(opened.file.get()));
    if (title.id == opened.title.id) return {};
    return Error(Code::kConflict, "the backup was exchanged while it was read");
}

Result<BackupSummary> TenantOperations::restore(const RestoreRequest& request,
                                                const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const Tenant tenant, tenant_of(parts, request.tenant));
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    if (tenant.erased_at)
        return Error(Code::kConflict, fmt::format("the tenant {} was erased", tenant.code));
    std::string owner = tenant.code;
    if (!request.of.empty()) {
        ZONA_TRY(const store::Scope other, scope_of(request.of));
        owner = other.code();
    }
    ZONA_TRY(Opened opened, open_backup(parts, owner, request.backup));
    Steps steps(tell, 2, stopping_);
    Restoring work{.parts = parts,
                   .tenant = tenant,
                   .opened = opened,
                   .steps = steps,
                   .existing = request.existing};
    ZONA_TRY_VOID(parts.sessions->hold(tenant.code, being("restored", tenant.code)));
    auto restored = restore_held(work);
    parts.sessions->release(work.tenant);
    return restored;
}

Result<BackupSummary> TenantOperations::restore_held(Restoring& work) {
    const std::string code = work.tenant.code;
    ZONA_TRY(const store::Scope scope, scope_of(code));
    // The database is not kept: it is to be closed before its file is removed.
    const auto count = [&]() -> Result<std::uint64_t> {
        ZONA_TRY(const auto before, work.parts.sessions->database(code));
        return store::read_and_wait(
            *before, [&](store::Reader& r) { return count_all(r, tenant_collections(), scope); });
    };
    ZONA_TRY(const std::uint64_t documents, count());
    if (documents > 0 && work.existing == Existing::kRefuse) {
        return Error(Code::kConflict,
                     fmt::format("the tenant {} has {} documents", code, documents))
            .detail({"replace", "", "ask for them to be replaced, or restore into another tenant"});
    }
    if (work.parts.databases->directory_of(work.tenant).empty()) return fill_shared(work);
    const TenantWork intent{.tenant = code, .kind = TenantWork::Kind::kRestore, .name = new_name()};
    const BackupRecords records(work.parts.core, deps_.clock);
    ZONA_TRY_VOID(records.begin(intent));
    auto filled = fill_new(work, intent.name);
    ZONA_FAULT("tenancy.restore_filled");
    if (filled) {
        if (auto switched = switch_to(work.parts, work.tenant, intent.name); !switched)
            filled = switched.take_error();
    }
    ZONA_FAULT("tenancy.restore_switched");
    // What is not meant any more, or never was.
    ZONA_TRY_VOID(clean_up(work.parts, intent));
    return filled;
}

/// A database of its own, beside the one that is in use.
Result<BackupSummary> TenantOperations::fill_new(Restoring& work, const std::string& name) {
    Tenant made = work.tenant;
    made.database.name = name;
    const std::string directory = work.parts.databases->directory_of(made);
    ZONA_TRY_VOID(os::make_directories(directory, 0700));
    const std::string& owner = work.opened.title.owner;
    const bool own = owner == made.code;
    std::optional<BackupContent> content;
    BackupVisitor peek;
    peek.head = [&](BuildType, BackupContent said) -> Result<void> {
        content = said;
        return Error(Code::kCancelled, "");
    };
    (void)read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys, peek);
    ZONA_TRY_VOID(read_again(work.opened));
    if (content == BackupContent::kImage && own) return unpack(work, directory, owner);

    ZONA_TRY(const auto database, work.parts.open_file(directory + "/data.db", made.code));
    ZONA_TRY(const store::Scope scope, scope_of(made.code));
    RecordSink sink(*database, scope);
    if (content == BackupContent::kImage) {
        const std::string other = directory + "/of";
        ZONA_TRY(BackupSummary summary, unpack(work, other, owner));
        ZONA_TRY(auto from, work.parts.open_file(other + "/data.db", owner));
        ZONA_TRY(const store::Scope of, scope_of(owner));
        std::uint64_t done = 0;
        work.steps.begin("store", summary.documents, "documents");
        for (const store::CollectionSpec* spec : tenant_collections()) {
            ZONA_TRY_VOID(read_snapshot(*from, [&](store::Reader& reader) {
                return for_each_record(reader, store::Collection(*spec, of),
                                       [&](const store::Record& record) -> Result<void> {
                                           ZONA_TRY_VOID(sink.add(*spec, record));
                                           return work.steps.at(++done);
                                       });
            }));
        }
        ZONA_TRY_VOID(sink.flush());
        from.reset();
        work.parts.wait_until_closed(other + "/data.db");
        ZONA_TRY_VOID(remove_tree(other));
        return summary;
    }
    work.steps.begin("store", work.opened.bytes, "bytes");
    BackupVisitor visitor = records_to(
        [&](const auto& spec, const store::Record& record) { return sink.add(spec, record); });
    visitor.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
    ZONA_TRY(BackupSummary summary,
             read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys, visitor));
    ZONA_TRY_VOID(sink.flush());
    return summary;
}

/// The file of an image, encrypted for its owner again; then the documents in it are counted.
Result<BackupSummary> TenantOperations::unpack(Restoring& work, const std::string& directory,
                                               const std::string& owner) {
    ZONA_TRY_VOID(os::make_directories(directory, 0700));
    const std::string path = directory + "/data.db";
    work.steps.begin("copy", work.opened.bytes, "bytes");
    BackupSummary summary;
    {
        ZONA_TRY(const auto writer, work.parts.files->write_image(path, owner));
        BackupVisitor visitor;
        visitor.pages = [&](std::span<const std::byte> pages) { return writer->write(pages); };
        visitor.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
        ZONA_TRY(summary, read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys,
                                      visitor));
        ZONA_TRY_VOID(writer->finish());
    }
    ZONA_TRY(const store::Scope scope, scope_of(owner));
    {
        ZONA_TRY(const auto database, work.parts.open_file(path, owner));
        ZONA_TRY(const std::uint64_t documents,
                 store::read_and_wait(*database, [&](store::Reader& r) {
                     return count_all(r, tenant_collections(), scope);
                 }));
        if (documents != summary.documents) {
            return Error(Code::kConflict,
                         fmt::format("the backup says that it has {} documents, and has {}",
                                     summary.documents, documents));
        }
    }
    work.parts.wait_until_closed(path);
    return summary;
}

/// In one transaction, once all of the backup was verified.
Result<BackupSummary> TenantOperations::fill_shared(Restoring& work) {
    const std::string code = work.tenant.code;
    ZONA_TRY(const store::Scope scope, scope_of(code));
    ZONA_TRY(const auto database, work.parts.sessions->database(code));
    work.steps.begin("verify", work.opened.bytes, "bytes");
    BackupVisitor looking = records_to([](const auto&, const auto&) -> Result<void> { return {}; });
    looking.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
    looking.head = [](BuildType, BackupContent content) -> Result<void> {
        if (content == BackupContent::kDocuments) return {};
        return Error(Code::kUnsupported,
                     "the backup is the file of a tenant with a database of its own, and this "
                     "installation has one for all")
            .detail({"", "", "export-data in the installation that made it, or restore it there"});
    };
    ZONA_TRY_VOID(
        read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys, looking));
    work.steps.begin("store", work.opened.bytes, "bytes");
    return store::write_and_wait(*database, [&](store::Writer& w) -> Result<BackupSummary> {
        ZONA_TRY_VOID(read_again(work.opened));
        for (const store::CollectionSpec* spec : tenant_collections())
            ZONA_TRY_VOID(remove_all(w, store::Collection(*spec, scope)));
        BackupVisitor storing = records_to([&](const auto& spec, const store::Record& record) {
            return w.restore(store::Collection(spec, scope), record);
        });
        storing.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
        ZONA_FAULT("tenancy.restore_shared");
        return read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys, storing);
    });
}

Result<void> TenantOperations::switch_to(const Tenants::Parts& parts, Tenant& tenant,
                                         const std::string& name) {
    auto switched = answer_to<Tenant>([&](auto done) {
        parts.registry->set_database(tenant.code, std::string(kEmbedded), name, std::move(done));
    });
    if (!switched) return switched.take_error();
    tenant = *std::move(switched);
    return {};
}

/// Takes away every database of the tenant but the one that its record names.
Result<void> TenantOperations::clean_up(const Tenants::Parts& parts, const TenantWork& work) {
    ZONA_TRY(const Tenant tenant, tenant_of(parts, work.tenant));
    auto cleaned = remove_others(parts, tenant);
    if (cleaned) cleaned = BackupRecords(parts.core, deps_.clock).end(tenant.code);
    parts.sessions->release(tenant);
    return cleaned;
}

Result<void> TenantOperations::remove_others(const Tenants::Parts& parts, const Tenant& tenant) {
    Tenant unnamed = tenant;
    unnamed.database.name.clear();
    const std::string present = parts.databases->directory_of(tenant);
    const std::string root = parts.databases->directory_of(unnamed);
    if (root.empty()) return {};
    // Whichever was in use is let go of; the right one is opened when somebody asks.
    ZONA_TRY_VOID(parts.sessions->hold(tenant.code, being("changed", tenant.code)));
    ZONA_TRY(const auto names, os::list_directory(root));
    for (const std::string& name : names) {
        const std::string path = root + "/" + name;
        const bool file = name.starts_with("data.db");
        if (path == present || (present == root && file)) continue;
        parts.wait_until_closed(file ? path : path + "/data.db");
        ZONA_TRY_VOID(remove_tree(path));
    }
    ZONA_FAULT("tenancy.old_removed");
    return {};
}

Result<std::vector<CollectionSum>> TenantOperations::move(const std::string& code,
                                                          const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(Tenant tenant, tenant_of(parts, code));
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    if (parts.databases->directory_of(tenant).empty()) {
        return Error(Code::kUnsupported,
                     fmt::format("the tenant {} has no database of its own that could be moved",
                                 tenant.code));
    }
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    Steps steps(tell, 1, stopping_);
    const TenantWork intent{
        .tenant = tenant.code, .kind = TenantWork::Kind::kMove, .name = new_name()};
    const BackupRecords records(parts.core, deps_.clock);
    ZONA_TRY_VOID(parts.sessions->hold(tenant.code, being("moved", tenant.code)));
    if (auto begun = records.begin(intent); !begun) {
        parts.sessions->release(tenant);
        return begun.take_error();
    }
    const auto copy = [&]() -> Result<std::vector<CollectionSum>> {
        Tenant made = tenant;
        made.database.name = intent.name;
        const std::string directory = parts.databases->directory_of(made);
        ZONA_TRY_VOID(os::make_directories(directory, 0700));
        ZONA_TRY(const auto from, parts.sessions->database(tenant.code));
        ZONA_TRY(const auto to, parts.open_file(directory + "/data.db", tenant.code));
        ZONA_TRY(const std::uint64_t total, store::read_and_wait(*from, [&](store::Reader& r) {
                     return count_all(r, tenant_collections(), scope);
                 }));
        steps.begin("copy", total, "documents");
        return copy_documents(*from, *to, tenant_collections(), scope,
                              [&](std::uint64_t done) { return steps.at(done); });
    };
    auto copied = copy();
    ZONA_FAULT("tenancy.move_copied");
    if (copied) {
        if (auto switched = switch_to(parts, tenant, intent.name); !switched)
            copied = switched.take_error();
    }
    ZONA_TRY_VOID(clean_up(parts, intent));
    return copied;
}

}  // namespace zona::tenancy
