/// @file
/// Sealer: values as they lie in Redis: encrypted, and bound to the place they are for.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "crypto/aead.h"
#include "crypto/key.h"

namespace zona::cache::detail {

/// A value with its tags.
struct Content {
    std::string bytes;
    std::int64_t version = 0;
    std::vector<std::string> tags;
};

/// `V`, the version in 19 digits (for the scripts, which compare them as texts), nonce, tag, cipher
/// text of tags and bytes. What is sealed opens under the same name and version alone. Any thread.
class Sealer {
  public:
    /// `random` outlives it.
    Sealer(const crypto::Key& key, core::Random& random);

    std::string seal(std::string_view name, const Content& content);
    /// None: it was not sealed under this key for this name, or somebody has changed it.
    std::optional<Content> open(std::string_view name, std::string_view sealed);

  private:
    crypto::NonceSource nonces_;
    std::mutex mutex_;
    crypto::Aes256Gcm cipher_;  ///< guarded by mutex_
};

/// 19 digits: as texts in the order of the numbers. Precondition: not negative.
std::string digits(std::int64_t number);

}  // namespace zona::cache::detail
