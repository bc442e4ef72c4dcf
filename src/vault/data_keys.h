/// @file
/// DataKeys: the keys under which one tenant's data is encrypted, as those see them who encrypt.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "crypto/key.h"

namespace zona::vault {

/// The number of a data key: random, not 0, in clear beside everything that the key encrypts.
enum class KeyId : std::uint32_t {};

/// The data keys of one tenant: one for new writes, others for what was written before a rotation.
///
/// Nothing is encrypted under a data key itself: fields, database pages and files each derive keys
/// of their own from it (crypto::derive_key). Implementations: KeyRing, and fakes in tests. All
/// members from any thread.
class DataKeys {
  public:
    DataKeys() = default;
    DataKeys(const DataKeys&) = delete;
    DataKeys& operator=(const DataKeys&) = delete;
    virtual ~DataKeys() = default;

    /// The key for new writes. Cheap: asked for with each page.
    /// Errors: kNotFound when the tenant's keys were erased.
    virtual core::Result<KeyId> current() const = 0;
    /// A copy of a key. Errors: kNotFound, naming the id and what to do, for one that is not, or no
    /// longer, there.
    virtual core::Result<crypto::Key> get(KeyId id) const = 0;
};

}  // namespace zona::vault
