// Work whose end nobody waits for: what is declared of it, and the routes that show it.
#pragma once

#include <optional>
#include <string>

#include "api/detail/executions.h"
#include "api/detail/tasks.h"
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
core::Result<net::Response> accepted(const ExecutionView& execution, const net::Request& request);

/// What the routes of executions work with; all outlive the service.
struct ExecutionDeps {
    Executions& executions;
    const Tasks& tasks;
    const core::Clock& clock;
};
/// Adds the routes of /api/v1/executions, and the shapes that they use. Without `deps` nobody asks.
core::Result<void> add_execution_routes(Service& service, std::optional<ExecutionDeps> deps);

}  // namespace zona::api
