/// @file
/// SamlReader: what reads an identity provider's SAML documents and says whether they are good.
///
/// It lives in a library of its own, `zona-saml.so`, which is loaded with the first document: what
/// reads and verifies XML (libxml2, xmlsec) is not paid for by a daemon that signs nobody in by
/// SAML. Pure functions, any thread. Source: AUTH-26, SAML 2.0 core, bindings, profiles and
/// metadata, XML Signature, XML Encryption 1.1.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::identity {

/// Of a response, decoded.
inline constexpr std::size_t kMostSamlResponse = 128 * 1024;
/// Of a provider's metadata.
inline constexpr std::size_t kMostSamlMetadata = 256 * 1024;

/// What a provider's metadata say of it.
struct SamlMetadata {
    std::string entity_id;
    std::string sign_in_url;                ///< where a request is brought by a redirect
    std::vector<std::string> certificates;  ///< by whose keys it signs; DER
};

/// What a response must say to be taken.
struct SamlWanted {
    std::string issuer;                     ///< the provider's entity id
    std::vector<std::string> certificates;  ///< the provider's, DER
    std::string audience;                   ///< our entity id
    std::string recipient;                  ///< our assertion consumer service
    std::string request;                    ///< the id of the request that it answers
    core::Secret key;                       ///< for what is encrypted to us, PEM; empty: nothing is
    core::SystemTime now{};
    std::chrono::seconds leeway{};  ///< how far the provider's clock may be from ours
};

/// An attribute that the provider says of somebody.
struct SamlAttribute {
    std::string name;
    std::string friendly_name;  ///< may be empty
    std::vector<std::string> values;
};

/// What a response says.
struct SamlStatement {
    std::string subject;  ///< the NameID's text, which comments in it do not shorten
    std::string format;   ///< of the NameID; may be empty
    std::vector<SamlAttribute> attributes;
};

/// The library's one symbol.
struct SamlReader {
    const char* version;  ///< of zona

    /// One EntityDescriptor with an IDPSSODescriptor. Errors: kInvalidArgument: it is none, over
    /// kMostSamlMetadata, over its time, lacks a sign-in service by HTTP-Redirect or a key, or has
    /// a weak one.
    core::Result<SamlMetadata> (*read_metadata)(std::string_view text, core::SystemTime now);

    /// `text` as it stands in the form's field: base64.
    ///
    /// A response is taken if it is signed by one of the certificates' keys, or its assertion is,
    /// with SHA-256 or better; holds one assertion and one response and nothing twice; and says
    /// what is wanted: issuer, destination, recipient, audience, request, times. What is encrypted
    /// must be so by AES-GCM and RSA-OAEP. Document types, and with them entities, are refused
    /// before they are parsed.
    /// Errors: kInvalidToken, saying what is wrong and repeating nothing; kUnauthenticated: the
    /// provider did not let in.
    core::Result<SamlStatement> (*read_response)(std::string_view text, const SamlWanted& wanted);
};

/// The name of the symbol.
inline constexpr const char* kSamlReader = "zona_saml_reader";
/// The name of the file, which stands beside the program's.
inline constexpr const char* kSamlLibrary = "zona-saml.so";

/// Loads the library with the first call; it stays. Errors: kUnsupported: it, or what it needs, is
/// not installed.
core::Result<const SamlReader*> saml_reader();

}  // namespace zona::identity
