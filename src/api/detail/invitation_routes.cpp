#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/users/invitations.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Result;
using identity::Invitation;
using identity::Invitations;
using net::Method;
using net::Response;

namespace {

constexpr std::string_view kUsualTime = "3d";

Shape invitation_shape() {
    return Shape::object(
        {required("id", Shape::integer("A number, never reused.")),
         required("tenant", Shape::text("The code of the tenant; `core`: none.")),
         required("email", Shape::text("Of the user that is made; may be empty.")),
         required("roles", roles_shape("What the user may do.")),
         required("created_at", Shape::text("When it was made.").format(Format::kTime)),
         required("expires_at", Shape::text("When it ends.").format(Format::kTime))},
        "An invitation that nobody has taken yet; its token is not shown.");
}

const char* const kInvitationExample = R"({"id": 1, "tenant": "default",
    "email": "bert@acme.example", "roles": ["user"], "created_at": "2026-01-31T12:00:00.000Z",
    "expires_at": "2026-02-03T12:00:00.000Z"})";

json::object shown(const Invitation& invitation) {
    return {{"id", invitation.id},
            {"tenant", shown_tenant(invitation.tenant)},
            {"email", invitation.email},
            {"roles", json::array(invitation.roles.begin(), invitation.roles.end())},
            {"created_at", core::to_rfc3339(invitation.created_at)},
            {"expires_at", core::to_rfc3339(invitation.expires_at)}};
}

Operation list_invitations() {
    return {.path = "/api/v1/tenants/{code}/invitations",
            .id = "listInvitations",
            .tag = Tag::kIdentity,
            .reach = Reach::kTenant,
            .permission =
                identity::Permission{identity::Resource::kInvitations, identity::Action::kRead},
            .summary = "List the invitations of a tenant",
            .description = "Those that nobody has taken, by age, also when their time is over.",
            .parameters = {tenant_parameter()},
            .answers = {{.description = "The invitations.",
                         .shape = Shape::array("By age.", Shape::component("Invitation")),
                         .example = std::string("[") + kInvitationExample + "]"}},
            .errors = identity_errors()};
}

Operation create_invitation() {
    const Shape body =
        Shape::object({optional("email", Shape::text("Of the user that is made.").length(0, 254)),
                       optional("roles", roles_shape("What the user may do; none: nothing.")),
                       optional("expires_in", Shape::text("How long it is good, 30 days at most.")
                                                  .format(Format::kDuration)
                                                  .default_value("\"3d\"")
                                                  .example("\"3d\""))});
    return {
        .method = Method::kPost,
        .path = "/api/v1/tenants/{code}/invitations",
        .id = "createInvitation",
        .tag = Tag::kIdentity,
        .access = Access::kAdmin,
        .reach = Reach::kTenant,
        .permission =
            identity::Permission{identity::Resource::kInvitations, identity::Action::kCreate},
        .feature = tenancy::Feature::kInvitations,
        .summary = "Invite somebody",
        .description =
            "Whoever has the token makes a user with these roles, by "
            "acceptInvitation, and chooses name and password.",
        .parameters = {tenant_parameter()},
        .body = BodySpec{body,
                         {{"bert", "Somebody who uses utilities",
                           R"({"email": "bert@acme.example", "roles": ["user"]})"}}},
        .answers = {{.status = 201,
                     .description = "It can be taken.",
                     .shape = Shape::object(
                         {required("invitation", Shape::component("Invitation", "What was made.")),
                          required("token", Shape::text("It is not shown again."))}),
                     .example = std::string(R"({"invitation": )") + kInvitationExample +
                                R"(, "token": "zona_inv_default...."})"}},
        .errors = identity_errors()};
}

Operation remove_invitation() {
    return {.method = Method::kDelete,
            .path = "/api/v1/tenants/{code}/invitations/{id}",
            .id = "removeInvitation",
            .tag = Tag::kIdentity,
            .access = Access::kAdmin,
            .reach = Reach::kTenant,
            .permission =
                identity::Permission{identity::Resource::kInvitations, identity::Action::kDelete},
            .summary = "Take an invitation back",
            .description = "Its token is good for nothing from then on.",
            .parameters = {tenant_parameter(),
                           {.name = "id",
                            .shape = Shape::integer("Its number.").range(1, INT64_MAX).example("1"),
                            .place = Place::kPath,
                            .presence = Presence::kRequired}},
            .answers = {{.description = "The invitation as it was.",
                         .shape = Shape::component("Invitation"),
                         .example = kInvitationExample}},
            .errors = identity_errors()};
}

Operation accept_invitation() {
    const Shape body = Shape::object(
        {required("token", Shape::text("As createInvitation gave it.").length(1, 200)),
         required("name", Shape::text("What to sign in with from then on.").length(1, 128)),
         required("password",
                  Shape::text("12 characters at least, and not easily guessed.").length(1, 1024))});
    return {.method = Method::kPost,
            .path = "/api/v1/invitations/acceptances",
            .id = "acceptInvitation",
            .tag = Tag::kIdentity,
            .access = Access::kOpen,
            .reach = Reach::kEveryone,
            .summary = "Take an invitation",
            .description = "Makes the user; the token is used up. Needs no key: the token is one.",
            .body = BodySpec{body,
                             {{"bert", "With name and password of one's own",
                               R"({"token": "zona_inv_default.AAAA", "name": "bert",
                                   "password": "tulip orbit kettle"})"}}},
            .answers = {{.status = 201,
                         .description = "It can sign in from now on.",
                         .shape = Shape::object(
                             {required("tenant", Shape::text("The code of its tenant.")),
                              required("name", Shape::text("What it signs in with.")),
                              required("roles", roles_shape("What it may do."))}),
                         .example = R"({"tenant": "default", "name": "bert", "roles": ["user"]})"}},
            .errors = {{Code::kUnauthenticated,
                        "The token is not good: used, taken back, or its time is over."},
                       {Code::kNotFound, "The tenant was erased."},
                       {Code::kConflict, "The name or the address is taken."}}};
}

class InvitationRoutes {
  public:
    InvitationRoutes(Invitations& invitations, tenancy::Tenants& tenants)
        : invitations_(invitations), tenants_(tenants) {}

    Answer list(Call& call) const {
        using All = std::vector<Invitation>;
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        auto begin = [this, tenant](process::Callback<All> done) {
            invitations_.list(tenant, std::move(done));
        };
        ZONA_CO_TRY(const All all, co_await answer_of<All>(std::move(begin)));
        json::array data;
        for (const Invitation& one : all)
            data.push_back(shown(one));
        co_return Response::success(core::to_json(data));
    }

    Answer create(Call& call) const {
        identity::NewInvitation wanted{.tenant = {}};
        ZONA_CO_TRY(wanted.tenant, co_await tenant_in(call, tenants_));
        const json::object& body = call.body().get_object();
        if (const json::value* email = body.if_contains("email"); email && email->is_string())
            wanted.email = std::string(email->get_string());
        if (const json::value* roles = body.if_contains("roles"); roles && roles->is_array())
            wanted.roles = texts_of(*roles);
        const json::value* time = body.if_contains("expires_in");
        const std::string text(time != nullptr && time->is_string()
                                   ? std::string_view(time->get_string())
                                   : kUsualTime);
        ZONA_CO_TRY(const auto duration, core::parse_duration(text));
        wanted.valid_for = std::chrono::duration_cast<std::chrono::seconds>(duration);
        auto begin = [this, by = subject_of(call.request()),
                      wanted = std::move(wanted)](process::Callback<Invitations::Made> done) {
            invitations_.create(by, wanted, std::move(done));
        };
        ZONA_CO_TRY(const auto made, co_await answer_of<Invitations::Made>(std::move(begin)));
        std::string data = "{\"invitation\":" + core::to_json(shown(made.invitation));
        data += ",\"token\":";
        core::append_json_string(data, made.token.reveal());
        data += '}';
        co_return Response::success(data, {}, 201);
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        const auto number = core::parse_integer(call.path("id"));
        auto begin = [this, by = subject_of(call.request()), tenant,
                      id = number ? *number : 0](process::Callback<Invitation> done) {
            invitations_.remove(by, tenant, id, std::move(done));
        };
        ZONA_CO_TRY(const Invitation removed, co_await answer_of<Invitation>(std::move(begin)));
        co_return Response::success(core::to_json(shown(removed)));
    }

    Answer accept(Call& call) const {
        const json::object& body = call.body().get_object();
        const auto text = [&](const char* key) { return std::string(body.at(key).get_string()); };
        identity::Acceptance taken{.token = core::Secret(text("token")),
                                   .name = text("name"),
                                   .password = core::Secret(text("password"))};
        auto begin = [this,
                      taken = std::move(taken)](process::Callback<identity::User> done) mutable {
            invitations_.accept(std::move(taken), std::move(done));
        };
        ZONA_CO_TRY(const auto user, co_await answer_of<identity::User>(std::move(begin)));
        const json::value data = {{"tenant", shown_tenant(user.tenant)},
                                  {"name", user.name},
                                  {"roles", json::array(user.roles.begin(), user.roles.end())}};
        co_return Response::success(core::to_json(data), {}, 201);
    }

  private:
    Invitations& invitations_;
    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_invitation_routes(Service& service, const IdentityDeps* deps,
                                   tenancy::Tenants* tenants) {
    service.name("Invitation", invitation_shape());
    const auto routes =
        deps == nullptr ? nullptr
                        : std::make_shared<const InvitationRoutes>(*deps->invitations, *tenants);
    using Member = Answer (InvitationRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{list_invitations(), &InvitationRoutes::list},
                                                 {create_invitation(), &InvitationRoutes::create},
                                                 {remove_invitation(), &InvitationRoutes::remove},
                                                 {accept_invitation(), &InvitationRoutes::accept}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
