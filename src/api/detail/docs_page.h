// The page at /docs: the declarations as one HTML text.
#pragma once

#include <string>
#include <vector>

#include "api/operation.h"

namespace zona::api::detail {

struct DocsPage {
    std::string html;
    std::string policy;  ///< Content-Security-Policy: its own style and script, by their hashes
};

DocsPage docs_page(const std::vector<const Operation*>& operations, const Components& components,
                   const std::string& version);

/// A curl line and a Python program that ask `operation`; "" for neither.
std::string curl_sample(const Operation& operation);
std::string python_sample(const Operation& operation);

/// In one or two words, for tables: "string", "[Process]", "integer or null".
std::string type_words(const Shape& shape);

}  // namespace zona::api::detail
