/// @file
/// TlsContext: the certificate and key of a server, and what it accepts: TLS 1.3 with HTTP/1.1.
///
/// Groups X25519, P-256 and P-384; the suites of TLS 1.3 with AES-128 first. No early data, which
/// could be replayed. Session tickets are given; they do not outlive a reload. Source: RFC 8446,
/// RFC 7301; PM-69, GAP-54.
///
/// Where clients are asked for certificates (mutual TLS), a handshake with one that is not good
/// comes to nothing, with the alert that says why: it is of no authority that is known, not valid
/// now, revoked, or not for clients (extended key usage). Each certificate of the authorities' file
/// is trusted as it is, an intermediate one as well as a root. With a file of revocation lists each
/// certificate below those needs a list of its issuer that is not over. No tickets are given then:
/// no connection begins with a certificate that was verified at another time. Source: AUTH-30,
/// docs/adr/0023.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace zona::net {

/// Where certificate and key are. PEM both; one file may hold both.
struct TlsFiles {
    std::string certificates;   ///< the server's own first, then the chain up to the root
    std::string key;            ///< not encrypted
    std::string authorities{};  ///< of clients, PEM; empty: no client is asked for a certificate
    std::string revocations{};  ///< PEM, any number of lists; empty: none is looked at
    bool certificate_required = false;  ///< no handshake without one
};

/// What a certificate says, for people.
struct TlsCertificate {
    std::string subject;      ///< "CN=zona.example"; control characters escaped
    std::string fingerprint;  ///< SHA-256 of the whole, 64 digits in hex: what clients can pin
    core::SystemTime not_before{};
    core::SystemTime not_after{};
};

/// A list of revocations, for people.
struct TlsRevocations {
    std::string issuer;
    std::optional<core::SystemTime> next_update;
};

/// What a server shows its clients from now on. All members from any thread.
class TlsContext {
  public:
    /// Reads both files. `clock` must outlive the object.
    ///
    /// Errors name the file and the reason: kNotFound and kForbidden for one that cannot be read,
    /// kTooLarge over 1 MiB, kInvalidArgument for one that holds no certificate or key, an
    /// encrypted or too short key, and a key that is not the certificate's; an authority that is
    /// none; no list of revocations.
    static core::Result<std::shared_ptr<TlsContext>> load(TlsFiles files, const core::Clock& clock);

    /// Reads the files anew. Connections in progress keep what they began with, later ones get the
    /// new. On an error nothing has changed. Waits for the disk.
    core::Result<void> reload();

    /// The certificate that is in force.
    TlsCertificate certificate() const;

    /// What is wrong with it though it works: it has expired, is not valid yet (both judged now),
    /// or others can read the key's file; or a list of revocations is over, so that nobody gets in
    /// with a certificate of its issuer.
    std::vector<std::string> warnings() const;

    const core::Clock& clock() const { return clock_; }

    /// For streams: OpenSSL's SSL_CTX. A connection holds it as long as it lives.
    std::shared_ptr<ssl_ctx_st> current() const;

  private:
    struct Loaded {
        std::shared_ptr<ssl_ctx_st> context;
        TlsCertificate certificate;
        std::string key_warning;  ///< empty: none
        std::vector<TlsRevocations> revocations;
    };

    TlsContext(TlsFiles files, const core::Clock& clock);
    static core::Result<Loaded> read(const TlsFiles& files);

    const TlsFiles files_;
    const core::Clock& clock_;
    mutable std::mutex mutex_;  // guards loaded_
    Loaded loaded_;
};

}  // namespace zona::net
