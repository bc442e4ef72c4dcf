/// @file
/// OpenIdClient: what zona asks of an OpenID provider by itself: its description, its keys, and the
/// ID token for a code. Source: OpenID Connect Discovery 1.0, RFC 6749, RFC 7636, RFC 9207.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/federation/identity_provider.h"
#include "identity/tokens/json_web_key.h"
#include "net/outgoing/http_caller.h"

namespace zona::identity {

/// How long a description and its keys are used.
inline constexpr std::chrono::minutes kProviderKept{10};
/// Between two looks for a key that was not there.
inline constexpr std::chrono::seconds kKeyPause{30};

/// What a provider says of itself.
struct ProviderDescription {
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string key_set;
    bool names_itself = false;  ///< answers carry `iss` (RFC 9207)
    bool takes_basic = true;    ///< the client's secret goes into a header, else into the body
};

/// A code, and what proves that it is ours.
struct CodeGrant {
    core::Secret code;
    core::Secret verifier;
    std::string redirect_uri;
};

/// All members wait for the network; any thread. Errors of all: those of HttpCaller::call();
/// kUnavailable: the provider answers what it should not, naming what.
class OpenIdClient {
  public:
    /// Both must outlive it.
    OpenIdClient(net::HttpCaller& caller, const core::Clock& clock)
        : caller_(caller), clock_(clock) {}

    /// As the issuer's /.well-known/openid-configuration has it; asked for again after
    /// kProviderKept. One that is of another issuer is refused.
    core::Result<ProviderDescription> describe(const std::string& issuer, core::Deadline deadline);

    /// The keys by which it signs; asked for again after kProviderKept, or, if none of them can be
    /// that of `token`, after kKeyPause.
    core::Result<std::vector<VerificationKey>> keys_for(const std::string& issuer,
                                                        const core::Secret& token,
                                                        core::Deadline deadline);

    /// The ID token for a code, unread. Errors besides: kUnauthenticated: the code is not taken.
    core::Result<core::Secret> exchange(const IdentityProvider& provider, const CodeGrant& grant,
                                        core::Deadline deadline);

  private:
    struct Known {
        ProviderDescription description;
        core::SteadyTime described_at{};
        std::vector<VerificationKey> keys;
        core::SteadyTime keys_at{};
        bool has_keys = false;
    };
    core::Result<ProviderDescription> ask(const std::string& issuer, core::Deadline deadline);

    net::HttpCaller& caller_;
    const core::Clock& clock_;
    std::mutex mutex_;
    std::map<std::string, Known> known_;  ///< by issuer; guarded by mutex_
};

}  // namespace zona::identity
