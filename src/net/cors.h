/// @file
/// Cross-origin requests: which pages of other origins may read what zona answers.
#pragma once

#include "net/middleware.h"
#include "net/origin.h"

namespace zona::net {

/// Answers preflights, and tells the browser that the page may read the answer.
///
/// | Request | Answer |
/// | --- | --- |
/// | preflight (OPTIONS, Origin, Access-Control-Request-Method) of an allowed origin | 204 with exactly the methods and headers that the API takes, to be kept for ten minutes; nothing behind is asked |
/// | preflight of another origin, "null" included | 403 FORBIDDEN, without any header of CORS |
/// | any other of an allowed origin | as it is, with Access-Control-Allow-Origin and -Expose-Headers: also 401 and 500, or a page could not tell why |
/// | any other | as it is; a browser does not show it to the page |
///
/// Answers name `Vary: Origin` where they depend on it. Access-Control-Allow-Credentials is never
/// sent. It belongs outside of render_errors(), so that the answers to exceptions are readable too,
/// and before authentication: a preflight cannot carry a key. A preflight with a Fault gets the
/// fault's answer. Source: PM-47; Fetch standard, section 3.2.
Middleware cors(OriginList origins);

}  // namespace zona::net
