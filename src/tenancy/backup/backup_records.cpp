#include "tenancy/backup/backup_records.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/time_format.h"
#include "store/blocking.h"
#include "store/counters.h"
#include "tenancy/core_collections.h"
#include "vault/field_sealer.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Scope;
using store::Writer;

namespace {

Collection in_core(const store::CollectionSpec& spec) {
    return Collection(spec, Scope::core());
}

std::string text_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::uint64_t number_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_int64() ? static_cast<std::uint64_t>(value->get_int64())
                                                 : 0;
}

json::object document_of(const BackupRecord& record) {
    return {{"id", record.id},
            {"uuid", record.uuid.to_string()},
            {"tenant_code", record.tenant},
            {"tenant_name", record.name},
            {"status", to_string(record.status)},
            {"connection_status", to_string(record.connection_status)},
            {"db_host", record.database.host},
            {"db_name", record.database.name},
            {"db_username", record.database.username},
            {"made_at", core::to_rfc3339(record.made_at)},
            {"zona", record.zona},
            {"content", to_string(record.content)},
            {"documents", record.documents},
            {"bytes", record.bytes},
            {"sha256", record.sha256},
            {"file", record.file}};
}

ConnectionStatus connection_of(std::string_view text) {
    for (const auto status : {ConnectionStatus::kConnected, ConnectionStatus::kError}) {
        if (text == to_string(status)) return status;
    }
    return ConnectionStatus::kDisconnected;
}

DatabaseAddress address_of(const json::object& from) {
    return {.host = text_of(from, "db_host"),
            .name = text_of(from, "db_name"),
            .username = text_of(from, "db_username"),
            .password = {}};
}

Result<BackupRecord> backup_of(const Record& record) {
    const json::object& from = *record.document;
    BackupRecord out;
    out.id = from.at("id").to_number<std::int64_t>();
    ZONA_TRY(out.uuid, core::Uuid::parse(text_of(from, "uuid")));
    out.tenant = text_of(from, "tenant_code");
    out.name = text_of(from, "tenant_name");
    ZONA_TRY(out.status, parse_tenant_status(text_of(from, "status")));
    out.connection_status = connection_of(text_of(from, "connection_status"));
    out.database = address_of(from);
    ZONA_TRY(out.made_at, core::parse_rfc3339(text_of(from, "made_at")));
    out.zona = text_of(from, "zona");
    const bool image = text_of(from, "content") == to_string(BackupContent::kImage);
    out.content = image ? BackupContent::kImage : BackupContent::kDocuments;
    out.documents = number_of(from, "documents");
    out.bytes = number_of(from, "bytes");
    out.sha256 = text_of(from, "sha256");
    out.file = text_of(from, "file");
    return out;
}

/// All records of a tenant, or of all tenants for an empty code.
Result<std::vector<Record>> records_of(Reader& reader, const store::CollectionSpec& spec,
                                       const std::string& code) {
    store::Query query{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    if (!code.empty()) query.filter = store::Filter::eq("tenant_code", json::string(code));
    std::vector<Record> out;
    store::PageRequest request{.limit = store::kMaxPageSize, .token = {}};
    do {
        ZONA_TRY(store::Page page, reader.find_page(in_core(spec), query, request));
        std::ranges::move(page.records, std::back_inserter(out));
        request.token = std::move(page.next);
    } while (!request.token.empty());
    return out;
}

Result<std::vector<BackupRecord>> backups_of(Reader& reader, const std::string& code) {
    ZONA_TRY(const auto records, records_of(reader, tenant_backups_spec(), code));
    std::vector<BackupRecord> out;
    for (const Record& record : records) {
        ZONA_TRY(BackupRecord backup, backup_of(record));
        out.push_back(std::move(backup));
    }
    std::ranges::sort(out, std::greater<>(), &BackupRecord::id);
    return out;
}

std::string_view name_of(TenantWork::Kind kind) {
    switch (kind) {
        case TenantWork::Kind::kRestore:
            return "restore";
        case TenantWork::Kind::kErase:
            return "erase";
        case TenantWork::Kind::kMove:
            return "move";
    }
    return "restore";
}

constexpr std::array kEnds = {std::pair{"from", &TenantWork::from},
                              std::pair{"to", &TenantWork::to}};

vault::FieldPlace place_of(std::string_view code, const char* end) {
    return {.collection = tenant_work_spec().name, .document = code, .field = end};
}

Result<json::object> document_of(const TenantWork& work, const vault::FieldSealer* sealer) {
    json::object out = {{"kind", name_of(work.kind)}, {"name", work.name}};
    if (!work.instance.empty()) out["instance"] = work.instance;
    if (work.kind != TenantWork::Kind::kMove) return out;
    for (const auto& [end, member] : kEnds) {
        const DatabaseAddress& address = work.*member;
        json::object written = {{"db_host", address.host},
                                {"db_name", address.name},
                                {"db_username", address.username}};
        if (!address.password.empty() && sealer != nullptr) {
            ZONA_TRY(const std::string sealed,
                     sealer->seal(place_of(work.tenant, end), address.password.reveal()));
            written["db_password"] = sealed;
        }
        out[end] = std::move(written);
    }
    return out;
}

/// A password whose key is gone is as none.
TenantWork work_of(const Record& record, const vault::FieldSealer* sealer) {
    TenantWork out;
    out.tenant = std::get<std::string>(record.id);
    out.name = text_of(*record.document, "name");
    out.instance = text_of(*record.document, "instance");
    const std::string kind = text_of(*record.document, "kind");
    for (const auto one : {TenantWork::Kind::kErase, TenantWork::Kind::kMove}) {
        if (kind == name_of(one)) out.kind = one;
    }
    for (const auto& [end, member] : kEnds) {
        const json::value* const written = record.document->if_contains(end);
        if (written == nullptr || !written->is_object()) continue;
        out.*member = address_of(written->get_object());
        const std::string sealed = text_of(written->get_object(), "db_password");
        if (sealed.empty() || sealer == nullptr) continue;
        if (auto opened = sealer->open(place_of(out.tenant, end), sealed))
            (out.*member).password = *std::move(opened);
    }
    return out;
}

Error being_done_by(std::string_view host, std::string_view code) {
    return Error(Code::kConflict,
                 fmt::format("the host {} is in the middle of something with the tenant {}", host,
                             code))
        .detail(
            {"tenant", "", "it goes on there; if that host has died, when its zona starts anew"});
}

}  // namespace

Result<void> renew_login(Writer& writer, const std::string& tenant, const DatabaseAddress& address,
                         const vault::FieldSealer* sealer) {
    ZONA_TRY(const auto record, writer.find(in_core(tenant_work_spec()), tenant));
    if (!record) return {};
    TenantWork work = work_of(*record, sealer);
    bool is_of_it = false;
    for (const auto& [end, member] : kEnds) {
        DatabaseAddress& known = work.*member;
        if (known.host != address.host || known.name != address.name) continue;
        known = address;
        is_of_it = true;
    }
    if (!is_of_it) return {};
    ZONA_TRY(const json::object document, document_of(work, sealer));
    ZONA_TRY_VOID(
        writer.replace(in_core(tenant_work_spec()), record->id, document, record->version));
    return {};
}

void BackupRecords::list(const std::string& code,
                         store::Callback<std::vector<BackupRecord>> done) const {
    store::read(*core_, [code](Reader& r) { return backups_of(r, code); }, std::move(done));
}

void BackupRecords::databases(const std::string& code,
                              store::Callback<std::vector<DatabaseRecord>> done) const {
    store::read(
        *core_,
        [code](Reader& r) -> Result<std::vector<DatabaseRecord>> {
            ZONA_TRY(const auto records, records_of(r, tenant_databases_spec(), code));
            std::vector<DatabaseRecord> out;
            for (const Record& record : records) {
                out.push_back({.id = record.document->at("id").to_number<std::int64_t>(),
                               .uuid = text_of(*record.document, "uuid"),
                               .tenant = text_of(*record.document, "tenant_code"),
                               .database = address_of(*record.document)});
            }
            return out;
        },
        std::move(done));
}

Result<std::vector<BackupRecord>> BackupRecords::list(const std::string& code) const {
    return store::read_and_wait(*core_, [&](Reader& r) { return backups_of(r, code); });
}

Result<BackupRecord> BackupRecords::add(BackupRecord record) const {
    return store::write_and_wait(*core_, [&](Writer& w) -> Result<BackupRecord> {
        ZONA_TRY(record.id, store::next_number(w, in_core(store::counters_spec()), "tenant_backups",
                                               clock_.system()));
        ZONA_TRY_VOID(w.insert(in_core(tenant_backups_spec()), record.id, document_of(record)));
        return record;
    });
}

Result<void> BackupRecords::remove(std::int64_t id) const {
    ZONA_TRY_VOID(store::write_and_wait(
        *core_, [&](Writer& w) { return w.remove(in_core(tenant_backups_spec()), id); }));
    return {};
}

Result<void> BackupRecords::begin(const TenantWork& work) const {
    ZONA_TRY(const json::object document, document_of(work, sealer_));
    auto begun = store::write_and_wait(*core_, [&](Writer& w) -> Result<Record> {
        ZONA_TRY(const auto there, w.find(in_core(tenant_work_spec()), work.tenant));
        if (!there) return w.insert(in_core(tenant_work_spec()), work.tenant, document);
        if (*there->document == document) return *there;
        return Error(Code::kConflict,
                     fmt::format("the tenant {} is in the middle of a {}, which goes on when zona "
                                 "starts anew",
                                 work.tenant, text_of(*there->document, "kind")));
    });
    if (!begun) return begun.take_error();
    return {};
}

Result<void> BackupRecords::begin_anew(const TenantWork& work) const {
    ZONA_TRY(const json::object document, document_of(work, sealer_));
    ZONA_TRY_VOID(store::write_and_wait(*core_, [&](Writer& w) -> Result<Record> {
        ZONA_TRY(const auto there, w.find(in_core(tenant_work_spec()), work.tenant));
        const std::string host = there ? text_of(*there->document, "instance") : work.instance;
        if (host != work.instance) return being_done_by(host, work.tenant);
        return w.upsert(in_core(tenant_work_spec()), work.tenant, document);
    }));
    return {};
}

Result<std::optional<TenantWork>> BackupRecords::under_way(const std::string& code) const {
    return store::read_and_wait(*core_, [&](Reader& r) -> Result<std::optional<TenantWork>> {
        ZONA_TRY(const auto record, r.find(in_core(tenant_work_spec()), code));
        if (!record) return std::optional<TenantWork>();
        return std::optional(work_of(*record, sealer_));
    });
}

Result<std::optional<TenantWork>> BackupRecords::own(const std::string& code,
                                                     const std::string& instance) const {
    ZONA_TRY(auto work, under_way(code));
    if (work && work->instance != instance) return being_done_by(work->instance, code);
    return work;
}

Result<void> BackupRecords::end(const std::string& code) const {
    ZONA_TRY_VOID(store::write_and_wait(
        *core_, [&](Writer& w) { return w.remove(in_core(tenant_work_spec()), code); }));
    return {};
}

Result<std::vector<TenantWork>> BackupRecords::under_way() const {
    return store::read_and_wait(*core_, [&](Reader& r) -> Result<std::vector<TenantWork>> {
        ZONA_TRY(const auto records, records_of(r, tenant_work_spec(), {}));
        std::vector<TenantWork> out;
        for (const Record& record : records)
            out.push_back(work_of(record, sealer_));
        return out;
    });
}

}  // namespace zona::tenancy
