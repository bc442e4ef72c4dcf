/// @file
/// StorageSums: how much each scope's documents take, by the server's own sum of the sizes that
/// stand beside them (stored.h).
///
/// A sum goes through all documents of a scope, so it is kept, and what this process writes
/// meanwhile is added to it. One that a hundred times the time it took has passed over is taken
/// anew, after a minute at the earliest and an hour at the latest: what other processes write is
/// seen then, and nothing has to be put right after a death. For one process that nobody else
/// writes beside the answers are exact; a sum during which others' writes come is not, and is taken
/// again soon.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/collection.h"
#include "store/database.h"
#include "store/mongo/detail/client.h"

namespace zona::store::mongo {

/// Documents and bytes of their text: of a sum, or how they change it.
struct Amount {
    std::int64_t documents = 0;
    std::int64_t bytes = 0;

    Amount& operator+=(const Amount& other) {
        documents += other.documents;
        bytes += other.bytes;
        return *this;
    }
};

/// By scope.
using Amounts = std::map<std::string, Amount, std::less<>>;

class StorageSums {
  public:
    /// Both outlive it.
    StorageSums(const std::vector<const CollectionSpec*>& collections, const core::Clock& clock)
        : collections_(collections), clock_(clock) {}

    /// What the scope's documents take. Waits while another thread takes its first sum. Any thread.
    /// Errors: those of Client.
    core::Result<Amount> of(Client& client, const Scope& scope);

    /// @{
    /// Around each attempt to change documents. Any thread.
    void begin(const Amounts& changes);
    void end(const Amounts& changes, bool were_made);
    /// @}
    /// Documents were changed past begin() and end(), or may have been: a sum that is
    /// asked for a second later is taken anew.
    void distrust();

  private:
    struct Sum {
        Amount now;
        core::SteadyTime good_until = core::SteadyTime::min();
        bool is_known = false;
        bool is_taken = false;      ///< by a thread
        std::uint64_t changes = 0;  ///< that have begun or ended
        std::uint64_t under_way = 0;
    };

    core::Result<void> take(Client& client, const Scope& scope, Sum& sum,
                            std::unique_lock<std::mutex>& lock);
    core::Result<Amount> sum_there(Client& client, const Scope& scope) const;

    const std::vector<const CollectionSpec*>& collections_;
    const core::Clock& clock_;
    std::mutex mutex_;
    std::condition_variable taken_;
    std::map<std::string, Sum, std::less<>> sums_;  // guarded by mutex_; none is removed
};

}  // namespace zona::store::mongo
