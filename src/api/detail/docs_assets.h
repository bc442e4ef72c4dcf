// Style and script of the page at /docs.
#pragma once

#include <string_view>

namespace zona::api::detail {

extern const std::string_view kDocsStyle;
extern const std::string_view kDocsScript;

}  // namespace zona::api::detail
