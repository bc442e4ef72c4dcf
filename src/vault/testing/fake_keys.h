/// @file
/// FakeKeys: data keys in memory, of a seed, for tests.
#pragma once

#include <atomic>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/random.h"
#include "vault/data_keys.h"

namespace zona::vault {

/// Keys 1, 2, ... of the seed; rotate() and forget() are not for use beside readers.
class FakeKeys final : public DataKeys {
  public:
    explicit FakeKeys(std::uint64_t seed) : random_(seed) { rotate(); }

    void rotate() {
        const KeyId id{std::to_underlying(current_.load()) + 1};
        keys_.emplace(id, crypto::Key::random(random_));
        current_ = id;
    }
    void forget(KeyId id) { keys_.erase(id); }

    core::Result<KeyId> current() const override { return current_.load(); }
    core::Result<crypto::Key> get(KeyId id) const override {
        const auto found = keys_.find(id);
        if (found != keys_.end()) return found->second.clone();
        return core::Error(core::Code::kNotFound, fmt::format("no key {}", std::to_underlying(id)));
    }

  private:
    core::SeededRandom random_;
    std::map<KeyId, crypto::Key> keys_;
    std::atomic<KeyId> current_{KeyId{}};
};

}  // namespace zona::vault
