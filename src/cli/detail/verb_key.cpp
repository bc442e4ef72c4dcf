#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

/// More is read than the API takes, so that it says what is wrong.
constexpr std::size_t kLongestCertificate = 1U << 20U;

/// A time of the answer to the minute, or what to say where there is none.
std::string minute_of(const json::object& key, std::string_view field, std::string_view none) {
    const std::string time = text_of(key, field);
    if (time.empty()) return std::string(none);
    std::string shown = escape_control(time.substr(0, 16));
    if (shown.size() > 10) shown[10] = ' ';
    return shown;
}

std::string tenant_of(const json::object& key) {
    const std::string code = escape_control(text_of(key, "tenant"));
    return code.empty() ? "all" : code;
}

std::string keys_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"name", Align::kLeft, 0, 0},       {"scope", Align::kLeft, 0, 0},
                     {"tenant", Align::kLeft, 0, 0},     {"made (UTC)", Align::kLeft, 3, 10},
                     {"due", Align::kLeft, 2, 10},       {"expires", Align::kLeft, 0, 10},
                     {"last used", Align::kLeft, 1, 10}, {"requests", Align::kRight, 1, 0}};
    for (const json::object& key : objects_in(data)) {
        table.rows.push_back({{escape_control(text_of(key, "name"))},
                              {escape_control(text_of(key, "scope"))},
                              {tenant_of(key)},
                              {minute_of(key, "created_at", "-")},
                              {minute_of(key, "due_at", "never")},
                              {minute_of(key, "expires_at", "never")},
                              {minute_of(key, "last_used_at", "never")},
                              {std::to_string(integer_of(key, "requests").value_or(0))}});
    }
    return layout(table, screen);
}

/// One key after the other, a line for each thing that is known.
std::string key_text(const json::value& data) {
    std::string out;
    for (const json::object& key : objects_in(data)) {
        if (!out.empty()) out += '\n';
        const auto line = [&](std::string_view name, const std::string& value) {
            if (!value.empty()) out += fmt::format("{:<12}{}\n", name, value);
        };
        line("name", escape_control(text_of(key, "name")));
        line("scope", escape_control(text_of(key, "scope")));
        line("tenant", tenant_of(key));
        line("may",
             escape_control(fmt::format("{}", fmt::join(texts_of(key, "permissions"), ", "))));
        line("roles", escape_control(fmt::format("{}", fmt::join(texts_of(key, "roles"), ", "))));
        if (const auto rate = integer_of(key, "requests_per_second")) {
            line("rate", fmt::format("{} a second, {} at once", *rate,
                                     integer_of(key, "burst").value_or(0)));
        }
        if (const json::value* shown = key.if_contains("certificate");
            shown && shown->is_object()) {
            line("subject", escape_control(text_of(shown->get_object(), "subject")));
            line("sha256", escape_control(text_of(shown->get_object(), "sha256")));
        }
        line("made (UTC)", minute_of(key, "created_at", "-"));
        line("due", minute_of(key, "due_at", "never"));
        line("expires", minute_of(key, "expires_at", "never"));
        line("last used", minute_of(key, "last_used_at", "never"));
        line("from", escape_control(text_of(key, "last_address")));
        line("requests", std::to_string(integer_of(key, "requests").value_or(0)));
        line("refusals", std::to_string(integer_of(key, "refusals").value_or(0)));
    }
    return out;
}

}  // namespace

Status keys(Context& context, const KeyOptions& options) {
    if (options.action == KeyAction::kExportShares) {
        return become_maintenance(context,
                                  {"--export-shares", "--home", context.home, "--needed",
                                   options.needed.empty() ? "2" : options.needed, "--total",
                                   options.total.empty() ? "3" : options.total});
    }
    if (options.action == KeyAction::kImportShares) {
        return become_maintenance(context, {"--import-shares", "--home", context.home, "--file",
                                            absolute(options.file, context.caller.cwd), "--to",
                                            absolute(options.to, context.caller.cwd)});
    }
    KeyOptions read = options;
    if (!read.certificate.empty()) {
        const std::string path = absolute(read.certificate, context.caller.cwd);
        ZONA_TRY(read.certificate, os::read_file(path, kLongestCertificate));
    }
    ZONA_TRY(const Answer answer, context.session.ask(manage_keys(read)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    switch (options.action) {
        case KeyAction::kExportShares:
        case KeyAction::kImportShares:
        case KeyAction::kList:
            context.console.out(keys_text(data, context.console.screen()));
            break;
        case KeyAction::kRevoke:
            context.console.remark(
                fmt::format("nobody gets in by the key '{}' any more\n", options.name));
            break;
        case KeyAction::kShow:
            context.console.out(key_text(data));
            break;
        case KeyAction::kCreate:
        case KeyAction::kRotate:
        case KeyAction::kRenew:
            // Alone on standard output, so that it can go into a file.
            if (!options.certificate.empty()) {
                context.console.remark("whoever shows the certificate over TLS is this key\n");
                break;
            }
            if (data.is_object()) context.console.out(text_of(data.get_object(), "key") + "\n");
            context.console.note("keep it: it is not shown again\n");
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
