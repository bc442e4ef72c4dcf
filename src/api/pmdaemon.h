/// @file
/// What PMDaemon's clients find at zona beside its own API: refusals in PMDaemon's words.
///
/// The operations themselves are among those of add_daemon_routes(); docs/compatibility.md says
/// what is the same, what is better and what is different.
#pragma once

#include <optional>

#include "core/error.h"
#include "net/http.h"

namespace zona::api {

/// The net::ErrorForm of PMDaemon's paths: what its documents promise, {"success":false,
/// "error":{"code","message","details"},"message"} with its codes. Statuses 400, 401, 403, 404 and
/// 409 only; others keep zona's envelope, which has the same outline. Any thread.
/// Source: docs/compatibility.md.
std::optional<net::Response> pmdaemon_error(const net::Request& request, const core::Error& shown,
                                            int status);

}  // namespace zona::api
