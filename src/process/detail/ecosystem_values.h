/// @file
/// The small languages inside an ecosystem file's values: argument strings and `${VAR}`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zona::process::detail {

enum class OpenQuote : std::uint8_t {
    kRefuse,
    kKeep,  ///< an apostrophe without a partner is a letter, as PM2 has it
};

/// Splits an argument string at blanks. Quotes of either kind group and disappear, also inside a
/// word
/// (`--name="a b"`), and `""` is an empty argument. A backslash escapes a blank, a quote or a
/// backslash outside single quotes, and is a letter anywhere else (`\d`).
/// @return  nothing if a quote is not closed and `open` refuses that.
std::optional<std::vector<std::string>> split_arguments(std::string_view text, OpenQuote open);

/// The result of interpolation; `problem` is empty if it succeeded.
struct Interpolated {
    std::string text;
    bool changed = false;  ///< something came from the environment or a default
    std::string problem;
    std::string hint;
};

/// Replaces `${NAME}` by the variable, `${NAME:-default}` by the variable or, if it is unset or
/// empty, by the default (taken literally up to the next `}`), `$$` by `$`. Any other `$` is a
/// letter. An unset variable without a default is a problem, and so is a result over `most` bytes.
/// Problems name variables, never values.
Interpolated interpolate(std::string_view text, const std::map<std::string, std::string>& variables,
                         std::size_t most);

/// "maxRestarts" → "max_restarts".
std::string snake_case(std::string_view key);

}  // namespace zona::process::detail
