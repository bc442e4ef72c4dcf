/// @file
/// Storage quotas: how much the documents of one tenant may take.
///
/// The same in both modes: what is counted is the text of its documents (store::StorageUse), not
/// the file or the host it lies in. Over its quota a tenant reads, removes and makes documents
/// smaller; a transaction that lets them grow is refused as a whole. Source: TEN-40.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "store/database.h"

namespace zona::tenancy {

/// That of one tenant, as it is now. Any thread.
class StorageQuota {
  public:
    /// Any number, of the tenant with this code.
    explicit StorageQuota(std::string code) : code_(std::move(code)) {}

    /// 0: any number.
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    /// Holds from the next transaction on.
    void set(std::uint64_t bytes) { bytes_.store(bytes, std::memory_order_relaxed); }

    /// Whether a transaction may leave `after` where `before` was.
    /// Errors: kResourceExhausted, naming quota and use.
    core::Result<void> check(const store::StorageUse& before, const store::StorageUse& after) const;

  private:
    const std::string code_;
    std::atomic<std::uint64_t> bytes_ = 0;
};

/// Those of all tenants. Any thread.
class StorageQuotas {
  public:
    /// Of a tenant without one of its own; 0: any number.
    void set_usual(std::uint64_t bytes);
    /// Nothing: as usual.
    void set_own(std::string_view code, std::optional<std::uint64_t> bytes);
    /// Follows what is set later.
    std::shared_ptr<const StorageQuota> of(std::string_view code);

  private:
    struct Entry {
        std::shared_ptr<StorageQuota> quota;
        std::optional<std::uint64_t> own;
    };
    Entry& entry_of(std::string_view code);

    std::mutex mutex_;
    // All guarded by mutex_.
    std::map<std::string, Entry, std::less<>> tenants_;
    std::uint64_t usual_ = 0;
};

}  // namespace zona::tenancy
