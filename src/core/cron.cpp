#include "core/cron.h"

#include <array>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::core {
namespace {

using namespace std::chrono;

/// The longest wait is for a 29th of February over a year like 2100.
constexpr days kFarthest{8 * 366};
constexpr std::size_t kMostBytes = 256;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct Macro {
    std::string_view name;
    std::string_view meaning;
};
constexpr std::array<Macro, 7> kMacros = {{{"@yearly", "0 0 1 1 *"},
                                           {"@annually", "0 0 1 1 *"},
                                           {"@monthly", "0 0 1 * *"},
                                           {"@weekly", "0 0 * * 0"},
                                           {"@daily", "0 0 * * *"},
                                           {"@midnight", "0 0 * * *"},
                                           {"@hourly", "0 * * * *"}}};

/// What one of the five takes.
struct Field {
    std::string_view name;
    unsigned least;
    unsigned most;
    std::span<const std::string_view> names;  ///< of the values from `least` on
};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> out;
    while (true) {
        const std::size_t end = text.find_first_of(separators);
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

Error mistake(const Field& field, std::string_view part) {
    return {Code::kInvalidArgument,
            fmt::format("cron expression: '{}' is nothing that the {} can be: it takes {} to {}, "
                        "ranges, lists and steps of these",
                        part, field.name, field.least, field.most)};
}

std::optional<unsigned> value_of(const Field& field, std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    for (std::size_t i = 0; i < field.names.size(); ++i) {
        if (field.names[i] == lower) return field.least + static_cast<unsigned>(i);
    }
    if (text.empty() || text.front() == '+' || text.front() == '-') return std::nullopt;
    const auto number = parse_integer(text);
    if (!number || *number < field.least || *number > field.most) return std::nullopt;
    return static_cast<unsigned>(*number);
}

/// Sets the bits of one member of a list.
template <std::size_t kBits>
Result<void> add(const Field& field, std::string_view part, std::bitset<kBits>& out) {
    const std::size_t slash = part.find('/');
    const std::string_view range = part.substr(0, slash);
    unsigned step = 1;
    if (slash != std::string_view::npos) {
        const auto number = parse_integer(part.substr(slash + 1));
        if (!number || *number < 1 || *number > field.most) return mistake(field, part);
        step = static_cast<unsigned>(*number);
    }
    unsigned first = field.least;
    unsigned last = field.most;
    if (range != "*") {
        const std::size_t dash = range.find('-');
        const auto low = value_of(field, range.substr(0, dash));
        const bool is_range = dash != std::string_view::npos;
        const auto high = is_range ? value_of(field, range.substr(dash + 1)) : low;
        if (!low || !high || *low > *high) return mistake(field, part);
        first = *low;
        // As in cron: 5/15 goes on to the end.
        last = is_range || slash == std::string_view::npos ? *high : field.most;
    }
    for (unsigned value = first; value <= last; value += step)
        out.set(value);
    return {};
}

template <std::size_t kBits>
Result<std::bitset<kBits>> read(const Field& field, std::string_view text) {
    std::bitset<kBits> out;
    for (const std::string_view part : split(text, ","))
        ZONA_TRY_VOID(add(field, part, out));
    return out;
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    for (const std::string_view word : split(text, " \t")) {
        if (!word.empty()) out.push_back(word);
    }
    return out;
}

}  // namespace

Result<CronExpression> CronExpression::parse(std::string_view text) {
    if (text.size() > kMostBytes)
        return Error(Code::kInvalidArgument, "cron expression: longer than 256 bytes");
    std::string_view meaning = text;
    for (const Macro& macro : kMacros) {
        if (text == macro.name) meaning = macro.meaning;
    }
    const std::vector<std::string_view> fields = words(meaning);
    if (fields.size() != 5) {
        return Error(Code::kInvalidArgument,
                     fmt::format("cron expression: {} fields instead of five: minute, hour, day of "
                                 "the month, month, weekday",
                                 fields.size()));
    }
    CronExpression out;
    out.text_ = text;
    ZONA_TRY(out.minutes_, read<60>({"minute", 0, 59, {}}, fields[0]));
    ZONA_TRY(out.hours_, read<24>({"hour", 0, 23, {}}, fields[1]));
    ZONA_TRY(out.days_, read<32>({"day of the month", 1, 31, {}}, fields[2]));
    ZONA_TRY(out.months_, read<13>({"month", 1, 12, kMonths}, fields[3]));
    ZONA_TRY(out.weekdays_, read<8>({"weekday", 0, 7, kWeekdays}, fields[4]));
    if (out.weekdays_.test(7)) out.weekdays_.set(0);
    out.any_day_ = fields[2].front() == '*';
    out.any_weekday_ = fields[4].front() == '*';
    if (out.next(SystemTime()) == SystemTime::max())
        return Error(Code::kInvalidArgument, "cron expression: there is no such day");
    return out;
}

bool CronExpression::is_day(sys_days day) const {
    const year_month_day date(day);
    if (!months_.test(static_cast<unsigned>(date.month()))) return false;
    const bool fits = days_.test(static_cast<unsigned>(date.day()));
    const bool fits_week = weekdays_.test(weekday(day).c_encoding());
    // crontab(5): with both restricted either is enough.
    if (!any_day_ && !any_weekday_) return fits || fits_week;
    return fits && fits_week;
}

SystemTime CronExpression::next(SystemTime after) const {
    const auto first = floor<minutes>(after) + minutes(1);
    const sys_days begin = floor<days>(first);
    for (sys_days day = begin; day <= begin + kFarthest; day += days(1)) {
        if (!is_day(day)) continue;
        const minutes from = day == begin ? first - begin : minutes(0);
        for (minutes m = from; m < days(1); ++m) {
            const auto hour = static_cast<std::size_t>(m / hours(1));
            const auto minute = static_cast<std::size_t>((m % hours(1)).count());
            if (hours_.test(hour) && minutes_.test(minute)) return day + m;
        }
    }
    return SystemTime::max();
}

}  // namespace zona::core
