/// @file
/// Apps and processes as JSON values: the parts of journal records and snapshots.
///
/// Bytes that are not UTF-8 survive: a path becomes {"hex": "..."}, an environment variable goes to
/// "caller_environment_hex". No message holds a value of an environment variable. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "core/json.h"
#include "core/result.h"
#include "process/detail/state_model.h"

namespace zona::process::detail {

/// The value of a text of any size.
core::Result<boost::json::value> parse_state(std::string_view text);

boost::json::object app_value(const StoredApp& app);
/// Errors: kInvalidArgument, something is missing, of a wrong type, or refused by validate().
core::Result<AppPtr> read_app(const boost::json::value& value, std::vector<std::string>& warnings);

boost::json::object process_value(const StoredProcess& process, AppKey app);

/// A process whose app is still to be looked up.
struct ReadProcess {
    StoredProcess process;
    AppKey app = 0;
};
/// Errors: kInvalidArgument, something is missing or of a wrong type.
core::Result<ReadProcess> read_process(const boost::json::value& value);
core::Error no_such_app(const ReadProcess& read);

std::string_view desired_name(Desired desired);
/// The fields "desired" and "id"; a mistake of the reader if they are missing or not what they
/// should be.
Desired read_desired(const core::JsonReader& in);
core::Uuid read_id(const core::JsonReader& in);

}  // namespace zona::process::detail
