/// @file
/// Certificates as OpenSSL has them: from PEM, and into words.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/x509.h>

#include "core/result.h"
#include "net/tls.h"

namespace zona::net::detail {

struct Free {
    void operator()(BIO* bio) const { BIO_free_all(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;

/// Reads from `text`, which must outlive it.
Bio bio_over(const std::string& text);

/// All certificates of a PEM text in order; other blocks are passed over. kInvalidArgument: one is
/// damaged.
core::Result<std::vector<Certificate>> parse_certificates(const std::string& text);

/// SHA-256 of the certificate, 64 digits in hex.
std::string fingerprint_of(const X509* certificate);

TlsCertificate describe(const X509* certificate);

/// A name in the form of RFC 2253, control characters escaped.
std::string to_text(const X509_NAME* name);
/// No later than a SystemTime can tell.
core::SystemTime time_of(const ASN1_TIME* when);

/// The text of a PEM file; errors are about `what`. kTooLarge: over 1 MiB.
core::Result<std::string> read_pem(const std::string& path, std::string_view what);

}  // namespace zona::net::detail
