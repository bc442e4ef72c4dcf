#include "tenancy/limits/license.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/tokens/jws.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

namespace {

constexpr std::array kTypes = {LicenseType::kEnterprise, LicenseType::kTrial,
                               LicenseType::kCommunity};
constexpr std::int64_t kTenantsOfCommunity = 10'000;
constexpr std::int64_t kOfTrial = 10;
/// Names of tenants, and flags, in one licence.
constexpr std::size_t kMostNamed = 200;
constexpr std::size_t kMostTextBytes = 200;
constexpr const char* kInstallAnother = "zona license install FILE";

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

Error wrong(std::string_view member, std::string_view problem) {
    return Error(Code::kInvalidArgument, fmt::format("the licence: '{}' {}", member, problem))
        .detail({std::string(member), std::string(problem), "ask for another licence"});
}

/// Takes the members out of a payload; what is left nobody knows.
class Claims {
  public:
    explicit Claims(json::object members) : members_(std::move(members)) {}

    Result<std::optional<json::value>> take(std::string_view name, json::kind kind,
                                            std::string_view what) {
        const auto found = members_.find(name);
        if (found == members_.end()) return std::nullopt;
        json::value out = std::move(found->value());
        members_.erase(found);
        if (out.kind() != kind) return wrong(name, fmt::format("is no {}", what));
        return std::optional(std::move(out));
    }

    Result<std::string> text(std::string_view name) {
        ZONA_TRY(const auto value, take(name, json::kind::string, "text"));
        if (!value) return wrong(name, "is missing");
        std::string out(value->get_string());
        if (out.empty() || out.size() > kMostTextBytes)
            return wrong(name, fmt::format("has not between 1 and {} bytes", kMostTextBytes));
        return out;
    }

    Result<std::optional<SystemTime>> moment(std::string_view name) {
        ZONA_TRY(const auto value, take(name, json::kind::string, "text"));
        if (!value) return std::nullopt;
        auto out = core::parse_rfc3339(std::string_view(value->get_string()));
        if (!out) return wrong(name, "is no time like 2026-01-31T12:00:00Z");
        return std::optional(*out);
    }

    Result<std::optional<std::int64_t>> number(std::string_view name) {
        ZONA_TRY(const auto value, take(name, json::kind::int64, "whole number"));
        if (!value) return std::nullopt;
        if (value->get_int64() < 0) return wrong(name, "is below 0");
        return std::optional(value->get_int64());
    }

    Result<std::vector<std::string>> codes(std::string_view name) {
        ZONA_TRY(const auto value, take(name, json::kind::array, "list"));
        std::vector<std::string> out;
        if (!value) return out;
        const json::array& all = value->get_array();
        if (all.empty() || all.size() > kMostNamed)
            return wrong(name, fmt::format("names not between 1 and {} tenants", kMostNamed));
        for (const json::value& one : all) {
            if (!one.is_string()) return wrong(name, "is not all codes");
            out.push_back(core::lower_ascii(std::string_view(one.get_string())));
        }
        return out;
    }

    Result<std::shared_ptr<const store::Document>> flags(std::string_view name) {
        ZONA_TRY(auto value, take(name, json::kind::object, "object"));
        if (!value) return std::make_shared<const json::object>();
        const json::object& all = value->get_object();
        const bool are_flags = std::ranges::all_of(
            all, [](const auto& flag) { return flag.value().is_bool() && !flag.key().empty(); });
        if (!are_flags || all.size() > kMostNamed)
            return wrong(name, "is not names with true or false each");
        return std::make_shared<const json::object>(std::move(value->get_object()));
    }

    Result<void> end() const {
        if (members_.empty()) return {};
        return wrong(members_.begin()->key(), "is not known to this zona, which is too old for it");
    }

  private:
    json::object members_;
};

Result<void> check_whole(const License& license) {
    if (license.expiry_date && *license.expiry_date <= license.not_before)
        return wrong("expires_at", "is not after it begins");
    if (license.type == LicenseType::kTrial && !license.expiry_date)
        return wrong("expires_at", "is missing, which a trial has");
    return {};
}

/// A licence by its words: "the trial licence 2026-0017".
std::string named(const License& license) {
    return fmt::format("the {} licence{}{}", to_string(license.type), license.id.empty() ? "" : " ",
                       license.id);
}

}  // namespace

std::string_view to_string(LicenseType type) {
    switch (type) {
        case LicenseType::kCommunity:
            return "community";
        case LicenseType::kTrial:
            return "trial";
        case LicenseType::kEnterprise:
            return "enterprise";
    }
    return "";
}

Result<LicenseType> parse_license_type(std::string_view text) {
    for (const LicenseType type : kTypes) {
        if (text == to_string(type)) return type;
    }
    return Error(Code::kInvalidArgument,
                 fmt::format("'{}' is no type of a licence: there are trial, enterprise and "
                             "community",
                             text));
}

std::string_view to_string(Feature feature) {
    switch (feature) {
        case Feature::kCustomRoles:
            return "custom_roles";
        case Feature::kInvitations:
            return "invitations";
        case Feature::kTenantMoves:
            return "tenant_moves";
        case Feature::kAuditExport:
            return "audit_export";
        case Feature::kAuditReport:
            return "audit_report";
    }
    return "";
}

std::string_view to_string(LicenseState state) {
    switch (state) {
        case LicenseState::kValid:
            return "valid";
        case LicenseState::kExpired:
            return "expired";
        case LicenseState::kNotYet:
            return "not_yet";
    }
    return "";
}

TypeLimits limits_of(LicenseType type) {
    switch (type) {
        case LicenseType::kCommunity:
            return {.max_integrations = {}, .max_tenants = kTenantsOfCommunity};
        case LicenseType::kTrial:
            return {.max_integrations = kOfTrial, .max_tenants = kOfTrial};
        case LicenseType::kEnterprise:
            break;
    }
    return {};
}

Result<LicenseKeys> LicenseKeys::parse(std::string_view built_in, std::string_view configured) {
    LicenseKeys out;
    const std::string_view all = built_in.empty() ? configured : built_in;
    for (const auto part : std::views::split(all, ',')) {
        const std::string_view key = trimmed(std::string_view(part));
        if (key.empty()) continue;
        auto read = identity::VerificationKey::from_jwk(
            json::object{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", key}});
        if (!read) {
            return Error(Code::kInvalidArgument,
                         fmt::format("license.public_keys: '{}' is no Ed25519 public key in "
                                     "base64url",
                                     key));
        }
        out.keys_.push_back(*std::move(read));
    }
    return out;
}

Result<std::string> LicenseKeys::open(std::string_view text) const {
    if (empty()) {
        return Error(Code::kInvalidArgument,
                     "no licence is taken, for it is not known whose: no public key is set")
            .detail({"license.public_keys", "is empty", "set it to the key of who issues it"});
    }
    const auto signed_text = identity::Jws::parse(trimmed(text));
    if (!signed_text || signed_text->type() != kLicenseTyp) {
        return Error(Code::kInvalidArgument,
                     "this is no licence: it is one line of three parts between dots, signed with "
                     "Ed25519, of the type zona-license")
            .detail({"license", "", "take the file as it was sent"});
    }
    for (const identity::VerificationKey& key : keys_) {
        if (auto payload = signed_text->verified_by(key)) return *std::move(payload);
    }
    return Error(Code::kInvalidArgument,
                 "the licence is not signed by whom zona trusts: it was changed, or it is somebody "
                 "else's")
        .detail({"license", "", "take the file as it was sent, or look at license.public_keys"});
}

bool License::has(Feature feature) const {
    const auto& flags = is_compliance(feature) ? compliance_features : feature_flags;
    const json::value* const flag = flags ? flags->if_contains(to_string(feature)) : nullptr;
    return flag == nullptr || !flag->is_bool() || flag->get_bool();
}

LicenseState License::state(SystemTime now) const {
    if (expiry_date && *expiry_date <= now) return LicenseState::kExpired;
    return now < not_before ? LicenseState::kNotYet : LicenseState::kValid;
}

std::optional<std::int64_t> License::days_left(SystemTime now) const {
    if (!expiry_date) return std::nullopt;
    const auto days = std::chrono::ceil<std::chrono::days>(*expiry_date - now);
    return std::max<std::int64_t>(0, days.count());
}

License community_license() {
    const TypeLimits limits = limits_of(LicenseType::kCommunity);
    return {.type = LicenseType::kCommunity,
            .max_integrations = limits.max_integrations,
            .max_tenants = limits.max_tenants};
}

Result<License> parse_license(std::string_view text, const LicenseKeys& keys) {
    ZONA_TRY(const std::string payload, keys.open(text));
    auto value = core::parse_json(
        payload, {.max_bytes = core::ByteCount(std::int64_t{kMostLicenseBytes}), .max_depth = 3});
    if (!value || !value->is_object())
        return Error(Code::kInvalidArgument, "the licence holds no JSON object");
    Claims claims(std::move(value->get_object()));
    License out;
    ZONA_TRY(out.id, claims.text("id"));
    ZONA_TRY(const std::string type, claims.text("type"));
    ZONA_TRY(out.type, parse_license_type(type));
    ZONA_TRY(out.holder, claims.text("holder"));
    ZONA_TRY(const auto issued_at, claims.moment("issued_at"));
    if (!issued_at) return wrong("issued_at", "is missing");
    out.issued_at = *issued_at;
    ZONA_TRY(const auto not_before, claims.moment("not_before"));
    out.not_before = not_before.value_or(out.issued_at);
    ZONA_TRY(out.expiry_date, claims.moment("expires_at"));
    ZONA_TRY(out.tenants, claims.codes("tenants"));
    const TypeLimits limits = limits_of(out.type);
    ZONA_TRY(const auto integrations, claims.number("max_integrations"));
    out.max_integrations = integrations ? integrations : limits.max_integrations;
    ZONA_TRY(const auto tenants, claims.number("max_tenants"));
    if (tenants && !out.tenants.empty())
        return wrong("max_tenants", "does not go with 'tenants', which says whom it governs");
    if (out.tenants.empty()) out.max_tenants = tenants ? tenants : limits.max_tenants;
    ZONA_TRY(out.feature_flags, claims.flags("feature_flags"));
    ZONA_TRY(out.compliance_features, claims.flags("compliance_features"));
    ZONA_TRY_VOID(claims.end());
    ZONA_TRY_VOID(check_whole(out));
    out.text = trimmed(text);
    return out;
}

License governing(const std::vector<License>& all, std::string_view tenant, SystemTime now) {
    const auto names = [tenant](const License& license) {
        return !tenant.empty() &&
               std::ranges::find(license.tenants, tenant) != license.tenants.end();
    };
    const bool is_named = std::ranges::any_of(all, names);
    const License* out = nullptr;
    for (const License& license : all) {
        if (is_named ? !names(license) : !license.tenants.empty()) continue;
        const auto rank = [now](const License& one) {
            return std::pair(one.state(now) == LicenseState::kValid, one.type);
        };
        if (out == nullptr || rank(*out) < rank(license)) out = &license;
    }
    return out == nullptr ? community_license() : *out;
}

Result<void> admit_tenant(const License& license, std::uint64_t tenants, SystemTime now) {
    ZONA_TRY_VOID(check_valid(license, now));
    if (!license.max_tenants || tenants < static_cast<std::uint64_t>(*license.max_tenants))
        return {};
    return Error(Code::kLicense, fmt::format("{} allows {} tenants, and there are {}",
                                             named(license), *license.max_tenants, tenants))
        .detail({"max_tenants", "", kInstallAnother});
}

Result<void> check_valid(const License& license, SystemTime now) {
    const LicenseState state = license.state(now);
    if (state == LicenseState::kValid) return {};
    const bool is_over = state == LicenseState::kExpired;
    return Error(Code::kLicense,
                 fmt::format("{} {} {}: what there is can be read and exported, and is not changed",
                             named(license), is_over ? "has expired at" : "holds only from",
                             core::to_rfc3339(is_over ? *license.expiry_date : license.not_before)))
        .detail({"license", "", kInstallAnother});
}

Result<void> check_feature(const License& license, Feature feature) {
    if (license.has(feature)) return {};
    return Error(Code::kLicense,
                 fmt::format("{} has '{}' turned off", named(license), to_string(feature)))
        .detail({std::string(to_string(feature)), "", kInstallAnother});
}

}  // namespace zona::tenancy
