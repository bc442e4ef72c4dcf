// Fields of what backups say of themselves; one that is missing or of another kind is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace zona::tenancy::detail {

inline std::string text_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

inline std::uint64_t number_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return 0;
    return static_cast<std::uint64_t>(value->get_int64());
}

}  // namespace zona::tenancy::detail
