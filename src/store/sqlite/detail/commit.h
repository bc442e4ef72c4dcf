/// @file
/// Group commit: transactions that wait are run one after the other, each in a savepoint, and
/// committed together by one sync. One that fails is undone alone.
#pragma once

#include <vector>

#include "store/database.h"
#include "store/sqlite/detail/session.h"

namespace zona::store::detail {

/// A transaction and its answer, until `done` is called with it.
struct WaitingWrite {
    Database::WriteWork work;
    Callback<void> done;
    core::Result<void> answer;
};

/// Runs and commits all of `batch`, fills in the answers, and gives the number of commits. What was
/// answered with success is on the disk.
std::size_t commit(Connection& connection, const SessionSetup& setup,
                   std::vector<WaitingWrite>& batch);

}  // namespace zona::store::detail
