/// @file
/// The Vary header, which several middlewares add to.
#pragma once

#include <string>
#include <string_view>

#include "net/headers.h"

namespace zona::net::detail {

/// Names `field` in Vary, once.
inline void add_vary(Headers& headers, std::string_view field) {
    const auto present = headers.find("Vary");
    if (!present.has_value()) return headers.add("Vary", field);
    if (*present == "*" || list_has(*present, field)) return;
    std::string both(*present);
    both += ", ";
    both += field;
    headers.set("Vary", both);
}

}  // namespace zona::net::detail
