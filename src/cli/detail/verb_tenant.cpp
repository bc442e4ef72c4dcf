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
    for (const json::value& entry : data.is_array() ? data.get_array() : json::array()) {
        if (!entry.is_object()) continue;
        const json::object& tenant = entry.get_object();
        table.rows.push_back({{shown(tenant, "code")},
                              {shown(tenant, "name")},
                              {shown(tenant, "status")},
                              {shown(tenant, "connection_status")},
                              {shown(tenant, "updated_at").substr(0, 19)}});
    }
    return layout(table, screen);
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
    return out;
}

}  // namespace

Status tenants(Context& context, const TenantOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(manage_tenants(options)));
    if (context.wants_json()) {
        context.console.out(answer.body + '\n');
        return kAllWell;
    }
    ZONA_TRY(const json::value data, answer.data());
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
