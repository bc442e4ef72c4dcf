#include "identity/federation/id_token.h"

#include <algorithm>

#include <boost/json.hpp>

#include "core/json.h"
#include "identity/tokens/jws.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

namespace {

Error bad(const char* why) {
    return {Code::kInvalidToken, std::string("the identity provider's token ") + why};
}

bool may_be(const VerificationKey& key, const Jws& token) {
    if (key.algorithm() != token.algorithm()) return false;
    return token.key_id().empty() || key.id() == token.key_id();
}

Result<std::string> verified(const Jws& token, std::span<const VerificationKey> keys) {
    for (const VerificationKey& key : keys) {
        if (!may_be(key, token)) continue;
        if (auto text = token.verified_by(key)) return text;
    }
    return bad("is signed by nobody whose key the provider shows");
}

const json::string* text_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value == nullptr ? nullptr : value->if_string();
}

bool says(const json::object& claims, std::string_view key, std::string_view wanted) {
    const json::string* text = text_in(claims, key);
    return text != nullptr && std::string_view(*text) == wanted;
}

/// A moment in seconds, which some write with a fraction.
std::optional<core::SystemTime> time_in(const json::object& claims, std::string_view key) {
    constexpr double kMost = 9'000'000'000.0;  // within SystemTime
    const json::value* value = claims.if_contains(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    const double seconds = value->to_number<double>();
    if (!(seconds >= 0 && seconds <= kMost)) return std::nullopt;
    return core::SystemTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

Result<void> check_audience(const json::object& claims, const std::string& client) {
    const json::value* audience = claims.if_contains("aud");
    if (audience == nullptr) return bad("names no audience");
    if (const json::array* all = audience->if_array()) {
        const auto is_us = [&](const json::value& one) {
            return one.is_string() && one.get_string() == client;
        };
        if (!std::ranges::any_of(*all, is_us)) return bad("is for another audience");
        if (all->size() > 1 && !claims.contains("azp"))
            return bad("is for several audiences and does not say whose it is (azp)");
    } else if (!says(claims, "aud", client)) {
        return bad("is for another audience");
    }
    if (claims.contains("azp") && !says(claims, "azp", client)) return bad("is another client's");
    return {};
}

Result<void> check_times(const json::object& claims, core::SystemTime now) {
    const auto end = time_in(claims, "exp");
    const auto begin = time_in(claims, "iat");
    if (!end || !begin) return bad("says not when it was made, or when it ends");
    if (*end + kProviderLeeway <= now) return bad("is over");
    if (*begin > now + kProviderLeeway) return bad("is of the future: compare the clocks");
    const auto not_before = time_in(claims, "nbf");
    if (not_before && *not_before > now + kProviderLeeway)
        return bad("is of the future: compare the clocks");
    return {};
}

}  // namespace

bool has_key_for(std::string_view token, std::span<const VerificationKey> keys) {
    const auto parsed = Jws::parse(token);
    if (!parsed) return true;  // no key helps
    return std::ranges::any_of(keys,
                               [&](const VerificationKey& key) { return may_be(key, *parsed); });
}

Result<json::object> read_id_token(std::string_view token, std::span<const VerificationKey> keys,
                                   const IdTokenWanted& wanted) {
    const auto parsed = Jws::parse(token);
    if (!parsed) return bad("is none that can be read");
    ZONA_TRY(const std::string text, verified(*parsed, keys));
    auto read = core::parse_json(text);
    if (!read || !read->is_object()) return bad("holds no claims");
    json::object claims = std::move(read->get_object());
    if (!says(claims, "iss", wanted.issuer)) return bad("is of another issuer");
    ZONA_TRY_VOID(check_audience(claims, wanted.client_id));
    ZONA_TRY_VOID(check_times(claims, wanted.now));
    if (!says(claims, "nonce", wanted.nonce)) return bad("is for another sign-in (nonce)");
    const json::string* subject = text_in(claims, "sub");
    if (subject == nullptr || subject->empty()) return bad("says not who it is about");
    return claims;
}

std::vector<std::string> texts_of_claim(const json::object& claims, std::string_view name) {
    const json::value* value = claims.if_contains(name);
    const std::size_t dot = name.find('.');
    if (value == nullptr && dot != std::string_view::npos) {
        const json::value* inner = claims.if_contains(name.substr(0, dot));
        if (inner == nullptr || !inner->is_object()) return {};
        return texts_of_claim(inner->get_object(), name.substr(dot + 1));
    }
    std::vector<std::string> out;
    if (value == nullptr) return out;
    if (value->is_string()) out.emplace_back(value->get_string());
    if (const json::array* all = value->if_array()) {
        for (const json::value& one : *all) {
            if (one.is_string()) out.emplace_back(one.get_string());
        }
    }
    return out;
}

}  // namespace zona::identity
