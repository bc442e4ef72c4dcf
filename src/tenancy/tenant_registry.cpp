#include "tenancy/tenant_registry.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/random.h"
#include "store/counters.h"
#include "tenancy/backup/backup_records.h"
#include "tenancy/compliance.h"
#include "tenancy/core_collections.h"
#include "tenancy/limits/license_repository.h"
#include "tenancy/tenant_databases.h"
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

constexpr std::size_t kMostNameBytes = 200;
constexpr const char* kPassword = "db_password";
constexpr const char* kQuotas = "quotas";
constexpr const char* kRequestsPerSecond = "requests_per_second";
constexpr const char* kConcurrentRequests = "concurrent_requests";
constexpr const char* kStorageBytes = "storage_bytes";
constexpr const char* kErasedAt = "erased_at";
/// How often a tenant is tried to be made, while others are made at the same time.
constexpr int kTries = 100;
/// The counter of changes that other hosts have to follow.
constexpr const char* kChanges = "tenant_changes";

Collection in_core(const store::CollectionSpec& spec) {
    return Collection(spec, Scope::core());
}

std::string text_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::shared_ptr<const json::object> object_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_object()) return std::make_shared<const json::object>();
    return std::make_shared<const json::object>(value->get_object());
}

json::object copy_of(const std::shared_ptr<const json::object>& object) {
    return object ? *object : json::object();
}

ConnectionStatus connection_of(std::string_view text) {
    for (const auto status : {ConnectionStatus::kConnected, ConnectionStatus::kError}) {
        if (text == to_string(status)) return status;
    }
    return ConnectionStatus::kDisconnected;
}

template <class Number>
std::optional<Number> number_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<Number>();
}

OwnQuota quota_of(const json::object& from) {
    return {.requests_per_second = number_of<std::uint32_t>(from, kRequestsPerSecond),
            .concurrency = number_of<std::uint32_t>(from, kConcurrentRequests),
            .storage_bytes = number_of<std::uint64_t>(from, kStorageBytes)};
}

json::object fields_of(const OwnQuota& quota) {
    json::object out;
    if (quota.requests_per_second) out[kRequestsPerSecond] = *quota.requests_per_second;
    if (quota.concurrency) out[kConcurrentRequests] = *quota.concurrency;
    if (quota.storage_bytes) out[kStorageBytes] = static_cast<std::int64_t>(*quota.storage_bytes);
    return out;
}

Error no_tenant(std::string_view code) {
    return {Code::kNotFound, fmt::format("there is no tenant '{}'", code)};
}

}  // namespace

struct TenantRegistry::Work {
    const core::Clock& clock;
    const vault::FieldSealer* sealer;
    LicenseKeys license_keys{};
    mutable core::SystemRandom random{};  ///< any thread

    static vault::FieldPlace place(std::string_view code) {
        return {.collection = tenants_spec().name, .document = code, .field = kPassword};
    }

    /// `passwords` of the history are left out.
    enum class Passwords : std::uint8_t { kOpened, kLeftOut };
    Result<Tenant> tenant_of(const Record& record, Passwords passwords) const {
        const json::object& from = *record.document;
        Tenant out;
        out.id = from.at("id").to_number<std::int64_t>();
        out.code = text_of(from, "tenant_code");
        out.name = text_of(from, "tenant_name");
        ZONA_TRY(out.status, parse_tenant_status(text_of(from, "status")));
        out.connection_status = connection_of(text_of(from, "connection_status"));
        out.database.host = text_of(from, "db_host");
        out.database.name = text_of(from, "db_name");
        out.database.username = text_of(from, "db_username");
        out.contact_email = text_of(from, "contact_email");
        out.configuration = object_of(from, "configuration");
        out.compliance_settings = object_of(from, "compliance_settings");
        out.quota = quota_of(*object_of(from, kQuotas));
        out.created_at = record.created;
        out.updated_at = record.updated;
        out.version = record.version;
        if (const json::value* erased = from.if_contains(kErasedAt); erased && erased->is_int64())
            out.erased_at = core::SystemTime(std::chrono::microseconds(erased->get_int64()));
        if (const std::string sealed = text_of(from, kPassword);
            !sealed.empty() && passwords == Passwords::kOpened) {
            if (sealer == nullptr) return no_sealer();
            ZONA_TRY(out.database.password, sealer->open(place(out.code), sealed));
        }
        return out;
    }

    static Error no_sealer() {
        return {Code::kUnsupported,
                "this tenant's database has a password, and there are no keys to keep it with"};
    }

    Result<std::string> sealed(std::string_view code, const core::Secret& password) const {
        if (sealer == nullptr) return no_sealer();
        return sealer->seal(place(code), password.reveal());
    }

    Result<json::object> document_of(const NewTenant& wanted, const std::string& code,
                                     std::int64_t number) const {
        json::object out = {{"id", number},
                            {"tenant_code", code},
                            {"tenant_name", wanted.name.empty() ? code : wanted.name},
                            {"status", to_string(TenantStatus::kActive)},
                            {"connection_status", to_string(ConnectionStatus::kDisconnected)},
                            {"db_host", wanted.database.host},
                            {"db_name", wanted.database.name},
                            {"db_username", wanted.database.username},
                            {"contact_email", wanted.contact_email},
                            {"configuration", copy_of(wanted.configuration)},
                            {"compliance_settings", copy_of(wanted.compliance_settings)}};
        ZONA_TRY_VOID(Compliance::parse(out.at("compliance_settings").as_object()));
        if (!wanted.database.password.empty()) {
            ZONA_TRY(const std::string password, sealed(code, wanted.database.password));
            out[kPassword] = password;
        }
        return out;
    }

    static Result<void> check_name(std::string_view name) {
        if (name.size() <= kMostNameBytes) return {};
        return Error(Code::kInvalidArgument,
                     fmt::format("the tenant's name has {} bytes; at most {} are allowed",
                                 name.size(), kMostNameBytes));
    }

    /// Says `in_order` when only others that are made at once can stand in the way.
    Result<Tenant> create(Writer& writer, const NewTenant& wanted, bool& in_order) const {
        ZONA_TRY(const Scope scope, scope_of(wanted.code));
        ZONA_TRY_VOID(check_name(wanted.name));
        const Collection tenants = in_core(tenants_spec());
        ZONA_TRY(const auto taken, writer.find(tenants, scope.code()));
        if (taken) {
            return Error(Code::kConflict,
                         fmt::format("there is a tenant '{}', which is {}", scope.code(),
                                     text_of(*taken->document, "status")));
        }
        ZONA_TRY_VOID(check_own(writer, scope.code(), wanted.database));
        ZONA_TRY(const std::int64_t number, next_tenant(writer));
        ZONA_TRY_VOID(check_license(writer));
        ZONA_TRY(const json::object document, document_of(wanted, scope.code(), number));
        in_order = true;
        ZONA_TRY(const Record record, writer.insert(tenants, scope.code(), document));
        ZONA_TRY_VOID(add_database(writer, document));
        ZONA_TRY_VOID(count_change(writer));
        return tenant_of(record, Passwords::kOpened);
    }

    /// One more than the highest. So of two that are made at once, whatever the database knows of
    /// transactions, the second finds its number taken, and begins again with a new count of
    /// tenants: which has to be made after this.
    static Result<std::int64_t> next_tenant(Reader& reader) {
        const store::Query latest{
            .filter = {}, .sort = {"id"}, .direction = store::Direction::kDescending};
        ZONA_TRY(const auto found, reader.find_one(in_core(tenants_spec()), latest));
        if (!found) return 1;
        return found->document->at("id").to_number<std::int64_t>() + 1;
    }

    /// For a new document. Where a server's conditional updates are not atomic, as FerretDB's, one
    /// of two hosts may put a counter back; what it gives again is passed over.
    Result<std::int64_t> free_number(Writer& writer, const store::CollectionSpec& spec) const {
        while (true) {
            ZONA_TRY(const std::int64_t number,
                     store::next_number(writer, in_core(store::counters_spec()), spec.name,
                                        clock.system()));
            ZONA_TRY(const auto taken, writer.find(in_core(spec), number));
            if (!taken) return number;
        }
    }

    Result<void> count_change(Writer& writer) const {
        ZONA_TRY_VOID(
            store::next_number(writer, in_core(store::counters_spec()), kChanges, clock.system()));
        return {};
    }

    /// One that was erased counts no more.
    Result<void> check_license(Reader& reader) const {
        ZONA_TRY(const auto installed, installed_licenses(reader, license_keys));
        const store::Query kept{.filter = store::Filter::exists(kErasedAt, store::Exists::kNo),
                                .walk = store::Walk::kAllow};
        ZONA_TRY(const std::uint64_t tenants, reader.count(in_core(tenants_spec()), kept));
        const core::SystemTime now = clock.system();
        return admit_tenant(governing(installed, {}, now), tenants, now);
    }

    Result<Record> record_of(Reader& reader, const std::string& code) const {
        ZONA_TRY(const Scope scope, scope_of(code));
        ZONA_TRY(auto record, reader.find(in_core(tenants_spec()), scope.code()));
        if (!record) return no_tenant(scope.code());
        return *std::move(record);
    }

    Result<Tenant> set_status(Writer& writer, const std::string& code, TenantStatus status) const {
        ZONA_TRY(const Record before, record_of(writer, code));
        if (before.document->contains(kErasedAt)) {
            return Error(Code::kConflict,
                         fmt::format("the tenant {} was erased, and stays inactive", code));
        }
        if (text_of(*before.document, "status") == to_string(status))
            return tenant_of(before, Passwords::kOpened);
        if (status == TenantStatus::kActive) ZONA_TRY_VOID(check_at_rest(writer, code));
        ZONA_TRY_VOID(keep_state(writer, before));
        ZONA_TRY_VOID(count_change(writer));
        return change(writer, before,
                      store::Update().set("status", json::string(to_string(status))));
    }

    /// Where there are several hosts: none moves or erases it.
    static Result<void> check_at_rest(Reader& reader, const std::string& code) {
        ZONA_TRY(const auto work, reader.find(in_core(tenant_work_spec()), code));
        const std::string instance = work ? text_of(*work->document, "instance") : "";
        if (instance.empty()) return {};
        return Error(Code::kConflict,
                     fmt::format("the host {} is in the middle of a {} of the tenant {}", instance,
                                 text_of(*work->document, "kind"), code))
            .detail({"status", "", "activate it when that is over"});
    }

    Result<Tenant> update(Writer& writer, const std::string& code,
                          const TenantChange& wanted) const {
        if (wanted.name) ZONA_TRY_VOID(check_name(*wanted.name));
        if (wanted.compliance_settings)
            ZONA_TRY_VOID(Compliance::parse(*wanted.compliance_settings));
        ZONA_TRY(const Record before, record_of(writer, code));
        if (before.document->contains(kErasedAt)) {
            return Error(Code::kConflict,
                         fmt::format("the tenant {} was erased, and stays as it is", code));
        }
        json::object after = *before.document;
        if (wanted.name)
            after["tenant_name"] =
                wanted.name->empty() ? after["tenant_code"] : json::value(*wanted.name);
        if (wanted.contact_email) after["contact_email"] = *wanted.contact_email;
        if (wanted.configuration) after["configuration"] = *wanted.configuration;
        if (wanted.compliance_settings) after["compliance_settings"] = *wanted.compliance_settings;
        const OwnQuota quota_before = quota_of(*object_of(after, kQuotas));
        OwnQuota quota = quota_before;
        if (wanted.requests_per_second) quota.requests_per_second = *wanted.requests_per_second;
        if (wanted.concurrency) quota.concurrency = *wanted.concurrency;
        if (wanted.storage_bytes) quota.storage_bytes = *wanted.storage_bytes;
        if (quota != quota_before) after[kQuotas] = fields_of(quota);
        if (wanted.database) ZONA_TRY_VOID(set_login(writer, *wanted.database, after));
        if (after == *before.document) return tenant_of(before, Passwords::kOpened);
        ZONA_TRY_VOID(keep_state(writer, before));
        ZONA_TRY_VOID(count_change(writer));
        ZONA_TRY(const Record record,
                 writer.replace(in_core(tenants_spec()), before.id, after, before.version));
        return tenant_of(record, Passwords::kOpened);
    }

    /// Another user or password of the database that the tenant has, in its record and TENANTDB.
    Result<void> set_login(Writer& writer, const DatabaseAddress& address,
                           json::object& tenant) const {
        const std::string code = text_of(tenant, "tenant_code");
        if (text_of(tenant, "db_host") != address.host ||
            text_of(tenant, "db_name") != address.name) {
            return Error(Code::kConflict,
                         fmt::format("the tenant {} was moved to another database meanwhile", code))
                .detail({"db_username", "", "look where it is now, and say it again"});
        }
        tenant["db_username"] = address.username;
        tenant.erase(kPassword);
        if (!address.password.empty()) {
            ZONA_TRY(const std::string password, sealed(code, address.password));
            tenant[kPassword] = password;
        }
        ZONA_TRY_VOID(
            writer.update_many(in_core(tenant_databases_spec()), of_tenant(code),
                               store::Update().set("db_username", json::string(address.username))));
        return renew_login(writer, code, address, sealer);
    }

    /// Writes down what the record was, for the history.
    Result<void> keep_state(Writer& writer, const Record& before) const {
        ZONA_TRY(const std::int64_t number, free_number(writer, tenant_history_spec()));
        json::object old = *before.document;
        old.erase(kPassword);
        ZONA_TRY_VOID(writer.insert(in_core(tenant_history_spec()), number, old));
        return {};
    }

    /// TENANTDB: a record of the database that the tenant's own record names.
    Result<void> add_database(Writer& writer, const json::object& tenant) const {
        ZONA_TRY(const std::int64_t number, free_number(writer, tenant_databases_spec()));
        json::object record = {{"id", number}, {"uuid", core::Uuid::v4(random).to_string()}};
        for (const char* field : {"tenant_code", "tenant_name", "status", "connection_status",
                                  "db_host", "db_name", "db_username"})
            record[field] = tenant.at(field);
        ZONA_TRY_VOID(writer.insert(in_core(tenant_databases_spec()), number, record));
        return {};
    }

    static store::Query of_tenant(std::string_view code) {
        return {.filter = store::Filter::eq("tenant_code", json::string(code)), .sort = {}};
    }

    /// No two tenants' documents are in one database (TEN-02).
    Result<void> check_own(Reader& reader, std::string_view code,
                           const DatabaseAddress& address) const {
        if (!is_mongo_host(address.host)) return {};
        const store::Query every{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
        ZONA_TRY(const auto tenants, all(reader, tenants_spec(), every, Passwords::kLeftOut));
        for (const Tenant& other : tenants) {
            if (other.code == code || other.database.host != address.host) continue;
            if (database_name(other.code, other.database) != database_name(code, address)) continue;
            return Error(Code::kConflict,
                         fmt::format("the database {} there is that of the tenant {}",
                                     database_name(code, address), other.code))
                .detail({"db_name", "", "name another one: each tenant has its own"});
        }
        return {};
    }

    Result<Tenant> set_database(Writer& writer, const std::string& code,
                                const DatabaseAddress& address) const {
        ZONA_TRY(const Record before, record_of(writer, code));
        ZONA_TRY_VOID(check_own(writer, code, address));
        ZONA_TRY_VOID(keep_state(writer, before));
        ZONA_TRY_VOID(count_change(writer));
        ZONA_TRY_VOID(writer.remove_many(in_core(tenant_databases_spec()), of_tenant(code)));
        json::object after = *before.document;
        store::Update update;
        const auto set = [&](const char* field, const std::string& value) {
            after[field] = value;
            update.set(field, json::string(value));
        };
        set("db_host", address.host);
        set("db_name", address.name);
        set("db_username", address.username);
        if (address.password.empty()) {
            update.unset(kPassword);
        } else {
            ZONA_TRY(const std::string password, sealed(code, address.password));
            set(kPassword, password);
        }
        ZONA_TRY_VOID(add_database(writer, after));
        return change(writer, before, update);
    }

    static store::Update forgotten(std::string_view code) {
        return store::Update()
            .set("tenant_name", json::string(code))
            .set("contact_email", "")
            .set("configuration", json::object())
            .set("compliance_settings", json::object())
            .set("db_host", "")
            .set("db_name", "")
            .set("db_username", "")
            .unset(kPassword);
    }

    Result<Tenant> forget(Writer& writer, const std::string& code) const {
        ZONA_TRY(const Record before, record_of(writer, code));
        ZONA_TRY_VOID(writer.remove_many(in_core(tenant_databases_spec()), of_tenant(code)));
        ZONA_TRY_VOID(
            writer.update_many(in_core(tenant_history_spec()), of_tenant(code), forgotten(code)));
        const auto now = std::chrono::floor<std::chrono::microseconds>(clock.system());
        store::Update update = forgotten(code);
        update.set("status", json::string(to_string(TenantStatus::kInactive)));
        if (!before.document->contains(kErasedAt))
            update.set(kErasedAt, now.time_since_epoch().count());
        ZONA_TRY_VOID(count_change(writer));
        return change(writer, before, update);
    }

    Result<Tenant> change(Writer& writer, const Record& before, const store::Update& update) const {
        ZONA_TRY(const Record after,
                 writer.modify(in_core(tenants_spec()), before.id, update, before.version));
        return tenant_of(after, Passwords::kOpened);
    }

    /// Every record of a query, page by page.
    Result<std::vector<Tenant>> all(Reader& reader, const store::CollectionSpec& spec,
                                    const store::Query& query, Passwords passwords) const {
        std::vector<Tenant> out;
        store::PageRequest request{.limit = store::kMaxPageSize, .token = {}};
        do {
            ZONA_TRY(store::Page page, reader.find_page(in_core(spec), query, request));
            for (const Record& record : page.records) {
                ZONA_TRY(Tenant tenant, tenant_of(record, passwords));
                out.push_back(std::move(tenant));
            }
            request.token = std::move(page.next);
        } while (!request.token.empty());
        return out;
    }
};

TenantRegistry::TenantRegistry(std::shared_ptr<store::Database> core, const core::Clock& clock,
                               const vault::FieldSealer* sealer, LicenseKeys keys)
    : core_(std::move(core)), work_(std::make_shared<const Work>(clock, sealer, std::move(keys))) {}

void TenantRegistry::create(NewTenant wanted, store::Callback<Tenant> done) {
    try_to_create(*core_, work_, std::make_shared<const NewTenant>(std::move(wanted)), kTries,
                  std::move(done));
}

/// Again, where somebody else has got the number.
void TenantRegistry::try_to_create(store::Database& core, const std::shared_ptr<const Work>& work,
                                   std::shared_ptr<const NewTenant> wanted, int tries,
                                   store::Callback<Tenant> done) {
    // Shared by the work, which has it say whether all was in order but for the number, and the
    // answer.
    auto in_order = std::make_shared<bool>(false);
    store::write(
        core,
        [work, wanted, in_order](Writer& w) {
            *in_order = false;
            return work->create(w, *wanted, *in_order);
        },
        // Not the database's owner: its last one may not let go of it on the database's own thread.
        [database = &core, work, wanted, in_order, tries,
         done = std::move(done)](Result<Tenant> made) mutable {
            const bool is_taken =
                !made && made.error().code() == Code::kConflict && *in_order && tries > 1;
            if (!is_taken) return done(std::move(made));
            try_to_create(*database, work, std::move(wanted), tries - 1, std::move(done));
        });
}

void TenantRegistry::find(const std::string& code, store::Callback<std::optional<Tenant>> done) {
    store::read(
        *core_,
        [work = work_, code](Reader& r) -> Result<std::optional<Tenant>> {
            auto record = work->record_of(r, code);
            if (!record && record.error().code() == Code::kNotFound) return std::optional<Tenant>();
            if (!record) return record.take_error();
            ZONA_TRY(Tenant tenant, work->tenant_of(*record, Work::Passwords::kOpened));
            return std::optional(std::move(tenant));
        },
        std::move(done));
}

void TenantRegistry::list(store::Callback<std::vector<Tenant>> done) {
    store::read(
        *core_,
        [work = work_](Reader& r) {
            const store::Query query{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
            return work->all(r, tenants_spec(), query, Work::Passwords::kOpened);
        },
        std::move(done));
}

void TenantRegistry::changes(store::Callback<std::int64_t> done) {
    store::read(
        *core_,
        [](Reader& r) -> Result<std::int64_t> {
            ZONA_TRY(const auto counter, r.find(in_core(store::counters_spec()), kChanges));
            if (!counter) return 0;
            return counter->document->at("current_value").to_number<std::int64_t>();
        },
        std::move(done));
}

void TenantRegistry::set_status(const std::string& code, TenantStatus status,
                                store::Callback<Tenant> done) {
    store::write(
        *core_,
        [work = work_, code, status](Writer& w) { return work->set_status(w, code, status); },
        std::move(done));
}

void TenantRegistry::update(const std::string& code, TenantChange change,
                            store::Callback<Tenant> done) {
    store::write(
        *core_,
        [work = work_, code, change = std::move(change)](Writer& w) {
            return work->update(w, code, change);
        },
        std::move(done));
}

void TenantRegistry::set_connection(const std::string& code, ConnectionStatus status,
                                    store::Callback<Tenant> done) {
    store::write(
        *core_,
        [work = work_, code, status](Writer& w) -> Result<Tenant> {
            ZONA_TRY(const Record before, work->record_of(w, code));
            if (text_of(*before.document, "connection_status") == to_string(status))
                return work->tenant_of(before, Work::Passwords::kOpened);
            return work->change(
                w, before,
                store::Update().set("connection_status", json::string(to_string(status))));
        },
        std::move(done));
}

void TenantRegistry::set_database(const std::string& code, DatabaseAddress address,
                                  store::Callback<Tenant> done) {
    store::write(
        *core_,
        [work = work_, code, address = std::move(address)](Writer& w) {
            return work->set_database(w, code, address);
        },
        std::move(done));
}

void TenantRegistry::forget(const std::string& code, store::Callback<Tenant> done) {
    store::write(
        *core_, [work = work_, code](Writer& w) { return work->forget(w, code); }, std::move(done));
}

void TenantRegistry::history(const std::string& code, store::Callback<std::vector<Tenant>> done) {
    store::read(
        *core_,
        [work = work_, code](Reader& r) -> Result<std::vector<Tenant>> {
            ZONA_TRY(const Record now, work->record_of(r, code));
            const store::Query query{
                .filter = store::Filter::eq("tenant_code", now.document->at("tenant_code")),
                .sort = {}};
            return work->all(r, tenant_history_spec(), query, Work::Passwords::kLeftOut);
        },
        std::move(done));
}

}  // namespace zona::tenancy
