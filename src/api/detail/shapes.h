// The shapes that have names: what processes, their ends and their starts look like on the wire.
#pragma once

#include "api/service.h"

namespace zona::api {

/// Names them all in `service`.
void name_components(Service& service);

/// {}: the body of a request that says nothing.
Shape nothing();

}  // namespace zona::api
