#include "identity/federation/federation.h"

#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/uri.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "identity/detail/fields.h"
#include "identity/federation/detail/federation_body.h"
#include "identity/federation/id_token.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using detail::Attempt;

namespace {

constexpr std::size_t kMostCode = 4096;

std::string url_at(const ProviderDescription& description, const IdentityProvider& provider,
                   const Attempt& attempt) {
    const std::string challenge = crypto::base64url(crypto::sha256(attempt.verifier().reveal()));
    const std::pair<std::string_view, std::string> fields[] = {
        {"response_type", "code"},
        {"client_id", provider.client_id},
        {"redirect_uri", attempt.redirect_uri},
        {"scope", fmt::format("{}", fmt::join(provider.scopes, " "))},
        {"state", attempt.state()},
        {"nonce", attempt.nonce()},
        {"code_challenge", challenge},
        {"code_challenge_method", "S256"}};
    std::string out = description.authorization_endpoint;
    for (const auto& [name, value] : fields) {
        out += out.contains('?') ? '&' : '?';
        out += fmt::format("{}={}", name, core::percent_encoded(value));
    }
    return out;
}

}  // namespace

Error switched_off(const std::string& name) {
    return {Code::kNotFound, fmt::format("the identity provider '{}' is switched off", name)};
}

Error not_let_in(const std::string& word) {
    const bool is_word = !word.empty() && word.size() <= 64 &&
                         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    return {Code::kUnauthenticated, fmt::format("the identity provider did not let you in{}{}",
                                                is_word ? ": " : "", is_word ? word : "")};
}

Result<ExternalUser> user_of(
    const IdentityProvider& provider, std::string issuer, std::string subject,
    const std::function<std::vector<std::string>(const std::string&)>& texts) {
    const auto first = [&](const std::string& name) {
        const std::vector<std::string> all = texts(name);
        return all.empty() ? std::string() : all.front();
    };
    ExternalUser out{.tenant = provider.tenant,
                     .provider = provider.name,
                     .issuer = std::move(issuer),
                     .subject = std::move(subject),
                     .name = first(provider.claims.name),
                     .email = first(provider.claims.email),
                     .may_create = provider.newcomers == Newcomers::kCreate};
    if (out.name.empty()) {
        return Error(Code::kInvalidToken,
                     fmt::format("the identity provider says no '{}', by which users are named "
                                 "here (claims.name)",
                                 provider.claims.name));
    }
    if (!provider.sets_roles()) return out;
    out.roles = provider.default_roles;
    const std::vector<std::string> groups = texts(provider.claims.groups);
    for (const auto& [group, role] : provider.role_map) {
        if (detail::holds(groups, group)) out.roles->push_back(role);
    }
    return out;
}

bool Federation::Body::may_go_back_to(const std::string& uri) const {
    const bool is_ours = !options.redirect_uri.empty() && uri == options.redirect_uri;
    return uri.size() <= detail::kMostRedirect && (is_ours || detail::is_loopback(uri));
}

Result<SignInBegun> Federation::Body::begin(const IdentityProvider& provider,
                                            std::string redirect_uri) {
    Attempt attempt = detail::new_attempt(deps.random, deps.clock.system() + kAttemptTime);
    attempt.tenant = provider.tenant;
    attempt.provider = provider.name;
    attempt.redirect_uri = std::move(redirect_uri);
    SignInBegun out{.url = {}, .attempt = {}, .expires_at = attempt.ends};
    if (provider.kind == ProviderKind::kSaml) {
        ZONA_TRY(out.url, saml_url(provider, attempt));
    } else {
        ZONA_TRY(const ProviderDescription description,
                 openid.describe(provider.issuer, deadline()));
        out.url = url_at(description, provider, attempt);
    }
    ZONA_TRY(const auto fields, deps.fields());
    ZONA_TRY(out.attempt, detail::seal(*fields, attempt));
    return out;
}

/// Whether the answer is one to this attempt.
Result<Attempt> Federation::Body::check(const ProviderAnswer& answer) const {
    ZONA_TRY(const auto fields, deps.fields());
    ZONA_TRY(Attempt attempt, detail::open_attempt(*fields, answer.attempt, deps.clock.system()));
    if (!crypto::same_bytes(answer.state, attempt.state())) {
        return Error(Code::kUnauthenticated,
                     "the identity provider's answer is for another sign-in: begin anew");
    }
    if (!answer.error.empty()) return not_let_in(answer.error);
    if (answer.code.empty() || answer.code.reveal().size() > kMostCode)
        return Error(Code::kUnauthenticated, "the identity provider's answer has no code");
    return attempt;
}

Result<ExternalUser> Federation::Body::exchange(const IdentityProvider& provider,
                                                const Attempt& attempt,
                                                const ProviderAnswer& answer) {
    const core::Deadline until = deadline();
    ZONA_TRY(const ProviderDescription description, openid.describe(provider.issuer, until));
    const bool is_other =
        answer.issuer.empty() ? description.names_itself : answer.issuer != provider.issuer;
    if (is_other) {
        return Error(Code::kUnauthenticated,
                     "the answer is of another identity provider than was asked: begin anew");
    }
    ZONA_TRY(const Secret token, openid.exchange(provider,
                                                 {.code = answer.code,
                                                  .verifier = attempt.verifier(),
                                                  .redirect_uri = attempt.redirect_uri},
                                                 until));
    ZONA_TRY(const auto keys, openid.keys_for(provider.issuer, token, until));
    ZONA_TRY(const json::object claims, read_id_token(token.reveal(), keys,
                                                      {.issuer = provider.issuer,
                                                       .client_id = provider.client_id,
                                                       .nonce = attempt.nonce(),
                                                       .now = deps.clock.system()}));
    return user_of(provider, provider.issuer, detail::text_in(claims, "sub"),
                   [&](const std::string& name) { return texts_of_claim(claims, name); });
}

Result<ExternalUser> Federation::Body::ask(const IdentityProvider& provider, const Attempt& attempt,
                                           const ProviderAnswer& answer) {
    ZONA_TRY(ExternalUser who, provider.kind == ProviderKind::kSaml
                                   ? redeem(provider, attempt, answer)
                                   : exchange(provider, attempt, answer));
    who.used = attempt.nonce();
    who.address = answer.address;
    return who;
}

Federation::Federation(FederationOptions options, FederationDeps deps)
    : body_(std::make_shared<Body>(std::move(options), std::move(deps))) {}

void Federation::begin(const std::string& tenant, const std::string& provider,
                       std::string redirect_uri, store::Callback<SignInBegun> done) {
    if (!body_->may_go_back_to(redirect_uri)) {
        return done(Error(
            Code::kInvalidArgument,
            "people can be sent back to federation.redirect_uri, and to programs on their own "
            "host: give http://127.0.0.1:PORT/..."));
    }
    auto go_on = [body = body_, redirect_uri = std::move(redirect_uri),
                  done = std::move(done)](Result<IdentityProvider> found) mutable {
        if (!found) return done(found.take_error());
        if (!found->enabled) return done(switched_off(found->name));
        body->deps.run_blocking([body, provider = *std::move(found),
                                 redirect_uri = std::move(redirect_uri),
                                 done = std::move(done)]() mutable {
            done(body->begin(provider, std::move(redirect_uri)));
        });
    };
    body_->deps.providers.find(tenant, provider, std::move(go_on));
}

const std::string& Federation::redirect_uri() const {
    return body_->options.redirect_uri;
}

/// Where it may wait for the provider.
void Federation::Body::finish(const std::shared_ptr<Body>& self, const IdentityProvider& provider,
                              const Attempt& attempt, const ProviderAnswer& answer,
                              store::Callback<ProviderSignIn> done) {
    auto who = self->ask(provider, attempt, answer);
    if (!who) return done(who.take_error());
    auto let_in = [name = provider.name, done = std::move(done)](Result<SignedIn> in) mutable {
        if (!in) return done(in.take_error());
        done(ProviderSignIn{.who = *std::move(in), .provider = std::move(name)});
    };
    self->deps.users.sign_in_external(*std::move(who), std::move(let_in));
}

void Federation::finish(ProviderAnswer answer, store::Callback<ProviderSignIn> done) {
    auto attempt = body_->check(answer);
    if (!attempt) return done(attempt.take_error());
    const std::string tenant = attempt->tenant;
    const std::string name = attempt->provider;
    auto go_on = [body = body_, attempt = *std::move(attempt), answer = std::move(answer),
                  done = std::move(done)](Result<IdentityProvider> found) mutable {
        if (!found) return done(found.take_error());
        if (!found->enabled) return done(switched_off(found->name));
        body->deps.run_blocking([body, provider = *std::move(found), attempt = std::move(attempt),
                                 answer = std::move(answer), done = std::move(done)]() mutable {
            Body::finish(body, provider, attempt, answer, std::move(done));
        });
    };
    body_->deps.providers.find(tenant, name, std::move(go_on));
}

}  // namespace zona::identity
