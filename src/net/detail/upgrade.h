/// @file
/// What makes a request a valid opening handshake of a WebSocket. Source: RFC 6455 section 4.2.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/http.h"

namespace zona::net::detail {

/// The answer to a request that is no valid handshake; nothing for one that is.
std::optional<Response> refuse_upgrade(const Request& request);

/// The first offered subprotocol that is known; empty: none.
std::string choose_subprotocol(const Request& request, const std::vector<std::string>& known);

}  // namespace zona::net::detail
