/// @file
/// Notary: signs the heads of chains, so that whoever can write to a database still cannot cut its
/// record or write it anew without being found out.
///
/// Signed heads are kept in the core database, whatever database the chain is in. The key is an
/// Ed25519 key that lies sealed there; a key that somebody puts beside it does not open and counts
/// for nothing. What came after the last signed head is protected by the next one. Source:
/// AUDIT-05.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "audit/books.h"
#include "audit/chain.h"
#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "crypto/ed25519.h"

namespace zona::audit {

/// A head as it was at a moment, and who says so.
struct SignedHead {
    std::string scope;  ///< Scope::code()
    std::int64_t seq = 0;
    std::string hash;
    core::SystemTime at{};
    std::string key;        ///< the id of the public key
    std::string signature;  ///< base64url of the Ed25519 signature of text_of()
};
/// What is signed, six lines: "zona audit head 1", scope, number, hash, moment in microseconds
/// since 1970, key id.
std::string text_of(const SignedHead& head);

/// The keys that heads and archives are checked with, by id.
using PublicKeys = std::map<std::string, crypto::Ed25519Public, std::less<>>;
/// Whether one of these keys has signed it.
bool is_genuine(const SignedHead& head, const PublicKeys& keys);
/// Whether the key with this id, if it is one of `keys`, has made this signature, in base64url, of
/// `text`.
bool is_signed(std::string_view text, const std::string& key, std::string_view signature,
               const PublicKeys& keys);

/// The keys of this installation that open, by which alone anything counts. Blocks. Errors: those
/// of the core database.
core::Result<PublicKeys> public_keys(Books& books);

/// The one who signs. const members from any thread.
class Notary {
  public:
    /// The newest key of the core database, or a new one if there is none. Blocks. Errors: those of
    /// the core database; kConflict: a key that does not open.
    static core::Result<Notary> open(Books& books, core::Random& random);

    /// The id of the key that it signs with: 16 hexadecimal digits of its SHA-256.
    const std::string& key() const { return id_; }
    const crypto::Ed25519Public& public_key() const { return key_->public_key(); }
    /// Signs a head of now.
    SignedHead sign(const store::Scope& scope, const Head& head, core::SystemTime now) const;
    /// Signs any text: of an archive.
    std::string sign(std::string_view text) const;

  private:
    Notary(std::string id, std::shared_ptr<const crypto::Ed25519Key> key)
        : id_(std::move(id)), key_(std::move(key)) {}
    std::string id_;
    std::shared_ptr<const crypto::Ed25519Key> key_;
};

/// Keeps a signed head in the core database. False: one of the same number and another hash is
/// there and stays, for verify(): the record was cut or restored, and has grown again. Errors:
/// those of the database.
core::Result<bool> keep_head(store::Writer& core, const SignedHead& head);
/// Signed heads of a scope with numbers from `from` on, the lowest first, at most `limit`.
core::Result<std::vector<SignedHead>> heads_from(store::Reader& core, const store::Scope& scope,
                                                 std::int64_t from, std::size_t limit);
/// The signed head with the highest number, if there is one.
core::Result<std::optional<SignedHead>> last_head(store::Reader& core, const store::Scope& scope);

}  // namespace zona::audit
