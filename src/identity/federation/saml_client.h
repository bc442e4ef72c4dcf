/// @file
/// SamlClient: what an identity provider says of itself by SAML metadata. Source: AUTH-26, SAML 2.0
/// metadata.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"
#include "identity/federation/identity_provider.h"
#include "identity/federation/saml_reader.h"
#include "net/outgoing/http_caller.h"

namespace zona::identity {

/// Any thread; may wait for the network.
class SamlClient {
  public:
    /// Both must outlive it.
    SamlClient(net::HttpCaller& caller, const core::Clock& clock)
        : caller_(caller), clock_(clock) {}

    /// What the provider's metadata say: those that are set, or those at its URL, which are asked
    /// for again after kProviderKept. Their own signature counts nothing: an administrator gave
    /// them, or TLS shows whose they are.
    ///
    /// Errors: those of saml_reader() and SamlReader::read_metadata; kInvalidArgument: they are of
    /// another entity than `issuer`, if that is set; kUnavailable: the URL gives none; those of
    /// HttpCaller::call().
    core::Result<SamlMetadata> describe(const IdentityProvider& provider, core::Deadline deadline);

  private:
    struct Known {
        SamlMetadata metadata;
        core::SteadyTime at{};
    };
    core::Result<SamlMetadata> at_url(const std::string& url, core::Deadline deadline);

    net::HttpCaller& caller_;
    const core::Clock& clock_;
    std::mutex mutex_;
    std::map<std::string, Known> known_;  ///< by URL; guarded by mutex_
};

}  // namespace zona::identity
