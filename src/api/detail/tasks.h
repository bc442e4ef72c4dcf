// Operations that go on as tasks of the queue (jobs/queue.h) when they are answered, and how those
// are shown: as executions, on every instance, and after a restart too.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "api/detail/await.h"
#include "api/detail/executions.h"
#include "api/detail/route_table.h"
#include "api/service.h"
#include "jobs/queue.h"

namespace zona::api {

/// Any thread, once all is handled.
class Tasks {
  public:
    /// `queue` outlives it.
    explicit Tasks(jobs::Queue& queue) : queue_(queue) {}

    /// One operation, by its operationId.
    struct Kind {
        std::string operation;
        std::string action;  ///< in a word
        jobs::Interrupted interrupted = jobs::Interrupted::kAgain;
        std::function<core::Result<boost::json::object>(const jobs::TaskContext&)> work;
    };
    /// Before Queue::release().
    void handle(Kind kind);

    /// Puts the operation of `call` into the queue, for this host, and answers 202 with its
    /// execution. A header Idempotency-Key is NewTask::key. Errors: those of Queue::ask().
    Answer begin(const Call& call, std::string tenant, boost::json::object input) const;

    net::asio::awaitable<core::Result<ExecutionView>> find(const core::Uuid& id) const;
    /// The latest first.
    net::asio::awaitable<core::Result<std::vector<ExecutionView>>> list() const;
    net::asio::awaitable<core::Result<ExecutionView>> cancel(const core::Uuid& id) const;
    net::asio::awaitable<core::Result<ExecutionView>> retry(const core::Uuid& id) const;

  private:
    ExecutionView view_of(const jobs::Task& task) const;
    net::asio::awaitable<core::Result<ExecutionView>> one(
        const core::Uuid& id,
        std::move_only_function<void(const core::Uuid&, store::Callback<jobs::Task>)> ask) const;

    jobs::Queue& queue_;
    std::map<std::string, std::string> actions_;  // by the operationId
};

}  // namespace zona::api
