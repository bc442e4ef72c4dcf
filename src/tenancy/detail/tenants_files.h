// The databases that Tenants has open.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenancy/tenants.h"

namespace zona::tenancy {

/// The databases that are open. Closing one waits for its threads, and the last to let go of it may
/// be one of these: so it is closed on a thread for that. Any thread.
class Tenants::Files : public std::enable_shared_from_this<Files> {
  public:
    /// `deps` outlives it.
    explicit Files(const TenantsDeps& deps) : deps_(deps) {}

    /// Before the first open(). Errors: those of EncryptedFiles.
    core::Result<const vault::FieldSealer*> begin(RingPlace ring);
    core::Result<std::shared_ptr<const vault::FieldSealer>> fields(std::string_view owner);
    std::shared_ptr<EncryptedFiles> files();

    /// @{
    /// Opens a file, once one of the same path is closed, or a database in MongoDB. Blocks.
    core::Result<std::shared_ptr<store::Database>> open(
        const std::string& path, std::string_view owner,
        const std::vector<const store::CollectionSpec*>& collections);
    core::Result<std::shared_ptr<store::Database>> open(
        const store::MongoOptions& options,
        const std::vector<const store::CollectionSpec*>& collections);
    /// @}

    /// @{
    /// Blocks until all, or the one of this path, are closed; not on a thread of run_blocking's.
    void wait_until_closed();
    void wait_until_closed(const std::string& path);
    /// @}

  private:
    /// The file goes after its database.
    using OpenDatabase =
        std::pair<std::shared_ptr<EncryptedFiles>, std::shared_ptr<store::Database>>;

    std::shared_ptr<store::Database> closed_elsewhere(const std::string& path,
                                                      std::shared_ptr<store::Database> database,
                                                      std::shared_ptr<EncryptedFiles> files);
    void close(const std::string& path);

    const TenantsDeps& deps_;
    std::atomic<std::uint64_t> in_mongo_ = 0;  ///< opened so far
    std::mutex mutex_;
    std::condition_variable changed_;
    // All guarded by mutex_.
    std::shared_ptr<EncryptedFiles> files_;
    std::multiset<std::string> open_;  // paths
    std::set<std::string> being_closed_;
    std::map<std::string, std::shared_ptr<OpenDatabase>> closing_;  // used by nobody
};

}  // namespace zona::tenancy
