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
using core::JsonReader;
using core::Result;
using core::SystemTime;

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

constexpr std::array kTypes = {LicenseType::kEnterprise, LicenseType::kTrial,
                               LicenseType::kCommunity};
constexpr std::int64_t kTenantsOfCommunity = 10'000;
constexpr std::int64_t kOfTrial = 10;
/// Names of tenants, and flags, in one licence.
constexpr std::size_t kMostNamed = 200;
constexpr std::size_t kMostTextBytes = 200;
constexpr const char* kInstallAnother = "zona license install FILE";

std::string read_text(const JsonReader& from, std::string_view key) {
    std::string out = from.require_string(key);
    if (out.size() > kMostTextBytes)
        from.mistake(key, fmt::format("is longer than {} bytes", kMostTextBytes));
    return out;
}

std::optional<SystemTime> read_moment(const JsonReader& from, std::string_view key) {
    const auto text = from.string(key);
    if (!text) return std::nullopt;
    const auto out = core::parse_rfc3339(*text);
    if (!out) from.mistake(key, "is no time", "write it as 2026-01-31T12:00:00Z");
    return out ? std::optional(*out) : std::nullopt;
}

std::optional<std::int64_t> read_number(const JsonReader& from, std::string_view key,
                                        std::optional<std::int64_t> otherwise) {
    const auto out = from.integer(key, {.least = 0});
    return out ? out : otherwise;
}

std::vector<std::string> read_codes(const JsonReader& from, std::string_view key) {
    auto out = from.strings(key);
    if (!out) return {};
    if (out->empty() || out->size() > kMostNamed)
        from.mistake(key, fmt::format("names not between 1 and {} tenants", kMostNamed));
    for (std::string& code : *out)
        code = core::lower_ascii(code);
    return *std::move(out);
}

std::shared_ptr<const store::Document> read_flags(const JsonReader& from, std::string_view key) {
    const json::value* const all = from.raw(key);
    if (all == nullptr || all->is_null()) return std::make_shared<const json::object>();
    const bool are_flags = all->is_object() && all->get_object().size() <= kMostNamed &&
                           std::ranges::all_of(all->get_object(), [](const auto& flag) {
                               return flag.value().is_bool() && !flag.key().empty();
                           });
    if (!are_flags) {
        from.mistake(key, "is not names with true or false each");
        return std::make_shared<const json::object>();
    }
    return std::make_shared<const json::object>(all->get_object());
}

License read_claims(const JsonReader& from) {
    License out;
    out.id = read_text(from, "id");
    out.holder = read_text(from, "holder");
    const auto type = parse_license_type(from.require_string("type"));
    if (!type) from.mistake("type", type.error().message());
    out.type = type.value_or(LicenseType::kCommunity);
    const auto issued_at = read_moment(from, "issued_at");
    if (!from.has("issued_at")) from.mistake("issued_at", "is missing");
    out.issued_at = issued_at.value_or(SystemTime());
    out.not_before = read_moment(from, "not_before").value_or(out.issued_at);
    out.expiry_date = read_moment(from, "expires_at");
    out.tenants = read_codes(from, "tenants");
    const TypeLimits limits = limits_of(out.type);
    out.max_integrations = read_number(from, "max_integrations", limits.max_integrations);
    const auto tenants = read_number(from, "max_tenants", {});
    if (tenants && !out.tenants.empty())
        from.mistake("max_tenants", "does not go with 'tenants', which says whom it governs");
    if (out.tenants.empty()) out.max_tenants = tenants ? tenants : limits.max_tenants;
    out.feature_flags = read_flags(from, "feature_flags");
    out.compliance_features = read_flags(from, "compliance_features");
    if (out.expiry_date && *out.expiry_date <= out.not_before)
        from.mistake("expires_at", "is not after it begins");
    if (out.type == LicenseType::kTrial && !out.expiry_date)
        from.mistake("expires_at", "is missing, which a trial has");
    return out;
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
        const std::string_view key = core::trimmed(std::string_view(part), kBlanks);
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
    const auto signed_text = identity::Jws::parse(core::trimmed(text, kBlanks));
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
    const JsonReader from(*value);
    License out = read_claims(from);
    ZONA_TRY_VOID(from.finish("the licence"));
    out.text = core::trimmed(text, kBlanks);
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
