#include "api/detail/tenant_routes.h"

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/request_body.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "tenancy/tenant_databases.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using tenancy::Tenant;

namespace {

constexpr const char* kRequestsPerSecond = "requests_per_second";
constexpr const char* kConcurrentRequests = "concurrent_requests";
constexpr const char* kStorageBytes = "storage_bytes";
constexpr std::int64_t kMostStorage = 1LL << 50;
constexpr const char* kMoves =
    "where its documents are is changed by POST /api/v1/tenants/{code}/moves (zona tenant move)";
constexpr const char* kStatuses[] = {"active", "inactive", "suspended"};

Shape status_shape(std::string doc) {
    return Shape::text(std::move(doc)).choices({kStatuses[0], kStatuses[1], kStatuses[2]});
}

Shape connection_shape() {
    return Shape::text("Whether its database could be used when it was last tried.")
        .choices({"connected", "disconnected", "error"});
}

Shape settings_shape(std::string doc) {
    return Shape::map(std::move(doc), Shape::any("A value.")).example(R"({"theme": "dark"})");
}

Shape quota_shape(std::string doc) {
    return Shape::integer(std::move(doc)).range(0, 1'000'000).example("200");
}

Shape storage_shape(std::string doc) {
    return Shape::integer(std::move(doc)).range(0, kMostStorage).example("1073741824");
}

Shape quotas_shape() {
    return Shape::object(
        {optional(kRequestsPerSecond, quota_shape("`0`: any number.")),
         optional(kConcurrentRequests, quota_shape("At work at the same time; `0`: any number.")),
         optional(kStorageBytes, storage_shape("What its documents may take; `0`: any number."))},
        "How much its keys may take; what is left out is as the settings `tenancy.*` say.");
}

Shape new_quotas_shape() {
    return Shape::object(
        {optional(kRequestsPerSecond, quota_shape("`0`: any number; null: as usual.").nullable()),
         optional(kConcurrentRequests, quota_shape("As above, at the same time.").nullable()),
         optional(kStorageBytes, storage_shape("As above, of its documents.").nullable())},
        "How much its keys may take; what is left out stays as it is.");
}

Shape storage_use_shape() {
    return Shape::object(
        {required("documents", Shape::integer("How many it has.")),
         required("used_bytes", Shape::integer("Their text, and 128 bytes for each.")),
         required("quota_bytes", Shape::integer("What they may take; `0`: any number."))},
        "What its documents take. Only where one tenant is shown; null: its database "
        "cannot be used now.");
}

Shape tenant_shape() {
    return Shape::object(
        {required("id", Shape::integer("A number, never reused.")),
         required("code", Shape::text("What it is called everywhere, in lower case.")),
         required("name", Shape::text("For people.")),
         required("status", status_shape("Only an active tenant is served.")),
         required("connection_status", connection_shape()),
         required("db_host",
                  Shape::text("`embedded`: a file of this host's; or `mongodb://HOST`.")),
         required("db_name", Shape::text("Of the database there; may be empty.")),
         required("db_username", Shape::text("May be empty; the password is never shown.")),
         required("contact_email", Shape::text("May be empty.")),
         required("configuration", settings_shape("Its own settings.")),
         required("compliance_settings", settings_shape("Of retention and masking.")),
         required("quotas", quotas_shape()), optional("storage", storage_use_shape().nullable()),
         required("created_at", Shape::text("When it was made.").format(Format::kTime)),
         required("updated_at", Shape::text("When its record changed.").format(Format::kTime)),
         required("erased_at", Shape::text("When all that was stored of it was erased.")
                                   .format(Format::kTime)
                                   .nullable())},
        "Somebody who the platform works for.");
}

/// The fields and their names are those of the specification.
Shape listed_tenant_shape() {
    return Shape::object(
        {required("id", Shape::integer("A number, never reused.")),
         required("name", Shape::text("For people.")),
         required("tenantcode", Shape::text("What it is called everywhere.")),
         required("status", status_shape("Only an active tenant is served.")),
         required("db_host",
                  Shape::text("`embedded`: a file of this host's; or `mongodb://HOST`.")),
         required("db_username", Shape::text("May be empty.")),
         required("db_password", Shape::text("`***` if there is one.")),
         required("db_name", Shape::text("May be empty.")),
         required("connection_status", connection_shape())},
        "A tenant as clients of the first interface know it.");
}

const char* const kTenantExample = R"({"id": 2, "code": "acme", "name": "Acme Ltd.",
    "status": "active", "connection_status": "connected", "db_host": "embedded", "db_name": "",
    "db_username": "", "contact_email": "ops@acme.example", "configuration": {},
    "compliance_settings": {}, "quotas": {"requests_per_second": 200},
    "created_at": "2026-01-31T12:00:00.000Z",
    "updated_at": "2026-01-31T12:00:00.000Z", "erased_at": null})";

ParameterSpec code_parameter() {
    return {.name = "code",
            .shape = Shape::text("The tenant's code; case does not matter.").example("\"default\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

std::vector<ErrorSpec> one_tenant() {
    return {{Code::kNotFound, "There is no such tenant."}};
}

Operation list_tenants() {
    return {.path = "/api/v1/tenants",
            .id = "listTenants",
            .tag = Tag::kTenants,
            .summary = "List the tenants",
            .description =
                "All of them, those that are not served included, in the order of their "
                "making.",
            .answers = {{.description = "The tenants.",
                         .shape = Shape::array("All tenants.", Shape::component("Tenant")),
                         .example = std::string("[") + kTenantExample + "]"}}};
}

Operation create_tenant() {
    const Shape body = Shape::object(
        {required("code", Shape::text("1 to 64 letters, digits, `_` and `-`, the first a letter or "
                                      "digit; in lower case wherever it is shown.")
                              .length(1, 64)
                              .example("\"acme\"")),
         optional("name", Shape::text("For people; else the code.").length(1, 200)),
         optional("db_host",
                  Shape::text("Where its database is: `embedded`, the default, a file of "
                              "this host's; or `mongodb://HOST:27017/?replicaSet=NAME`, "
                              "without user name and password. Only with a database for "
                              "each tenant.")
                      .length(0, 1024)),
         optional("db_name", Shape::text("Of the database there; else `zona_CODE`.").length(0, 63)),
         optional("db_username", Shape::text("Who zona is there.").length(0, 256)),
         optional("db_password",
                  Shape::text("Kept as ciphertext, and never shown.").length(0, 1024)),
         optional("contact_email", Shape::text("Whom to write to.").length(0, 320)),
         optional("configuration", settings_shape("Its own settings.")),
         optional("compliance_settings", settings_shape("Of retention and masking."))},
        "A new tenant.");
    return {.method = Method::kPost,
            .path = "/api/v1/tenants",
            .id = "createTenant",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .summary = "Make a tenant",
            .description =
                "With a database of its own, or its part of the shared one, as the "
                "setting tenancy.build_type says.",
            .body = BodySpec{body,
                             {{"acme", "A tenant",
                               R"({"code": "acme", "name": "Acme Ltd.",
                                   "contact_email": "ops@acme.example"})"}}},
            .answers = {{.status = 201,
                         .description = "It is served from now on.",
                         .shape = Shape::component("Tenant"),
                         .example = kTenantExample}},
            .errors = {{Code::kConflict,
                        "A tenant has this code, or had it once; or the licence allows no "
                        "more tenants."}}};
}

Operation get_tenant() {
    return {.path = "/api/v1/tenants/{code}",
            .id = "getTenant",
            .tag = Tag::kTenants,
            .reach = Reach::kTenant,
            .summary = "Show one tenant",
            .description = "The tenant with this code.",
            .parameters = {code_parameter()},
            .answers = {{.description = "The tenant.",
                         .shape = Shape::component("Tenant"),
                         .example = kTenantExample}},
            .errors = one_tenant()};
}

Operation update_tenant() {
    const Shape body =
        Shape::object(
            {optional("name", Shape::text("For people; empty: the code.").length(0, 200)),
             optional("contact_email", Shape::text("Whom to write to.").length(0, 320)),
             optional("configuration", settings_shape("Its own settings, all of them.")),
             optional("compliance_settings",
                      settings_shape("Of retention and masking, all of them.")),
             optional("quotas", new_quotas_shape()),
             optional("db_username",
                      Shape::text("Who zona is in MongoDB, where its database is; empty: "
                                  "nobody, without a password.")
                          .length(0, 256)),
             optional("db_password",
                      Shape::text("Kept as ciphertext, and never shown.").length(0, 1024))},
            "What is to change; what is left out stays as it is.")
            .elsewhere("db_host", kMoves)
            .elsewhere("db_name", kMoves);
    return {.method = Method::kPatch,
            .path = "/api/v1/tenants/{code}",
            .id = "updateTenant",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .summary = "Change what is known of a tenant",
            .description =
                "What it was before stays among its states. Quotas hold from now on. Another user "
                "or password of its database in MongoDB is tried there first: refused, nothing is "
                "changed; taken, what is under way ends as it began, and all later work connects "
                "with them.",
            .parameters = {code_parameter()},
            .body = BodySpec{body,
                             {{"quota", "Give it a quota of its own",
                               R"({"quotas": {"requests_per_second": 200}})"}}},
            .answers = {{.description = "The tenant as it is now.",
                         .shape = Shape::component("Tenant"),
                         .example = kTenantExample}},
            .errors = {{Code::kNotFound, "There is no such tenant."},
                       {Code::kConflict, "It was erased, or is being moved."},
                       {Code::kUnauthenticated,
                        "No usable key was given; or the database refuses the user or password."},
                       {Code::kUnavailable, "The database does not answer."}}};
}

Operation list_tenant_states() {
    return {.path = "/api/v1/tenants/{code}/states",
            .id = "listTenantStates",
            .tag = Tag::kTenants,
            .summary = "Show what a tenant was before",
            .description =
                "Every state that its record had before the present one, the oldest "
                "first. Nothing is ever taken out.",
            .parameters = {code_parameter()},
            .answers = {{.description = "The states.",
                         .shape = Shape::array("The oldest first.", Shape::component("Tenant")),
                         .example = std::string("[") + kTenantExample + "]"}},
            .errors = one_tenant()};
}

Operation set_tenant_status() {
    return {.method = Method::kPut,
            .path = "/api/v1/tenants/{code}/status",
            .id = "setTenantStatus",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .unlicensed = Unlicensed::kServed,
            .summary = "Suspend, deactivate or activate a tenant",
            .description = "One that is not active is not served from then on; its data stays.",
            .parameters = {code_parameter()},
            .body = BodySpec{Shape::object({required("status", status_shape("The new one."))}),
                             {{"active", "Serve it again", R"({"status": "active"})"}}},
            .answers = {{.description = "The tenant as it is now.",
                         .shape = Shape::component("Tenant"),
                         .example = kTenantExample}},
            .errors = {{Code::kNotFound, "There is no such tenant."},
                       {Code::kConflict, "It was erased."}}};
}

Operation list_tenants_plainly() {
    return {.path = "/tenant/list",
            .id = "listTenantsPlainly",
            .tag = Tag::kTenants,
            .summary = "List the tenants, in the form of the first interface",
            .description = "As listTenants, with nine fields for each and no envelope.",
            .answers = {{.description = "The tenants.",
                         .shape = Shape::array("All tenants.", Shape::component("ListedTenant")),
                         .envelope = Envelope::kNo,
                         .example = R"([{"id": 2, "name": "Acme Ltd.", "tenantcode": "acme",
                             "status": "active", "db_host": "embedded", "db_username": "",
                             "db_password": "", "db_name": "", "connection_status": "connected"}])"}}};
}

json::object shown(const tenancy::OwnQuota& quota) {
    json::object out;
    if (quota.requests_per_second) out[kRequestsPerSecond] = *quota.requests_per_second;
    if (quota.concurrency) out[kConcurrentRequests] = *quota.concurrency;
    if (quota.storage_bytes) out[kStorageBytes] = *quota.storage_bytes;
    return out;
}

template <class Number>
std::optional<std::optional<Number>> quota_in(const json::object& quotas, std::string_view key) {
    const json::value* value = quotas.if_contains(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_null()) return std::optional<Number>();
    return std::optional(value->to_number<Number>());
}

json::object shown(const Tenant& tenant) {
    return {{"id", tenant.id},
            {"code", tenant.code},
            {"name", tenant.name},
            {"status", to_string(tenant.status)},
            {"connection_status", to_string(tenant.connection_status)},
            {"db_host", tenant.database.host},
            {"db_name", tenant.database.name},
            {"db_username", tenant.database.username},
            {"contact_email", tenant.contact_email},
            {"configuration", *tenant.configuration},
            {"compliance_settings", *tenant.compliance_settings},
            {"quotas", shown(tenant.quota)},
            {"created_at", core::to_rfc3339(tenant.created_at)},
            {"updated_at", core::to_rfc3339(tenant.updated_at)},
            {"erased_at", tenant.erased_at ? json::value(core::to_rfc3339(*tenant.erased_at))
                                           : json::value(nullptr)}};
}

json::object shown_plainly(const Tenant& tenant) {
    return {{"id", tenant.id},
            {"name", tenant.name},
            {"tenantcode", tenant.code},
            {"status", to_string(tenant.status)},
            {"db_host", tenant.database.host},
            {"db_username", tenant.database.username},
            {"db_password", tenant.database.password.empty() ? "" : "***"},
            {"db_name", tenant.database.name},
            {"connection_status", to_string(tenant.connection_status)}};
}

bool has_text(const json::object& body, std::string_view key) {
    const json::value* value = body.if_contains(key);
    return value != nullptr && value->is_string();
}

/// The same place for whom `body` names; nobody has no password.
tenancy::DatabaseAddress with_login(tenancy::DatabaseAddress database, const json::object& body) {
    if (has_text(body, "db_username")) database.username = text_of(body, "db_username");
    if (has_text(body, "db_password")) {
        database.password = core::Secret(text_of(body, "db_password"));
    } else if (database.username.empty()) {
        database.password = {};
    }
    return database;
}

std::shared_ptr<const json::object> object_in(const json::object& body, std::string_view key) {
    const json::value* value = body.if_contains(key);
    if (value == nullptr || !value->is_object()) return nullptr;
    return std::make_shared<const json::object>(value->get_object());
}

class TenantRoutes {
  public:
    explicit TenantRoutes(tenancy::Tenants& tenants) : tenants_(tenants) {}

    Answer list(Call&) const { co_return co_await every(&shown, Form::kEnvelope); }
    Answer list_plainly(Call&) const { co_return co_await every(&shown_plainly, Form::kPlain); }

    Answer create(Call& call) const {
        const json::object& body = call.body().get_object();
        tenancy::NewTenant wanted{
            .code = text_of(body, "code"),
            .name = text_of(body, "name"),
            .database = {.host = text_of(body, "db_host"),
                         .name = text_of(body, "db_name"),
                         .username = text_of(body, "db_username"),
                         .password = core::Secret(text_of(body, "db_password"))},
            .contact_email = text_of(body, "contact_email"),
            .configuration = object_in(body, "configuration"),
            .compliance_settings = object_in(body, "compliance_settings")};
        auto begin = [this, wanted = std::move(wanted)](process::Callback<Tenant> done) mutable {
            tenants_.create(std::move(wanted), std::move(done));
        };
        ZONA_CO_TRY(const Tenant made, co_await answer_of<Tenant>(std::move(begin)));
        call.changed({}, core::to_json(shown(made)));
        co_return Response::success(core::to_json(shown(made)), {}, 201);
    }

    Answer get(Call& call) const {
        auto begin = [this, code = call.path("code")](process::Callback<Tenant> done) {
            tenants_.find(code, std::move(done));
        };
        ZONA_CO_TRY(const Tenant found, co_await answer_of<Tenant>(std::move(begin)));
        json::object data = shown(found);
        // To ask a server that is known to be away would take as long as its time-out.
        const bool is_away = tenancy::is_mongo_host(found.database.host) &&
                             data.at("connection_status") != "connected";
        data["storage"] = is_away ? json::value() : co_await storage_of(found.code);
        co_return Response::success(core::to_json(data));
    }

    Answer update(Call& call) const {
        const json::object& body = call.body().get_object();
        tenancy::TenantChange change{.configuration = object_in(body, "configuration"),
                                     .compliance_settings = object_in(body, "compliance_settings")};
        if (body.contains("name")) change.name = text_of(body, "name");
        if (body.contains("contact_email")) change.contact_email = text_of(body, "contact_email");
        if (const auto quotas = object_in(body, "quotas")) {
            change.requests_per_second = quota_in<std::uint32_t>(*quotas, kRequestsPerSecond);
            change.concurrency = quota_in<std::uint32_t>(*quotas, kConcurrentRequests);
            change.storage_bytes = quota_in<std::uint64_t>(*quotas, kStorageBytes);
        }
        ZONA_CO_TRY(const Tenant found, co_await find(call));
        if (has_text(body, "db_username") || has_text(body, "db_password")) {
            change.database = with_login(found.database, body);
        }
        auto begin = [this, code = call.path("code"),
                      change = std::move(change)](process::Callback<Tenant> done) mutable {
            tenants_.update(code, std::move(change), std::move(done));
        };
        ZONA_CO_TRY(const Tenant changed, co_await answer_of<Tenant>(std::move(begin)));
        call.changed(core::to_json(shown(found)), core::to_json(shown(changed)));
        co_return Response::success(core::to_json(shown(changed)));
    }

    Answer states(Call& call) const {
        auto begin = [this, code = call.path("code")](process::Callback<std::vector<Tenant>> done) {
            tenants_.history(code, std::move(done));
        };
        ZONA_CO_TRY(const auto all, co_await answer_of<std::vector<Tenant>>(std::move(begin)));
        json::array data;
        for (const Tenant& tenant : all)
            data.push_back(shown(tenant));
        co_return Response::success(core::to_json(data));
    }

    Answer set_status(Call& call) const {
        ZONA_CO_TRY(const tenancy::TenantStatus status,
                    tenancy::parse_tenant_status(text_of(call.body().get_object(), "status")));
        ZONA_CO_TRY(const Tenant found, co_await find(call));
        auto begin = [this, code = call.path("code"), status](process::Callback<Tenant> done) {
            tenants_.set_status(code, status, std::move(done));
        };
        ZONA_CO_TRY(const Tenant changed, co_await answer_of<Tenant>(std::move(begin)));
        call.changed(core::to_json(shown(found)), core::to_json(shown(changed)));
        co_return Response::success(core::to_json(shown(changed)));
    }

  private:
    asio::awaitable<Result<Tenant>> find(const Call& call) const {
        auto ask = [this, code = call.path("code")](process::Callback<Tenant> done) {
            tenants_.find(code, std::move(done));
        };
        co_return co_await answer_of<Tenant>(std::move(ask));
    }

    /// Null: it cannot be told.
    asio::awaitable<json::value> storage_of(std::string code) const {
        auto open = [this, code = std::move(code)](process::Callback<tenancy::TenantData> done) {
            tenants_.data_of(code, std::move(done));
        };
        const auto data = co_await answer_of<tenancy::TenantData>(std::move(open));
        if (!data) co_return nullptr;
        auto ask = [&data](process::Callback<store::StorageUse> done) {
            data->storage_use(std::move(done));
        };
        const auto use = co_await answer_of<store::StorageUse>(std::move(ask));
        if (!use) co_return nullptr;
        co_return json::object{{"documents", use->documents},
                               {"used_bytes", use->bytes},
                               {"quota_bytes", data->storage_quota()}};
    }

    enum class Form : std::uint8_t { kEnvelope, kPlain };

    Answer every(json::object (*form)(const Tenant&), Form envelope) const {
        auto begin = [this](process::Callback<std::vector<Tenant>> done) {
            tenants_.list(std::move(done));
        };
        ZONA_CO_TRY(const auto all, co_await answer_of<std::vector<Tenant>>(std::move(begin)));
        json::array data;
        for (const Tenant& tenant : all)
            data.push_back(form(tenant));
        const std::string text = core::to_json(data);
        co_return envelope == Form::kPlain ? Response::json(text) : Response::success(text);
    }

    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_tenant_routes(Service& service, tenancy::Tenants* tenants) {
    service.name("Tenant", tenant_shape());
    service.name("ListedTenant", listed_tenant_shape());
    const auto routes =
        tenants == nullptr ? nullptr : std::make_shared<const TenantRoutes>(*tenants);
    using Member = Answer (TenantRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {list_tenants(), &TenantRoutes::list},
        {create_tenant(), &TenantRoutes::create},
        {get_tenant(), &TenantRoutes::get},
        {update_tenant(), &TenantRoutes::update},
        {list_tenant_states(), &TenantRoutes::states},
        {set_tenant_status(), &TenantRoutes::set_status},
        {list_tenants_plainly(), &TenantRoutes::list_plainly}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
