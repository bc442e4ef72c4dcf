/// @file
/// Keys of signatures as JSON Web Keys: those that sign tokens, those that verify them, and the
/// document in which the latter are published.
///
/// A key is bound to one algorithm, whatever a token says of itself: so a public key is never taken
/// for the secret of another algorithm. Value types whose copies share OpenSSL's key; any thread.
/// Source: RFC 7517, RFC 7518, RFC 8037, RFC 8725 section 3.1.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/secret.h"

struct evp_pkey_st;

namespace boost::json {
class object;
class value;
}  // namespace boost::json

namespace zona::identity {

/// How a token is signed.
enum class SigningAlgorithm : std::uint8_t {
    kEdDsa,  ///< Ed25519
    kRs256,  ///< RSA with PKCS #1 v1.5 and SHA-256
    kEs256,  ///< ECDSA on P-256 with SHA-256
};

/// "EdDSA", "RS256", "ES256": the `alg` of a token.
std::string_view to_string(SigningAlgorithm algorithm);
/// The algorithm of that name, which is compared with its case; nullopt for any other text, "none"
/// included.
std::optional<SigningAlgorithm> signing_algorithm_from(std::string_view name);

/// Bits of an RSA modulus: fewer are weak, more make each verification slow.
inline constexpr int kLeastRsaBits = 2048;
/// See kLeastRsaBits.
inline constexpr int kMostRsaBits = 4096;
/// Keys of one set.
inline constexpr std::size_t kMostKeysOfSet = 64;

/// A public key.
class VerificationKey {
  public:
    /// The key of a JWK: OKP on Ed25519, RSA, EC on P-256; others' private members are passed over.
    ///
    /// Errors: kUnsupported: a `kty`, `crv` or `alg` that is not one of SigningAlgorithm's, another
    /// `use` than "sig", `key_ops` without "verify". kInvalidArgument: members that are missing or
    /// not strict base64url, of a wrong length, a point that is not on the curve, a modulus of
    /// fewer than kLeastRsaBits or more than kMostRsaBits, an even or large exponent.
    static core::Result<VerificationKey> from_jwk(const boost::json::value& jwk);

    SigningAlgorithm algorithm() const { return algorithm_; }
    /// The `kid` of the JWK, if it had one; else the thumbprint.
    const std::string& id() const { return id_; }
    /// 43 characters of base64url. Source: RFC 7638, with SHA-256.
    std::string thumbprint() const;
    /// The public members, and `kid`, `alg`, `use`.
    boost::json::object to_jwk() const;

    /// Whether `signature` is one of `text`. That of ES256 is r and s, 32 bytes each, nothing else.
    /// A second signature of ES256 can be made of a first one without the key (n - s); so what is
    /// signed is an identity, the signed text is none. Source: RFC 7518 section 3.4.
    bool verifies(std::string_view text, std::string_view signature) const;

  private:
    friend class SigningKey;
    VerificationKey() = default;

    SigningAlgorithm algorithm_ = SigningAlgorithm::kEdDsa;
    std::string id_;
    /// In the order of a thumbprint: name and value.
    std::vector<std::pair<std::string, std::string>> members_;
    std::shared_ptr<evp_pkey_st> key_;
};

/// A pair of keys.
class SigningKey {
  public:
    /// A new one, by OpenSSL's generator; RSA of 3072 bits. Its id is its thumbprint.
    static SigningKey generate(SigningAlgorithm algorithm);
    /// What to_jwk() gave, or another's private JWK. Errors: those of VerificationKey::from_jwk();
    /// kInvalidArgument: it is not JSON, private members are missing or not those of the public
    /// ones. No message repeats any of it.
    static core::Result<SigningKey> from_jwk(const core::Secret& text);

    /// The private JWK.
    const core::Secret& to_jwk() const { return jwk_; }
    const VerificationKey& verification_key() const { return public_; }
    /// A signature as VerificationKey::verifies() wants it.
    std::string sign(std::string_view text) const;

  private:
    SigningKey() = default;

    VerificationKey public_;
    core::Secret jwk_;
    std::shared_ptr<evp_pkey_st> key_;
};

/// The keys of a JWKS document that can be used; those of kUnsupported are passed over.
/// Errors: kInvalidArgument for what is no such document, or a key that is damaged; kTooLarge: more
/// than kMostKeysOfSet, over 256 kB. Source: RFC 7517 section 5.
core::Result<std::vector<VerificationKey>> parse_key_set(std::string_view text);

/// The document of `keys`, in their order. Source: RFC 7517 section 5.
std::string render_key_set(std::span<const VerificationKey> keys);

}  // namespace zona::identity
