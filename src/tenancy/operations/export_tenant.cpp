// Exporting a tenant's documents, and checking everybody's.
#include <algorithm>

#include <boost/json.hpp>
#include <fcntl.h>

#include "core/time_format.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "tenancy/compliance.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/keys/sealed_fields.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Record;

namespace {

/// Written at once.
constexpr std::size_t kBuffered = std::size_t{1} << 18U;

json::value id_of(const store::Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return *number;
    return json::string(std::get<std::string>(id));
}

/// One file of JSON lines, with its hash.
class LinesFile {
  public:
    explicit LinesFile(const os::UniqueFd& fd) : fd_(fd) {}

    Result<void> add(const json::value& line) {
        text_ += json::serialize(line);
        text_ += '\n';
        return text_.size() < kBuffered ? Result<void>() : flush();
    }
    Result<std::string> finish() {
        ZONA_TRY_VOID(flush());
        ZONA_TRY_VOID(os::sync_data(fd_.get()));
        return crypto::hex(hash_.finish());
    }

  private:
    Result<void> flush() {
        hash_.add(text_);
        auto written = os::write_all(fd_.get(), text_);
        text_.clear();
        return written;
    }

    const os::UniqueFd& fd_;
    crypto::Sha256 hash_;
    std::string text_;
};

/// Writes a file of lines for a collection.
Result<CollectionSum> export_collection(store::Reader& reader, const store::Collection& collection,
                                        const std::string& directory, const Compliance& masked,
                                        const std::function<Result<void>()>& progress) {
    CollectionSum sum{.name = collection.name(), .documents = 0, .sha256 = {}};
    ZONA_TRY(const os::UniqueFd fd,
             os::open_file(fmt::format("{}/{}.jsonl", directory, collection.name()),
                           O_WRONLY | O_CREAT | O_EXCL, 0600));
    LinesFile lines(fd);
    const auto add = [&](const Record& record) -> Result<void> {
        store::Document document = *record.document;
        masked.mask(collection.name(), document);
        ZONA_TRY_VOID(lines.add(json::object{{"id", id_of(record.id)},
                                             {"version", record.version},
                                             {"created", core::to_rfc3339(record.created)},
                                             {"updated", core::to_rfc3339(record.updated)},
                                             {"document", std::move(document)}}));
        ++sum.documents;
        return progress();
    };
    ZONA_TRY_VOID(for_each_record(reader, collection, add));
    ZONA_TRY(sum.sha256, lines.finish());
    return sum;
}

Result<void> write_manifest(const std::string& directory, json::object manifest,
                            const std::vector<CollectionSum>& sums) {
    json::array collections;
    for (const CollectionSum& sum : sums) {
        collections.push_back({{"name", sum.name},
                               {"file", sum.name + ".jsonl"},
                               {"documents", sum.documents},
                               {"sha256", sum.sha256}});
    }
    manifest["collections"] = std::move(collections);
    return os::replace_file(directory + "/manifest.json", json::serialize(manifest) + "\n", 0600);
}

}  // namespace

Result<std::vector<CollectionSum>> TenantOperations::export_data(const ExportRequest& request,
                                                                 const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    ZONA_TRY(const Tenant tenant, tenant_of(parts, request.tenant));
    ZONA_TRY(const Busy busy, occupy(tenant.code));
    if (!request.directory.starts_with('/')) {
        return Error(Code::kInvalidArgument,
                     fmt::format("'{}' is no absolute path", request.directory));
    }
    ZONA_TRY(const auto taken, os::stat_path(request.directory));
    if (taken) return Error(Code::kConflict, fmt::format("{} is there already", request.directory));
    // Under another name until it is whole.
    const std::string making = request.directory + ".tmp";
    ZONA_TRY_VOID(remove_tree(making));
    ZONA_TRY_VOID(os::make_directories(making, 0700));
    Steps steps(tell, 1, stopping_);
    std::vector<CollectionSum> sums;
    const auto whole = [&]() -> Result<void> {
        ZONA_TRY_VOID(export_documents(parts, tenant, request, making, sums, steps));
        ZONA_TRY_VOID(os::rename_file(making, request.directory));
        return os::sync_directory(request.directory.substr(0, request.directory.rfind('/') + 1));
    };
    if (auto done = whole(); !done) {
        if (auto removed = remove_tree(making); !removed)
            deps_.log.report("a part of an export stays", removed.error());
        return done.take_error();
    }
    return sums;
}

Result<void> TenantOperations::export_documents(const Tenants::Parts& parts, const Tenant& tenant,
                                                const ExportRequest& request,
                                                const std::string& directory,
                                                std::vector<CollectionSum>& sums, Steps& steps) {
    ZONA_TRY(const store::Scope scope, scope_of(tenant.code));
    const bool masked = request.secrets == SecretFields::kMask;
    SealedFields fields{.sealer = nullptr,
                        .secrets = masked ? Secrets::kMasked : Secrets::kShown,
                        .log = deps_.log};
    ZONA_TRY(fields.sealer, parts.files->fields(tenant.code));
    Compliance hidden;
    if (masked) {
        ZONA_TRY(hidden, Compliance::parse(*tenant.compliance_settings));
    }
    ZONA_TRY(const auto database, parts.sessions->database(tenant.code));
    ZONA_TRY_VOID(read_snapshot(*database, [&](store::Reader& stored) -> Result<void> {
        const std::unique_ptr<store::Reader> opened = open_fields(stored, fields);
        store::Reader& reader = *opened;
        const Specs specs = tenant_collections();
        ZONA_TRY(const std::uint64_t total, count_all(reader, specs, scope));
        steps.begin("export", total, "documents");
        std::uint64_t done = 0;
        for (const store::CollectionSpec* spec : specs) {
            ZONA_TRY(CollectionSum sum,
                     export_collection(reader, store::Collection(*spec, scope), directory, hidden,
                                       [&] { return steps.at(++done); }));
            sums.push_back(std::move(sum));
        }
        return {};
    }));
    return write_manifest(directory,
                          {{"format", 1},
                           {"tenant", tenant.code},
                           {"made_at", core::to_rfc3339(deps_.clock.system())},
                           {"zona", options_.zona},
                           {"secret_fields", masked ? "masked" : "open"}},
                          sums);
}

Result<CheckReport> TenantOperations::check(const core::ProgressSink& tell) {
    ZONA_TRY(const Tenants::Parts parts, deps_.tenants.parts());
    CheckReport report;
    auto tenants = detail::wait_for<std::vector<Tenant>>(
        [&](auto done) { parts.registry->list(std::move(done)); });
    if (!tenants) {
        report.findings.push_back({.where = "core", .what = tenants.error().message()});
        return report;
    }
    Steps steps(tell, 1, stopping_);
    steps.begin("check", tenants->size() + 1, "databases");
    const auto structure = [&](store::Database& database, const std::string& where) {
        auto* const file = dynamic_cast<store::SqliteDatabase*>(&database);
        if (file == nullptr) return;
        std::promise<Result<void>> answer;
        file->check([&](Result<void> found) { answer.set_value(std::move(found)); });
        if (auto found = answer.get_future().get(); !found)
            report.findings.push_back({.where = where, .what = found.error().message()});
    };
    structure(*parts.core, "core");
    ++report.databases;
    std::uint64_t done = 0;
    store::Database* shared = nullptr;
    for (const Tenant& tenant : *tenants) {
        ZONA_TRY_VOID(steps.at(++done));
        if (tenant.erased_at) continue;
        // The next check sees what is being changed now.
        if (parts.sessions->is_held(tenant.code)) continue;
        check_tenant(parts, tenant, report);
        const auto database = parts.sessions->database(tenant.code);
        // All of them may have the same one.
        if (!database || database->get() == shared) continue;
        shared = database->get();
        ++report.databases;
        structure(**database, tenant.code);
    }
    return report;
}

/// Its keys, its stamps, its counts, and what is recorded of its databases and backups.
void TenantOperations::check_tenant(const Tenants::Parts& parts, const Tenant& tenant,
                                    CheckReport& report) {
    const auto find = [&](std::string what) {
        report.findings.push_back({.where = tenant.code, .what = std::move(what)});
    };
    const auto scope = scope_of(tenant.code);
    const auto database = parts.sessions->database(tenant.code);
    if (!database && parts.sessions->is_held(tenant.code)) return;
    if (!scope || !database) return find((database ? scope.error() : database.error()).message());
    const bool own = !parts.databases->directory_of(tenant).empty();
    if (const auto keys = parts.files->find_keys(tenant.code); own && !keys)
        find(keys.error().message());
    for (const store::CollectionSpec* spec : tenant_collections()) {
        // Reading every record holds its stamp against its place.
        std::uint64_t counted = 0;
        std::uint64_t seen = 0;
        const auto read = read_snapshot(**database, [&](store::Reader& r) -> Result<void> {
            ZONA_TRY(counted, count_all(r, {spec}, *scope));
            return for_each_record(r, store::Collection(*spec, *scope),
                                   [&](const Record&) -> Result<void> {
                                       ++seen;
                                       return {};
                                   });
        });
        report.documents += seen;
        if (!read) {
            find(fmt::format("{}: {}", spec->name, read.error().message()));
        } else if (counted != seen) {
            find(fmt::format("{}: an index counts {} documents, and there are {}", spec->name,
                             counted, seen));
        }
    }
    const BackupRecords records(parts.core, deps_.clock);
    const auto all = records.list(tenant.code);
    if (!all) return find(all.error().message());
    for (const BackupRecord& record : *all) {
        const auto there = os::stat_path(path_of(record.file));
        if (!there || !*there) {
            find(
                fmt::format("the file of its backup {} is not there; bring it back, or delete "
                            "the record (zona tenant backup {} --delete {})",
                            record.uuid.to_string(), tenant.code, record.uuid.to_string()));
        }
    }
}

}  // namespace zona::tenancy
