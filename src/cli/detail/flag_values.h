/// @file
/// What the values of flags mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/detail/options.h"
#include "cli/detail/verb_parser.h"
#include "core/result.h"

namespace zona::cli {

/// A whole number from `least` on. Errors: kInvalidArgument, naming the flag.
core::Result<std::int64_t> integer_of(std::string_view flag, const std::string& text,
                                      std::int64_t least);

/// The key of an app that a flag of `zona start` sets. Errors: kInvalidArgument, naming the flag.
core::Result<AppSetting> setting_of(const AppFlag& flag, const std::string& value);

}  // namespace zona::cli
