/// @file
/// The API over HTTP, whatever the way to the server is.
#pragma once

#include <memory>
#include <optional>

#include "cli/detail/api_client.h"
#include "cli/detail/interrupts.h"
#include "core/clock.h"
#include "net/client.h"
#include "net/headers.h"

namespace zona::cli {

/// One server. One thread; what a stream calls may exchange.
class HttpApi : public Api {
  public:
    core::Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait& wait) final;
    core::Result<ApiResponse> stream(const ApiRequest& request, const ApiSink& sink,
                                     const ApiWait& wait) final;

  protected:
    /// `headers` go with every request. `clock` and `interrupts` outlive it.
    HttpApi(net::Headers headers, const core::Clock& clock, Interrupts& interrupts)
        : headers_(std::move(headers)), clock_(clock), interrupts_(interrupts) {}

    /// A way to the server, not connected yet.
    virtual core::Result<std::unique_ptr<net::ClientTransport>> make_way() = 0;
    /// Connects `way`, if it has to be done before the client does it.
    virtual core::Result<void> prepare(net::ClientTransport& /*way*/, core::Deadline /*deadline*/) {
        return {};
    }
    /// An error of the client as one of Api.
    virtual core::Error told(core::Error error) const { return error; }

    /// The way of exchange(), made when it is needed first.
    core::Result<net::ClientTransport*> way();
    const core::Clock& clock() const { return clock_; }

  private:
    net::IdleWatch watch_of(const ApiWait& wait);
    net::Headers headers_of(const ApiRequest& request) const;

    net::Headers headers_;
    const core::Clock& clock_;
    Interrupts& interrupts_;
    std::optional<net::HttpClient> client_;
    net::ClientTransport* way_ = nullptr;  // the client's
};

}  // namespace zona::cli
