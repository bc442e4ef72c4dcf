/// @file
/// AppSpec as JSON, for the state file and the table of the keeper's records.
///
/// Written with units in the names, every member present but the optional ones that are not set, so
/// that a later change of a default does not change what was saved.
#pragma once

#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "core/result.h"
#include "process/app_spec.h"

namespace zona::process::detail {

/// The spec as an object. app_spec_from_json(to_json(s)) == s for every valid s.
boost::json::value to_json(const AppSpec& spec);

struct ParsedAppSpec {
    AppSpec spec;
    std::vector<std::string> warnings;  ///< members of a newer version, which were left out
};

/// Reads what to_json wrote, by this or another version: a missing member has its default, an
/// unknown one is left out with a warning. The result has passed validate() under
/// NameRule::kForeign. Errors  kInvalidArgument: not an object, a member of a wrong type (named),
/// or what validate() finds.
core::Result<ParsedAppSpec> app_spec_from_json(const boost::json::value& value);

}  // namespace zona::process::detail
