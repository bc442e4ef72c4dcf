/// @file
/// Whether zona may listen where it is told to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "identity/authentication.h"
#include "os/tcp_socket.h"

namespace zona::identity {

/// Whether the bytes can be read on the way.
enum class Transport : std::uint8_t { kPlain, kTls };

/// How a listener would stand in the network.
struct Exposure {
    os::TcpAddress address;
    Transport transport = Transport::kPlain;
    /// api.insecure: whoever runs it wants plain HTTP beyond this host.
    bool insecure = false;
    Demand demand = Demand::kKey;
    std::string_view profile = "production";  ///< "development", "staging", "production"
};

/// What is dangerous about a listener, for the log; or why it may not be, naming the settings:
///
/// | Address         | Without TLS | Without keys |
/// | ---             | --- | --- |
/// | of this host    | good | only in the profile development, with a warning |
/// | of a network    | only with api.insecure and not in production, with a warning | refused |
///
/// Errors: kInvalidArgument. Source: PM-52, PM-65, GAP-47, GAP-54.
core::Result<std::vector<std::string>> judge(const Exposure& exposure);

}  // namespace zona::identity
