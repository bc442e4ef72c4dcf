#include "api/detail/backup_routes.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/backup_tasks.h"
#include "api/detail/execution_routes.h"
#include "api/detail/request_body.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using net::Method;
using net::Response;
using tenancy::BackupRecord;
using tenancy::Tenant;
using tenancy::WholeBackup;

namespace {

constexpr const char* kUuid = "\"5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37\"";

const char* const kBackupExample = R"({"id": 3, "uuid": "5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37",
    "name": "Acme Ltd.", "tenantcode": "acme", "status": "active", "connection_status": "connected",
    "db_host": "embedded", "db_name": "", "db_username": "", "db_password": "",
    "made_at": "2026-01-31T12:00:00.000Z", "zona": "0.1.0", "content": "image", "documents": 12,
    "size_bytes": 73728, "sha256": "", "file": "acme/5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37.zbk",
    "copied_at": null})";
const char* const kWholeExample = R"({"uuid": "5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37",
    "made_at": "2026-01-31T12:00:00.000Z", "restorable_until": "2026-01-31T18:30:00.000Z",
    "zona": "0.1.0", "tenants": 2, "documents": 40,
    "size_bytes": 147456, "copied_at": "2026-01-31T12:01:00.000Z", "missing": []})";
const char* const kDatabaseExample = R"({"id": 2, "uuid": "5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37",
    "name": "Acme Ltd.", "tenantcode": "acme", "status": "active",
    "connection_status": "connected", "db_host": "embedded", "db_name": "", "db_username": "",
    "db_password": ""})";

Shape count(std::string doc) {
    return Shape::integer(std::move(doc)).range(0, std::numeric_limits<std::int64_t>::max());
}

Field copied_at() {
    return required("copied_at", Shape::text("When it came to the last place that backups are "
                                             "copied to, without its log; null: not yet.")
                                     .format(Format::kTime)
                                     .nullable());
}

/// The ten fields of the specification, and what zona knows besides.
Shape backup_shape() {
    return Shape::object(
        {required("id", count("A number, never reused.")),
         required("uuid", Shape::text("What it is called.").format(Format::kUuid)),
         required("name", Shape::text("Of the tenant, then.")),
         required("tenantcode", Shape::text("Of the tenant.")),
         required("status",
                  Shape::text("Of the tenant, then.").choices({"active", "inactive", "suspended"})),
         required("connection_status", Shape::text("Of the tenant's database, then.")
                                           .choices({"connected", "disconnected", "error"})),
         required("db_host", Shape::text("`embedded`: a file of this host's.")),
         required("db_name", Shape::text("May be empty.")),
         required("db_username", Shape::text("May be empty.")),
         required("db_password", Shape::text("Empty: none is kept with a backup.")),
         required("made_at", Shape::text("Its moment.").format(Format::kTime)),
         required("zona", Shape::text("The version that made it.")),
         required("content", Shape::text("`image`: the tenant's own file; `documents`: from any "
                                         "database, for any.")
                                 .choices({"documents", "image"})),
         required("documents", count("In it.")), required("size_bytes", count("Of the file.")),
         required("sha256", Shape::text("Of what is in it.")),
         required("file", Shape::text("Below the setting backup.directory.")), copied_at()},
        "A backup of a tenant.");
}

Shape whole_shape() {
    return Shape::object(
        {required("uuid", Shape::text("Its directory below _all in the setting backup.directory.")
                              .format(Format::kUuid)),
         required("made_at", Shape::text("When it was begun.").format(Format::kTime)),
         required("restorable_until", Shape::text("With its log it can be restored as it was at "
                                                  "any moment up to this one.")
                                          .format(Format::kTime)),
         required("zona", Shape::text("The version that made it.")),
         required("tenants", count("In it.")), required("documents", count("In it.")),
         required("size_bytes", count("Of what is in it.")), copied_at(),
         required("missing",
                  Shape::array("Tenants whose documents could not be read when it was made; all "
                               "else is in it.",
                               Shape::object({required("tenant", Shape::text("Its code.")),
                                              required("reason", Shape::text("For people."))})))},
        "A backup of the core database, all tenants and their keys, which the root key, that is "
        "not in it, opens.");
}

Shape database_shape() {
    return Shape::object(
        {required("id", count("A number, never reused.")),
         required("uuid", Shape::text("What it is called.").format(Format::kUuid)),
         required("name", Shape::text("Of the tenant.")),
         required("tenantcode", Shape::text("Of the tenant.")),
         required("status",
                  Shape::text("Of the tenant.").choices({"active", "inactive", "suspended"})),
         required("connection_status", Shape::text("Of the tenant's database.")
                                           .choices({"connected", "disconnected", "error"})),
         required("db_host", Shape::text("`embedded`: a file of this host's.")),
         required("db_name", Shape::text("May be empty.")),
         required("db_username", Shape::text("May be empty.")),
         required("db_password", Shape::text("Never shown."))},
        "A database that a tenant has.");
}

ParameterSpec code_parameter() {
    return {.name = "code",
            .shape = Shape::text("The tenant's code; case does not matter.").example("\"default\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

ParameterSpec id_parameter() {
    return {.name = "id",
            .shape = Shape::text("The backup's uuid.").format(Format::kUuid).example(kUuid),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

std::vector<ErrorSpec> no_tenant() {
    return {{Code::kNotFound, "There is no such tenant."}};
}

std::vector<ErrorSpec> no_backup() {
    return {{Code::kNotFound, "There is no such tenant, or backup."}};
}

AnswerSpec begun(const std::string& operation) {
    AnswerSpec out = not_waited_for(operation);
    out.description =
        "It goes on as an execution, whose path the header Location names, when its turn has come: "
        "of a tenant one at a time. Whoever sends a header Idempotency-Key, at most 128 bytes, may "
        "ask again: the same key with the same body is the same execution.";
    return out;
}

/// One that goes on as an execution.
Operation task(std::string path, std::string id, std::string summary, std::string description) {
    Operation out{.method = Method::kPost,
                  .path = std::move(path),
                  .id = std::move(id),
                  .tag = Tag::kTenants,
                  .access = Access::kAdmin,
                  .summary = std::move(summary),
                  .description = std::move(description)};
    out.answers = {begun(out.id)};
    return out;
}

/// Nothing that a licence which has expired should stand in the way of: it takes data out, or
/// looks.
Operation always_served(Operation operation) {
    operation.unlicensed = Unlicensed::kServed;
    return operation;
}

Operation of_a_tenant(Operation operation) {
    operation.parameters = {code_parameter()};
    operation.errors = no_tenant();
    return operation;
}

Operation list_backups() {
    return {.path = "/api/v1/tenants/{code}/backups",
            .id = "listTenantBackups",
            .tag = Tag::kTenants,
            .summary = "List a tenant's backups",
            .description = "The latest first.",
            .parameters = {code_parameter()},
            .answers = {{.description = "The backups.",
                         .shape = Shape::array("The latest first.", Shape::component("Backup")),
                         .example = std::string("[") + kBackupExample + "]"}},
            .errors = no_tenant()};
}

Operation list_databases() {
    return {.path = "/api/v1/tenants/{code}/databases",
            .id = "listTenantDatabases",
            .tag = Tag::kTenants,
            .summary = "List a tenant's databases",
            .description = "Where its documents are.",
            .parameters = {code_parameter()},
            .answers = {{.description = "The databases.",
                         .shape = Shape::array("All of them.", Shape::component("TenantDatabase")),
                         .example = std::string("[") + kDatabaseExample + "]"}},
            .errors = no_tenant()};
}

Operation back_up() {
    return always_served(
        of_a_tenant(task("/api/v1/tenants/{code}/backups", "backUpTenant", "Back a tenant up",
                         "While it is served: all that was acknowledged before. The outcome is "
                         "the Backup. Of more than backup.keep the oldest are deleted.")));
}

Operation verify_backup() {
    Operation out =
        task("/api/v1/tenants/{code}/backups/{id}/verifications", "verifyTenantBackup",
             "Verify a tenant's backup",
             "Reads all of it and holds it against its counts and hashes; nothing is restored.");
    out.parameters = {code_parameter(), id_parameter()};
    out.errors = no_tenant();
    return always_served(std::move(out));
}

Operation delete_backup() {
    return {.method = Method::kDelete,
            .path = "/api/v1/tenants/{code}/backups/{id}",
            .id = "deleteTenantBackup",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .summary = "Delete a tenant's backup",
            .description = "Its file and its record.",
            .parameters = {code_parameter(), id_parameter()},
            .answers = {{.description = "It is gone.",
                         .shape = Shape::object(
                             {required("uuid", Shape::text("It.").format(Format::kUuid))}),
                         .example = std::string("{\"uuid\": ") + kUuid + "}"}},
            .errors = no_backup()};
}

Operation restore_tenant() {
    Operation out = of_a_tenant(
        task("/api/v1/tenants/{code}/restorations", "restoreTenant", "Restore a tenant",
             "Puts a backup in the place of what the tenant has. Meanwhile requests for it are "
             "refused as UNAVAILABLE; what it had stays until all of the new is there. The outcome "
             "names the backup and its counts, and with `at` the moment that was restored, "
             "`restored_to`."));
    out.body = BodySpec{
        Shape::object(
            {optional("backup",
                      Shape::text("A backup's uuid, or the absolute path of a file on this host. "
                                  "With `at`, of a backup of the whole installation, or none: then "
                                  "the right one is found.")
                          .length(1, 4096)
                          .example(kUuid)),
             optional("at", Shape::text("As it was then: a time, or how long ago, `10m`. It must "
                                        "be covered by the log beside a backup of the whole "
                                        "installation.")
                                .length(1, 64)
                                .example("\"2026-01-31T12:00:00Z\"")),
             optional("replace", Shape::boolean("Even if the tenant has documents, which are gone "
                                                "then.")
                                     .default_value("false")),
             optional("of", Shape::text("The tenant that the backup is of, if it is another one.")
                                .length(1, 64)
                                .example("\"acme\""))},
            "Which backup."),
        {{"replace", "In the place of what is there",
          std::string("{\"backup\": ") + kUuid + ", \"replace\": true}"}}};
    return out;
}

Operation export_tenant() {
    Operation out = of_a_tenant(
        task("/api/v1/tenants/{code}/exports", "exportTenant", "Export a tenant's documents",
             "Into a new directory of this host: a file of JSON lines for each collection, and "
             "manifest.json with counts and hashes. The outcome has both, too."));
    out.body =
        BodySpec{Shape::object(
                     {required("directory", Shape::text("Absolute; it must not be there.")
                                                .length(1, 4096)
                                                .example("\"/tmp/acme-export\"")),
                      optional("secret_fields", Shape::text("Fields that are stored as ciphertext.")
                                                    .choices({"masked", "open"})
                                                    .default_value("\"masked\""))},
                     "Where it goes."),
                 {{"masked", "Without secrets", R"({"directory": "/tmp/acme-export"})"}}};
    return always_served(std::move(out));
}

Shape host_shape() {
    return Shape::text(
               "`mongodb://HOST:27017/?replicaSet=NAME`, without user name and password, or "
               "`embedded`: a file of this host's.")
        .length(1, 1024);
}

Shape username_shape() {
    return Shape::text("Who zona is there.").length(0, 256);
}

Shape password_shape() {
    return Shape::text("Kept as ciphertext, and never shown.").length(0, 1024);
}

Shape address_shape(std::string doc) {
    return Shape::object(
        {optional("to", host_shape()),
         optional("db_name",
                  Shape::text("Of the database in MongoDB; else `zona_CODE`.").length(0, 63)),
         optional("db_username", username_shape()), optional("db_password", password_shape())},
        std::move(doc));
}

Operation move_tenant() {
    Operation out = of_a_tenant(
        task("/api/v1/tenants/{code}/moves", "moveTenant", "Move a tenant to another database",
             "Copies its documents while it is served, and what has changed meanwhile. Then "
             "requests for it are refused as UNAVAILABLE until counts and hashes of both are "
             "compared and the last changes are there. The outcome has its `collections`. After an "
             "error it is served as before; the same request goes on with a copy that is "
             "unfinished. Only with a database for each tenant."));
    out.body = BodySpec{address_shape("Where to."),
                        {{"mongodb", "To a server of MongoDB",
                          R"({"to": "mongodb://db.example:27017/?replicaSet=rs0",
                              "db_username": "zona", "db_password": "a secret"})"}}};
    out.feature = tenancy::Feature::kTenantMoves;
    return out;
}

Operation migrate_store() {
    Operation out =
        task("/api/v1/migrations", "migrateStore", "Move all tenants to another host",
             "moveTenant of each in turn that is not at that host; without `to`, of each that is "
             "not where the setting tenancy.placement says. The outcome has `moved`, with `tenant` "
             "and `documents`, the number of those that were `there` already, and `findings` about "
             "who could not be moved, each with `where` and `what`. Sent again it goes on.");
    out.body = BodySpec{
        Shape::object({optional("to", host_shape()), optional("db_username", username_shape()),
                       optional("db_password", password_shape())},
                      "Where to."),
        {{"mongodb", "To a server of MongoDB", R"({"to": "mongodb://db.example:27017/"})"}}};
    out.feature = tenancy::Feature::kTenantMoves;
    return out;
}

Operation erase_tenant() {
    Operation out = of_a_tenant(
        task("/api/v1/tenants/{code}/erasures", "eraseTenant", "Erase a tenant",
             "All that is stored of it: documents, files, backups, keys, and what its record says "
             "of people. It cannot be undone; begun, it goes on over restarts. The record stays, "
             "inactive."));
    out.body = BodySpec{
        Shape::object(
            {required(
                 "code",
                 Shape::text("The tenant's code once more.").length(1, 64).example("\"acme\"")),
             optional(
                 "keep_backups",
                 Shape::boolean("And the keys, which they open with.").default_value("false"))},
            "That it is meant."),
        {{"all", "All of it", R"({"code": "default"})"}}};
    return always_served(std::move(out));
}

Operation list_whole() {
    return {
        .path = "/api/v1/backups",
        .id = "listBackups",
        .tag = Tag::kTenants,
        .summary = "List the backups of the whole installation",
        .description = "The latest first.",
        .answers = {{.description = "The backups.",
                     .shape = Shape::array("The latest first.", Shape::component("WholeBackup")),
                     .example = std::string("[") + kWholeExample + "]"}}};
}

Operation back_up_all() {
    return always_served(
        task("/api/v1/backups", "backUpAll", "Back the whole installation up",
             "The core database, each tenant, and the wrapped keys; the root key is not in it. "
             "The outcome is the WholeBackup, and `findings` about tenants whose documents could "
             "not be read and are not in it, each with `where` and `what`."));
}

Operation verify_whole() {
    Operation out = task("/api/v1/backups/{id}/verifications", "verifyBackup",
                         "Verify a backup of the whole installation",
                         "Reads all of it and holds it against its list, counts and hashes. The "
                         "outcome is the WholeBackup, with `findings` as of backUpAll.");
    out.parameters = {id_parameter()};
    return always_served(std::move(out));
}

Operation delete_whole() {
    return {.method = Method::kDelete,
            .path = "/api/v1/backups/{id}",
            .id = "deleteBackup",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .summary = "Delete a backup of the whole installation",
            .description = "All its files.",
            .parameters = {id_parameter()},
            .answers = {{.description = "It is gone.",
                         .shape = Shape::object(
                             {required("uuid", Shape::text("It.").format(Format::kUuid))}),
                         .example = std::string("{\"uuid\": ") + kUuid + "}"}},
            .errors = {{Code::kNotFound, "There is no such backup."}}};
}

Operation check_store() {
    return always_served(
        task("/api/v1/checks", "checkStore", "Check all databases",
             "Each against its own structure, its counts, its keys, whom its documents belong "
             "to, and what is recorded of backups. The outcome has `databases`, `documents` and "
             "`findings`, each with `where` and `what`."));
}

class BackupRoutes {
  public:
    BackupRoutes(const DaemonApiDeps& deps, const Tasks& tasks)
        : deps_(deps), operations_(deps.operations), tasks_(tasks) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        const std::string code = tenant.code;
        auto work = [this, code] { return operations_.backups(code); };
        ZONA_CO_TRY(const auto all, co_await answer_by(deps_.run_long, std::move(work)));
        json::array data;
        for (const BackupRecord& record : all)
            data.push_back(shown(record));
        co_return Response::success(core::to_json(data));
    }

    Answer databases(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        auto begin = [this, code = tenant.code](
                         process::Callback<std::vector<tenancy::DatabaseRecord>> done) {
            const auto parts = deps_.tenants.parts();
            if (!parts) return done(parts.error());
            tenancy::BackupRecords(parts->core, deps_.clock).databases(code, std::move(done));
        };
        ZONA_CO_TRY(const auto all,
                    co_await answer_of<std::vector<tenancy::DatabaseRecord>>(std::move(begin)));
        json::array data;
        for (const tenancy::DatabaseRecord& one : all) {
            data.push_back({{"id", one.id},
                            {"uuid", one.uuid},
                            {"name", tenant.name},
                            {"tenantcode", one.tenant},
                            {"status", to_string(tenant.status)},
                            {"connection_status", to_string(tenant.connection_status)},
                            {"db_host", one.database.host},
                            {"db_name", one.database.name},
                            {"db_username", one.database.username},
                            {"db_password", ""}});
        }
        co_return Response::success(core::to_json(data));
    }

    Answer back_up(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        co_return co_await tasks_.begin(call, tenant.code, json::object());
    }

    Answer verify(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        json::object input;
        input["id"] = call.path("id");
        co_return co_await tasks_.begin(call, tenant.code, std::move(input));
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        const std::string id = call.path("id");
        const std::string code = tenant.code;
        auto work = [this, code, id] { return operations_.remove_backup(code, id); };
        ZONA_CO_TRY_VOID(co_await answer_by(deps_.run_long, std::move(work)));
        co_return Response::success(core::to_json(json::object{{"uuid", id}}));
    }

    Answer restore(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        json::object input = call.body().get_object();
        if (const std::string at = text_of(input, "at"); !at.empty()) {
            auto moment = core::parse_moment(at, deps_.clock.system());
            if (!moment) co_return moment.take_error().detail({"at", "", ""});
            // "10m" is counted from now, not from its turn.
            input["at"] = to_input(*moment);
        } else if (text_of(input, "backup").empty()) {
            co_return Error(Code::kInvalidArgument, "nothing says what is to be restored")
                .detail({"backup", "", "give a backup, or with `at` a moment"});
        }
        co_return co_await tasks_.begin(call, tenant.code, std::move(input));
    }

    Answer export_data(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        const json::object& body = call.body().get_object();
        if (!text_of(body, "directory").starts_with('/')) {
            co_return Error(Code::kInvalidArgument, "the directory is no absolute path")
                .detail({"directory", "it is on zona's host, where there is no current one",
                         "begin it with /"});
        }
        co_return co_await tasks_.begin(call, tenant.code, body);
    }

    Answer move(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        co_return co_await tasks_.begin(call, tenant.code, call.body().get_object());
    }

    Answer migrate(Call& call) const {
        co_return co_await tasks_.begin(call, "", call.body().get_object());
    }

    Answer erase(Call& call) const {
        ZONA_CO_TRY(const Tenant tenant, co_await find(call));
        const json::object& body = call.body().get_object();
        const auto repeated = tenancy::scope_of(text_of(body, "code"));
        if (!repeated || repeated->code() != tenant.code) {
            co_return Error(Code::kInvalidArgument, "the code in the body is not the tenant's")
                .detail({"code", "it is repeated so that nobody is erased by mistake",
                         fmt::format("write {}, if you mean it", tenant.code)});
        }
        co_return co_await tasks_.begin(call, tenant.code, body);
    }

    Answer list_whole(Call&) const {
        auto work = [this] { return operations_.whole_backups(); };
        ZONA_CO_TRY(const auto all, co_await answer_by(deps_.run_long, std::move(work)));
        json::array data;
        for (const WholeBackup& whole : all)
            data.push_back(shown(whole));
        co_return Response::success(core::to_json(data));
    }

    Answer back_up_all(Call& call) const { return tasks_.begin(call, "", json::object()); }

    Answer verify_whole(Call& call) const {
        return tasks_.begin(call, "", {{"id", call.path("id")}});
    }

    Answer remove_whole(Call& call) const {
        const std::string id = call.path("id");
        auto work = [this, id] { return operations_.remove_whole(id); };
        ZONA_CO_TRY_VOID(co_await answer_by(deps_.run_long, std::move(work)));
        co_return Response::success(core::to_json(json::object{{"uuid", id}}));
    }

    Answer check(Call& call) const { return tasks_.begin(call, "", json::object()); }

  private:
    asio::awaitable<Result<Tenant>> find(const Call& call) const {
        auto begin = [this, code = call.path("code")](process::Callback<Tenant> done) {
            deps_.tenants.find(code, std::move(done));
        };
        co_return co_await answer_of<Tenant>(std::move(begin));
    }

    const DaemonApiDeps& deps_;
    tenancy::TenantOperations& operations_;
    const Tasks& tasks_;
};

}  // namespace

Result<void> add_backup_routes(Service& service, const DaemonApiDeps* deps, Tasks* tasks) {
    service.name("Backup", backup_shape());
    service.name("WholeBackup", whole_shape());
    service.name("TenantDatabase", database_shape());
    if (tasks != nullptr) handle_operations(*tasks, *deps);
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const BackupRoutes>(*deps, *tasks);
    using Member = Answer (BackupRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{list_backups(), &BackupRoutes::list},
                                                 {back_up(), &BackupRoutes::back_up},
                                                 {verify_backup(), &BackupRoutes::verify},
                                                 {delete_backup(), &BackupRoutes::remove},
                                                 {list_databases(), &BackupRoutes::databases},
                                                 {restore_tenant(), &BackupRoutes::restore},
                                                 {export_tenant(), &BackupRoutes::export_data},
                                                 {move_tenant(), &BackupRoutes::move},
                                                 {migrate_store(), &BackupRoutes::migrate},
                                                 {erase_tenant(), &BackupRoutes::erase},
                                                 {list_whole(), &BackupRoutes::list_whole},
                                                 {back_up_all(), &BackupRoutes::back_up_all},
                                                 {verify_whole(), &BackupRoutes::verify_whole},
                                                 {delete_whole(), &BackupRoutes::remove_whole},
                                                 {check_store(), &BackupRoutes::check}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
