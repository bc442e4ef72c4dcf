#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/account.h"
#include "cli/detail/jlist.h"
#include "cli/detail/table.h"
#include "cli/detail/verbs.h"
#include "core/json.h"
#include "core/text.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Result;

Result<ProcessList> ask_processes(Context& context, std::span<const std::string> selectors) {
    ZONA_TRY(const Answer answer, context.session.ask(get_selected("processes", selectors)));
    ZONA_TRY(const json::value envelope, answer.parsed());
    return read_process_list(envelope);
}

Status list_without_daemon(Context& context) {
    if (context.wants_json()) {
        context.console.out("{\"success\":true,\"data\":[]}\n");
    } else {
        context.console.out(list_text({}, context.console.screen()));
    }
    context.console.note("zona is not running\n");
    return kAllWell;
}

std::vector<json::value> entries_of(const json::value& data) {
    const json::array* array = data.if_array();
    return array != nullptr ? std::vector<json::value>(array->begin(), array->end())
                            : std::vector<json::value>();
}

std::string value_text(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return "-";
    if (value->is_string()) return escape_control(std::string(value->get_string()));
    return escape_control(core::to_json(*value));
}

Colour colour_of_check(std::string_view status) {
    if (status == "ok") return Colour::kGreen;
    return status == "degraded" ? Colour::kYellow : Colour::kRed;
}

std::string checks_text(const json::value& data, const Screen& screen) {
    const json::value* checks =
        data.is_object() ? data.get_object().if_contains("checks") : nullptr;
    std::string text;
    for (const json::value& entry : entries_of(checks != nullptr ? *checks : json::value())) {
        if (!entry.is_object()) continue;
        const json::object& check = entry.get_object();
        const std::string status = escape_control(text_of(check, "status"));
        text += fmt::format("{}{:{}} {:<22} {}\n", paint(screen, colour_of_check(status), status),
                            "", status.size() < 8 ? 8 - status.size() : 0,
                            escape_control(text_of(check, "name")),
                            escape_control(text_of(check, "detail")));
        const std::string cure = text_of(check, "cure");
        if (!cure.empty()) text += fmt::format("{:>32}{}\n", "try: ", escape_control(cure));
    }
    return text;
}

std::string settings_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {
        {"key", Align::kLeft, 0, 0}, {"value", Align::kLeft, 0, 12}, {"from", Align::kLeft, 1, 10}};
    for (const json::value& entry : entries_of(data)) {
        if (!entry.is_object()) continue;
        const json::object& setting = entry.get_object();
        std::string from = value_text(setting, "source");
        if (const std::string file = text_of(setting, "file"); !file.empty()) {
            from = fmt::format("{}:{}", escape_control(file), value_text(setting, "line"));
        }
        table.rows.push_back(
            {{value_text(setting, "key")}, {value_text(setting, "value")}, {std::move(from)}});
    }
    return layout(table, screen);
}

std::string reload_text(const json::value& data) {
    if (!data.is_object()) return {};
    const auto changed = texts_of(data.get_object(), "changed");
    const auto waiting = texts_of(data.get_object(), "needs_restart");
    if (changed.empty() && waiting.empty()) return "nothing has changed\n";
    std::string text;
    for (const std::string& key : changed)
        text += escape_control(key) + "  changed\n";
    for (const std::string& key : waiting) {
        text += escape_control(key) + "  changes when zona is started anew\n";
    }
    return text;
}

std::string pairs_text(const json::value& data, std::string_view between) {
    std::string text;
    if (!data.is_object()) return text;
    for (const auto& [key, value] : data.get_object()) {
        const std::string shown =
            value.is_string() ? std::string(value.get_string()) : core::to_json(value);
        text +=
            escape_control(std::string(key)) + std::string(between) + escape_control(shown) + '\n';
    }
    return text;
}

/// One process with its ends, for --json.
struct Ends {
    Process process;
    json::value exits;
};

Result<std::vector<Ends>> ask_ends(Context& context, const WhyOptions& options) {
    ZONA_TRY(const ProcessList list, ask_processes(context, options.selectors));
    std::vector<Ends> ends;
    for (const Process& process : list.processes) {
        const bool ended = process.last_exit || !process.held_because.empty();
        if (options.selectors.empty() && !ended) continue;
        const ApiRequest request = get_of_process(std::to_string(process.pm_id), "exits");
        ZONA_TRY(const Answer answer, context.session.ask(request));
        ZONA_TRY(json::value exits, answer.data());
        if (json::array* array = exits.if_array()) {
            const auto last = static_cast<std::size_t>(options.last);
            if (array->size() > last) array->resize(last);
        }
        ends.push_back({process, std::move(exits)});
    }
    return ends;
}

std::string ends_json(const std::vector<Ends>& ends) {
    json::array data;
    for (const auto& [process, exits] : ends) {
        json::value held = nullptr;
        if (!process.held_because.empty()) held = process.held_because;
        data.push_back({{"pm_id", process.pm_id},
                        {"name", process.name},
                        {"status", process.status},
                        {"held_because", held},
                        {"exits", exits}});
    }
    return core::to_json(json::object{{"success", true}, {"data", std::move(data)}}) + '\n';
}

}  // namespace

Status list(Context& context, const SelectOptions& options) {
    const auto answer = context.session.ask(get_selected("processes", options.selectors));
    if (!answer) {
        if (Session::says_not_running(answer.error())) return list_without_daemon(context);
        return answer.error();
    }
    if (context.wants_json()) {
        print_body(context, *answer);
        return kAllWell;
    }
    ZONA_TRY(const json::value envelope, answer->parsed());
    context.console.out(list_text(read_process_list(envelope), context.console.screen()));
    return kAllWell;
}

Status describe(Context& context, const SelectOptions& options) {
    ZONA_TRY(const Answer answer,
             context.session.ask(get_selected("processes", options.selectors)));
    if (context.wants_json()) {
        print_body(context, answer);
        return kAllWell;
    }
    ZONA_TRY(const json::value envelope, answer.parsed());
    bool first = true;
    for (const Process& process : read_process_list(envelope).processes) {
        if (!first) context.console.out("\n");
        first = false;
        context.console.out(description(process, context.console.screen()));
    }
    return kAllWell;
}

Status why(Context& context, const WhyOptions& options) {
    ZONA_TRY(const std::vector<Ends> ends, ask_ends(context, options));
    if (context.wants_json()) {
        context.console.out(ends_json(ends));
        return kAllWell;
    }
    if (ends.empty()) context.console.remark("no process has ended\n");
    bool first = true;
    for (const auto& [process, exits] : ends) {
        if (!first) context.console.out("\n");
        first = false;
        std::vector<Exit> accounts;
        for (const json::value& exit : entries_of(exits))
            accounts.push_back(read_exit(exit));
        context.console.out(
            why_text(process, accounts, context.clock.system(), context.console.screen()));
    }
    return kAllWell;
}

Status show_environment(Context& context, const SelectOptions& options) {
    ZONA_TRY(const Answer answer,
             context.session.ask(get_of_process(options.selectors.at(0), "environment")));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const json::value* variables =
        data.is_object() ? data.get_object().if_contains("variables") : nullptr;
    if (variables != nullptr) context.console.out(pairs_text(*variables, "="));
    return kAllWell;
}

Status print_jlist(Context& context) {
    auto list = ask_processes(context, {});
    if (!list && Session::says_not_running(list.error())) {
        context.console.out("[]\n");
        context.console.note("zona is not running\n");
        return kAllWell;
    }
    if (!list) return list.take_error();
    context.console.out(jlist_text(list->processes) + '\n');
    return kAllWell;
}

Status doctor(Context& context) {
    ZONA_TRY(const Answer answer,
             context.session.ask(get("/api/v1/host"), {"looking around", 0, {}}));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    context.console.out(checks_text(data, context.console.screen()));
    return kAllWell;
}

Status config(Context& context, const ConfigOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(configure(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    switch (options.action) {
        case ConfigAction::kShow:
            context.console.out(settings_text(data, context.console.screen()));
            break;
        case ConfigAction::kReload:
            context.console.remark(reload_text(data));
            break;
        case ConfigAction::kLogLevel:
            context.console.out(pairs_text(data, " "));
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
