/// @file
/// The API over HTTP on the daemon's unix socket: the transport of the product.
#pragma once

#include <memory>
#include <string>

#include "cli/detail/api_client.h"
#include "core/clock.h"

namespace zona::cli {

/// Connects to a unix socket, of any length of path, once per request.
class UnixApi final : public ApiTransport {
  public:
    /// `clock` and `interrupts` outlive it and its connections.
    UnixApi(std::string socket_path, const core::Clock& clock, Interrupts& interrupts)
        : path_(std::move(socket_path)), clock_(clock), interrupts_(interrupts) {}

    core::Result<std::unique_ptr<ApiConnection>> connect() override;

  private:
    std::string path_;
    const core::Clock& clock_;
    Interrupts& interrupts_;
};

}  // namespace zona::cli
