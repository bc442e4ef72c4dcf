#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

const json::array& array_in(const json::object& from, std::string_view field) {
    static const json::array kNone;
    const json::value* const value = from.if_contains(field);
    return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

/// A line for each key, and one for an owner whose keys are gone.
std::string keys_text(const json::array& owners, const Screen& screen) {
    Table table;
    table.columns = {{"owner", Align::kLeft, 0, 0},
                     {"key", Align::kLeft, 0, 0},
                     {"state", Align::kLeft, 0, 0},
                     {"made (UTC)", Align::kLeft, 1, 10}};
    const auto shown = [](const json::object& from, std::string_view field) {
        return escape_control(text_of(from, field));
    };
    for (const json::value& entry : owners) {
        if (!entry.is_object()) continue;
        const json::object& owner = entry.get_object();
        for (const json::value& key : array_in(owner, "keys")) {
            if (!key.is_object()) continue;
            const json::object& one = key.get_object();
            table.rows.push_back({{shown(owner, "owner")},
                                  {shown(one, "id")},
                                  {shown(one, "state")},
                                  {shown(one, "made_at").substr(0, 19)}});
        }
        const std::string revoked = shown(owner, "revoked_at");
        if (!revoked.empty()) {
            table.rows.push_back(
                {{shown(owner, "owner")}, {"-"}, {"revoked"}, {revoked.substr(0, 19)}});
        }
    }
    return layout(table, screen);
}

std::string status_text(const json::object& vault) {
    std::string out =
        fmt::format("root key  {}\nprovider  {}\n", escape_control(text_of(vault, "root_key")),
                    escape_control(text_of(vault, "provider")));
    const std::string problem = text_of(vault, "problem");
    if (!problem.empty()) out += fmt::format("problem   {}\n", escape_control(problem));
    return out;
}

}  // namespace

Status vault(Context& context, const VaultOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(manage_vault(options)));
    if (options.action == VaultAction::kRotate)
        return end_of_task(context, answer, options.no_wait ? Waiting::kNo : Waiting::kYes);
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const json::object empty;
    const json::object& one = data.is_object() ? data.get_object() : empty;
    switch (options.action) {
        case VaultAction::kStatus:
            context.console.out(status_text(one));
            break;
        case VaultAction::kKeys:
            context.console.out(keys_text(array_in(one, "owners"), context.console.screen()));
            break;
        case VaultAction::kRotate:  // was answered above
            break;
        case VaultAction::kRewrap:
            context.console.out(status_text(one));
            context.console.note("the root key of before is needed for backups of before\n");
            break;
        case VaultAction::kRevoke:
            context.console.remark(fmt::format("nobody can read the data of {} any more\n",
                                               escape_control(text_of(one, "owner"))));
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
