// An identity provider for tests: its key, its metadata, and answers that it signs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/testing/fake_clock.h"
#include "identity/federation/saml_reader.h"

struct evp_pkey_st;

namespace zona::identity::testing {

/// A key with its certificate.
class SamlKey {
  public:
    /// On a curve, or an RSA key of so many bits.
    explicit SamlKey(int rsa_bits = 0);

    const std::string& certificate() const { return certificate_; }  ///< DER
    std::string pem() const;                                         ///< the private key
    /// The document with all its signatures made that are not yet, from within outwards.
    std::string sign(const std::string& xml) const;

  private:
    std::shared_ptr<evp_pkey_st> key_;
    std::string certificate_;
};

std::string base64_of(const std::string& text);
/// `text` with the first `from` replaced, which must be there.
std::string replaced(std::string text, const std::string& from, const std::string& to);
/// What stands between both, which are included.
std::string between(const std::string& text, const std::string& from, const std::string& to);

inline constexpr const char* kIdp = "https://login.example/idp";
inline constexpr const char* kSp = "https://zona.example/api/v1/saml/acme/corp/metadata";
inline constexpr const char* kAcs = "https://zona.example/api/v1/saml/acme/corp/answers";
inline constexpr const char* kRequest = "_request";

/// What is signed of an answer.
enum class Signed : std::uint8_t { kNothing, kAssertion, kResponse, kBoth };

/// A good answer, but for what is changed. Made at 2026-11-23T12:00:00Z, good for five minutes.
struct SamlAnswer {
    Signed what = Signed::kAssertion;
    std::string issuer = kIdp;
    std::string audience = kSp;
    std::string recipient = kAcs;
    std::string destination = kAcs;
    std::string request = kRequest;
    std::string subject = "anna";
    std::string not_before = "2026-11-23T11:59:00Z";
    std::string not_on_or_after = "2026-11-23T12:05:00Z";
    std::string method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    std::string digest = "http://www.w3.org/2001/04/xmlenc#sha256";
    std::string assertion_id = "_assertion";

    std::string assertion() const;  ///< unsigned
    std::string xml() const;        ///< unsigned, with the places for its signatures
};

/// Metadata with these certificates.
std::string metadata_with(const std::string& certificate);
/// What kSp wants at the time of a SamlAnswer.
SamlWanted wanted_of(const SamlKey& key);

}  // namespace zona::identity::testing
