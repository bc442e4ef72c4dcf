/// @file
/// The API over HTTP on the daemon's unix socket: the transport of the product.
#pragma once

#include <string>

#include "cli/detail/api_client.h"
#include "cli/detail/interrupts.h"
#include "core/clock.h"
#include "net/client.h"

namespace zona::cli {

/// Speaks to a unix socket, of any length of path. One thread; what a stream calls may exchange.
class UnixApi final : public Api {
  public:
    /// `clock` and `interrupts` outlive it.
    UnixApi(std::string socket_path, const core::Clock& clock, Interrupts& interrupts)
        : path_(std::move(socket_path)),
          clock_(clock),
          interrupts_(interrupts),
          client_(net::unix_transport(path_), clock) {}

    core::Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait& wait) override;
    core::Result<ApiResponse> stream(const ApiRequest& request, const ApiSink& sink,
                                     const ApiWait& wait) override;

  private:
    net::IdleWatch watch_of(const ApiWait& wait);

    std::string path_;
    const core::Clock& clock_;
    Interrupts& interrupts_;
    net::HttpClient client_;
};

}  // namespace zona::cli
