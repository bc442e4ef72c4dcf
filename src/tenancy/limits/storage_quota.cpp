#include "tenancy/limits/storage_quota.h"

#include <fmt/format.h>

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::StorageUse;

Result<void> StorageQuota::check(const StorageUse& before, const StorageUse& after) const {
    const std::uint64_t most = bytes();
    if (most == 0 || after.bytes <= most || after.bytes <= before.bytes) return {};
    return Error(Code::kResourceExhausted,
                 fmt::format("the tenant {} may store {} bytes: its {} documents take {}, and "
                             "would take {}",
                             code_, most, before.documents, before.bytes, after.bytes))
        .detail({"", "nothing was changed",
                 "remove documents, or have its quota raised: `zona tenant update CODE "
                 "--storage-bytes N`"});
}

StorageQuotas::Entry& StorageQuotas::entry_of(std::string_view code) {
    if (const auto found = tenants_.find(code); found != tenants_.end()) return found->second;
    auto quota = std::make_shared<StorageQuota>(std::string(code));
    quota->set(usual_);
    return tenants_.emplace(code, Entry{.quota = std::move(quota), .own = {}}).first->second;
}

void StorageQuotas::set_usual(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    usual_ = bytes;
    for (auto& [code, entry] : tenants_)
        entry.quota->set(entry.own.value_or(usual_));
}

void StorageQuotas::set_own(std::string_view code, std::optional<std::uint64_t> bytes) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entry_of(code);
    entry.own = bytes;
    entry.quota->set(bytes.value_or(usual_));
}

std::shared_ptr<const StorageQuota> StorageQuotas::of(std::string_view code) {
    const std::lock_guard lock(mutex_);
    return entry_of(code).quota;
}

}  // namespace zona::tenancy
