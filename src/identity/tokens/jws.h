/// @file
/// JSON Web Signatures in the compact form: three parts of base64url between dots.
///
/// What such a text says cannot be read before a key has verified it, and the algorithm is the
/// key's: what the text says of it must agree, and "none" is none. Nothing in the text names where
/// a key comes from: `jku`, `jwk`, `x5u`, `x5c` are passed over. Pure functions, any thread.
/// Source: RFC 7515, RFC 8725.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "identity/tokens/json_web_key.h"

namespace zona::identity {

/// Bytes of a token; what is longer is not looked at.
inline constexpr std::size_t kMostTokenBytes = 8192;

/// A signed text, taken apart, of which nothing is known but what its header says.
class Jws {
  public:
    /// Errors: kInvalidToken, never repeating a part of it: over kMostTokenBytes; not three parts;
    /// not strict base64url, whose every text has one reading; a header that is not a JSON object,
    /// has a key twice or is deeply nested; an `alg` that is not a SigningAlgorithm's name; `crit`,
    /// whatever it names (no extension is understood); `kid` or `typ` that are no texts.
    static core::Result<Jws> parse(std::string_view text);

    SigningAlgorithm algorithm() const { return algorithm_; }
    const std::string& key_id() const { return key_id_; }  ///< `kid`; may be empty
    const std::string& type() const { return type_; }      ///< `typ`; may be empty

    /// What was signed. Errors: kInvalidToken: the key has another algorithm, or did not sign it.
    core::Result<std::string> verified_by(const VerificationKey& key) const;

  private:
    Jws() = default;

    SigningAlgorithm algorithm_ = SigningAlgorithm::kEdDsa;
    std::string key_id_;
    std::string type_;
    std::string signed_text_;
    std::string payload_;
    std::string signature_;
};

/// Whether a text has the form of a token: three parts of base64url, none empty, of at most
/// kMostTokenBytes together. Cheap; what it takes may still be no token.
bool is_token_shaped(std::string_view text);

/// `payload`, signed by `key`, whose id is its `kid`; `type` is its `typ`, none if empty.
std::string sign_jws(std::string_view payload, const SigningKey& key, std::string_view type);

}  // namespace zona::identity
