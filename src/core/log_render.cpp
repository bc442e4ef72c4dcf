#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/json.h"
#include "core/log.h"
#include "core/text.h"
#include "core/time_format.h"

namespace zona::core {
namespace {

constexpr std::array<std::string_view, 4> kTaken = {"time", "level", "category", "message"};

bool is_overridden(std::span<const LogField> later, std::string_view key) {
    return std::ranges::find(later, key, &LogField::key) != later.end();
}

/// Calls `visit` with each field that counts, context first.
template <class Visit>
void for_each_field(const LogRecord& record, Visit visit) {
    for (std::size_t i = 0; i < record.context.size(); ++i) {
        const LogField& field = record.context[i];
        if (!is_overridden(record.context.subspan(i + 1), field.key) &&
            !is_overridden(record.fields, field.key)) {
            visit(field);
        }
    }
    for (std::size_t i = 0; i < record.fields.size(); ++i) {
        const LogField& field = record.fields[i];
        if (!is_overridden(record.fields.subspan(i + 1), field.key)) visit(field);
    }
}

struct JsonValueWriter {
    std::string& out;
    void operator()(std::int64_t number) { out += fmt::format_int(number).c_str(); }
    void operator()(std::uint64_t number) { out += fmt::format_int(number).c_str(); }
    void operator()(double number) { append_json_number(out, number); }
    void operator()(bool flag) { out += flag ? "true" : "false"; }
    void operator()(std::string_view text) { append_json_string(out, text); }
};

}  // namespace

void append_line(std::string& line, const LogRecord& record) {
    line += "{\"time\":\"";
    line += to_rfc3339(record.time);
    line += "\",\"level\":\"";
    line += to_string(record.level);
    line += "\",\"category\":";
    append_json_string(line, record.category);
    line += ",\"message\":";
    append_json_string(line, record.message);
    for_each_field(record, [&line](const LogField& field) {
        line += ',';
        append_json_string(line, field.key);
        if (std::ranges::find(kTaken, field.key) != kTaken.end()) line.insert(line.size() - 1, "_");
        line += ':';
        std::visit(JsonValueWriter{line}, field.value.variant());
    });
    line += "}\n";
}

}  // namespace zona::core
