#include "core/log_level.h"

#include <algorithm>
#include <array>

namespace zona::core {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"trace", "debug", "info", "warn",
                                                    "error", "fatal", "off"};

bool same_ignoring_case(std::string_view name, std::string_view lower_case) {
    return std::ranges::equal(name, lower_case, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

}  // namespace

std::string_view to_string(LogLevel level) {
    return kNames.at(static_cast<std::size_t>(level));
}

std::optional<LogLevel> parse_log_level(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (same_ignoring_case(name, kNames[i])) return static_cast<LogLevel>(i);
    }
    if (same_ignoring_case(name, "warning")) return LogLevel::kWarn;
    if (same_ignoring_case(name, "critical")) return LogLevel::kFatal;
    return std::nullopt;
}

}  // namespace zona::core
