/// @file
/// Federation: signing in by an identity provider, from the first click to who it is.
///
/// Nothing is kept between the two steps: begin() gives a sealed *attempt*, which whoever began
/// keeps to himself, and finish() takes back with the provider's answer. State, nonce and PKCE
/// verifier all come from a random number in it. So an answer is good only for the browser or
/// program that asked for it, at the provider that it asked, for ten minutes, and once (`used_sign_
/// ins`). Any instance finishes what another began.
///
/// By SAML the provider's answer comes to zona itself, by the browser (take()), which makes a code
/// of it and sends that back to whoever began: from there on it is as with OpenID.
///
/// What a stranger who comes without anything can make zona do: one call of the provider's
/// description, which is kept then, and reading an answer of bounded size. Source: AUTH-26,
/// AUTH-27, GAP-10, OpenID Connect Core 1.0, RFC 6749, RFC 7636, RFC 9207, RFC 9700, SAML 2.0.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/federation/identity_provider.h"
#include "identity/federation/openid_client.h"
#include "identity/users/users.h"
#include "net/outgoing/http_caller.h"

namespace zona::identity {

/// How long somebody may take at the provider.
inline constexpr std::chrono::minutes kAttemptTime{10};
/// How long the code is good that zona makes of an answer by SAML.
inline constexpr std::chrono::minutes kSamlCodeTime{2};
/// How long all calls of one step may take.
inline constexpr std::chrono::seconds kProviderPatience{15};

/// Where a provider may send people back to, besides programs on their own host; empty: nowhere.
struct FederationOptions {
    std::string redirect_uri{};  ///< a page that calls finish() with what it was given
    /// Where browsers find zona, without a slash at its end; empty: nobody signs in by SAML.
    std::string public_url{};
};

/// What Federation works with; all outlive it and what it has begun.
struct FederationDeps {
    IdentityProviders& providers;
    Users& users;
    net::HttpCaller& caller;
    /// What seals the core's own fields. Any thread.
    std::function<core::Result<std::shared_ptr<const vault::FieldSealer>>()> fields;
    /// Runs what waits for the network on a thread for that.
    std::function<void(std::move_only_function<void()>)> run_blocking;
    const core::Clock& clock;
    core::Random& random;  ///< fit for keys, any thread
};

/// Where to send somebody.
struct SignInBegun {
    std::string url;       ///< at the provider; holds no secret
    core::Secret attempt;  ///< for finish(); of no use without the provider's answer
    core::SystemTime expires_at{};
};

/// What came back from the provider, and the attempt that it is for.
struct ProviderAnswer {
    core::Secret attempt;
    std::string state;
    core::Secret code;
    std::string issuer{};   ///< `iss`; may be empty
    std::string error{};    ///< instead of a code
    std::string address{};  ///< as Credentials::address
};

/// What a browser brings from a provider by SAML (bindings, section 3.5).
struct SamlAnswer {
    std::string tenant;    ///< in the path that the provider knows, as the next
    std::string provider;  ///< its name
    std::string response;  ///< base64
    std::string relay_state;
};

/// Who it was, and where.
struct ProviderSignIn {
    SignedIn who;
    std::string provider;
};

/// All members from any thread; answers come on a thread of run_blocking's or of the database.
class Federation {
  public:
    /// Asks nothing yet.
    Federation(FederationOptions options, FederationDeps deps);

    /// `redirect_uri` is the one of the options, or http on a loopback address for programs
    /// (RFC 8252 section 7.3): http://127.0.0.1:PORT/..., http://[::1]:PORT/...
    /// Errors: kNotFound: no such provider, or it is switched off; kInvalidArgument: another
    /// redirect_uri; those of OpenIdClient::describe().
    void begin(const std::string& tenant, const std::string& provider, std::string redirect_uri,
               store::Callback<SignInBegun> done);

    /// As FederationOptions has it.
    const std::string& redirect_uri() const;

    /// Errors: kUnauthenticated: the attempt is none, over, or another's; the provider refused, or
    /// does not take the code; kInvalidToken: its ID token is not good; those of
    /// Users::sign_in_external(); those of OpenIdClient.
    void finish(ProviderAnswer answer, store::Callback<ProviderSignIn> done);

    /// What is set up, with what is found out about it: of a provider by SAML, the issuer that its
    /// metadata name, and a key to which it may encrypt, which only a new one keeps. Errors of SAML
    /// alone: kInvalidArgument: there is no public_url; those of SamlClient::describe().
    void complete(IdentityProvider wanted, store::Callback<IdentityProvider> done);

    /// Gives the URL to which the browser is sent, with `state`, and a `code` for finish(), or an
    /// `error`. That it is good once, and for whoever began, is seen there. Errors: kNotFound: no
    /// such provider, or it is switched off, or none by SAML; kInvalidToken: the answer is not
    /// good, or to no request; kInvalidArgument: the relay state is none of ours; those of
    /// SamlClient::describe().
    void take(SamlAnswer answer, store::Callback<std::string> done);

    /// zona's own metadata, for a provider by SAML. Errors: kNotFound: there is none;
    /// kInvalidArgument: there is no public_url.
    void describe(const std::string& tenant, const std::string& provider,
                  store::Callback<std::string> done);

  private:
    struct Body;
    std::shared_ptr<Body> body_;  ///< shared with what was begun
};

}  // namespace zona::identity
