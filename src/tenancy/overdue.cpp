#include "tenancy/overdue.h"

#include <algorithm>
#include <optional>

#include "audit/collections.h"
#include "audit/query.h"
#include "tenancy/compliance.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"

namespace zona::tenancy {

using core::Result;
using core::SystemTime;
using store::CollectionSpec;
using store::Reader;
using store::Scope;

namespace {

/// Of the record by when it happened, which is what it is archived by, of others by their age.
Result<std::optional<SystemTime>> oldest_in(Reader& reader, const CollectionSpec& spec,
                                            const Scope& scope) {
    if (&spec == &audit::audit_log_spec()) {
        const audit::Wanted oldest{.direction = store::Direction::kAscending};
        ZONA_TRY(const auto page, audit::find_entries(reader, scope, oldest, {.limit = 1}));
        if (page.entries.empty()) return std::nullopt;
        return page.entries.front().entry.at;
    }
    const store::Query oldest{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    ZONA_TRY(const store::Page page,
             reader.find_page(store::Collection(spec, scope), oldest, {.limit = 1}));
    if (page.records.empty()) return std::nullopt;
    return page.records.front().created;
}

Result<Compliance> rules_of(Tenants& tenants, const Scope& scope) {
    if (scope == Scope::core()) return Compliance();
    ZONA_TRY(const Tenant tenant, detail::wait_for<Tenant>([&](auto done) {
                 tenants.find(scope.code(), std::move(done));
             }));
    return Compliance::parse(*tenant.compliance_settings);
}

}  // namespace

Result<std::vector<Overdue>> find_overdue(Tenants& tenants, audit::Books& books, const Scope& scope,
                                          SystemTime now) {
    ZONA_TRY(const Compliance rules, rules_of(tenants, scope));
    const auto specs = scope == Scope::core() ? core_collections() : tenant_collections();
    std::vector<Overdue> out;
    ZONA_TRY_VOID(books.read(scope, [&](Reader& reader) -> Result<void> {
        out.clear();
        for (const CollectionSpec* spec : specs) {
            const auto kept = rules.keeps(*spec);
            if (!kept) continue;
            ZONA_TRY(const auto oldest, oldest_in(reader, *spec, scope));
            if (!oldest || *oldest + *kept + kRetentionGrace > now) continue;
            out.push_back({.collection = spec->name, .oldest = *oldest, .due = *oldest + *kept});
        }
        return {};
    }));
    return out;
}

}  // namespace zona::tenancy
