/// @file
/// The API of another zona, over TCP or TLS. Only zona-remote links this.
#pragma once

#include <memory>

#include "cli/detail/http_api.h"
#include "cli/detail/remote.h"
#include "core/secret.h"

namespace zona::cli {

/// Speaks to another host. Beside the errors of Api, reach() and a stream have those of the way:
/// kUnavailable: no such host, nobody listens there, no TLS; kUnauthenticated: the certificate is
/// not trusted; kTimeout: nothing came back for kReachLimit. Never kNotFound: that a zona is not
/// there cannot be known from here.
class NetworkApi final : public HttpApi {
  public:
    /// For a connection to be made.
    static constexpr std::chrono::seconds kReachLimit{10};

    /// `clock` and `interrupts` outlive it. An empty key is not sent. Errors: those of
    /// net::tls_transport().
    static core::Result<std::unique_ptr<NetworkApi>> make(const Remote& remote,
                                                          const core::Secret& key,
                                                          const core::Clock& clock,
                                                          Interrupts& interrupts);

    core::Result<void> reach(core::Deadline deadline) override;

  private:
    NetworkApi(Remote remote, net::Headers headers, const core::Clock& clock,
               Interrupts& interrupts)
        : HttpApi(std::move(headers), clock, interrupts), remote_(std::move(remote)) {}

    core::Result<std::unique_ptr<net::ClientTransport>> make_way() override;
    core::Result<void> prepare(net::ClientTransport& way, core::Deadline deadline) override;
    core::Error told(core::Error error) const override;

    Remote remote_;
};

}  // namespace zona::cli
