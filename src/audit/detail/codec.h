// Entries as JSON objects, and the one text of a JSON value that hashes are taken of.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "audit/entry.h"
#include "core/clock.h"
#include "core/result.h"

namespace zona::audit::detail {

/// The text of `value` with the members of objects in the order of their keys: the same for equal
/// values, wherever they were stored. Source: after RFC 8785.
std::string canonical(const boost::json::value& value);

/// An entry as it waits: all fields in clear.
boost::json::object to_object(const Entry& entry);
/// Errors: kInvalidArgument.
core::Result<Entry> entry_of(const boost::json::object& from);

std::string text_in(const boost::json::object& from, std::string_view key);
std::int64_t whole_in(const boost::json::object& from, std::string_view key);
/// Null if it is not there.
std::shared_ptr<const boost::json::object> object_in(const boost::json::object& from,
                                                     std::string_view key);

/// Moments are kept in microseconds since 1970. A field that is none that a clock has, which
/// somebody else must have written, is the first or last one.
std::int64_t to_field(core::SystemTime moment);
core::SystemTime time_of(std::int64_t field);

/// The personal fields of an actor.
boost::json::object person_of(const Actor& actor);
void set_person(Actor& actor, const boost::json::object& person);

}  // namespace zona::audit::detail
