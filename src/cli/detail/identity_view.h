// How users, roles and sessions are shown, and found by what people type.
#pragma once

#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "cli/detail/verbs.h"
#include "core/result.h"

namespace zona::cli {

/// A text of an answer, fit for a terminal; empty if it is not there.
std::string shown(const boost::json::object& from, std::string_view key);
/// A moment of an answer to the minute; "never" if it is not there.
std::string minute_of(const boost::json::object& from, std::string_view key);
/// A list of texts, between commas; "-" if there are none.
std::string list_of(const boost::json::object& from, std::string_view key);

/// The number of the user of this name, who is asked for. Errors: kNotFound.
core::Result<std::string> id_of_user(Context& context, const std::string& tenant,
                                     const std::string& name);

}  // namespace zona::cli
