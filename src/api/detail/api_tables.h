// The tables of docs/api.md, from the declarations.
#pragma once

#include <string>
#include <vector>

#include "api/operation.h"

namespace zona::api::detail {

/// Markdown: every operation by tag, then the fields of every named shape.
std::string api_tables(const std::vector<const Operation*>& operations,
                       const Components& components);

}  // namespace zona::api::detail
