/// @file
/// MemoryDatabase: the model that other backends are held against, and a fake for the tests of
/// other modules. As simple as can be: a sorted map, whole copies for transactions, a look at every
/// document for every query. Work runs on the caller's thread, one at a time.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "core/clock.h"
#include "core/secret.h"
#include "store/database.h"

namespace zona::store {

class MemoryDatabase final : public Database {
  public:
    /// `clock` and the declarations outlive it.
    MemoryDatabase(std::vector<const CollectionSpec*> collections, core::Secret page_token_key,
                   const core::Clock& clock)
        : collections_(std::move(collections)), key_(std::move(page_token_key)), clock_(clock) {}

    void submit_read(ReadWork work) override;
    void submit_write(WriteWork work, Callback<void> done) override;
    DatabaseLoad load() const override;

    /// Puts a record where queries of `where` find it, whatever its own scope says.
    void plant(const Collection& where, const Record& record);

  private:
    /// Collection, scope that finds it, id.
    using Key = std::tuple<std::string, std::string, Id>;
    using State = std::map<Key, Record>;
    class Work;

    const std::vector<const CollectionSpec*> collections_;
    const core::Secret key_;
    const core::Clock& clock_;
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    State state_;
    DatabaseLoad load_;
};

}  // namespace zona::store
