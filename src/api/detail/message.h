// Fields of the messages that clients send over WebSockets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace zona::api {

/// The text in this field; nothing if there is none, or something else.
inline std::optional<std::string> text_of(const boost::json::object& object, std::string_view key) {
    const boost::json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

}  // namespace zona::api
