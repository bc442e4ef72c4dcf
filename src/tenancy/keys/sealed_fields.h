/// @file
/// SealedFields: the layer that encrypts flagged fields on the way into a database and opens them
/// on the way out, whatever the backend and the mode.
///
/// Code above reads and writes plain values; the database holds sealed ones (vault/field_sealer.h),
/// each bound to tenant, collection, id and field: moved elsewhere it does not open. In one shared
/// database each tenant's fields are under that tenant's keys all the same.
///
/// What a cipher text cannot do is refused (kInvalidArgument): to be searched, sorted or measured
/// by; a filter may ask whether the field is there. A change of a flagged field by an update is
/// read, changed and replaced within the transaction. A change seals under the current key what it
/// touches and what is under an older one; reseal_page() does so for what nobody touches.
///
/// Errors besides those of the store: kConflict for a value that does not open in its place or was
/// never sealed, which is reported in the log; kNotFound when its key was erased or retired.
/// Source: SEC-01, SEC-02, SEC-03, SEC-06.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/log.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::tenancy {

/// What stands in place of a secret; refused as the value of one.
inline constexpr std::string_view kMask = "***";

/// Documents of which one change of many may touch flagged fields.
inline constexpr std::size_t kMaxSealedAtOnce = 10000;

/// Whether a reader is shown secrets or kMask in their place, for which no key is needed.
enum class Secrets : std::uint8_t { kShown, kMasked };

/// How one tenant's fields are sealed and shown.
struct SealedFields {
    /// Shared with all that works for the tenant. Null: collections with flagged fields are refused
    /// (kUnsupported).
    std::shared_ptr<const vault::FieldSealer> sealer;
    Secrets secrets = Secrets::kShown;
    core::Logger log;
};

/// @{
/// What stands before a database's own reader or writer; that and `fields` outlive it.
std::unique_ptr<store::Reader> open_fields(store::Reader& reader, const SealedFields& fields);
std::unique_ptr<store::Writer> open_fields(store::Writer& writer, const SealedFields& fields);
/// @}

/// What reseal_page() does with a flagged field that is not sealed.
enum class Unsealed : std::uint8_t {
    kRefuse,  ///< an error: somebody wrote past the keys
    kSeal,    ///< for a migration that has just declared the field secret
};

/// What one reseal_page() did.
struct Resealed {
    std::uint64_t seen = 0;     ///< documents
    std::uint64_t changed = 0;  ///< of them, each to its next version
    std::string next;           ///< token of the next page; empty: that was the last
};

/// Seals one page of a collection anew where it is not under the current key. After a rotation
/// every page, and all of them again until a round has changed nothing: then no field is under an
/// older key.
core::Result<Resealed> reseal_page(store::Writer& writer, const SealedFields& fields,
                                   const store::Collection& collection,
                                   const store::PageRequest& page, Unsealed unsealed);

/// A stored document of one tenant as it is to be stored for another: its flagged fields are opened
/// with `from` and sealed with `to`. The collections are the same, in the scopes of both.
core::Result<store::Document> seal_for_another(const store::Collection& collection,
                                               const SealedFields& from,
                                               const store::Collection& target,
                                               const SealedFields& to, const store::Record& record);

}  // namespace zona::tenancy
