// The documents of a chain's ends, and what of an entry is data.
#pragma once

#include <array>

#include "audit/chain.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::audit::detail {

/// The fields of an entry that hold documents.
inline constexpr std::array<const char*, 3> kData = {"before", "after", "context"};

/// @{
/// Where the chain ends, and where it begins: documents of their own, so that who gives numbers and
/// who archives do not write the same one.
core::Result<void> set_head(store::Writer& writer, const store::Scope& scope, const Head& head);
core::Result<void> set_archived(store::Writer& writer, const store::Scope& scope, const Head& head);
/// @}

}  // namespace zona::audit::detail
