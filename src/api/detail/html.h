// Parts of the pages that zona makes itself.
#pragma once

#include <string>
#include <string_view>

namespace zona::api::detail {

/// What Content-Security-Policy calls these very bytes of a style or a script.
std::string hash_source(std::string_view text);

}  // namespace zona::api::detail
