// Fields of the jobs' own documents, which a check of the collection has let in.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/clock.h"

namespace zona::jobs::detail {

inline std::string text_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

inline std::int64_t whole_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    if (value == nullptr) return 0;
    boost::system::error_code error;
    const auto number = value->to_number<std::int64_t>(error);
    return error ? 0 : number;
}

inline bool flag_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

/// Moments are kept in microseconds since 1970.
inline std::int64_t to_field(core::SystemTime moment) {
    return std::chrono::floor<std::chrono::microseconds>(moment.time_since_epoch()).count();
}

inline std::optional<core::SystemTime> time_in(const boost::json::object& from,
                                               std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return core::SystemTime(std::chrono::microseconds(whole_in(from, key)));
}

}  // namespace zona::jobs::detail
