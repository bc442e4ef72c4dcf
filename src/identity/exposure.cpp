#include "identity/exposure.h"

#include <fmt/format.h>

namespace zona::identity {
namespace {

core::Error refusal(std::string message) {
    return {core::Code::kInvalidArgument, std::move(message)};
}

}  // namespace

core::Result<std::vector<std::string>> judge(const Exposure& exposure) {
    const std::string address = exposure.address.to_string();
    const bool within = exposure.address.is_loopback();
    std::vector<std::string> warnings;
    if (exposure.demand == Demand::kNothing) {
        if (exposure.profile != "development" || !within) {
            return refusal(fmt::format(
                "api.authentication: 'none' is only for the profile development on an address of "
                "this host, not for {} in the profile {}",
                address, exposure.profile));
        }
        warnings.push_back(fmt::format(
            "whoever reaches {} may do everything: api.authentication is 'none'", address));
    }
    if (exposure.transport == Transport::kTls || within) return warnings;
    if (exposure.profile == "production") {
        return refusal(fmt::format(
            "api.listen: {} is reached from other hosts, and in the profile production only TLS "
            "may be spoken there: set api.tls.certificate and api.tls.key, or listen on 127.0.0.1",
            address));
    }
    if (!exposure.insecure) {
        return refusal(fmt::format(
            "api.listen: {} is reached from other hosts, and without TLS keys would be sent in the "
            "clear: set api.tls.certificate and api.tls.key, or api.insecure=true",
            address));
    }
    warnings.push_back(fmt::format(
        "{} is reached from other hosts without TLS: keys and answers can be read on the way",
        address));
    return warnings;
}

}  // namespace zona::identity
