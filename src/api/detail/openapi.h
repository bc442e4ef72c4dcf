// The OpenAPI 3.1 document, from the declarations.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/operation.h"

namespace zona::api::detail {

/// Compact JSON; the same bytes for the same declarations.
std::string openapi_text(const std::vector<const Operation*>& operations,
                         const Components& components, const std::string& version);

/// GET /openapi.json, /docs and /.
Operation openapi_operation();
Operation page_operation();
Operation front_operation();

/// A value for a path or query parameter in an example, as it stands in a URL, not yet encoded.
std::string example_text(const ParameterSpec& parameter);
/// The path of an operation with its examples put in, and the query of those parameters that must
/// be given: "/api/v1/processes/api/exits".
std::string example_target(const Operation& operation);

}  // namespace zona::api::detail
