#include "cli/detail/flag_values.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/detail/text.h"
#include "core/text.h"

namespace zona::cli {

using core::Code;
using core::Error;
using core::Result;
using std::string;
using std::string_view;
using std::vector;

namespace {

Error wrong(string message) {
    return Error(Code::kInvalidArgument, std::move(message));
}

Result<vector<string>> split_words(string_view flag, string_view text) {
    vector<string> words;
    string word;
    bool inside = false;
    char quote = 0;
    for (const char c : text) {
        if (quote != 0) {
            if (c == quote) {
                quote = 0;
            } else {
                word += c;
            }
        } else if (c == '\'' || c == '"') {
            quote = c;
            inside = true;
        } else if (c == ' ' || c == '\t') {
            if (inside) words.push_back(std::exchange(word, {}));
            inside = false;
        } else {
            word += c;
            inside = true;
        }
    }
    if (quote != 0) return wrong(fmt::format("{}: a quote ({}) is not closed", flag, quote));
    if (inside) words.push_back(std::move(word));
    return words;
}

/// A number (0 is one per CPU, negative so many fewer) or "max".
Result<void> read_instances(AppSetting& setting, const string& value) {
    setting.text = value;
    if (value == "max") return {};
    const Result<std::int64_t> number = core::parse_integer(value);
    if (!number) {
        return wrong(fmt::format("--instances takes a whole number or max, not '{}'",
                                 escape_control(value)));
    }
    setting.kind = AppSetting::Kind::kNumber;
    setting.number = *number;
    return {};
}

}  // namespace

Result<std::int64_t> integer_of(string_view flag, const string& text, std::int64_t least) {
    const Result<std::int64_t> number = core::parse_integer(text);
    if (!number || *number < least) {
        return wrong(fmt::format("{} takes a whole number{}, not '{}'", flag,
                                 least >= 0 ? fmt::format(" from {} on", least) : "",
                                 escape_control(text)));
    }
    return *number;
}

Result<AppSetting> setting_of(const AppFlag& flag, const string& value) {
    AppSetting setting;
    setting.key = flag.key;
    const string_view names = flag.names;
    setting.flag =
        names.substr(names.find("--"), names.find(',', names.find("--")) - names.find("--"));
    using Kind = AppSetting::Kind;
    switch (flag.kind) {
        case ValueKind::kText:
            setting.text = value;
            break;
        case ValueKind::kInstances:
            ZONA_TRY_VOID(read_instances(setting, value));
            break;
        case ValueKind::kInteger: {
            setting.kind = Kind::kNumber;
            const std::int64_t least = setting.key == "nice" ? -20 : 0;
            ZONA_TRY(setting.number, integer_of(setting.flag, value, least));
            break;
        }
        case ValueKind::kDuration: {
            setting.kind = Kind::kNumber;
            auto duration = core::parse_duration(value);
            if (!duration) return duration.take_error().context(setting.flag);
            setting.number = duration->count();
            break;
        }
        case ValueKind::kWords: {
            setting.kind = Kind::kList;
            ZONA_TRY(setting.list, split_words(setting.flag, value));
            break;
        }
        case ValueKind::kTrueFlag:
        case ValueKind::kFalseFlag:
            setting.kind = Kind::kBoolean;
            setting.number = flag.kind == ValueKind::kTrueFlag ? 1 : 0;
            break;
        case ValueKind::kPipeFlag:
            setting.text = "pipe";
            break;
    }
    return setting;
}

}  // namespace zona::cli
