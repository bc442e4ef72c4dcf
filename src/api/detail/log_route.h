// GET /api/v1/logs: lines of several log files, in order of time, and what is added to them, as
// lines of JSON, as server-sent events, or as the bytes of one file.
#pragma once

#include <vector>

#include "api/service.h"
#include "core/clock.h"
#include "process/capture.h"
#include "process/supervisor.h"

namespace zona::api {

/// The answer to a request for the logs of `files`. Errors of the parameters: kInvalidArgument.
core::Result<net::Response> stream_logs(const Call& call,
                                        const std::vector<process::LogFiles>& files,
                                        process::Capture& capture, const core::Clock& clock,
                                        const boost::asio::any_io_executor& executor);

}  // namespace zona::api
