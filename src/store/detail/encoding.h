/// @file
/// How a document becomes text in a backend, and back: compact JSON that keeps the difference
/// between 1 and 1.0, which core::to_json() does not.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "store/collection.h"
#include "store/value.h"

namespace zona::store::detail {

/// Compact JSON. Precondition: within the limits of check_document().
std::string to_text(const Document& document);

/// check_document(), which has to write the text, and that text.
core::Result<std::string> checked_text(const CollectionSpec& spec, const Document& document,
                                       Form form = Form::kStored);

/// What to_text() wrote. Errors: kInternal for any text that it cannot have written.
core::Result<std::shared_ptr<const Document>> from_text(std::string_view text);

}  // namespace zona::store::detail
