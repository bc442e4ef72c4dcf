// What Federation holds, and what its two protocols share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/deadline.h"
#include "identity/federation/detail/attempt.h"
#include "identity/federation/detail/saml_messages.h"
#include "identity/federation/federation.h"
#include "identity/federation/saml_client.h"

namespace zona::identity {

/// What a provider that is switched off answers.
core::Error switched_off(const std::string& name);
/// Whether the answer says that the provider did not let in, by a word of its own or none.
core::Error not_let_in(const std::string& word);

/// Who it is by what the provider says: `texts` gives those of a claim or attribute. Errors:
/// kInvalidToken: a name is missing.
core::Result<ExternalUser> user_of(
    const IdentityProvider& provider, std::string issuer, std::string subject,
    const std::function<std::vector<std::string>(const std::string&)>& texts);

struct Federation::Body {
    Body(FederationOptions given, FederationDeps with)
        : options(std::move(given)),
          deps(std::move(with)),
          openid(deps.caller, deps.clock),
          saml(deps.caller, deps.clock) {}

    core::Deadline deadline() const { return core::Deadline::after(deps.clock, kProviderPatience); }
    bool may_go_back_to(const std::string& uri) const;
    core::Result<SignInBegun> begin(const IdentityProvider& provider, std::string redirect_uri);
    core::Result<detail::Attempt> check(const ProviderAnswer& answer) const;
    core::Result<ExternalUser> ask(const IdentityProvider& provider, const detail::Attempt& attempt,
                                   const ProviderAnswer& answer);
    /// By OpenID.
    core::Result<ExternalUser> exchange(const IdentityProvider& provider,
                                        const detail::Attempt& attempt,
                                        const ProviderAnswer& answer);
    static void finish(const std::shared_ptr<Body>& self, const IdentityProvider& provider,
                       const detail::Attempt& attempt, const ProviderAnswer& answer,
                       store::Callback<ProviderSignIn> done);

    /// @{
    /// By SAML.
    core::Result<detail::ServiceProvider> us_for(const IdentityProvider& provider) const;
    core::Result<std::string> saml_url(const IdentityProvider& provider,
                                       const detail::Attempt& attempt);
    core::Result<std::string> take(const IdentityProvider& provider, const SamlAnswer& answer);
    core::Result<ExternalUser> redeem(const IdentityProvider& provider,
                                      const detail::Attempt& attempt,
                                      const ProviderAnswer& answer) const;
    core::Result<IdentityProvider> complete(IdentityProvider wanted);
    /// @}

    const FederationOptions options;
    const FederationDeps deps;
    OpenIdClient openid;
    SamlClient saml;
};

}  // namespace zona::identity
