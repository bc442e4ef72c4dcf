#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "core/text.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Code;
using core::Result;

asio::awaitable<Result<std::string>> tenant_in(const Call& call, tenancy::Tenants& tenants) {
    const std::string code = call.path(kTenantParameter);
    if (core::lower_ascii(code) == kNoTenant) co_return std::string();
    auto begin = [&tenants, code](process::Callback<tenancy::Tenant> done) {
        tenants.find(code, std::move(done));
    };
    ZONA_CO_TRY(const tenancy::Tenant found, co_await answer_of<tenancy::Tenant>(std::move(begin)));
    if (found.erased_at) co_return core::Error(Code::kNotFound, "this tenant was erased");
    co_return found.code;
}

std::string shown_tenant(const std::string& tenant) {
    return tenant.empty() ? std::string(kNoTenant) : tenant;
}

ParameterSpec tenant_parameter() {
    return {.name = std::string(kTenantParameter),
            .shape = Shape::text("The tenant's code; case does not matter. `core`: those who "
                                 "belong to no tenant.")
                         .example("\"default\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

std::vector<ErrorSpec> identity_errors() {
    return {{Code::kNotFound, "There is no such tenant, user, invitation or role."},
            {Code::kAccessDenied, "Its roles allow more than those of whoever asks."},
            {Code::kInvalidTenant, "The tenant is not that of whoever asks."},
            {Code::kConflict, "A name or address is taken, or something is in use."}};
}

Shape roles_shape(std::string doc) {
    return Shape::array(std::move(doc), Shape::text("A role's name.").example("\"creator\""));
}

std::vector<std::string> texts_of(const boost::json::value& list) {
    std::vector<std::string> out;
    for (const boost::json::value& item : list.get_array())
        out.emplace_back(item.get_string());
    return out;
}

}  // namespace zona::api
