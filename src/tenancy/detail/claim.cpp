#include "tenancy/detail/claim.h"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/operation_parts.h"

namespace zona::tenancy::detail {

using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Scope;

Result<void> claim_move(store::Database& core, const TenantWork& work) {
    if (work.instance.empty()) return {};
    auto claimed = store::write_and_wait(core, [&](store::Writer& writer) -> Result<bool> {
        const Collection works(tenant_work_spec(), Scope::core());
        ZONA_TRY(const auto before, writer.find(works, work.tenant));
        if (before) {
            const auto* const by = before->document->if_contains("instance");
            const std::string host(by != nullptr && by->is_string() ? by->get_string() : "");
            if (host != work.instance) return being_done_by(host, work.tenant);
        }
        ZONA_TRY(const auto tenant,
                 writer.find(Collection(tenants_spec(), Scope::core()), work.tenant));
        if (!tenant)
            return Error(Code::kNotFound, fmt::format("there is no tenant '{}'", work.tenant));
        if (tenant->document->at("status").as_string() == to_string(TenantStatus::kActive))
            return served_by_others(work.tenant);
        if (before) return false;
        const boost::json::object document = {
            {"kind", "move"}, {"name", work.name}, {"instance", work.instance}};
        ZONA_TRY_VOID(writer.insert(works, work.tenant, document));
        return true;
    });
    if (!claimed) return claimed.take_error();
    return {};
}

}  // namespace zona::tenancy::detail
