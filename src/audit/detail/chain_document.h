// The document of a chain's head, and what of an entry is data.
#pragma once

#include <array>

#include <boost/json.hpp>

#include "audit/chain.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::audit::detail {

/// The fields of an entry that hold documents.
inline constexpr std::array<const char*, 3> kData = {"before", "after", "context"};

boost::json::object to_document(const Head& head);
core::Result<void> set_head(store::Writer& writer, const store::Scope& scope, const Head& head);

}  // namespace zona::audit::detail
