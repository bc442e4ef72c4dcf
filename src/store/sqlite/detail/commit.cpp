#include "store/sqlite/detail/commit.h"

#include <utility>

#include "core/fault.h"

namespace zona::store::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;
using Batch = std::vector<WaitingWrite>;

/// Those that had an error of their own keep it.
void fail(Batch& batch, std::size_t from, std::size_t to, const Error& error) {
    for (std::size_t i = from; i < to; ++i) {
        if (batch[i].answer.has_value()) batch[i].answer = error;
    }
}

Result<void> run_one(Connection& connection, Session& session, WaitingWrite& waiting) {
    ZONA_TRY_VOID(connection.execute("SAVEPOINT one"));
    const Session::Mark before = session.mark();
    Result<void> answer = waiting.work(session);
    if (!connection.in_transaction()) return answer;
    Result<void> ended =
        connection.execute(answer.has_value() ? "RELEASE one" : "ROLLBACK TO one; RELEASE one");
    if (!ended.has_value()) {
        // What it has done half must not be kept with what the others did.
        if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
        return ended;
    }
    if (!answer.has_value()) session.go_back(before);
    return answer;
}

/// Runs them from `from` on; gives the place behind the last one of the transaction.
std::size_t run_together(Connection& connection, const SessionSetup& setup, Batch& batch,
                         std::size_t from) {
    Session session(connection, setup);
    for (std::size_t at = from; at < batch.size(); ++at) {
        batch[at].answer = run_one(connection, session, batch[at]);
        // On a full disk SQLite may undo the whole transaction, with all that went before.
        if (!connection.in_transaction()) {
            const Error undone = batch[at].answer.has_value()
                                     ? Error(Code::kInternal, "the transaction was undone")
                                     : batch[at].answer.error();
            fail(batch, from, at + 1, undone);
            return at + 1;
        }
    }
    if (auto written = session.write_notes(); !written.has_value()) {
        fail(batch, from, batch.size(), written.error());
        if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
    }
    return batch.size();
}

}  // namespace

std::size_t commit(Connection& connection, const SessionSetup& setup, Batch& batch) {
    std::size_t commits = 0;
    for (std::size_t at = 0; at < batch.size();) {
        if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun.has_value()) {
            fail(batch, at, batch.size(), begun.error());
            return commits;
        }
        const std::size_t end = run_together(connection, setup, batch, at);
        ZONA_FAULT("store.before_commit");
        if (connection.in_transaction()) {
            if (auto done = connection.execute("COMMIT"); !done.has_value()) {
                fail(batch, at, end, done.error());
                if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
            } else {
                ++commits;
            }
        }
        ZONA_FAULT("store.after_commit");
        at = end;
    }
    return commits;
}

}  // namespace zona::store::detail
