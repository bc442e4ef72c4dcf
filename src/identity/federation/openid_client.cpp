#include "identity/federation/openid_client.h"

#include <algorithm>
#include <optional>
#include <span>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/uri.h"
#include "crypto/encoding.h"
#include "identity/detail/fields.h"
#include "identity/federation/id_token.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using net::OutgoingRequest;
using net::OutgoingResponse;

namespace {

constexpr std::size_t kMostIssuers = 256;
constexpr int kOk = 200;
constexpr int kBadRequest = 400;
constexpr int kUnauthorized = 401;

Error strange(std::string_view what) {
    return {Code::kUnavailable, fmt::format("the identity provider's {}", what)};
}

Result<json::object> object_of(const OutgoingResponse& answer, std::string_view what) {
    if (answer.status != kOk)
        return strange(fmt::format("{} cannot be had: status {}", what, answer.status));
    auto parsed = core::parse_json(answer.body);
    if (!parsed || !parsed->is_object()) return strange(fmt::format("{} is no JSON object", what));
    return std::move(parsed->get_object());
}

/// A word that a provider gives for an error; nothing else of it is repeated.
std::string error_in(const OutgoingResponse& answer) {
    constexpr std::size_t kMost = 64;
    const auto parsed = core::parse_json(answer.body);
    if (!parsed || !parsed->is_object()) return "";
    std::string word = detail::text_in(parsed->get_object(), "error");
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_";
    if (word.size() > kMost || word.find_first_not_of(kLetters) != std::string::npos) return "";
    return word;
}

std::string form_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        if (!out.empty()) out += '&';
        out += fmt::format("{}={}", name, core::percent_encoded(value));
    }
    return out;
}

}  // namespace

Result<ProviderDescription> OpenIdClient::ask(const std::string& issuer, core::Deadline deadline) {
    const std::string_view base =
        issuer.ends_with('/') ? std::string_view(issuer).substr(0, issuer.size() - 1) : issuer;
    ZONA_TRY(
        const OutgoingResponse answer,
        caller_.call({.url = fmt::format("{}/.well-known/openid-configuration", base)}, deadline));
    ZONA_TRY(const json::object from, object_of(answer, "description"));
    if (detail::text_in(from, "issuer") != issuer)
        return strange("description is of another issuer than the one that is set here");
    ProviderDescription out{
        .authorization_endpoint = detail::text_in(from, "authorization_endpoint"),
        .token_endpoint = detail::text_in(from, "token_endpoint"),
        .key_set = detail::text_in(from, "jwks_uri"),
        .names_itself = detail::flag_in(from, "authorization_response_iss_parameter_supported")};
    const auto is_url = [](const std::string& text) {
        return text.starts_with("https://") || text.starts_with("http://");
    };
    if (!is_url(out.authorization_endpoint) || !is_url(out.token_endpoint) || !is_url(out.key_set))
        return strange("description lacks an endpoint");
    const auto methods = detail::texts_in(from, "token_endpoint_auth_methods_supported");
    out.takes_basic = methods.empty() || detail::holds(methods, "client_secret_basic");
    return out;
}

Result<ProviderDescription> OpenIdClient::describe(const std::string& issuer,
                                                   core::Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = known_.find(issuer);
        if (found != known_.end() && clock_.steady() - found->second.described_at < kProviderKept)
            return found->second.description;
    }
    ZONA_TRY(ProviderDescription asked, ask(issuer, deadline));
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kMostIssuers) known_.clear();
    Known& one = known_[issuer];
    // Keys of another place are others.
    if (one.description.key_set != asked.key_set) one.has_keys = false;
    one.description = asked;
    one.described_at = clock_.steady();
    return asked;
}

Result<std::vector<VerificationKey>> OpenIdClient::keys_for(const std::string& issuer,
                                                            const Secret& token,
                                                            core::Deadline deadline) {
    ZONA_TRY(const ProviderDescription description, describe(issuer, deadline));
    {
        const std::lock_guard lock(mutex_);
        const auto found = known_.find(issuer);
        if (found != known_.end() && found->second.has_keys) {
            const auto age = clock_.steady() - found->second.keys_at;
            const bool fits = has_key_for(token.reveal(), found->second.keys);
            if (age < (fits ? std::chrono::nanoseconds(kProviderKept) : kKeyPause))
                return found->second.keys;
        }
    }
    ZONA_TRY(const OutgoingResponse answer, caller_.call({.url = description.key_set}, deadline));
    if (answer.status != kOk)
        return strange(fmt::format("keys cannot be had: status {}", answer.status));
    auto keys = parse_key_set(answer.body);
    if (!keys) return strange(fmt::format("keys are none: {}", keys.error().message()));
    const std::lock_guard lock(mutex_);
    Known& one = known_[issuer];
    one.keys = *keys;
    one.keys_at = clock_.steady();
    one.has_keys = true;
    return *std::move(keys);
}

Result<Secret> OpenIdClient::exchange(const IdentityProvider& provider, const CodeGrant& grant,
                                      core::Deadline deadline) {
    ZONA_TRY(const ProviderDescription description, describe(provider.issuer, deadline));
    std::string form = form_of({{"grant_type", "authorization_code"},
                                {"code", grant.code.reveal()},
                                {"redirect_uri", grant.redirect_uri},
                                {"code_verifier", grant.verifier.reveal()}});
    OutgoingRequest request{.method = "POST",
                            .url = description.token_endpoint,
                            .repeat = net::Repeat::kNot};  // a code is good once
    request.headers.emplace_back("Content-Type", Secret("application/x-www-form-urlencoded"));
    request.headers.emplace_back("Accept", Secret("application/json"));
    const std::string_view secret = provider.client_secret.reveal();
    if (secret.empty() || !description.takes_basic) {
        form += "&" + form_of({{"client_id", provider.client_id}});
        if (!secret.empty()) form += "&" + form_of({{"client_secret", secret}});
    } else {
        // RFC 6749 section 2.3.1: both encoded as in a form.
        const std::string both = fmt::format("{}:{}", core::percent_encoded(provider.client_id),
                                             core::percent_encoded(secret));
        request.headers.emplace_back(
            "Authorization", Secret("Basic " + crypto::base64(std::as_bytes(std::span(both)))));
    }
    request.body = Secret(std::move(form));
    ZONA_TRY(OutgoingResponse answer, caller_.call(request, deadline));
    if (answer.status == kBadRequest || answer.status == kUnauthorized) {
        const std::string word = error_in(answer);
        if (word == "invalid_client" || word == "unauthorized_client") {
            return strange(
                fmt::format("token endpoint does not take the client's id and secret "
                            "that are set here ({})",
                            word));
        }
        return Error(Code::kUnauthenticated,
                     fmt::format("the identity provider does not take the code{}{}",
                                 word.empty() ? "" : ": ", word));
    }
    ZONA_TRY(const json::object body, object_of(answer, "answer to a code"));
    Secret token(detail::text_in(body, "id_token"));
    if (token.empty()) return strange("answer to a code has no id_token");
    return token;
}

}  // namespace zona::identity
