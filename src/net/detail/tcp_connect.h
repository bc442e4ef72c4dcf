/// @file
/// The way to a host that has a name.
#pragma once

#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"
#include "net/transport.h"
#include "os/fd.h"

namespace zona::net::detail {

/// Tries all addresses of the host in order until one answers; the error is the last one's.
core::Result<os::UniqueFd> connect_to(const RemoteEndpoint& endpoint, core::Deadline deadline,
                                      const core::Clock& clock);

}  // namespace zona::net::detail
