/// @file
/// ClientCertificate: what a client has shown in the handshake of its connection (mutual TLS).
///
/// A handshake with one that is not good comes to nothing (TlsContext). Connections last, so
/// whether it still is good is asked again with each request: a certificate that is revoked or
/// over, or whose authority is trusted no more, opens nothing on a connection either that was there
/// before. Source: RFC 5280 section 6, RFC 8446 section 4.4.2; AUTH-30, docs/adr/0023.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "net/tls.h"

namespace zona::net {

/// Of one connection; any thread.
class ClientCertificate {
  public:
    /// What `session`, whose handshake is done, was shown; null: nothing. `server` is what it was
    /// verified by.
    static std::shared_ptr<const ClientCertificate> of(const ssl_st* session,
                                                       std::shared_ptr<const TlsContext> server);
    ~ClientCertificate();
    ClientCertificate(const ClientCertificate&) = delete;
    ClientCertificate& operator=(const ClientCertificate&) = delete;

    /// Who it is.
    const TlsCertificate& facts() const { return facts_; }

    /// Whether a handshake would take it by what the server trusts now. After a reload it is
    /// verified anew at once, else once in kVerifiedFor.
    /// Errors: kUnauthenticated, saying why not.
    core::Result<void> check() const;

    static constexpr std::chrono::seconds kVerifiedFor{1};

  private:
    struct Chain;
    ClientCertificate(std::unique_ptr<Chain> chain, std::shared_ptr<const TlsContext> server);
    core::Result<void> verify(ssl_ctx_st* trusted) const;

    const std::unique_ptr<Chain> chain_;
    const TlsCertificate facts_;
    const std::shared_ptr<const TlsContext> server_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    mutable std::shared_ptr<ssl_ctx_st> verified_by_;
    mutable core::SteadyTime verified_at_{};
    mutable core::Result<void> verdict_;
};

/// What the one certificate of a PEM text says. Errors: kInvalidArgument: there is none, or more
/// than one, or it is damaged, or it is an authority's.
core::Result<TlsCertificate> read_client_certificate(std::string_view pem);

}  // namespace zona::net
