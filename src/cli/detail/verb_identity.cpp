// `zona user`, `zona idp` and `zona role`.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/detail/identity_view.h"
#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "core/json.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

/// "utilities:read=all ..."; of many how many.
std::string grants_of(const json::object& role) {
    constexpr std::size_t kShown = 4;
    std::vector<std::string> out;
    const json::value* grants = role.if_contains("grants");
    if (grants == nullptr || !grants->is_object()) return "-";
    for (const auto& [name, extent] : grants->get_object()) {
        if (extent.is_string())
            out.push_back(
                fmt::format("{}={}", escape_control(name), escape_control(extent.get_string())));
    }
    if (out.empty()) return "-";
    if (out.size() > kShown) return fmt::format("{} permissions", out.size());
    return fmt::format("{}", fmt::join(out, " "));
}

std::string users_text(const json::value& users, const Screen& screen) {
    Table table;
    table.columns = {{"name", Align::kLeft, 0, 0},
                     {"status", Align::kLeft, 0, 0},
                     {"roles", Align::kLeft, 0, 10},
                     {"email", Align::kLeft, 1, 10},
                     {"last sign-in (UTC)", Align::kLeft, 2, 10}};
    for (const json::object& user : objects_in(users)) {
        table.rows.push_back({{shown(user, "name")},
                              {shown(user, "status")},
                              {list_of(user, "roles")},
                              {shown(user, "email")},
                              {minute_of(user, "last_sign_in_at")}});
    }
    return layout(table, screen);
}

std::string roles_text(const json::value& roles, const Screen& screen) {
    Table table;
    table.columns = {{"name", Align::kLeft, 0, 0},
                     {"inherits", Align::kLeft, 0, 10},
                     {"grants", Align::kLeft, 0, 20},
                     {"description", Align::kLeft, 1, 20}};
    for (const json::object& role : objects_in(roles)) {
        table.rows.push_back({{shown(role, "name")},
                              {list_of(role, "inherits")},
                              {grants_of(role)},
                              {shown(role, "description")}});
    }
    return layout(table, screen);
}

/// "soc=creator ..."
std::string groups_of(const json::object& provider) {
    std::vector<std::string> out;
    if (const json::value* roles = provider.if_contains("roles"); roles && roles->is_object()) {
        for (const auto& [group, role] : roles->get_object()) {
            if (role.is_string())
                out.push_back(
                    fmt::format("{}={}", escape_control(group), escape_control(role.get_string())));
        }
    }
    return out.empty() ? "-" : fmt::format("{}", fmt::join(out, " "));
}

/// What stands in the file; "" of none, and of a URL, which zona reads by itself.
core::Result<std::string> metadata_in(const std::string& place, std::string_view directory) {
    constexpr std::size_t kLongest = 256 * 1024;
    if (place.empty() || place.starts_with("https://") || place.starts_with("http://")) return "";
    const std::string file = place == "-" ? "/dev/stdin" : absolute(place, directory);
    ZONA_TRY(std::string text, os::read_file(file, kLongest + 1));
    if (text.empty() || text.size() > kLongest) {
        return core::Error(
            core::Code::kInvalidArgument,
            fmt::format("{} holds no metadata of 1 to {} bytes", escape_control(place), kLongest));
    }
    return text;
}

bool is_true(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

std::string providers_text(const json::value& providers, const Screen& screen) {
    Table table;
    table.columns = {{"name", Align::kLeft, 0, 0},    {"kind", Align::kLeft, 1, 0},
                     {"issuer", Align::kLeft, 0, 20}, {"newcomers", Align::kLeft, 1, 0},
                     {"groups", Align::kLeft, 2, 20}, {"state", Align::kLeft, 0, 0}};
    for (const json::object& one : objects_in(providers)) {
        table.rows.push_back({{shown(one, "name")},
                              {shown(one, "kind")},
                              {shown(one, "issuer")},
                              {shown(one, "newcomers")},
                              {groups_of(one)},
                              {is_true(one, "enabled") ? "on" : "off"}});
    }
    return layout(table, screen);
}

/// Where they are; they themselves are for no terminal.
std::string place_of_metadata(const json::object& provider) {
    if (!text_of(provider, "metadata").empty()) return "as given";
    return shown(provider, "metadata_url");
}

std::string provider_text(const json::object& one) {
    std::string claims = "-";
    if (const json::value* names = one.if_contains("claims"); names && names->is_object()) {
        const json::object& from = names->get_object();
        claims = fmt::format("name {}, email {}, groups {}", shown(from, "name"),
                             shown(from, "email"), shown(from, "groups"));
    }
    return fmt::format(
        "name            {}\ntenant          {}\nkind            {}\nfor people      {}\n"
        "issuer          {}\nmetadata        {}\nclient          {}\nsecret          {}\nscopes    "
        "      {}\nclaims          {}\n"
        "groups          {}\ndefault roles   {}\nnewcomers       {}\nstate           {}\n",
        shown(one, "name"), shown(one, "tenant"), shown(one, "kind"), shown(one, "display_name"),
        shown(one, "issuer"), place_of_metadata(one), shown(one, "client_id"),
        is_true(one, "has_secret") ? "yes" : "no", list_of(one, "scopes"), claims, groups_of(one),
        list_of(one, "default_roles"), shown(one, "newcomers"),
        is_true(one, "enabled") ? "on" : "off");
}

std::string user_text(const json::object& user) {
    const auto flag = [&](std::string_view key) {
        const json::value* value = user.if_contains(key);
        return value != nullptr && value->is_bool() && value->get_bool() ? "yes" : "no";
    };
    return fmt::format(
        "name            {}\ntenant          {}\nemail           {}\nroles           {}\n"
        "status          {}\npassword        {}\nsecond factor   {}\nlast sign-in    {}\n"
        "last failure    {}\n",
        shown(user, "name"), shown(user, "tenant"), shown(user, "email"), list_of(user, "roles"),
        shown(user, "status"), flag("has_password"), flag("has_second_factor"),
        minute_of(user, "last_sign_in_at"), minute_of(user, "last_failure_at"));
}

std::string role_text(const json::object& role) {
    std::string out =
        fmt::format("name            {}\ndescription     {}\ninherits        {}\n",
                    shown(role, "name"), shown(role, "description"), list_of(role, "inherits"));
    if (const json::value* grants = role.if_contains("grants"); grants && grants->is_object()) {
        for (const auto& [name, extent] : grants->get_object()) {
            if (extent.is_string())
                out += fmt::format("grant           {}={}\n", escape_control(name),
                                   escape_control(extent.get_string()));
        }
    }
    if (const json::value* under = role.if_contains("conditions"); under && under->is_object()) {
        if (!under->get_object().empty())
            out += fmt::format("conditions      {}\n", escape_control(json::serialize(*under)));
    }
    return out;
}

void tell_user(Context& context, const UserOptions& options, const json::object& data) {
    const std::string name = escape_control(options.name);
    switch (options.action) {
        case UserAction::kList:
            if (const json::value* users = data.if_contains("users"))
                context.console.out(users_text(*users, context.console.screen()));
            break;
        case UserAction::kShow:
            context.console.out(user_text(data));
            break;
        case UserAction::kInvite:
            // Alone on standard output, so that it can go into a file.
            context.console.out(text_of(data, "token") + "\n");
            context.console.note("give it to whom it is for: it is not shown again\n");
            break;
        case UserAction::kRemove:
            context.console.remark(fmt::format("there is no user {} any more\n", name));
            break;
        case UserAction::kCreate:
        case UserAction::kChange:
        case UserAction::kDisable:
        case UserAction::kEnable:
        case UserAction::kRoles:
            context.console.remark(fmt::format("{}: {}, roles {}\n", name, shown(data, "status"),
                                               list_of(data, "roles")));
            break;
    }
}

}  // namespace

Status users(Context& context, const UserOptions& given) {
    UserOptions options = given;
    ZONA_TRY(options.password, password_in(options.password_file, context.caller.cwd));
    const bool is_new = options.action == UserAction::kCreate;
    if (!options.name.empty() && !is_new) {
        ZONA_TRY(options.id, id_of_user(context, options.tenant, options.name));
    }
    ZONA_TRY(const Answer answer, context.session.ask(manage_users(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (told && told->is_object()) tell_user(context, options, told->get_object());
    return kAllWell;
}

Status providers(Context& context, const ProviderOptions& given) {
    ProviderOptions options = given;
    ZONA_TRY(options.secret, password_in(options.secret_file, context.caller.cwd));
    ZONA_TRY(options.metadata_text, metadata_in(options.metadata, context.caller.cwd));
    ZONA_TRY(const Answer answer, context.session.ask(manage_providers(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const std::string name = escape_control(options.name);
    switch (options.action) {
        case ProviderAction::kList:
            context.console.out(providers_text(*told, context.console.screen()));
            break;
        case ProviderAction::kShow:
            if (told->is_object()) context.console.out(provider_text(told->get_object()));
            break;
        case ProviderAction::kAdd:
        case ProviderAction::kReplace:
            context.console.remark(fmt::format("users can sign in by {}\n", name));
            break;
        case ProviderAction::kRemove:
            context.console.remark(fmt::format("nobody signs in by {} any more\n", name));
            break;
    }
    return kAllWell;
}

Status roles(Context& context, const RoleOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(manage_roles(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const std::string name = escape_control(options.name);
    switch (options.action) {
        case RoleAction::kList:
            context.console.out(roles_text(*told, context.console.screen()));
            break;
        case RoleAction::kShow:
            if (told->is_object()) context.console.out(role_text(told->get_object()));
            break;
        case RoleAction::kCreate:
            context.console.remark(fmt::format("the role {} can be given to users\n", name));
            break;
        case RoleAction::kRemove:
            context.console.remark(fmt::format("there is no role {} any more\n", name));
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
