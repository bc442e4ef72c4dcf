/// @file
/// Whose request it is that comes through a proxy.
#pragma once

#include "net/middleware.h"
#include "net/network.h"

namespace zona::net {

/// Puts the client's address in the place of the proxy's (Request::peer, without a port of theirs)
/// where a request over TCP comes from one of `proxies`: so limits, address lists, the slowing of
/// guesses and the record are about the client. It is the last address of X-Forwarded-For that is
/// not of one of `proxies`: what stands before it anybody can write. An entry that is no address
/// ends the search at the one behind it, as does the beginning of the field. A request that comes
/// from elsewhere keeps its address, whatever it says.
///
/// Where the proxy says that the client speaks TLS with it (X-Forwarded-Proto: https), the request
/// counts as one over TLS.
///
/// Stands outside of all that looks at addresses. Source: SEC-16, HTTP-20.
Middleware trust_proxies(NetworkSet proxies);

}  // namespace zona::net
