// Signing in by SAML: what differs from OpenID.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/uri.h"
#include "identity/detail/fields.h"
#include "identity/federation/detail/encryption_key.h"
#include "identity/federation/detail/federation_body.h"
#include "identity/federation/id_token.h"
#include "vault/field_sealer.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using detail::Attempt;
using detail::ServiceProvider;

namespace {

constexpr std::string_view kTransient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
constexpr std::size_t kStateLetters = 43;

vault::FieldPlace place_of_code() {
    return {.collection = "sign_ins", .document = "code", .field = "/"};
}

/// The state, and where to send the browser with it: nowhere else than to `redirect_uri` of the
/// options, unless it is said.
struct RelayState {
    std::string state;
    std::string redirect_uri;
};

std::string relay_state(const Attempt& attempt, const std::string& usual) {
    return attempt.redirect_uri == usual ? attempt.state()
                                         : attempt.state() + " " + attempt.redirect_uri;
}

Result<RelayState> read_relay_state(const std::string& text, const std::string& usual) {
    const std::size_t blank = text.find(' ');
    RelayState out{.state = text.substr(0, blank),
                   .redirect_uri = blank == std::string::npos ? usual : text.substr(blank + 1)};
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (out.state.size() != kStateLetters ||
        out.state.find_first_not_of(kLetters) != std::string::npos) {
        return Error(Code::kInvalidArgument,
                     "this answer is to nothing that was asked here (RelayState): begin to sign in "
                     "at zona, not at the identity provider");
    }
    return out;
}

/// Attributes by their Name, else by their FriendlyName; kNameId is the subject.
std::vector<std::string> texts_of(const SamlStatement& statement, const std::string& name) {
    if (name == kNameId) return {statement.subject};
    for (const auto member : {&SamlAttribute::name, &SamlAttribute::friendly_name}) {
        for (const SamlAttribute& one : statement.attributes) {
            if (one.*member == name) return one.values;
        }
    }
    return {};
}

/// Errors: kInvalidToken: it names nobody for good.
Result<ExternalUser> user_in(const SamlStatement& statement, const IdentityProvider& provider) {
    if (statement.format == kTransient) {
        return Error(Code::kInvalidToken,
                     "the identity provider names people anew each time (a transient NameID): it "
                     "has to send one that stays");
    }
    return user_of(provider, "saml " + provider.issuer, statement.format + " " + statement.subject,
                   [&](const std::string& name) { return texts_of(statement, name); });
}

/// Who it is, for whoever began: that is, for who asked with this request.
Result<Secret> seal_code(const vault::FieldSealer& fields, const ExternalUser& who,
                         std::string_view request, core::SystemTime ends) {
    json::object document{{"tenant", who.tenant}, {"provider", who.provider},
                          {"issuer", who.issuer}, {"subject", who.subject},
                          {"name", who.name},     {"email", who.email},
                          {"request", request},   {"ends", detail::to_field(ends)}};
    if (who.roles) document["roles"] = detail::to_field(*who.roles);
    const Secret plain(json::serialize(document));
    ZONA_TRY(std::string sealed, fields.seal(place_of_code(), plain.reveal()));
    return Secret(std::move(sealed));
}

Error no_code() {
    return {Code::kUnauthenticated,
            "this code is for another sign-in, or took too long: begin anew"};
}

Error not_by_saml(const std::string& name) {
    return {Code::kNotFound, fmt::format("nobody signs in by '{}' with SAML", name)};
}

std::string url_with(const std::string& redirect_uri, std::string_view state, std::string_view name,
                     std::string_view value) {
    return fmt::format("{}{}state={}&{}={}", redirect_uri, redirect_uri.contains('?') ? '&' : '?',
                       state, name, core::percent_encoded(value));
}

}  // namespace

Result<ServiceProvider> Federation::Body::us_for(const IdentityProvider& provider) const {
    if (options.public_url.empty()) {
        return Error(Code::kInvalidArgument,
                     "signing in by SAML needs federation.public_url: where browsers find zona");
    }
    ServiceProvider out = ServiceProvider::of(options.public_url, provider.tenant, provider.name);
    out.certificate = provider.encryption_certificate;
    return out;
}

Result<std::string> Federation::Body::saml_url(const IdentityProvider& provider,
                                               const Attempt& attempt) {
    ZONA_TRY(const ServiceProvider us, us_for(provider));
    ZONA_TRY(const SamlMetadata metadata, saml.describe(provider, deadline()));
    return detail::request_url(us, metadata.sign_in_url, attempt.request(),
                               relay_state(attempt, options.redirect_uri), deps.clock.system());
}

Result<std::string> Federation::Body::take(const IdentityProvider& provider,
                                           const SamlAnswer& answer) {
    ZONA_TRY(const ServiceProvider us, us_for(provider));
    ZONA_TRY(const RelayState back, read_relay_state(answer.relay_state, options.redirect_uri));
    if (!may_go_back_to(back.redirect_uri)) {
        return Error(Code::kInvalidArgument,
                     "this answer is to lead to where nobody is sent (RelayState)");
    }
    ZONA_TRY(SamlMetadata metadata, saml.describe(provider, deadline()));
    ZONA_TRY(const SamlReader* const reader, saml_reader());
    const SamlWanted wanted{.issuer = provider.issuer,
                            .certificates = std::move(metadata.certificates),
                            .audience = us.entity_id,
                            .recipient = us.answers,
                            .request = Attempt::request_of(back.state),
                            .key = provider.encryption_key,
                            .now = deps.clock.system(),
                            .leeway = kProviderLeeway};
    const auto statement = reader->read_response(answer.response, wanted);
    if (!statement && statement.error().code() == Code::kUnauthenticated)
        return url_with(back.redirect_uri, back.state, "error", "access_denied");
    if (!statement) return Error(statement.error());
    ZONA_TRY(const ExternalUser who, user_in(*statement, provider));
    ZONA_TRY(const auto fields, deps.fields());
    ZONA_TRY(const Secret code,
             seal_code(*fields, who, wanted.request, deps.clock.system() + kSamlCodeTime));
    return url_with(back.redirect_uri, back.state, "code", code.reveal());
}

Result<ExternalUser> Federation::Body::redeem(const IdentityProvider& provider,
                                              const Attempt& attempt,
                                              const ProviderAnswer& answer) const {
    ZONA_TRY(const auto fields, deps.fields());
    const auto plain = fields->open(place_of_code(), answer.code.reveal());
    if (!plain) return no_code();
    const auto parsed = core::parse_written_json(plain->reveal());
    if (!parsed || !parsed->is_object()) return no_code();
    const json::object& from = parsed->get_object();
    const bool is_ours =
        detail::text_in(from, "tenant") == provider.tenant &&
        detail::text_in(from, "provider") == provider.name &&
        detail::text_in(from, "request") == attempt.request() &&
        detail::time_in(from, "ends").value_or(core::SystemTime()) > deps.clock.system();
    if (!is_ours) return no_code();
    ExternalUser out{.tenant = provider.tenant,
                     .provider = provider.name,
                     .issuer = detail::text_in(from, "issuer"),
                     .subject = detail::text_in(from, "subject"),
                     .name = detail::text_in(from, "name"),
                     .email = detail::text_in(from, "email"),
                     .may_create = provider.newcomers == Newcomers::kCreate};
    if (from.contains("roles")) out.roles = detail::texts_in(from, "roles");
    return out;
}

Result<IdentityProvider> Federation::Body::complete(IdentityProvider wanted) {
    ZONA_TRY_VOID(us_for(wanted));
    ZONA_TRY(SamlMetadata metadata, saml.describe(wanted, deadline()));
    wanted.issuer = std::move(metadata.entity_id);
    ZONA_TRY(detail::EncryptionKey made, detail::new_encryption_key(deps.clock.system()));
    wanted.encryption_key = std::move(made.key);
    wanted.encryption_certificate = std::move(made.certificate);
    return wanted;
}

void Federation::complete(IdentityProvider wanted, store::Callback<IdentityProvider> done) {
    if (wanted.kind != ProviderKind::kSaml) return done(std::move(wanted));
    body_->deps.run_blocking(
        [body = body_, wanted = std::move(wanted), done = std::move(done)]() mutable {
            done(body->complete(std::move(wanted)));
        });
}

void Federation::take(SamlAnswer answer, store::Callback<std::string> done) {
    const std::string tenant = answer.tenant;
    const std::string name = answer.provider;
    auto go_on = [body = body_, answer = std::move(answer),
                  done = std::move(done)](Result<IdentityProvider> found) mutable {
        if (!found) return done(found.take_error());
        if (!found->enabled) return done(switched_off(found->name));
        if (found->kind != ProviderKind::kSaml) return done(not_by_saml(found->name));
        body->deps.run_blocking(
            [body, provider = *std::move(found), answer = std::move(answer),
             done = std::move(done)]() mutable { done(body->take(provider, answer)); });
    };
    body_->deps.providers.find(tenant, name, std::move(go_on));
}

void Federation::describe(const std::string& tenant, const std::string& provider,
                          store::Callback<std::string> done) {
    auto go_on = [body = body_, done = std::move(done)](Result<IdentityProvider> found) mutable {
        if (!found) return done(found.take_error());
        if (found->kind != ProviderKind::kSaml) return done(not_by_saml(found->name));
        auto us = body->us_for(*found);
        if (!us) return done(us.take_error());
        done(detail::metadata_of(*us));
    };
    body_->deps.providers.find(tenant, provider, std::move(go_on));
}

}  // namespace zona::identity
