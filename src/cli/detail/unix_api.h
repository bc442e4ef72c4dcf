/// @file
/// The API over HTTP on the daemon's unix socket: the transport of the product.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cli/detail/http_api.h"

namespace zona::cli {

/// Speaks to a unix socket, of any length of path.
class UnixApi final : public HttpApi {
  public:
    /// `clock` and `interrupts` outlive it.
    UnixApi(std::string socket_path, const core::Clock& clock, Interrupts& interrupts)
        : HttpApi({}, clock, interrupts), path_(std::move(socket_path)) {}

    bool may_have_acted(const core::Error& error) const override;

  private:
    core::Result<std::unique_ptr<net::ClientTransport>> make_way() override;
    core::Error told(core::Error error) const override;

    std::string path_;
};

}  // namespace zona::cli
