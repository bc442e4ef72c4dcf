// The check of answers against their declaration, in builds for tests.
#pragma once

#include "api/operation.h"
#include "core/result.h"
#include "net/http.h"

namespace zona::api {

/// `answer`, if `operation` declares it: its code if it failed, else its status, media type and
/// shape; the lines of a stream are checked as they are written. Otherwise kInternal, saying what
/// does not fit. `operation` and `components` must outlive the answer.
core::Result<net::Response> checked(core::Result<net::Response> answer, const Operation& operation,
                                    const Components& components);

}  // namespace zona::api
