// GET /api/v1/events: what happens to processes, as server-sent events.
#pragma once

#include <string>
#include <vector>

#include "api/detail/process_hub.h"
#include "api/service.h"
#include "core/clock.h"

namespace zona::api {

/// The answer: news of the processes that `call` selects, from behind its Last-Event-ID. Errors:
/// those of the selectors and of ProcessHub::subscribe.
boost::asio::awaitable<core::Result<net::Response>> stream_events(Call& call, ProcessHub& hub,
                                                                  const core::Clock& clock);

}  // namespace zona::api
