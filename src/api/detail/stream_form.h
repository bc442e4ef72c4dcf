// In which form a stream over HTTP is sent.
#pragma once

#include <chrono>
#include <cstdint>

#include "api/service.h"

namespace zona::api {

/// What keeps proxies from closing an event stream in which nothing happens.
inline constexpr std::chrono::seconds kHeartbeat{15};

enum class StreamForm : std::uint8_t {
    kLines,   ///< application/x-ndjson
    kEvents,  ///< text/event-stream
    kRaw,     ///< text/plain: the bytes of a file
};

/// What the query's `format` says, else the header Accept; the first one of it that is a form.
StreamForm stream_form(const Call& call);

}  // namespace zona::api
