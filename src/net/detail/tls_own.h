/// @file
/// What this side of a connection shows of itself: certificates and their key.
#pragma once

#include <string>

#include <openssl/types.h>

#include "core/result.h"
#include "net/detail/tls_certificate.h"

namespace zona::net::detail {

/// Has `context` show the certificates of a PEM file, its own first, with the key of another, or of
/// the same. Gives its own.
///
/// Errors name the file and the reason: kNotFound and kForbidden for one that cannot be read,
/// kTooLarge over 1 MiB, kInvalidArgument for one that holds no certificate or key, an encrypted or
/// too short key, and a key that is not the certificate's.
core::Result<Certificate> show_certificate(SSL_CTX* context, const std::string& certificates,
                                           const std::string& key);

}  // namespace zona::net::detail
