/// @file
/// Subjects: whose personal data is in entries, and how it becomes unreadable for good.
///
/// Names, addresses and sessions of an actor, and the data of an entry that names a subject, are
/// sealed under a key of that subject before they are hashed into the chain. To erase a subject is
/// to destroy its key: nobody reads the data any more, in the database, its backups' chain or an
/// archive, and every hash stays right. Who comes back later gets a new key. What is left is the
/// subject's kind and number. Backups of before hold the key until they are gone; their retention
/// bounds that. Source: GAP-66, AUDIT-13.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "store/database.h"

namespace zona::audit {

/// One subject's key; the first has the number 1, and the one after an erasure the next.
struct SubjectKey {
    std::int64_t number = 0;
    crypto::Key key;
};

/// Where a sealed text belongs: it opens nowhere else.
struct SealedPlace {
    std::string_view scope;  ///< Scope::code()
    std::string_view entry;  ///< its id
    std::string_view field;  ///< "person" or "data"
};

/// Makes keys and seals with them. Any thread.
class Subjects {
  public:
    /// `random` outlives it; fit for keys, any thread.
    explicit Subjects(core::Random& random) : random_(random), nonces_(random) {}

    /// The subject's key in a scope; one without a key gets one with the transaction.
    core::Result<SubjectKey> key_for(store::Writer& writer, const store::Scope& scope,
                                     const std::string& subject) const;
    /// "zp1.", the key's number and base64url of nonce, cipher text and tag.
    std::string seal(const SubjectKey& key, const SealedPlace& place, std::string_view text) const;

  private:
    core::Random& random_;
    mutable crypto::NonceSource nonces_;
};

/// Opens what is sealed in entries of one scope, keys being looked up once. One thread, within one
/// Reader's function.
class SubjectReader {
  public:
    /// Both outlive it.
    SubjectReader(store::Reader& reader, const store::Scope& scope)
        : reader_(reader), scope_(scope) {}

    /// The text; none: the subject was erased. Errors: kConflict for what does not open although
    /// its key is there: it was changed, or is of another place; those of the database.
    core::Result<std::optional<std::string>> open(const std::string& subject,
                                                  const SealedPlace& place,
                                                  std::string_view sealed);

  private:
    core::Result<const std::optional<SubjectKey>*> key_of(const std::string& subject);

    store::Reader& reader_;
    const store::Scope& scope_;
    std::map<std::string, std::optional<SubjectKey>, std::less<>> keys_;
};

/// Destroys a subject's key; from the transaction on its data cannot be read. False: it has none.
/// Entries that wait for their number are not reached: whoever erases has them taken in before.
core::Result<bool> erase_subject(store::Writer& writer, const store::Scope& scope,
                                 const std::string& subject, core::SystemTime now);

}  // namespace zona::audit
