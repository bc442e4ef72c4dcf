#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "core/json.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

std::string shown(const json::object& tenant, std::string_view field) {
    return escape_control(text_of(tenant, field));
}

std::string tenants_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"code", Align::kLeft, 0, 0},
                     {"name", Align::kLeft, 0, 10},
                     {"status", Align::kLeft, 0, 0},
                     {"database", Align::kLeft, 1, 10},
                     {"changed (UTC)", Align::kLeft, 2, 10}};
    for (const json::object& tenant : objects_in(data)) {
        table.rows.push_back({{shown(tenant, "code")},
                              {shown(tenant, "name")},
                              {shown(tenant, "status")},
                              {shown(tenant, "connection_status")},
                              {shown(tenant, "updated_at").substr(0, 19)}});
    }
    return layout(table, screen);
}

std::string number(const json::object& from, std::string_view field) {
    return std::to_string(integer_of(from, field).value_or(0));
}

std::string tenant_text(const json::object& tenant) {
    std::string out;
    for (const std::string_view field :
         {"code", "name", "status", "connection_status", "db_host", "db_name", "db_username",
          "contact_email", "created_at", "updated_at"}) {
        const std::string value = shown(tenant, field);
        if (!value.empty()) out += fmt::format("{:<17} {}\n", field, value);
    }
    const json::value* quotas = tenant.if_contains("quotas");
    if (quotas != nullptr && quotas->is_object() && !quotas->get_object().empty())
        out += fmt::format("{:<17} {}\n", "quotas", core::to_json(*quotas));
    const json::value* storage = tenant.if_contains("storage");
    if (storage != nullptr && storage->is_object()) {
        const json::object& use = storage->get_object();
        const std::string most = number(use, "quota_bytes");
        out += fmt::format("{:<17} {} bytes of {}, {} documents\n", "storage",
                           number(use, "used_bytes"), most == "0" ? "any number" : most,
                           number(use, "documents"));
    }
    return out;
}

std::string backups_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"backup", Align::kLeft, 0, 0},        {"made (UTC)", Align::kLeft, 0, 10},
                     {"documents", Align::kRight, 0, 0},    {"bytes", Align::kRight, 1, 0},
                     {"copied (UTC)", Align::kLeft, 2, 10}, {"content", Align::kLeft, 2, 0}};
    for (const json::object& backup : objects_in(data)) {
        const std::string copied = shown(backup, "copied_at");
        table.rows.push_back({{shown(backup, "uuid")},
                              {shown(backup, "made_at").substr(0, 19)},
                              {number(backup, "documents")},
                              {number(backup, "size_bytes")},
                              {copied.empty() ? "-" : copied.substr(0, 19)},
                              {shown(backup, "content")}});
    }
    return layout(table, screen);
}

std::string databases_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"database", Align::kLeft, 0, 0},
                     {"host", Align::kLeft, 0, 0},
                     {"name", Align::kLeft, 0, 0}};
    for (const json::object& database : objects_in(data)) {
        table.rows.push_back({{shown(database, "uuid")},
                              {shown(database, "db_host")},
                              {shown(database, "db_name")}});
    }
    return layout(table, screen);
}

bool is_task(TenantAction action) {
    switch (action) {
        case TenantAction::kBackup:
        case TenantAction::kVerify:
        case TenantAction::kRestore:
        case TenantAction::kExport:
        case TenantAction::kMove:
        case TenantAction::kErase:
            return true;
        default:
            return false;
    }
}

}  // namespace

Status tenants(Context& context, const TenantOptions& given) {
    TenantOptions options = given;
    // A path means what it means here.
    const bool file = options.action == TenantAction::kRestore && options.what.contains('/');
    if (!context.remote && (options.action == TenantAction::kExport || file))
        options.what = absolute(options.what, context.caller.cwd);
    ZONA_TRY(options.password, password_in(options.password_file, context.caller.cwd));
    ZONA_TRY(const Answer answer, context.session.ask(manage_tenants(options)));
    if (is_task(options.action))
        return end_of_task(context, answer, options.no_wait ? Waiting::kNo : Waiting::kYes);
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const json::object empty;
    const json::object& one = data.is_object() ? data.get_object() : empty;
    switch (options.action) {
        case TenantAction::kList:
        case TenantAction::kStates:
            context.console.out(tenants_text(data, context.console.screen()));
            break;
        case TenantAction::kShow:
            context.console.out(tenant_text(one));
            break;
        case TenantAction::kBackups:
            context.console.out(backups_text(data, context.console.screen()));
            break;
        case TenantAction::kDatabases:
            context.console.out(databases_text(data, context.console.screen()));
            break;
        case TenantAction::kDropBackup:
            context.console.remark(
                fmt::format("the backup {} is gone\n", escape_control(options.what)));
            break;
        case TenantAction::kBackup:
        case TenantAction::kVerify:
        case TenantAction::kRestore:
        case TenantAction::kExport:
        case TenantAction::kMove:
        case TenantAction::kErase:
            break;
        case TenantAction::kCreate:
        case TenantAction::kUpdate:
        case TenantAction::kActivate:
        case TenantAction::kSuspend:
        case TenantAction::kDeactivate:
            context.console.remark(
                fmt::format("the tenant {} is {}\n", shown(one, "code"), shown(one, "status")));
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
