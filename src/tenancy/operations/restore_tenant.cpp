// Restoring: new documents in the place of old ones, all or none.
#include <algorithm>

#include <boost/json/object.hpp>
#include <fcntl.h>

#include "core/fault.h"
#include "core/time_format.h"
#include "tenancy/detail/log_ends.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/second_thread.h"
#include "tenancy/detail/whole_parts.h"
#include "tenancy/keys/sealed_fields.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::Record;

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
    std::function<Result<void>(const store::CollectionSpec&, const Record&)> take) {
    BackupVisitor visitor;
    auto present = std::make_shared<const store::CollectionSpec*>(nullptr);  // by both below
    visitor.collection = [present](const std::string& name, int version) -> Result<void> {
        *present = spec_of(name);
        if (*present == nullptr || (*present)->version != version)
            return unknown_collection(name, version);
        return {};
    };
    visitor.record = [present, take = std::move(take)](const Record& record) {
        return take(**present, record);
    };
    return visitor;
}

}  // namespace

/// What one restore works with.
struct TenantOperations::Restoring {
    const Tenants::Parts& parts;
    Tenant tenant;
    Opened& opened;
    Steps& steps;
    Existing existing;
    std::string of;  ///< whose documents they are
    std::optional<core::SystemTime> at;
    std::vector<LogFile> links;  ///< up to that moment, from the image that is open

    /// How another tenant's records are stored for this one; nothing for its own. Errors: those of
    /// the ring.
    Result<std::function<Result<Record>(const store::CollectionSpec&, const Record&)>> converter(
        const core::Logger& log) const;
};

/// Secret fields are bound to their tenant and under its keys.
Result<std::function<Result<Record>(const store::CollectionSpec&, const Record&)>>
TenantOperations::Restoring::converter(const core::Logger& log) const {
    using Convert = std::function<Result<Record>(const store::CollectionSpec&, const Record&)>;
    if (of == tenant.code)
        return Convert([](const auto&, const Record& record) { return Result<Record>(record); });
    ZONA_TRY(const store::Scope source, scope_of(of));
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    SealedFields from{.sealer = nullptr, .secrets = Secrets::kShown, .log = log};
    SealedFields to = from;
    ZONA_TRY(from.sealer, parts.files->fields(of));
    ZONA_TRY(to.sealer, parts.files->fields(tenant.code));
    return Convert([=](const store::CollectionSpec& spec, const Record& record) -> Result<Record> {
        auto sealed = seal_for_another(store::Collection(spec, source), from,
                                       store::Collection(spec, scope), to, record);
        if (!sealed) {
            return sealed.take_error()
                .context(fmt::format("the backup's document {} of {} cannot be made {}'s",
                                     store::to_string(record.id), spec.name, scope.code()))
                .detail({"", "nothing was changed",
                         fmt::format("it needs the keys of {} of the time of the backup: bring "
                                     "back state/keys.json of then",
                                     source.code())});
        }
        Record out = record;
        out.document = std::make_shared<const store::Document>(*std::move(sealed));
        return out;
    });
}

/// To its beginning, behind the title, which must be the same as before.
Result<void> TenantOperations::read_again(Opened& opened) {
    ZONA_TRY(opened.file, os::open_file(opened.path, O_RDONLY));
    ZONA_TRY(const BackupTitle title, read_title(opened.file.get()));
    if (title.id == opened.title.id) return {};
    return Error(Code::kConflict, "the backup was exchanged while it was read");
}

Result<BackupContent> TenantOperations::content_of(Opened& opened) {
    std::optional<BackupContent> content;
    BackupVisitor peek;
    peek.head = [&](BuildType, BackupContent said) -> Result<void> {
        content = said;
        return Error(Code::kCancelled, "");
    };
    auto read = read_backup(opened.file.get(), opened.title, *opened.keys, peek);
    if (!content) return read.take_error();
    ZONA_TRY_VOID(read_again(opened));
    return *content;
}

Result<BackupSummary> TenantOperations::restore(const RestoreRequest& request,
                                                const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const Tenant tenant, tenant_of(parts, request.tenant));
    // Before it is occupied, for then it is not logged.
    if (request.at) ZONA_TRY_VOID(log_until(tenant, *request.at));
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    if (tenant.erased_at)
        return Error(Code::kConflict, fmt::format("the tenant {} was erased", tenant.code));
    ZONA_TRY_VOID(check_left_to_us(parts, tenant));
    std::string owner = tenant.code;
    if (!request.of.empty()) {
        ZONA_TRY(const store::Scope other, scope_of(request.of));
        owner = other.code();
    }
    RestoreRequest wanted = request;
    std::vector<LogFile> links;
    if (wanted.at) {
        ZONA_TRY(links, links_at(parts, owner, wanted));
    }
    // The image may be that of the database that all share.
    ZONA_TRY(Opened opened,
             open_backup(parts, wanted.at ? owner_of_image(wanted.backup) : owner, wanted.backup));
    ZONA_TRY_VOID(end_move(parts, tenant.code));
    Steps steps(tell, 2, stopping_);
    Restoring work{.parts = parts,
                   .tenant = tenant,
                   .opened = opened,
                   .steps = steps,
                   .existing = request.existing,
                   .of = owner,
                   .at = wanted.at,
                   .links = std::move(links)};
    if (parts.instance.empty()) return restore_alone(work);
    const BackupRecords records = works_of(parts);
    ZONA_TRY_VOID(records.begin({.tenant = tenant.code,
                                 .kind = TenantWork::Kind::kRestore,
                                 .name = {},
                                 .instance = parts.instance}));
    auto restored = restore_alone(work);
    if (auto ended = records.end(tenant.code); !ended) {
        deps_.log.report("a tenant that was restored cannot be made active before zona starts anew",
                         ended.error(), {{"tenant", tenant.code}});
    }
    return restored;
}

/// While nobody serves the tenant.
Result<BackupSummary> TenantOperations::restore_alone(Restoring& work) {
    const std::string& code = work.tenant.code;
    ZONA_TRY_VOID(wait_for_others(work.parts, work.tenant, work.steps));
    ZONA_TRY_VOID(work.parts.sessions->hold(code, being_done("restored", code)));
    auto restored = restore_held(work);
    work.parts.sessions->release(work.tenant);
    return restored;
}

/// That a moment can be asked for; what has changed until now is logged, if it needs that.
Result<void> TenantOperations::log_until(const Tenant& tenant, core::SystemTime at) {
    const auto parts = deps_.tenants.parts();
    const core::SystemTime now = deps_.clock.system();
    if (at > now) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} has not come yet", core::to_rfc3339(at)))
            .detail({"at", "", "give a moment that has passed"});
    }
    const bool own = !parts->databases->directory_of(tenant).empty();
    if (!own && parts->build_type == BuildType::kMssp) {
        return Error(Code::kUnsupported,
                     fmt::format("the documents of {} are in MongoDB, of which zona keeps no log",
                                 tenant.code))
            .detail({"at", "",
                     "restore one of its backups, or use the server's own point-in-time restore"});
    }
    if (options_.log == Log::kOff) return {};
    ZONA_TRY(const auto wholes, whole_backups());
    if (wholes.empty() || at <= wholes.front().until) return {};
    const auto lock = log_turn();
    if (auto logged = log_held({}); !logged)
        deps_.log.report("changes could not be logged before a restore", logged.error());
    return {};
}

/// The links that make an owner's documents as they were; the image's file into the request.
Result<std::vector<LogFile>> TenantOperations::links_at(const Tenants::Parts& parts,
                                                        const std::string& owner,
                                                        RestoreRequest& request) {
    const bool shared = parts.build_type == BuildType::kSingleTenant;
    const std::string name = shared ? std::string(kSharedImage) : owner;
    ZONA_TRY(const std::string image, image_at(parts, name, request));
    const std::string directory = image.substr(0, image.rfind('/'));
    ZONA_TRY(const auto keys, parts.files->find_keys(kCoreOwner));
    ZONA_TRY(const WholeList list, read_list(directory, *keys));
    ZONA_TRY(const auto ends, detail::read_ends(directory, list.whole.uuid, *keys));
    request.backup = image;
    return detail::find_links(image, ends, *request.at);
}

Result<BackupSummary> TenantOperations::restore_held(Restoring& work) {
    const std::string code = work.tenant.code;
    ZONA_TRY(const store::Scope scope, scope_of(code));
    // The database is not kept: it is to be closed before its file is removed.
    const auto count = [&]() -> Result<std::uint64_t> {
        ZONA_TRY(const auto before, work.parts.sessions->database(code, WhileHeld::kOpen));
        return store::read_and_wait(
            *before, [&](store::Reader& r) { return count_all(r, tenant_collections(), scope); });
    };
    ZONA_TRY(const std::uint64_t documents, count());
    if (documents > 0 && work.existing == Existing::kRefuse) {
        return Error(Code::kConflict,
                     fmt::format("the tenant {} has {} documents", code, documents))
            .detail({"replace", "", "ask for them to be replaced, or restore into another tenant"});
    }
    if (work.parts.databases->directory_of(work.tenant).empty()) {
        ZONA_TRY(const BackupContent content, content_of(work.opened));
        // Of before it was moved to MongoDB, or into the one database of all.
        const bool is_file = content == BackupContent::kImage;
        return work.at || is_file ? fill_from_image(work) : fill_shared(work);
    }
    const TenantWork intent{.tenant = code,
                            .kind = TenantWork::Kind::kRestore,
                            .name = new_name(),
                            .instance = work.parts.instance};
    const BackupRecords records = works_of(work.parts);
    ZONA_TRY_VOID(records.begin(intent));
    auto filled = fill_new(work, intent.name);
    ZONA_FAULT("tenancy.restore_filled");
    if (filled) {
        const DatabaseAddress made{.host = std::string(kEmbedded), .name = intent.name};
        if (auto switched = switch_to(work.parts, work.tenant, made); !switched)
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
    ZONA_TRY(const BackupContent content, content_of(work.opened));
    if (content == BackupContent::kImage && own) return unpack(work, directory, owner);

    ZONA_TRY(const auto database, work.parts.open_file(directory + "/data.db", made.code));
    ZONA_TRY(const store::Scope scope, scope_of(made.code));
    RecordSink sink(*database, scope);
    ZONA_TRY(const auto convert, work.converter(deps_.log));
    const auto keep = [&](const store::CollectionSpec& spec, const Record& record) -> Result<void> {
        ZONA_TRY(const Record converted, convert(spec, record));
        return sink.add(spec, converted);
    };
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
                                       [&](const Record& record) -> Result<void> {
                                           ZONA_TRY_VOID(keep(*spec, record));
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
    BackupVisitor visitor = records_to(keep);
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
        detail::SecondThread writing(
            [&](std::span<const std::byte> pages) { return writer->write(pages); });
        BackupVisitor visitor;
        visitor.pages = [&](std::span<const std::byte> pages) { return writing.add(pages); };
        visitor.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
        ZONA_TRY(summary, read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys,
                                      visitor));
        ZONA_TRY_VOID(writing.finish());
        if (summary.content != BackupContent::kImage) {
            return Error(Code::kConflict, "this is a part of a log, and no backup")
                .detail({"backup", "", "restore its tenant with --at"});
        }
        if (work.at) {
            ZONA_TRY(const LogEnd end,
                     read_log(work.links, end_of_image(summary), *work.opened.keys,
                              [&](std::uint64_t offset, std::span<const std::byte> pages) {
                                  return writer->put(offset, pages);
                              }));
            summary.sha256 = end.sha256;
            summary.restored_to = end.moment;
        }
        ZONA_TRY_VOID(writer->finish());
    }
    ZONA_TRY(const store::Scope scope, scope_of(work.of));
    if (work.at) {
        ZONA_TRY(const auto database, work.parts.open_file(path, owner));
        // Each page was proven by its link; that they belong together is proven here.
        ZONA_TRY_VOID(work.parts.files->check(path));
        summary.collections.clear();
        ZONA_TRY(summary.documents, store::read_and_wait(*database, [&](store::Reader& r) {
                     return count_all(r, tenant_collections(), scope);
                 }));
    } else {
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

/// Out of the file that all share, or that was the tenant's own, made anew in a directory for that.
Result<BackupSummary> TenantOperations::fill_from_image(Restoring& work) {
    const std::string code = work.tenant.code;
    ZONA_TRY(const store::Scope scope, scope_of(code));
    ZONA_TRY(const store::Scope of, scope_of(work.of));
    ZONA_TRY(const auto database, work.parts.sessions->database(code, WhileHeld::kOpen));
    const std::string& owner = work.opened.title.owner;
    const std::string directory = scratch_name(work.parts);
    const auto fill = [&]() -> Result<BackupSummary> {
        ZONA_TRY(const auto convert, work.converter(deps_.log));
        ZONA_TRY(BackupSummary summary, unpack(work, directory, owner));
        const std::string path = directory + "/data.db";
        std::shared_ptr<store::Database> from;
        ZONA_TRY(from, work.parts.open_file(path, owner));
        work.steps.begin("store", summary.documents, "documents");
        std::uint64_t done = 0;
        auto stored = store::write_and_wait(*database, [&](store::Writer& w) -> Result<int> {
            for (const store::CollectionSpec* spec : tenant_collections()) {
                const store::Collection collection(*spec, scope);
                ZONA_TRY_VOID(remove_all(w, collection));
                ZONA_TRY_VOID(read_snapshot(*from, [&](store::Reader& reader) {
                    return for_each_record(reader, store::Collection(*spec, of),
                                           [&](const store::Record& record) -> Result<void> {
                                               ZONA_TRY(const Record converted,
                                                        convert(*spec, record));
                                               ZONA_TRY_VOID(w.restore(collection, converted));
                                               return work.steps.at(++done);
                                           });
                }));
            }
            ZONA_FAULT("tenancy.restore_shared");
            return 0;
        });
        from.reset();
        work.parts.wait_until_closed(path);
        if (!stored) return stored.take_error();
        return summary;
    };
    auto filled = fill();
    if (auto removed = remove_tree(directory); !removed)
        deps_.log.report("a part of a restore stays", removed.error());
    return filled;
}

/// In one transaction, once all of the backup was verified.
Result<BackupSummary> TenantOperations::fill_shared(Restoring& work) {
    const std::string code = work.tenant.code;
    ZONA_TRY(const store::Scope scope, scope_of(code));
    ZONA_TRY(const auto database, work.parts.sessions->database(code, WhileHeld::kOpen));
    work.steps.begin("verify", work.opened.bytes, "bytes");
    BackupVisitor looking = records_to([](const auto&, const auto&) -> Result<void> { return {}; });
    looking.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
    looking.head = [](BuildType, BackupContent content) -> Result<void> {
        if (content == BackupContent::kDocuments) return {};
        return Error(Code::kUnsupported, "the file holds changes, and no documents")
            .detail({"backup", "", "name the backup whose log it is, and a moment by `at`"});
    };
    ZONA_TRY_VOID(
        read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys, looking));
    work.steps.begin("store", work.opened.bytes, "bytes");
    ZONA_TRY(const auto convert, work.converter(deps_.log));
    return store::write_and_wait(*database, [&](store::Writer& w) -> Result<BackupSummary> {
        ZONA_TRY_VOID(read_again(work.opened));
        for (const store::CollectionSpec* spec : tenant_collections())
            ZONA_TRY_VOID(remove_all(w, store::Collection(*spec, scope)));
        BackupVisitor storing = records_to(
            [&](const store::CollectionSpec& spec, const Record& record) -> Result<void> {
                ZONA_TRY(const Record converted, convert(spec, record));
                return w.restore(store::Collection(spec, scope), converted);
            });
        storing.progress = [&](std::uint64_t bytes) { return work.steps.at(bytes); };
        ZONA_FAULT("tenancy.restore_shared");
        return read_backup(work.opened.file.get(), work.opened.title, *work.opened.keys, storing);
    });
}

}  // namespace zona::tenancy
