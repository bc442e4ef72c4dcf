/// @file
/// From the words of a command line to a Parsed value.
#pragma once

#include <span>
#include <string>

#include "cli/detail/options.h"
#include "core/result.h"

namespace zona::cli {

/// Parses the words behind the program's name.
///
/// Pure: looks at nothing but its argument. Only the parser of the verb that was named is built; a
/// command line without a verb and without flags gives the general help.
/// Errors: kInvalidArgument for an unknown verb or flag (the nearest ones are in the details'
/// hints), a missing or superfluous argument, a value of the wrong form.
core::Result<Parsed> parse(std::span<const std::string> words);

/// Whether the words ask for JSON. Works on lines that parse() refuses, so that their error can be
/// given in the form that was asked for.
bool wants_json(std::span<const std::string> words);

}  // namespace zona::cli
