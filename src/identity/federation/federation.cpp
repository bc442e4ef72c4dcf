#include "identity/federation/federation.h"

#include <array>
#include <charconv>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/json.h"
#include "core/uri.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "identity/detail/fields.h"
#include "identity/federation/id_token.h"
#include "vault/field_sealer.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;

namespace {

constexpr std::size_t kMostAttempt = 4096;
constexpr std::size_t kMostCode = 4096;
constexpr std::size_t kMostRedirect = 512;

/// What an attempt holds.
struct Attempt {
    std::string tenant;
    std::string provider;
    std::string redirect_uri;
    Secret number;  ///< 256 random bits
    core::SystemTime ends{};

    /// A text of 43 characters that only who knows the number knows.
    std::string derived(std::string_view purpose) const {
        return crypto::base64url(
            crypto::sha256(fmt::format("zona {} {}", purpose, number.reveal())));
    }
    std::string state() const { return derived("state"); }
    std::string nonce() const { return derived("nonce"); }
    Secret verifier() const { return Secret(derived("verifier")); }
};

vault::FieldPlace place_of_attempt() {
    return {.collection = "sign_ins", .document = "attempt", .field = "/"};
}

Result<Secret> seal(const vault::FieldSealer& fields, const Attempt& attempt) {
    const json::object document{{"tenant", attempt.tenant},
                                {"provider", attempt.provider},
                                {"redirect_uri", attempt.redirect_uri},
                                {"number", attempt.number.reveal()},
                                {"ends", detail::to_field(attempt.ends)}};
    const Secret plain(json::serialize(document));
    ZONA_TRY(std::string sealed, fields.seal(place_of_attempt(), plain.reveal()));
    return Secret(std::move(sealed));
}

Error switched_off(const std::string& name) {
    return {Code::kNotFound, fmt::format("the identity provider '{}' is switched off", name)};
}

Error no_attempt() {
    return {Code::kUnauthenticated,
            "this sign-in was not begun here, or took too long: begin anew"};
}

Result<Attempt> open(const vault::FieldSealer& fields, const Secret& text, core::SystemTime now) {
    if (text.empty() || text.reveal().size() > kMostAttempt) return no_attempt();
    const auto plain = fields.open(place_of_attempt(), text.reveal());
    if (!plain) return no_attempt();
    const auto parsed = core::parse_written_json(plain->reveal());
    if (!parsed || !parsed->is_object()) return no_attempt();
    const json::object& from = parsed->get_object();
    Attempt out{.tenant = detail::text_in(from, "tenant"),
                .provider = detail::text_in(from, "provider"),
                .redirect_uri = detail::text_in(from, "redirect_uri"),
                .number = Secret(detail::text_in(from, "number")),
                .ends = detail::time_in(from, "ends").value_or(core::SystemTime())};
    if (out.ends <= now) return no_attempt();
    return out;
}

/// Whether it leads to a program on the host of whoever signs in.
bool is_loopback(std::string_view uri) {
    for (const std::string_view host : {"http://127.0.0.1:", "http://[::1]:"}) {
        if (!uri.starts_with(host)) continue;
        std::string_view rest = uri.substr(host.size());
        unsigned port = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        constexpr std::string_view kPlain =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
        return error == std::errc() && port > 0 && port <= 65535 && rest.starts_with('/') &&
               rest.find_first_not_of(kPlain) == std::string_view::npos;
    }
    return false;
}

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

/// What the claims say, as users know it. Errors: kInvalidToken: a name is missing.
Result<ExternalUser> user_of(const json::object& claims, const IdentityProvider& provider) {
    const auto first = [&](const std::string& name) {
        const std::vector<std::string> all = texts_of_claim(claims, name);
        return all.empty() ? std::string() : all.front();
    };
    ExternalUser out{.tenant = provider.tenant,
                     .provider = provider.name,
                     .issuer = provider.issuer,
                     .subject = detail::text_in(claims, "sub"),
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
    const std::vector<std::string> groups = texts_of_claim(claims, provider.claims.groups);
    for (const auto& [group, role] : provider.role_map) {
        if (detail::holds(groups, group)) out.roles->push_back(role);
    }
    return out;
}

}  // namespace

struct Federation::Body {
    Body(FederationOptions given, FederationDeps with)
        : options(std::move(given)), deps(std::move(with)), client(deps.caller, deps.clock) {}

    core::Deadline deadline() const { return core::Deadline::after(deps.clock, kProviderPatience); }
    Result<SignInBegun> begin(const IdentityProvider& provider, std::string redirect_uri);
    Result<Attempt> check(const ProviderAnswer& answer) const;
    Result<ExternalUser> ask(const IdentityProvider& provider, const Attempt& attempt,
                             const ProviderAnswer& answer);

    static void finish(const std::shared_ptr<Body>& self, const IdentityProvider& provider,
                       const Attempt& attempt, const ProviderAnswer& answer,
                       store::Callback<ProviderSignIn> done);

    const FederationOptions options;
    const FederationDeps deps;
    OpenIdClient client;
};

Result<SignInBegun> Federation::Body::begin(const IdentityProvider& provider,
                                            std::string redirect_uri) {
    ZONA_TRY(const ProviderDescription description, client.describe(provider.issuer, deadline()));
    ZONA_TRY(const auto fields, deps.fields());
    std::array<std::byte, 32> bytes{};
    deps.random.fill(bytes);
    const Attempt attempt{.tenant = provider.tenant,
                          .provider = provider.name,
                          .redirect_uri = std::move(redirect_uri),
                          .number = Secret(crypto::base64url(bytes)),
                          .ends = deps.clock.system() + kAttemptTime};
    crypto::wipe(bytes);
    ZONA_TRY(Secret sealed, seal(*fields, attempt));
    return SignInBegun{.url = url_at(description, provider, attempt),
                       .attempt = std::move(sealed),
                       .expires_at = attempt.ends};
}

/// Whether the answer is one to this attempt.
Result<Attempt> Federation::Body::check(const ProviderAnswer& answer) const {
    ZONA_TRY(const auto fields, deps.fields());
    ZONA_TRY(Attempt attempt, open(*fields, answer.attempt, deps.clock.system()));
    if (!crypto::same_bytes(answer.state, attempt.state())) {
        return Error(Code::kUnauthenticated,
                     "the identity provider's answer is for another sign-in: begin anew");
    }
    if (!answer.error.empty()) {
        const bool is_word =
            answer.error.size() <= 64 &&
            answer.error.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
        return Error(Code::kUnauthenticated,
                     fmt::format("the identity provider did not let you in{}{}",
                                 is_word ? ": " : "", is_word ? answer.error : ""));
    }
    if (answer.code.empty() || answer.code.reveal().size() > kMostCode)
        return Error(Code::kUnauthenticated, "the identity provider's answer has no code");
    return attempt;
}

Result<ExternalUser> Federation::Body::ask(const IdentityProvider& provider, const Attempt& attempt,
                                           const ProviderAnswer& answer) {
    const core::Deadline until = deadline();
    ZONA_TRY(const ProviderDescription description, client.describe(provider.issuer, until));
    const bool is_other =
        answer.issuer.empty() ? description.names_itself : answer.issuer != provider.issuer;
    if (is_other) {
        return Error(Code::kUnauthenticated,
                     "the answer is of another identity provider than was asked: begin anew");
    }
    ZONA_TRY(const Secret token, client.exchange(provider,
                                                 {.code = answer.code,
                                                  .verifier = attempt.verifier(),
                                                  .redirect_uri = attempt.redirect_uri},
                                                 until));
    ZONA_TRY(const auto keys, client.keys_for(provider.issuer, token, until));
    ZONA_TRY(const json::object claims, read_id_token(token.reveal(), keys,
                                                      {.issuer = provider.issuer,
                                                       .client_id = provider.client_id,
                                                       .nonce = attempt.nonce(),
                                                       .now = deps.clock.system()}));
    ZONA_TRY(ExternalUser who, user_of(claims, provider));
    who.used = attempt.nonce();
    who.address = answer.address;
    return who;
}

Federation::Federation(FederationOptions options, FederationDeps deps)
    : body_(std::make_shared<Body>(std::move(options), std::move(deps))) {}

void Federation::begin(const std::string& tenant, const std::string& provider,
                       std::string redirect_uri, store::Callback<SignInBegun> done) {
    const bool is_ours =
        !body_->options.redirect_uri.empty() && redirect_uri == body_->options.redirect_uri;
    if (redirect_uri.size() > kMostRedirect || (!is_ours && !is_loopback(redirect_uri))) {
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
