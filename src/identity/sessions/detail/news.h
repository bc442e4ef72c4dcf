/// @file
/// Writing what other instances have to forget.
#pragma once

#include "identity/sessions/session_store.h"

namespace zona::identity::detail {

/// In the transaction of the change. Errors: kConflict: another change was quicker; all of it is to
/// be made again.
core::Result<void> add_news(store::Writer& core, const SessionSelection& forget);

}  // namespace zona::identity::detail
