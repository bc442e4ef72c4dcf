/// @file
/// TLS for clients: how the remote command line reaches a zona that is elsewhere. The command
/// itself does not link this.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"
#include "net/transport.h"

namespace zona::net {

/// Whom a client believes to be its server.
struct TlsTrust {
    /// PEM, the authorities to trust instead of the host's own (/etc/ssl/certs). Empty: those.
    std::string ca_file;
    /// SHA-256 of the one certificate to trust, in hex as TlsCertificate::fingerprint or as
    /// `openssl x509 -fingerprint -sha256` writes it. Then neither authorities, nor names, nor
    /// dates matter. Empty: none is pinned.
    std::string fingerprint;
};

/// What a client shows of itself to a server that asks for it. PEM.
struct TlsOwn {
    std::string certificates{};  ///< its own first, then the chain; empty: none is shown
    std::string key{};           ///< not encrypted; empty: it is in the same file
};

/// TLS 1.3 over TCP to `endpoint`. The certificate has to name the host, or its numeric address.
///
/// Errors here: of the CA's file, naming it (kNotFound, kForbidden, kInvalidArgument);
/// kInvalidArgument for a malformed fingerprint; of what `own` names, as TlsContext::load(). Errors
/// of connect() beside those of TCP: kUnauthenticated for a certificate that is not believed, with
/// the reason and its fingerprint, before a byte of HTTP is sent; kUnavailable for a server that
/// speaks no TLS 1.3 or no TLS; kTimeout. Errors of receive() beside those of TCP:
/// kUnauthenticated, with the reason that the server gives, if it does not take the client's
/// certificate or wants one: it says so after the client's own handshake. Source: RFC 8446,
/// RFC 6125; PM-69, AUTH-30.
core::Result<std::unique_ptr<ClientTransport>> tls_transport(const RemoteEndpoint& endpoint,
                                                             const TlsTrust& trust,
                                                             const TlsOwn& own = {});

}  // namespace zona::net
