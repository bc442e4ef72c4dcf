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

std::string shown(const json::object& from, std::string_view field) {
    return escape_control(text_of(from, field));
}

std::int64_t number_in(const json::object& from, std::string_view field) {
    return integer_of(from, field).value_or(0);
}

/// The actor, and how it was called if that was not erased.
std::string actor_of(const json::object& entry) {
    const std::string name = shown(entry, "name");
    return name.empty() ? shown(entry, "actor")
                        : fmt::format("{} ({})", shown(entry, "actor"), name);
}

std::string entries_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"seq", Align::kRight, 1, 0},     {"time (UTC)", Align::kLeft, 0, 10},
                     {"actor", Align::kLeft, 0, 0},    {"action", Align::kLeft, 0, 0},
                     {"resource", Align::kLeft, 2, 8}, {"outcome", Align::kLeft, 0, 0}};
    for (const json::object& entry : objects_in(data)) {
        std::string time = shown(entry, "timestamp").substr(0, 19);
        if (time.size() > 10) time[10] = ' ';
        table.rows.push_back({{fmt::format("{}", number_in(entry, "seq"))},
                              {std::move(time)},
                              {actor_of(entry)},
                              {shown(entry, "action")},
                              {shown(entry, "resource")},
                              {shown(entry, "outcome")}});
    }
    return layout(table, screen);
}

std::string archives_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"first", Align::kRight, 0, 0},
                     {"last", Align::kRight, 0, 0},
                     {"left (UTC)", Align::kLeft, 0, 10},
                     {"file", Align::kLeft, 0, 0},
                     {"hash", Align::kLeft, 2, 8}};
    for (const json::object& archive : objects_in(data)) {
        std::string time = shown(archive, "archived_at").substr(0, 19);
        if (time.size() > 10) time[10] = ' ';
        table.rows.push_back({{fmt::format("{}", number_in(archive, "first"))},
                              {fmt::format("{}", number_in(archive, "last"))},
                              {std::move(time)},
                              {shown(archive, "file")},
                              {shown(archive, "hash")}});
    }
    return layout(table, screen);
}

const json::object& object_in(const json::value& data, std::string_view field) {
    static const json::object none;
    const json::value* value = data.is_object() ? data.get_object().if_contains(field) : nullptr;
    return value != nullptr && value->is_object() ? value->get_object() : none;
}

/// What a verification says, and the status for it: a record that is not whole is no success.
Status tell(Context& context, const json::object& done) {
    const json::value whole = done;
    const json::object& flaw = object_in(whole, "flaw");
    if (flaw.empty()) {
        context.console.out(fmt::format(
            "the record of {} is whole: {} entries, {} to {}, signed up to {}\nhash {}\n",
            shown(done, "scope"), number_in(done, "entries"), number_in(done, "first"),
            number_in(done, "last"), number_in(done, "signed"), shown(done, "hash")));
        if (const json::object& before = object_in(whole, "archives"); !before.empty()) {
            context.console.out(fmt::format("archives: {}, {} entries, which it goes on from\n",
                                            number_in(before, "archives"),
                                            number_in(before, "entries")));
        }
        return kAllWell;
    }
    context.console.out(fmt::format("the record of {} is NOT whole: entry {}: {}\n",
                                    shown(done, "scope"), number_in(flaw, "seq"),
                                    shown(flaw, "problem")));
    return core::info(core::Code::kConflict).exit_status;
}

/// What retention did, and each thing that it could not do.
std::string retention_text(const json::object& done) {
    std::string out = fmt::format("retention:\n  archived {:>18} entries in {} archives\n",
                                  number_in(done, "archived"), number_in(done, "archives"));
    for (const auto& [name, count] : done.at("purged").as_object())
        out += fmt::format("  purged {:<17} {}\n", escape_control(name), json::serialize(count));
    out += fmt::format("  failed {:>20} times\n", number_in(done, "failed"));
    for (const json::object& one : objects_in(done.at("failures"))) {
        out += fmt::format("    {} {}: {}\n", shown(one, "time"), shown(one, "action"),
                           shown(one, "problem"));
    }
    for (const json::object& one : objects_in(done.at("overdue"))) {
        out += fmt::format("  overdue: {} has documents of {} that were to be gone by {}\n",
                           shown(one, "collection"), shown(one, "oldest"), shown(one, "due"));
    }
    return out;
}

std::string report_text(const json::value& data) {
    const json::object& report = data.get_object();
    std::string out = fmt::format("from {} to {}: {} entries\n", shown(report, "from"),
                                  shown(report, "to"), number_in(report, "entries"));
    for (const char* part : {"categories", "outcomes", "actions", "actors"}) {
        out += fmt::format("{}:\n", part);
        for (const auto& [name, count] : object_in(data, part))
            out += fmt::format("  {:<24} {}\n", escape_control(name), json::serialize(count));
    }
    return out + retention_text(object_in(data, "retention"));
}

}  // namespace

Status audit(Context& context, const AuditOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(ask_record(options)));
    if (options.action == AuditAction::kExport) {
        context.console.out(answer.body);
        return kAllWell;
    }
    ZONA_TRY(const json::value data, answer.data());
    if (context.wants_json()) print_body(context, answer);
    const bool is_told = context.wants_json();
    switch (options.action) {
        case AuditAction::kVerify:
            if (!is_told) return tell(context, data.as_object());
            return object_in(data, "flaw").empty() ? kAllWell
                                                   : core::info(core::Code::kConflict).exit_status;
        case AuditAction::kReport:
            if (is_told) break;
            context.console.out(report_text(data));
            return tell(context, object_in(data, "verification"));
        case AuditAction::kErase:
            if (!is_told)
                context.console.remark(
                    fmt::format("{} cannot be read any more\n", escape_control(options.subject)));
            break;
        case AuditAction::kUnmask:
            for (const json::object& one : objects_in(data)) {
                if (!is_told) context.console.out(json::serialize(one) + "\n");
            }
            break;
        case AuditAction::kList:
            if (!is_told) context.console.out(entries_text(data, context.console.screen()));
            break;
        case AuditAction::kArchives:
            if (!is_told) context.console.out(archives_text(data, context.console.screen()));
            break;
        case AuditAction::kExport:
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
