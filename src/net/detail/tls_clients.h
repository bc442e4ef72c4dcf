/// @file
/// How a TLS server judges its clients' certificates: in handshakes, and later again.
#pragma once

#include <vector>

#include "core/result.h"
#include "net/tls.h"

struct x509_st;
struct stack_st_X509;

namespace zona::net::detail {

/// Has `context` ask for certificates as `files` say, and gives the lists of revocations.
/// Errors: those of TlsContext::load() about the two files.
core::Result<std::vector<TlsRevocations>> ask_clients(ssl_ctx_st* context, const TlsFiles& files);

/// Whether `context` would take this certificate with the others that came with it (null: none) in
/// a handshake at `now`. Errors: kUnauthenticated, with the reason.
core::Result<void> verify_client(ssl_ctx_st* context, x509_st* certificate, stack_st_X509* others,
                                 core::SystemTime now);

}  // namespace zona::net::detail
