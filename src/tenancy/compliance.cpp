#include "tenancy/compliance.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/collections.h"
#include "tenancy/keys/sealed_fields.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::int64_t kMostDays = 36'500;
constexpr std::size_t kMostPointers = 100;

Error wrong(std::string_view member, std::string_view is, std::string hint) {
    return Error(Code::kInvalidArgument, fmt::format("compliance_settings.{} {}", member, is))
        .detail({fmt::format("/compliance_settings/{}", member), std::string(is), std::move(hint),
                 core::Detail::Place::kPointer});
}

const store::CollectionSpec* collection_named(std::string_view name) {
    const auto specs = tenant_collections();
    const auto found = std::ranges::find(specs, name, &store::CollectionSpec::name);
    return found == specs.end() ? nullptr : *found;
}

/// Whether the purge may take its documents: its first index is in the order of age, along which
/// that goes, and it is no part of the record, of which nothing is taken out (AUDIT-05).
bool is_by_age(const store::CollectionSpec& spec) {
    const auto record = audit::tenant_collections();
    return !spec.indexes.empty() && spec.indexes.front().fields.empty() &&
           std::ranges::find(record, &spec) == record.end();
}

Result<std::chrono::days> days_in(std::string_view name, const json::value& value) {
    const std::string member = fmt::format("retention_days.{}", name);
    const store::CollectionSpec* const spec = collection_named(name);
    if (spec == nullptr || (!is_by_age(*spec) && spec != &audit::audit_log_spec())) {
        return wrong(member, "is no collection that is kept by age",
                     "integrations, tasks, active_instances, events, execution_history or "
                     "audit_log");
    }
    if (!value.is_int64() || value.get_int64() < 1 || value.get_int64() > kMostDays) {
        return wrong(member, "is no number of days",
                     fmt::format("a whole number from 1 to {}", kMostDays));
    }
    return std::chrono::days(value.get_int64());
}

Result<std::vector<std::string>> pointers_in(std::string_view name, const json::value& value) {
    const std::string member = fmt::format("masked_fields.{}", name);
    if (collection_named(name) == nullptr)
        return wrong(member, "is no collection", "integrations, tasks, events and so on");
    const json::array* const list = value.if_array();
    std::vector<std::string> out;
    for (const json::value& one : list == nullptr ? json::array() : *list) {
        if (!one.is_string() || !one.get_string().starts_with('/')) break;
        out.emplace_back(one.get_string());
    }
    if (list != nullptr && out.size() == list->size() && out.size() <= kMostPointers) return out;
    return wrong(member, "is no list of JSON pointers",
                 fmt::format("at most {}, each such as \"/customer/email\"", kMostPointers));
}

Result<std::optional<core::CronExpression>> schedule_in(const store::Document& settings) {
    constexpr std::string_view kName = "backup_schedule";
    const json::value* const value = settings.if_contains(kName);
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (!value->is_string()) return wrong(kName, "is no text", "five fields, as in crontab(5)");
    if (value->get_string().empty()) return std::nullopt;
    auto parsed = core::CronExpression::parse(value->get_string());
    if (parsed) return std::optional(*std::move(parsed));
    return wrong(kName, "is no schedule: " + parsed.error().message(), "as \"30 2 * * *\", in UTC");
}

Result<identity::RequiredMethods> methods_in(const store::Document& settings) {
    constexpr std::string_view kName = "required_methods";
    constexpr std::size_t kMostWays = 16;
    const json::value* const value = settings.if_contains(kName);
    if (value == nullptr) return identity::RequiredMethods();
    const json::array* const list = value->if_array();
    std::vector<std::string> ways;
    for (const json::value& one : list == nullptr ? json::array() : *list) {
        if (one.is_string()) ways.emplace_back(one.get_string());
    }
    if (list == nullptr || ways.size() != list->size() || ways.size() > kMostWays)
        return wrong(kName, "is no list of ways", "as [\"certificate+token\"]");
    auto parsed = identity::RequiredMethods::parse(ways);
    if (parsed) return parsed;
    return wrong(kName, "has a wrong way: " + parsed.error().message(),
                 "key, token, certificate, second_factor, joined by '+'");
}

/// Calls `take` with each member of the object `name`.
template <class Take>
Result<void> for_each_in(const store::Document& settings, std::string_view name, Take take) {
    const json::value* const value = settings.if_contains(name);
    if (value == nullptr) return {};
    if (!value->is_object()) return wrong(name, "is no object", "give a value for each collection");
    for (const auto& member : value->get_object())
        ZONA_TRY_VOID(take(std::string(member.key()), member.value()));
    return {};
}

}  // namespace

Result<Compliance> Compliance::parse(const store::Document& settings) {
    Compliance out;
    if (const json::value* const kept = settings.if_contains("backups_kept")) {
        if (!kept->is_int64() || kept->get_int64() < 1)
            return wrong("backups_kept", "is no number of backups", "a whole number from 1");
        out.backups_kept = kept->get_int64();
    }
    ZONA_TRY(out.backup_schedule, schedule_in(settings));
    ZONA_TRY(out.required_methods, methods_in(settings));
    ZONA_TRY_VOID(
        for_each_in(settings, "retention_days",
                    [&](const std::string& name, const json::value& value) -> Result<void> {
                        ZONA_TRY(out.retention[name], days_in(name, value));
                        return {};
                    }));
    ZONA_TRY_VOID(
        for_each_in(settings, "masked_fields",
                    [&](const std::string& name, const json::value& value) -> Result<void> {
                        ZONA_TRY(out.masked[name], pointers_in(name, value));
                        return {};
                    }));
    return out;
}

std::optional<std::chrono::seconds> Compliance::keeps(const store::CollectionSpec& of) const {
    if (const auto own = retention.find(of.name); own != retention.end()) return own->second;
    if (of.retention) return of.retention->keep;
    return std::nullopt;
}

void Compliance::mask(std::string_view collection, store::Document& document) const {
    const auto found = masked.find(collection);
    if (found == masked.end()) return;
    json::value whole = std::move(document);
    for (const std::string& pointer : found->second) {
        json::error_code missing;
        json::value* const value = whole.find_pointer(pointer, missing);
        if (value != nullptr && !value->is_null()) *value = json::string(kMask);
    }
    document = std::move(whole.get_object());
}

}  // namespace zona::tenancy
