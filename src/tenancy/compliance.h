/// @file
/// Compliance: what a tenant's `compliance_settings` ask of zona. Value type.
///
///     {"backups_kept": 30, "backup_schedule": "30 2 * * *",
///      "retention_days": {"events": 90},
///      "required_methods": ["certificate+token", "certificate+key"],
///      "masked_fields": {"tasks": ["/customer/email"]}}
///
/// `backup_schedule` is that of the tenant's own backups, in UTC (core/cron.h; empty: none).
/// `retention_days` says after how many days the job `purge` removes a collection's documents, in
/// place of what the collection says, or, of `audit_log`, the job `audit-retention` archives it;
/// `required_methods` what everybody of the tenant has to show at once, any one of several ways
/// (identity/access/methods.h); `masked_fields` what an export shows as "***" unless secret fields
/// are asked for in clear. Other names are the tenant's own. Source: TEN-39, AUTH-31.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cron.h"
#include "core/result.h"
#include "identity/access/methods.h"
#include "store/collection.h"
#include "store/value.h"

namespace zona::tenancy {

/// The members that zona knows.
struct Compliance {
    std::optional<std::int64_t> backups_kept;  ///< 1 or more
    std::optional<core::CronExpression> backup_schedule;
    std::map<std::string, std::chrono::days, std::less<>> retention;
    identity::RequiredMethods required_methods;
    /// JSON pointers, by collection.
    std::map<std::string, std::vector<std::string>, std::less<>> masked;

    /// Errors: kInvalidArgument, naming the member: it is of another form, or names a collection
    /// that there is not or that is not kept by age.
    static core::Result<Compliance> parse(const store::Document& settings);

    /// For how long documents of the collection `of` are kept: what the tenant says, else the
    /// collection itself; none: for ever.
    std::optional<std::chrono::seconds> keeps(const store::CollectionSpec& of) const;
    /// Replaces what is masked in a document of `collection` by kMask (sealed_fields.h).
    void mask(std::string_view collection, store::Document& document) const;
};

}  // namespace zona::tenancy
