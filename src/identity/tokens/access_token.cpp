#include "identity/tokens/access_token.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "identity/tokens/signing_keys.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

constexpr std::string_view kType = "at+jwt";
/// Of claims: roles are an array in the object.
constexpr core::JsonLimits kLimits{.max_bytes = core::ByteCount::kib(8), .max_depth = 3};
/// The latest moment that a SystemTime can tell, in seconds.
constexpr std::int64_t kLatest = 9'223'372'036;

std::int64_t seconds(SystemTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

Error bad(std::string_view what) {
    return {Code::kInvalidToken, fmt::format("the token is not valid: {}", what)};
}

/// Reads claims by name and type; the first that is wrong is kept.
class Claims {
  public:
    explicit Claims(const json::object& all) : all_(all) {}

    std::string text(std::string_view name) {
        const json::value* const value = all_.if_contains(name);
        if (value != nullptr && value->is_string()) return std::string(value->get_string());
        wrong(name);
        return {};
    }
    std::string optional_text(std::string_view name) {
        return all_.contains(name) ? text(name) : std::string();
    }
    SystemTime time(std::string_view name) {
        const json::value* const value = all_.if_contains(name);
        const auto number = value == nullptr ? std::nullopt : core::whole_number(*value);
        if (number && *number >= 0 && *number <= kLatest)
            return SystemTime(std::chrono::seconds(*number));
        wrong(name);
        return {};
    }
    core::Uuid uuid(std::string_view name) {
        const auto id = core::Uuid::parse(text(name));
        if (!id) wrong(name);
        return id.value_or(core::Uuid{});
    }
    std::int64_t number(std::string_view name) {
        const auto value = core::parse_integer(text(name));
        if (!value || *value <= 0) wrong(name);
        return value.value_or(0);
    }
    std::vector<std::string> texts(std::string_view name) {
        std::vector<std::string> out;
        const json::value* const value = all_.if_contains(name);
        const json::array* const list = value == nullptr ? nullptr : value->if_array();
        if (list == nullptr) wrong(name);
        for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
            const json::string* const one = (*list)[i].if_string();
            if (one == nullptr) {
                wrong(name);
                break;
            }
            out.emplace_back(*one);
        }
        return out;
    }
    /// RFC 7519 section 4.1.3: a text, or several.
    bool is_for(std::string_view audience) const {
        const json::value* const value = all_.if_contains("aud");
        if (value == nullptr) return false;
        if (const json::array* const list = value->if_array())
            return std::ranges::any_of(*list, [&](const json::value& one) {
                return one.is_string() && one.get_string() == audience;
            });
        return value->is_string() && value->get_string() == audience;
    }

    Result<void> finish() const {
        if (!wrong_.empty()) return bad(fmt::format("its '{}' is missing or wrong", wrong_));
        return {};
    }

  private:
    void wrong(std::string_view name) {
        if (wrong_.empty()) wrong_ = name;
    }

    const json::object& all_;
    std::string_view wrong_;
};

}  // namespace

std::string write_access_token(const AccessClaims& claims, const TokenParties& parties,
                               const SigningKey& key) {
    json::object all = {{"iss", parties.issuer},
                        {"aud", parties.audience},
                        {"sub", std::to_string(claims.user_id)}};
    if (!claims.tenant.empty()) all["tenant"] = claims.tenant;
    all["roles"] = json::array(claims.roles.begin(), claims.roles.end());
    all["sid"] = claims.session.to_string();
    all["jti"] = claims.id.to_string();
    all["iat"] = seconds(claims.issued_at);
    all["nbf"] = seconds(claims.issued_at);
    all["exp"] = seconds(claims.expires_at);
    return sign_jws(core::to_json(all), key, kType);
}

Result<AccessClaims> read_access_token(const Jws& token, const VerificationKey& key,
                                       const TokenParties& parties, SystemTime now) {
    ZONA_TRY(const std::string payload, token.verified_by(key));
    if (token.type() != kType) return bad("it is no access token");
    const auto value = core::parse_json(payload, kLimits);
    if (!value || !value->is_object()) return bad("its claims are no JSON object");

    Claims read(value->get_object());
    if (read.text("iss") != parties.issuer) return bad("it is another issuer's");
    if (!read.is_for(parties.audience)) return bad("it is for another audience");
    AccessClaims out{.id = read.uuid("jti"),
                     .session = read.uuid("sid"),
                     .user_id = read.number("sub"),
                     .tenant = read.optional_text("tenant"),
                     .roles = read.texts("roles"),
                     .issued_at = read.time("iat"),
                     .expires_at = read.time("exp")};
    const SystemTime not_before = read.time("nbf");
    ZONA_TRY_VOID(read.finish());
    if (out.issued_at > now + kClockLeeway || not_before > now + kClockLeeway)
        return bad("it is of a time that has not come");
    if (out.expires_at - out.issued_at > kLongestAccess)
        return bad("it would be good for too long");
    return out;
}

}  // namespace zona::identity
