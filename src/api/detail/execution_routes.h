// Work whose end nobody waits for: what is declared of it, and the routes that show it.
#pragma once

#include <memory>
#include <string>

#include "api/detail/executions.h"
#include "api/service.h"

namespace zona::api {

/// `wait` of the body of a change that can become an execution.
Field wait_field();
/// The answer to a change with `wait: false`.
AnswerSpec not_waited_for(const std::string& operation);
/// Whether the client of such a change waits for its end.
bool waits(const Call& call);

/// A change, with what its execution says of it.
struct NotWaitedFor {
    std::string action;  ///< in a word
    Executions::Change change;
    std::vector<std::string> warnings{};
};
/// Begins it and answers 202 with its execution. The operation is that of the call.
net::asio::awaitable<core::Result<net::Response>> execute(Executions& executions, const Call& call,
                                                          NotWaitedFor asked);

/// The answer 202 with an execution.
core::Result<net::Response> accepted(const ExecutionPtr& execution, const net::Request& request);

/// Adds the routes of /api/v1/executions, and the shapes that they use. `executions` outlives the
/// service; null where nobody asks, and so may `clock` be.
core::Result<void> add_execution_routes(Service& service, Executions* executions,
                                        const core::Clock* clock);

}  // namespace zona::api
