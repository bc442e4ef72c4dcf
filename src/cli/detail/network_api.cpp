#include "cli/detail/network_api.h"

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "net/tls_client.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::chrono::milliseconds kSecondTryAfter{100};

/// What to do about a way that leads nowhere.
std::string hint_of(const Error& error, net::RemoteEndpoint::Scheme scheme) {
    switch (error.code()) {
        case Code::kUnauthenticated:
            return "if the certificate over there has this fingerprint, --fingerprint pins it; "
                   "--ca-file FILE trusts the authority that issued it";
        case Code::kTimeout:
            return "is the host up, and does a firewall let this port through?";
        case Code::kUnavailable:
            if (error.system_error() == ECONNREFUSED)
                return "does zona run there, and does api.listen say this address?";
            return scheme == net::RemoteEndpoint::Scheme::kHttps
                       ? "is the address right, and does zona listen there with TLS?"
                       : "is the address right, and does zona listen there?";
        default:
            return {};
    }
}

}  // namespace

Result<std::unique_ptr<NetworkApi>> NetworkApi::make(const Remote& remote, const core::Secret& key,
                                                     const core::Clock& clock,
                                                     Interrupts& interrupts) {
    net::Headers headers;
    if (!key.empty()) headers.add("Authorization", fmt::format("Bearer {}", key.reveal()));
    std::unique_ptr<NetworkApi> api(new NetworkApi(remote, std::move(headers), clock, interrupts));
    // What is wrong with files and fingerprints is said before anything is asked.
    ZONA_TRY_VOID(api->way());
    return api;
}

Result<std::unique_ptr<net::ClientTransport>> NetworkApi::make_way() {
    if (remote_.endpoint.scheme == net::RemoteEndpoint::Scheme::kHttp)
        return net::tcp_transport(remote_.endpoint);
    return net::tls_transport(remote_.endpoint, {remote_.ca_file, remote_.fingerprint},
                              {remote_.client_cert, remote_.client_key});
}

Result<void> NetworkApi::prepare(net::ClientTransport& way, core::Deadline deadline) {
    if (way.usable()) return {};
    const auto limit =
        core::Deadline::earlier(deadline, core::Deadline::after(clock(), kReachLimit));
    auto connected = way.connect(limit, clock());
    // A daemon that dies during a handshake takes the connection with it; its successor answers.
    if (!connected && connected.error().code() == Code::kUnavailable &&
        connected.error().system_error() != ECONNREFUSED) {
        ZONA_TRY_VOID(os::wait_readable(std::array{-1}, kSecondTryAfter));
        connected = way.connect(limit, clock());
    }
    if (connected) return {};
    Error error = connected.take_error();
    std::string hint = hint_of(error, remote_.endpoint.scheme);
    if (hint.empty()) return error;
    return std::move(error).detail({"", "", std::move(hint)});
}

Result<void> NetworkApi::reach(core::Deadline deadline) {
    ZONA_TRY(net::ClientTransport * way, HttpApi::way());
    return prepare(*way, deadline);
}

Error NetworkApi::told(Error error) const {
    const bool plain = remote_.endpoint.scheme == net::RemoteEndpoint::Scheme::kHttp;
    if (error.code() == Code::kUnauthenticated) {
        return std::move(error).detail(
            {"", "",
             "--client-cert FILE and --client-key FILE show a certificate of an authority that is "
             "known there"});
    }
    if (error.code() != Code::kInternal) return error;
    return std::move(error)
        .context(remote_.label())
        .detail({"", "",
                 plain ? "is that zona? If it speaks TLS, its URL begins with https://"
                       : "is that zona?"});
}

}  // namespace zona::cli
