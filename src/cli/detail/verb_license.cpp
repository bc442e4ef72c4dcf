#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

/// More than any licence has.
constexpr std::size_t kLargestFile = 65'536;

const json::object& object_in(const json::value& data, std::string_view field) {
    static const json::object kNone;
    const json::value* const value =
        data.is_object() ? data.get_object().if_contains(field) : nullptr;
    return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

std::string shown(const json::object& from, std::string_view field) {
    return escape_control(text_of(from, field));
}

std::string number_in(const json::object& from, std::string_view field) {
    const auto number = integer_of(from, field);
    return number ? fmt::format("{}", *number) : "any number";
}

std::string flags_text(const json::value& license, std::string_view field) {
    std::string out;
    for (const auto& [name, on] : object_in(license, field)) {
        if (!on.is_bool()) continue;
        out += fmt::format("{:<14} {}\n", escape_control(name), on.get_bool() ? "on" : "off");
    }
    return out;
}

std::string license_text(const json::value& data) {
    static const json::object kNone;
    const json::object& license = data.is_object() ? data.get_object() : kNone;
    const bool is_built_in = text_of(license, "id").empty();
    std::string out = fmt::format("{:<14} {}\n", "type", shown(license, "type"));
    out += fmt::format("{:<14} {}\n", "licence", is_built_in ? "built in" : shown(license, "id"));
    if (!is_built_in) out += fmt::format("{:<14} {}\n", "holder", shown(license, "holder"));
    out += fmt::format("{:<14} {}\n", "state", shown(license, "state"));
    const std::string end = shown(license, "expires_at");
    const auto days = integer_of(license, "days_left");
    out += fmt::format("{:<14} {}\n", "until",
                       days ? fmt::format("{} ({} days)", end, *days) : "for ever");
    out += fmt::format("{:<14} {}\n", "tenants", number_in(license, "max_tenants"));
    out += fmt::format("{:<14} {}\n", "integrations", number_in(license, "max_integrations"));
    return out + flags_text(data, "features") + flags_text(data, "compliance_features");
}

std::string usage_text(const json::value& data) {
    const json::object& tenants = object_in(data, "tenants");
    const json::object& all = data.get_object();
    std::string out =
        fmt::format("{:<14} {} of {}, at most {} so far\n", "tenants", number_in(tenants, "total"),
                    number_in(tenants, "limit"), number_in(tenants, "peak"));
    for (const char* state : {"active", "suspended", "inactive"})
        out += fmt::format("  {:<12} {}\n", state, number_in(tenants, state));
    for (const char* what : {"users", "roles"})
        out += fmt::format("{:<14} {}\n", what, number_in(all, what));
    return out;
}

/// As it was typed on this host, also where the zona is on another.
core::Result<std::string> text_in(const Context& context, const std::string& file) {
    const std::string& cwd = context.remote ? context.cwd_here : context.caller.cwd;
    ZONA_TRY(std::string text,
             os::read_file(file == "-" ? "/dev/stdin" : absolute(file, cwd), kLargestFile));
    while (text.ends_with('\n') || text.ends_with('\r'))
        text.pop_back();
    return text;
}

}  // namespace

Status license(Context& context, const LicenseOptions& options) {
    LicenseOptions asked = options;
    if (options.action == LicenseAction::kInstall) {
        ZONA_TRY(asked.text, text_in(context, options.file));
    }
    ZONA_TRY(const Answer answer, context.session.ask(manage_license(asked)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    switch (options.action) {
        case LicenseAction::kReport:
            context.console.out(usage_text(*told));
            return kAllWell;
        case LicenseAction::kInstall:
            context.console.out(license_text(*told));
            return kAllWell;
        case LicenseAction::kShow:
            break;
    }
    if (!options.tenant.empty()) {
        context.console.out(license_text(*told));
        return kAllWell;
    }
    context.console.out(license_text(object_in(*told, "license")));
    const std::string problem =
        told->is_object() ? shown(told->get_object(), "file_problem") : std::string();
    if (!problem.empty())
        context.console.out(fmt::format("{:<14} is not installed: {}\n", "license.file", problem));
    return kAllWell;
}

}  // namespace zona::cli
