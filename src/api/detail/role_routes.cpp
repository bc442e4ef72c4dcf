#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Result;
using identity::Role;
using identity::Roles;
using net::Method;
using net::Response;

namespace {

constexpr const char* kRolePath = "/api/v1/tenants/{code}/roles/{name}";

Shape grants_shape() {
    return Shape::map(
               "Permissions, `RESOURCE:ACTION`, and on how much each is granted.",
               Shape::text("On one's own, or on all of the tenant's.").choices({"own", "all"}))
        .example(R"({"utilities:execute": "all"})");
}

Shape conditions_shape() {
    return Shape::object(
        {optional("weekdays", Shape::array("Any of them; none: every day.",
                                           Shape::text("A day.").choices(
                                               {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}))),
         optional("from", Shape::text("The first minute of the day, in UTC.").example("\"08:00\"")),
         optional("until", Shape::text("The minute before which it ends; before `from`: on the "
                                       "next day.")
                               .example("\"17:00\"")),
         optional("networks", Shape::array("Any of them; none: from anywhere.",
                                           Shape::text("A network.").example("\"10.0.0.0/8\"")))},
        "When and from where the grants of the role itself hold.");
}

std::vector<Field> written_fields() {
    return {optional("description", Shape::text("For people.").length(0, 500)),
            optional("inherits", roles_shape("Roles whose grants it has, too.")),
            optional("grants", grants_shape()), optional("conditions", conditions_shape())};
}

Shape name_shape() {
    return Shape::text("1 to 64 of a-z, 0-9, `_` and `-`, the first a letter or digit.")
        .length(1, 64)
        .example("\"night-shift\"");
}

Shape role_shape() {
    std::vector<Field> fields = {
        required("name", Shape::text("What it is called.")),
        required("tenant", Shape::text("The code of its tenant; `core`: none.")),
        required("description", Shape::text("For people.")),
        required("inherits", roles_shape("Roles whose grants it has, too.")),
        required("grants", grants_shape()),
        required("conditions", conditions_shape()),
        required("built_in", Shape::boolean("It is there in every tenant, and stays as it is."))};
    return Shape::object(std::move(fields), "What those who have it may do.");
}

const char* const kRoleExample = R"({"name": "night-shift", "tenant": "default",
    "description": "Runs utilities at night", "inherits": ["user"],
    "grants": {"utilities:execute": "all"}, "conditions": {"from": "22:00", "until": "06:00"},
    "built_in": false})";

const char* const kGrants = R"("description": "Runs utilities at night", "inherits": ["user"],
    "grants": {"utilities:execute": "all"}, "conditions": {"from": "22:00", "until": "06:00"}})";

ParameterSpec name_parameter() {
    return {.name = "name",
            .shape = Shape::text("The role's name.").example("\"night-shift\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

AnswerSpec one_role(std::string description, int status = 200) {
    return {.status = status,
            .description = std::move(description),
            .shape = Shape::component("Role"),
            .example = kRoleExample};
}

Operation list_roles() {
    return {.path = "/api/v1/tenants/{code}/roles",
            .id = "listRoles",
            .tag = Tag::kIdentity,
            .reach = Reach::kTenant,
            .permission = identity::Permission{identity::Resource::kRoles, identity::Action::kRead},
            .summary = "List the roles of a tenant",
            .description = "The built-in ones, then its own by age.",
            .parameters = {tenant_parameter()},
            .answers = {{.description = "The roles.",
                         .shape = Shape::array("All of them.", Shape::component("Role")),
                         .example = std::string("[") + kRoleExample + "]"}},
            .errors = identity_errors()};
}

Operation create_role() {
    std::vector<Field> fields = written_fields();
    fields.insert(fields.begin(), required("name", name_shape()));
    return {
        .method = Method::kPost,
        .path = "/api/v1/tenants/{code}/roles",
        .id = "createRole",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kRoles, identity::Action::kCreate},
        .feature = tenancy::Feature::kCustomRoles,
        .summary = "Make a role",
        .description = "Nobody makes one that allows more than they may.",
        .parameters = {tenant_parameter()},
        .body = BodySpec{Shape::object(std::move(fields)),
                         {{"night-shift", "A role that holds at night",
                           std::string(R"({"name": "night-shift", )") + kGrants}}},
        .answers = {one_role("It can be given to users.", 201)},
        .errors = identity_errors()};
}

Operation get_role() {
    return {.path = kRolePath,
            .id = "getRole",
            .tag = Tag::kIdentity,
            .reach = Reach::kTenant,
            .permission = identity::Permission{identity::Resource::kRoles, identity::Action::kRead},
            .summary = "Show one role",
            .description = "Built-in or the tenant's own.",
            .parameters = {tenant_parameter(), name_parameter()},
            .answers = {one_role("The role.")},
            .errors = identity_errors()};
}

Operation replace_role() {
    return {
        .method = Method::kPut,
        .path = kRolePath,
        .id = "replaceRole",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kRoles, identity::Action::kUpdate},
        .feature = tenancy::Feature::kCustomRoles,
        .summary = "Replace what a role allows",
        .description = "All of it but the name; it holds from the next request on.",
        .parameters = {tenant_parameter(), name_parameter()},
        .body =
            BodySpec{Shape::object(written_fields()),
                     {{"night-shift", "A role that holds at night", std::string("{") + kGrants}}},
        .answers = {one_role("The role as it is now.")},
        .errors = identity_errors()};
}

Operation remove_role() {
    return {
        .method = Method::kDelete,
        .path = kRolePath,
        .id = "removeRole",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission = identity::Permission{identity::Resource::kRoles, identity::Action::kDelete},
        .summary = "Remove a role",
        .description = "One that no user, invitation or other role has.",
        .parameters = {tenant_parameter(), name_parameter()},
        .answers = {one_role("The role as it was.")},
        .errors = identity_errors()};
}

json::object shown(const Role& role) {
    json::object out = identity::to_document(role);
    out["tenant"] = shown_tenant(role.tenant);
    out["built_in"] = role.built_in;
    return out;
}

/// As it was asked for; the name may stand in the path.
Result<Role> role_in(const json::value& body, const std::string& tenant,
                     const std::string& name = {}) {
    json::object document = body.get_object();
    if (!name.empty()) document["name"] = name;
    ZONA_TRY(Role role, identity::role_from(document));
    role.tenant = tenant;
    return role;
}

class RoleRoutes {
  public:
    RoleRoutes(Roles& roles, tenancy::Tenants& tenants) : roles_(roles), tenants_(tenants) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        auto begin = [this, tenant](process::Callback<std::vector<Role>> done) {
            roles_.list(tenant, std::move(done));
        };
        ZONA_CO_TRY(const auto all, co_await answer_of<std::vector<Role>>(std::move(begin)));
        json::array data;
        for (const Role& role : all)
            data.push_back(shown(role));
        co_return Response::success(core::to_json(data));
    }

    Answer create(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        ZONA_CO_TRY(Role wanted, role_in(call.body(), tenant));
        auto begin = [this, by = subject_of(call.request()),
                      wanted = std::move(wanted)](process::Callback<Role> done) {
            roles_.create(by, wanted, std::move(done));
        };
        ZONA_CO_TRY(const Role made, co_await answer_of<Role>(std::move(begin)));
        co_return Response::success(core::to_json(shown(made)), {}, 201);
    }

    Answer get(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        auto begin = [this, tenant, name = call.path("name")](process::Callback<Role> done) {
            roles_.find(tenant, name, std::move(done));
        };
        co_return answered(co_await answer_of<Role>(std::move(begin)));
    }

    Answer replace(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        ZONA_CO_TRY(Role wanted, role_in(call.body(), tenant, call.path("name")));
        auto begin = [this, by = subject_of(call.request()),
                      wanted = std::move(wanted)](process::Callback<Role> done) {
            roles_.change(by, wanted, std::move(done));
        };
        co_return answered(co_await answer_of<Role>(std::move(begin)));
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        auto begin = [this, by = subject_of(call.request()), tenant,
                      name = call.path("name")](process::Callback<Role> done) {
            roles_.remove(by, tenant, name, std::move(done));
        };
        co_return answered(co_await answer_of<Role>(std::move(begin)));
    }

  private:
    static Result<Response> answered(const Result<Role>& role) {
        if (!role) return role.error();
        return Response::success(core::to_json(shown(*role)));
    }

    Roles& roles_;
    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_role_routes(Service& service, const IdentityDeps* deps,
                             tenancy::Tenants* tenants) {
    service.name("Role", role_shape());
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const RoleRoutes>(*deps->roles, *tenants);
    using Member = Answer (RoleRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{list_roles(), &RoleRoutes::list},
                                                 {create_role(), &RoleRoutes::create},
                                                 {get_role(), &RoleRoutes::get},
                                                 {replace_role(), &RoleRoutes::replace},
                                                 {remove_role(), &RoleRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
