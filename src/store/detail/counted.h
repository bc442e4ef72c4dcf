// Which collections count for what a scope's documents take.
#pragma once

#include "store/collection.h"

namespace zona::store::detail {

/// The record of what was done (src/audit) counts for nobody: whoever has used up a quota is on
/// record all the same, and has not used it up by that.
inline bool is_counted(const CollectionSpec& spec) {
    return !spec.name.starts_with("audit_");
}

}  // namespace zona::store::detail
