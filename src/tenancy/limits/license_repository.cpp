#include "tenancy/limits/license_repository.h"

#include <array>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/time_format.h"
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
constexpr const char* kDetails = "license_details";
constexpr const char* kUsage = "usage_metrics";
constexpr const char* kSigned = "signed";
constexpr const char* kWarned = "warned_at";

Collection licenses() {
    return Collection(license_info_spec(), store::Scope::core());
}

std::string id_of(LicenseType type) {
    return std::string(to_string(type));
}

json::object object_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_object() ? value->get_object() : json::object();
}

json::object copy_of(const std::shared_ptr<const Document>& object) {
    return object ? *object : json::object();
}

std::int64_t microseconds(SystemTime time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

json::object details_of(const License& license) {
    json::array tenants;
    for (const std::string& code : license.tenants)
        tenants.emplace_back(code);
    return {{"id", license.id},
            {"holder", license.holder},
            {"issued_at", core::to_rfc3339(license.issued_at)},
            {"not_before", core::to_rfc3339(license.not_before)},
            {"tenants", std::move(tenants)},
            {kSigned, license.text}};
}

Document document_of(const License& license) {
    json::object out = {{"license_type", to_string(license.type)},
                        {kDetails, details_of(license)},
                        {"feature_flags", copy_of(license.feature_flags)},
                        {kUsage, copy_of(license.usage_metrics)},
                        {"compliance_features", copy_of(license.compliance_features)}};
    if (license.max_integrations) out["max_integrations"] = *license.max_integrations;
    if (license.max_tenants) out["max_tenants"] = *license.max_tenants;
    if (license.expiry_date) out["expiry_date"] = microseconds(*license.expiry_date);
    return out;
}

/// By the text that was signed; of the record only what zona itself has noted. None: what stands
/// there is not signed, or of another type.
std::optional<License> license_of(const Record& record, LicenseType type, const LicenseKeys& keys) {
    const json::object details = object_in(*record.document, kDetails);
    const json::value* const text = details.if_contains(kSigned);
    if (text == nullptr || !text->is_string()) return std::nullopt;
    auto out = parse_license(std::string_view(text->get_string()), keys);
    if (!out || out->type != type) return std::nullopt;
    out->usage_metrics = std::make_shared<const Document>(object_in(*record.document, kUsage));
    if (const json::value* warned = details.if_contains(kWarned); warned && warned->is_int64())
        out->warned_at = warned->get_int64();
    return *std::move(out);
}

Result<std::optional<License>> find_license(Reader& core, LicenseType type,
                                            const LicenseKeys& keys) {
    ZONA_TRY(const auto found, core.find(licenses(), id_of(type)));
    if (!found) return std::nullopt;
    return license_of(*found, type, keys);
}

Result<void> check_moment(const License& license, SystemTime now) {
    const LicenseState state = license.state(now);
    if (state == LicenseState::kValid) return {};
    const bool is_over = state == LicenseState::kExpired;
    return Error(Code::kInvalidArgument,
                 fmt::format("the licence {} {} {}", license.id,
                             is_over ? "has expired at" : "holds only from",
                             core::to_rfc3339(is_over ? *license.expiry_date : license.not_before)))
        .detail({"license", "", is_over ? "ask for another one" : "install it then"});
}

}  // namespace

Result<std::vector<License>> installed_licenses(Reader& core, const LicenseKeys& keys) {
    std::vector<License> out;
    if (keys.empty()) return out;
    for (const LicenseType type : kStrongestFirst) {
        ZONA_TRY(auto found, find_license(core, type, keys));
        if (found) out.push_back(*std::move(found));
    }
    return out;
}

void LicenseRepository::install(const std::string& text, SystemTime now,
                                store::Callback<License> done) {
    auto wanted = parse_license(text, keys_);
    if (!wanted) return done(wanted.take_error());
    if (auto good = check_moment(*wanted, now); !good) return done(good.take_error());
    store::write(
        *core_,
        [keys = keys_, wanted = *std::move(wanted)](Writer& writer) -> Result<License> {
            ZONA_TRY(const auto before, find_license(writer, wanted.type, keys));
            if (before && before->text == wanted.text) return *before;
            if (before && before->issued_at > wanted.issued_at) {
                return Error(Code::kConflict,
                             fmt::format("the {} licence {} is installed, which was issued later",
                                         to_string(before->type), before->id));
            }
            ZONA_TRY_VOID(writer.upsert(licenses(), id_of(wanted.type), document_of(wanted)));
            return wanted;
        },
        std::move(done));
}

void LicenseRepository::list(store::Callback<std::vector<License>> done) {
    store::read(
        *core_, [keys = keys_](Reader& reader) { return installed_licenses(reader, keys); },
        std::move(done));
}

void LicenseRepository::note_warning(LicenseType type, const std::string& id, std::int64_t days,
                                     store::Callback<bool> done) {
    store::write(
        *core_,
        [keys = keys_, type, id, days](Writer& writer) -> Result<bool> {
            ZONA_TRY(const auto license, find_license(writer, type, keys));
            if (!license || license->id != id) return false;
            if (license->warned_at && *license->warned_at <= days) return false;
            const auto update = store::Update().set({kDetails, kWarned}, days);
            ZONA_TRY_VOID(writer.modify(licenses(), id_of(type), update));
            return true;
        },
        std::move(done));
}

void LicenseRepository::note_usage(LicenseType type, Document usage, store::Callback<bool> done) {
    store::write(
        *core_,
        [type, usage = std::move(usage)](Writer& writer) -> Result<bool> {
            ZONA_TRY(const auto there, writer.find(licenses(), id_of(type)));
            if (!there) return false;
            const json::value value(usage);
            ZONA_TRY_VOID(
                writer.modify(licenses(), id_of(type), store::Update().set(kUsage, value)));
            return true;
        },
        std::move(done));
}

}  // namespace zona::tenancy
