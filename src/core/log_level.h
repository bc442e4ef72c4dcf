/// @file
/// How loud a log line is. Apart from core/log.h, because the table of errors names a level too.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace zona::core {

/// In rising order; kOff is a threshold that nothing reaches.
enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kFatal, kOff };

/// "trace", "debug", "info", "warn", "error", "fatal", "off".
std::string_view to_string(LogLevel level);

/// The level with this name; also "warning" and "critical", any case.
std::optional<LogLevel> parse_log_level(std::string_view name);

}  // namespace zona::core
