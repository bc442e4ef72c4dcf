#include "tenancy/limits/license.h"

#include <array>
#include <string>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "tenancy/core_collections.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using store::Collection;
using store::Document;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr std::array kStrongestFirst = {LicenseType::kEnterprise, LicenseType::kTrial,
                                        LicenseType::kCommunity};

Collection licenses() {
    return Collection(license_info_spec(), store::Scope::core());
}

json::object copy_of(const std::shared_ptr<const Document>& object) {
    return object ? *object : json::object();
}

std::shared_ptr<const Document> object_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_object()) return std::make_shared<const json::object>();
    return std::make_shared<const json::object>(value->get_object());
}

std::optional<std::int64_t> number_of(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<std::int64_t>();
}

std::int64_t microseconds(SystemTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

Document document_of(const License& license) {
    json::object out = {{"license_type", to_string(license.type)},
                        {"license_details", copy_of(license.details)},
                        {"feature_flags", copy_of(license.feature_flags)},
                        {"usage_metrics", copy_of(license.usage_metrics)},
                        {"compliance_features", copy_of(license.compliance_features)}};
    if (license.max_integrations) out["max_integrations"] = *license.max_integrations;
    if (license.max_tenants) out["max_tenants"] = *license.max_tenants;
    if (license.expiry_date) out["expiry_date"] = microseconds(*license.expiry_date);
    return out;
}

Result<License> license_of(const Record& record) {
    const json::object& from = *record.document;
    ZONA_TRY(const LicenseType type, parse_license_type(from.at("license_type").get_string()));
    License out{.type = type,
                .details = object_of(from, "license_details"),
                .max_integrations = number_of(from, "max_integrations"),
                .max_tenants = number_of(from, "max_tenants"),
                .feature_flags = object_of(from, "feature_flags"),
                .usage_metrics = object_of(from, "usage_metrics"),
                .compliance_features = object_of(from, "compliance_features")};
    if (const auto expiry = number_of(from, "expiry_date"))
        out.expiry_date = SystemTime(std::chrono::microseconds(*expiry));
    return out;
}

Result<std::optional<License>> find_license(Reader& core, LicenseType type) {
    ZONA_TRY(const auto found, core.find(licenses(), std::string(to_string(type))));
    if (!found) return std::nullopt;
    ZONA_TRY(License license, license_of(*found));
    return std::optional(std::move(license));
}

Result<std::vector<License>> all_licenses(Reader& core) {
    std::vector<License> out;
    for (const LicenseType type : kStrongestFirst) {
        ZONA_TRY(auto found, find_license(core, type));
        if (found) out.push_back(*std::move(found));
    }
    return out;
}

Result<void> check(const License& license) {
    for (const auto& [name, number] : {std::pair("max_integrations", license.max_integrations),
                                       std::pair("max_tenants", license.max_tenants)}) {
        if (number && *number < 0) {
            return Error(Code::kInvalidArgument,
                         fmt::format("{} of a licence is {}; it is at least 0", name, *number));
        }
    }
    return {};
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
    for (const LicenseType type : kStrongestFirst) {
        if (text == to_string(type)) return type;
    }
    return Error(Code::kInvalidArgument,
                 fmt::format("'{}' is no type of a licence: there are trial, enterprise and "
                             "community",
                             text));
}

void LicenseRepository::put(License license, store::Callback<License> done) {
    if (auto good = check(license); !good) return done(good.take_error());
    store::write(
        *core_,
        [license = std::move(license)](Writer& writer) -> Result<License> {
            ZONA_TRY(const Record stored,
                     writer.upsert(licenses(), std::string(to_string(license.type)),
                                   document_of(license)));
            return license_of(stored);
        },
        std::move(done));
}

void LicenseRepository::find(LicenseType type, store::Callback<std::optional<License>> done) {
    store::read(
        *core_, [type](Reader& reader) { return find_license(reader, type); }, std::move(done));
}

void LicenseRepository::list(store::Callback<std::vector<License>> done) {
    store::read(*core_, [](Reader& reader) { return all_licenses(reader); }, std::move(done));
}

void LicenseRepository::remove(LicenseType type, store::Callback<bool> done) {
    store::write(
        *core_,
        [type](Writer& writer) { return writer.remove(licenses(), std::string(to_string(type))); },
        std::move(done));
}

void LicenseRepository::governing(SystemTime now, store::Callback<std::optional<License>> done) {
    store::read(
        *core_, [now](Reader& reader) { return governing_license(reader, now); }, std::move(done));
}

Result<std::optional<License>> governing_license(Reader& core, SystemTime now) {
    ZONA_TRY(const std::vector<License> all, all_licenses(core));
    for (const License& license : all) {
        if (!license.expiry_date || *license.expiry_date > now) return license;
    }
    if (all.empty()) return std::nullopt;
    return all.front();
}

Result<void> admit_tenant(const std::optional<License>& license, std::uint64_t tenants) {
    if (!license || !license->max_tenants) return {};
    if (tenants < static_cast<std::uint64_t>(*license->max_tenants)) return {};
    return Error(Code::kConflict,
                 fmt::format("the {} licence allows {} tenants, and there are {}",
                             to_string(license->type), *license->max_tenants, tenants));
}

}  // namespace zona::tenancy
