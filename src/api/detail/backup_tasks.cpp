#include "api/detail/backup_tasks.h"

#include <future>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/request_body.h"
#include "core/time_format.h"
#include "identity/keys/api_keys.h"
#include "tenancy/operations/tenant_operations.h"

namespace zona::api {

namespace json = boost::json;
using core::Result;
using jobs::Interrupted;
using jobs::TaskContext;
using tenancy::BackupRecord;
using tenancy::WholeBackup;

namespace {

using api::shown;  // with those below

/// Here at once, on other instances soon. Waits.
Result<std::uint64_t> revoke_keys(identity::ApiKeys& keys, const std::string& tenant) {
    std::promise<Result<std::uint64_t>> gone;
    keys.revoke_of_tenant(tenant,
                          [&](Result<std::uint64_t> count) { gone.set_value(std::move(count)); });
    return gone.get_future().get();
}

json::value time_or_null(const std::optional<core::SystemTime>& time) {
    if (!time) return nullptr;
    return json::string(core::to_rfc3339(*time));
}

json::array shown(const std::vector<tenancy::CollectionSum>& sums) {
    json::array out;
    for (const tenancy::CollectionSum& sum : sums) {
        out.push_back({{"name", sum.name}, {"documents", sum.documents}, {"sha256", sum.sha256}});
    }
    return out;
}

json::object shown(const tenancy::BackupSummary& summary) {
    json::object out = {{"uuid", summary.title.id.to_string()},
                        {"of", summary.title.owner},
                        {"made_at", core::to_rfc3339(summary.title.made_at)},
                        {"content", to_string(summary.content)},
                        {"documents", summary.documents},
                        {"sha256", summary.sha256},
                        {"collections", shown(summary.collections)}};
    if (summary.restored_to) out["restored_to"] = core::to_rfc3339(*summary.restored_to);
    return out;
}

json::array shown(const std::vector<tenancy::Finding>& findings) {
    json::array out;
    for (const tenancy::Finding& finding : findings)
        out.push_back({{"where", finding.where}, {"what", finding.what}});
    return out;
}

json::object shown(const tenancy::CheckReport& report) {
    return {{"databases", report.databases},
            {"documents", report.documents},
            {"findings", shown(report.findings)}};
}

json::object shown(const tenancy::MigrationReport& report) {
    json::array moved;
    for (const tenancy::MigrationReport::Moved& one : report.moved)
        moved.push_back({{"tenant", one.tenant}, {"documents", one.documents}});
    return {
        {"moved", std::move(moved)}, {"there", report.there}, {"findings", shown(report.findings)}};
}

tenancy::DatabaseAddress address_in(const json::object& body) {
    return {.host = text_of(body, "to"),
            .name = text_of(body, "db_name"),
            .username = text_of(body, "db_username"),
            .password = core::Secret(text_of(body, "db_password"))};
}

/// The JSON of what an operation gives.
template <class T>
Result<json::object> outcome(Result<T> done) {
    if (!done) return done.take_error();
    return shown(*done);
}

/// The same of a whole backup: whom it misses is a finding.
Result<json::object> outcome(Result<WholeBackup> done) {
    if (!done) return done.take_error();
    json::object out = shown(*done);
    std::vector<tenancy::Finding> findings;
    for (const tenancy::MissingTenant& one : done->missing)
        findings.push_back({.where = one.tenant, .what = "not in the backup: " + one.reason});
    out["findings"] = shown(findings);
    return out;
}

Result<tenancy::RestoreRequest> restore_in(const TaskContext& context) {
    const json::object& input = context.input();
    tenancy::RestoreRequest out{.tenant = context.tenant(),
                                .backup = text_of(input, "backup"),
                                .existing = read_flag(json::value(input), "replace")
                                                ? tenancy::Existing::kReplace
                                                : tenancy::Existing::kRefuse,
                                .of = text_of(input, "of")};
    if (const json::value* const at = input.if_contains("at"))
        out.at = core::SystemTime(std::chrono::microseconds(at->to_number<std::int64_t>()));
    return out;
}

/// The operations by which tenants' data is kept, moved and erased, as tasks.
class Works {
  public:
    explicit Works(const DaemonApiDeps& deps) : deps_(deps), operations_(deps.operations) {}

    Result<json::object> back_up(const TaskContext& task) const {
        return outcome(operations_.back_up_tenant(task.tenant(), task.progress(), task.id()));
    }
    Result<json::object> back_up_all(const TaskContext& task) const {
        return outcome(operations_.back_up_all(task.progress(), task.id()));
    }
    Result<json::object> verify(const TaskContext& task) const {
        return outcome(
            operations_.verify(task.tenant(), text_of(task.input(), "id"), task.progress()));
    }
    Result<json::object> verify_all(const TaskContext& task) const {
        return outcome(operations_.verify_all(text_of(task.input(), "id"), task.progress()));
    }
    Result<json::object> check(const TaskContext& task) const {
        return outcome(operations_.check(task.progress()));
    }
    Result<json::object> restore(const TaskContext& task) const {
        ZONA_TRY(const tenancy::RestoreRequest request, restore_in(task));
        return outcome(operations_.restore(request, task.progress()));
    }
    Result<json::object> export_data(const TaskContext& task) const {
        const bool is_open = text_of(task.input(), "secret_fields") == "open";
        const tenancy::ExportRequest request{
            .tenant = task.tenant(),
            .directory = text_of(task.input(), "directory"),
            .secrets = is_open ? tenancy::SecretFields::kOpen : tenancy::SecretFields::kMask};
        ZONA_TRY(const auto sums, operations_.export_data(request, task.progress()));
        return json::object{{"collections", shown(sums)}};
    }
    Result<json::object> move(const TaskContext& task) const {
        const tenancy::MoveRequest request{.tenant = task.tenant(), .to = address_in(task.input())};
        ZONA_TRY(const auto sums, operations_.move(request, task.progress()));
        return json::object{{"collections", shown(sums)}};
    }
    Result<json::object> migrate(const TaskContext& task) const {
        return outcome(operations_.migrate(address_in(task.input()), task.progress()));
    }
    Result<json::object> erase(const TaskContext& task) const {
        const auto backups = read_flag(json::value(task.input()), "keep_backups")
                                 ? tenancy::Backups::kKeep
                                 : tenancy::Backups::kErase;
        ZONA_TRY_VOID(operations_.erase(task.tenant(), backups, task.progress()));
        // Nobody gets in for a tenant that is gone.
        if (identity::ApiKeys* const keys = deps_.keys.keys)
            ZONA_TRY_VOID(revoke_keys(*keys, task.tenant()));
        return json::object();
    }

  private:
    const DaemonApiDeps& deps_;
    tenancy::TenantOperations& operations_;
};

}  // namespace

json::object shown(const BackupRecord& record) {
    return {{"id", record.id},
            {"uuid", record.uuid.to_string()},
            {"name", record.name},
            {"tenantcode", record.tenant},
            {"status", to_string(record.status)},
            {"connection_status", to_string(record.connection_status)},
            {"db_host", record.database.host},
            {"db_name", record.database.name},
            {"db_username", record.database.username},
            {"db_password", ""},
            {"made_at", core::to_rfc3339(record.made_at)},
            {"zona", record.zona},
            {"content", to_string(record.content)},
            {"documents", record.documents},
            {"size_bytes", record.bytes},
            {"sha256", record.sha256},
            {"file", record.file},
            {"copied_at", time_or_null(record.copied_at)}};
}

json::object shown(const WholeBackup& whole) {
    json::array missing;
    for (const tenancy::MissingTenant& one : whole.missing)
        missing.push_back({{"tenant", one.tenant}, {"reason", one.reason}});
    return {{"uuid", whole.uuid.to_string()},
            {"made_at", core::to_rfc3339(whole.made_at)},
            {"restorable_until", core::to_rfc3339(whole.until)},
            {"zona", whole.zona},
            {"tenants", whole.tenants},
            {"documents", whole.documents},
            {"size_bytes", whole.bytes},
            {"copied_at", time_or_null(whole.copied_at)},
            {"missing", std::move(missing)}};
}

std::int64_t to_input(core::SystemTime moment) {
    return std::chrono::floor<std::chrono::microseconds>(moment.time_since_epoch()).count();
}

void handle_operations(Tasks& tasks, const DaemonApiDeps& deps) {
    const auto works = std::make_shared<const Works>(deps);
    using Member = Result<json::object> (Works::*)(const TaskContext&) const;
    const auto add = [&](std::string operation, std::string action, Member member,
                         Interrupted interrupted = Interrupted::kAgain) {
        tasks.handle({.operation = std::move(operation),
                      .action = std::move(action),
                      .interrupted = interrupted,
                      .work = [works, member](const TaskContext& task) {
                          return ((*works).*member)(task);
                      }});
    };
    add("backUpTenant", "backup", &Works::back_up);
    add("backUpAll", "backup", &Works::back_up_all);
    add("verifyTenantBackup", "verify", &Works::verify);
    add("verifyBackup", "verify", &Works::verify_all);
    add("checkStore", "check", &Works::check);
    // Done once more it would undo what was written after it.
    add("restoreTenant", "restore", &Works::restore, Interrupted::kFails);
    add("exportTenant", "export", &Works::export_data);
    add("moveTenant", "move", &Works::move);
    add("migrateStore", "migrate", &Works::migrate);
    add("eraseTenant", "erase", &Works::erase);
}

}  // namespace zona::api
