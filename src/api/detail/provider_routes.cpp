// Identity providers of tenants, and signing in by them.
#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/federation/federation.h"
#include "identity/federation/saml_reader.h"
#include "identity/sessions/sessions.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using identity::IdentityProvider;
using identity::IdentityProviders;
using identity::ProviderAnswer;
using identity::ProviderSignIn;
using identity::SignInBegun;
using net::Method;
using net::Response;

namespace {

constexpr const char* kAllPath = "/api/v1/tenants/{code}/identity-providers";
constexpr const char* kOnePath = "/api/v1/tenants/{code}/identity-providers/{name}";
constexpr std::size_t kLongestText = 512;
constexpr std::size_t kLongestAnswer = 4096;
constexpr std::size_t kLongestEntity = 1024;

using MakeField = Field (*)(std::string, Shape);

/// Each a field as `field` makes it: what is written may be left out or null; what is answered is
/// always there, and empty where the kind of provider has nothing to say.
Shape claims_shape(MakeField field) {
    return Shape::object(
        {field("name", Shape::text("Names the user here; by SAML an attribute, or `NameID`, "
                                   "which is who it is about.")
                           .default_value("\"preferred_username\"")),
         field("email", Shape::text("Of a user that is made.").default_value("\"email\"")),
         field("groups", Shape::text("What `roles` maps; with dots into objects, as in "
                                     "`realm_access.roles`.")
                             .default_value("\"groups\""))},
        "Which claims of the provider's ID token, or attributes of its assertion, say who somebody "
        "is.");
}

std::vector<Field> fields_by(MakeField field) {
    return {
        field("kind", Shape::text("`openid`: OpenID Connect; `saml`: SAML 2.0.")
                          .choices({"openid", "saml"})
                          .default_value("\"openid\"")),
        field("display_name", Shape::text("For people.").length(0, kLongestText)),
        field("issuer", Shape::text("As the provider writes it: an https URL, below which is "
                                    "`/.well-known/openid-configuration`. By SAML its entity "
                                    "id, which its metadata name.")
                            .length(0, kLongestEntity)
                            .example("\"https://login.example/realms/corp\"")),
        field("metadata", Shape::text("By SAML: an EntityDescriptor, XML, as the provider gives "
                                      "it. This, or `metadata_url`.")
                              .length(0, identity::kMostSamlMetadata)),
        field("metadata_url", Shape::text("By SAML: where it is, over https; asked for again "
                                          "after ten minutes.")
                                  .length(0, kLongestText)),
        field("client_id", Shape::text("As which zona is known there, by OpenID Connect.")
                               .length(0, kLongestText)
                               .example("\"zona\"")),
        field("scopes",
              Shape::array("What is asked for.", Shape::text("A scope.").example("\"openid\""))
                  .default_value(R"(["openid", "profile", "email"])")),
        field("claims", claims_shape(field)),
        field("roles", Shape::map("Group and role: who is in the group has the role. None, and "
                                  "no default roles: roles are given here.",
                                  Shape::text("A role's name."))
                           .example(R"({"soc": "creator"})")),
        field("default_roles", roles_shape("Roles of everybody who comes from there.")),
        field("newcomers",
              Shape::text("`existing`: only users that were made here get in, and are linked by "
                          "their name; `create`: a user is made for everybody.")
                  .choices({"existing", "create"})
                  .default_value("\"existing\"")),
        field("enabled",
              Shape::boolean("Whether people can sign in by it.").default_value("true"))};
}

std::vector<Field> written_fields() {
    return fields_by(optional);
}

std::vector<Field> with_secret(std::vector<Field> fields) {
    fields.push_back(
        optional("client_secret",
                 Shape::text("zona's password there; it is shown to nobody. Left out: none, "
                             "or the one that is there.")
                     .length(0, kLongestText)));
    return fields;
}

Shape provider_shape() {
    std::vector<Field> fields = fields_by(required);
    fields.insert(fields.begin(), required("name", Shape::text("What it is called.")));
    fields.push_back(required("tenant", Shape::text("The code of its tenant.")));
    fields.push_back(required("has_secret", Shape::boolean("Whether zona has a password there.")));
    return Shape::object(std::move(fields), "Where users of a tenant sign in.");
}

const char* const kExample = R"({"name": "corp", "tenant": "default",
    "kind": "openid", "display_name": "Corporate login",
    "issuer": "https://login.example/realms/corp", "metadata": "", "metadata_url": "",
    "client_id": "zona", "has_secret": true, "scopes": ["openid", "profile", "email"],
    "claims": {"name": "preferred_username", "email": "email", "groups": "groups"},
    "roles": {"soc": "creator"}, "default_roles": ["user"], "newcomers": "existing",
    "enabled": true})";

const char* const kWritten = R"("issuer": "https://login.example/realms/corp",
    "client_id": "zona", "client_secret": "orchid tundra", "roles": {"soc": "creator"},
    "default_roles": ["user"]})";

ParameterSpec name_parameter() {
    return {.name = "name",
            .shape = Shape::text("The provider's name.").example("\"corp\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

AnswerSpec one_provider(std::string description, int status = 200) {
    return {.status = status,
            .description = std::move(description),
            .shape = Shape::component("IdentityProvider"),
            .example = kExample};
}

/// What all of them have in common.
Operation operation(const char* id, identity::Action action) {
    const bool reads = action == identity::Action::kRead;
    return {.id = id,
            .tag = Tag::kIdentity,
            .access = reads ? Access::kViewer : Access::kAdmin,
            .reach = Reach::kTenant,
            .permission = identity::Permission{identity::Resource::kIdentityProviders, action},
            .parameters = {tenant_parameter()},
            .errors = identity_errors()};
}

Operation list_providers() {
    Operation out = operation("listIdentityProviders", identity::Action::kRead);
    out.path = kAllPath;
    out.summary = "List the identity providers of a tenant";
    out.description = "By age.";
    out.answers = {{.description = "The providers.",
                    .shape = Shape::array("All of them.", Shape::component("IdentityProvider")),
                    .example = std::string("[") + kExample + "]"}};
    return out;
}

/// Those of one by SAML, whose metadata are read when it is set up.
void add_metadata_errors(Operation& operation) {
    operation.errors.push_back({Code::kTimeout, "The metadata's URL does not answer in time."});
    operation.errors.push_back({Code::kUnsupported, "This host lacks what reads SAML."});
}

Operation create_provider() {
    std::vector<Field> fields = with_secret(written_fields());
    fields.insert(fields.begin(),
                  required("name", Shape::text("1 to 64 of a-z, 0-9, `_` and `-`, the first a "
                                               "letter or digit.")
                                       .length(1, 64)
                                       .example("\"corp\"")));
    Operation out = operation("createIdentityProvider", identity::Action::kCreate);
    out.method = Method::kPost;
    out.path = kAllPath;
    out.summary = "Set up an identity provider";
    out.description =
        "A provider by OpenID Connect or SAML, by which users of the tenant sign in. Nobody "
        "maps groups to roles that allow more than they may. What zona is to one by SAML is at "
        "getServiceProvider.";
    add_metadata_errors(out);
    out.body = BodySpec{Shape::object(std::move(fields)),
                        {{"corp", "A provider", std::string(R"({"name": "corp", )") + kWritten}}};
    out.answers = {one_provider("People can sign in by it.", 201)};
    return out;
}

Operation get_provider() {
    Operation out = operation("getIdentityProvider", identity::Action::kRead);
    out.path = kOnePath;
    out.summary = "Show one identity provider";
    out.description = "Without its secret.";
    out.parameters = {tenant_parameter(), name_parameter()};
    out.answers = {one_provider("The provider.")};
    return out;
}

Operation replace_provider() {
    Operation out = operation("replaceIdentityProvider", identity::Action::kUpdate);
    out.method = Method::kPut;
    out.path = kOnePath;
    out.summary = "Replace what an identity provider is";
    out.description =
        "All of it but the name; the secret stays if none is given, but for another "
        "issuer.";
    out.parameters = {tenant_parameter(), name_parameter()};
    out.body = BodySpec{Shape::object(with_secret(written_fields())),
                        {{"corp", "A provider", std::string("{") + kWritten}}};
    out.answers = {one_provider("The provider as it is now.")};
    add_metadata_errors(out);
    return out;
}

Operation remove_provider() {
    Operation out = operation("removeIdentityProvider", identity::Action::kDelete);
    out.method = Method::kDelete;
    out.path = kOnePath;
    out.summary = "Remove an identity provider";
    out.description = "Nobody signs in by it any more; sessions go on.";
    out.parameters = {tenant_parameter(), name_parameter()};
    out.answers = {one_provider("The provider as it was.")};
    return out;
}

std::vector<ErrorSpec> sign_in_errors() {
    return {
        {Code::kNotFound, "There is no such provider, or it is switched off."},
        {Code::kUnavailable, "The provider cannot be reached, or says what it should not."},
        {Code::kTimeout, "The provider does not answer in time."},
        {Code::kUnsupported, "The provider is one by SAML, and this host lacks what reads it."}};
}

Operation begin_sign_in() {
    const Shape body = Shape::object(
        {required("tenant", Shape::text("The tenant's code.").length(1, 64).example("\"default\"")),
         required("provider",
                  Shape::text("The provider's name.").length(1, 64).example("\"corp\"")),
         required(
             "redirect_uri",
             Shape::text("Where people come back to: `federation.redirect_uri`, or a program on "
                         "their host.")
                 .length(1, kLongestText)
                 .example("\"http://127.0.0.1:4711/back\""))});
    return {
        .method = Method::kPost,
        .path = "/api/v1/sign-ins",
        .id = "beginSignIn",
        .tag = Tag::kIdentity,
        .access = Access::kOpen,
        .reach = Reach::kEveryone,
        .summary = "Begin to sign in by an identity provider",
        .description =
            "Gives the URL at which people sign in, and an attempt for finishSignIn, to be kept by "
            "whoever began. Good for ten minutes.",
        .body = BodySpec{body,
                         {{"corp", "By a program on this host",
                           R"({"tenant": "default", "provider": "corp",
                               "redirect_uri": "http://127.0.0.1:4711/back"})"}}},
        .answers = {{.status = 201,
                     .description = "Open the URL in a browser.",
                     .shape = Shape::object(
                         {required("url", Shape::text("At the provider.")),
                          required("attempt", Shape::text("For finishSignIn; secret.")),
                          required("expires_at",
                                   Shape::text("When it is over.").format(Format::kTime))}),
                     .example = R"({"url": "https://login.example/authorize?state=x",
                         "attempt": "zenc1.x", "expires_at": "2026-01-31T12:10:00.000Z"})"}},
        .errors = sign_in_errors()};
}

Operation finish_sign_in() {
    const Shape body = Shape::object(
        {required("attempt", Shape::text("As beginSignIn gave it.").length(1, kLongestAnswer)),
         required("state", Shape::text("As the provider gave it back.").length(1, kLongestText)),
         optional("code", Shape::text("As the provider gave it.").length(0, kLongestAnswer)),
         optional("iss", Shape::text("As the provider gave it.").length(0, kLongestText)),
         optional(
             "error",
             Shape::text("What the provider gave instead of a code.").length(0, kLongestText))});
    Operation out{.method = Method::kPost,
                  .path = "/api/v1/sign-ins/completions",
                  .id = "finishSignIn",
                  .tag = Tag::kIdentity,
                  .access = Access::kOpen,
                  .reach = Reach::kEveryone,
                  .summary = "Finish signing in by an identity provider",
                  .description = "Gives tokens for the provider's answer, which is good once.",
                  .body = BodySpec{body,
                                   {{"corp", "With a code",
                                     R"({"attempt": "zenc1.x", "state": "x", "code": "y"})"}}},
                  .answers = {tokens_answer("A session has begun.")},
                  .errors = sign_in_errors()};
    out.errors.push_back({Code::kUnauthenticated,
                          "The answer is for another sign-in, used, too "
                          "late, or a refusal."});
    out.errors.push_back({Code::kInvalidToken, "The provider's token is not good."});
    out.errors.push_back({Code::kAccessDenied, "The provider's user is none here."});
    out.errors.push_back({Code::kInvalidTenant, "The tenant is not served here."});
    out.errors.push_back({Code::kTenantInactive, "The tenant is not active."});
    return out;
}

json::object shown(const IdentityProvider& provider) {
    json::object out = identity::to_document(provider);
    out["tenant"] = provider.tenant;
    out["has_secret"] = !provider.client_secret.empty();
    return out;
}

/// As it was asked for; the name may stand in the path.
Result<IdentityProvider> provider_in(const json::value& body, const std::string& tenant,
                                     const std::string& name = {}) {
    json::object document = body.get_object();
    if (!name.empty()) document["name"] = name;
    ZONA_TRY(IdentityProvider out, identity::provider_from(document));
    out.tenant = tenant;
    return out;
}

class ProviderRoutes {
  public:
    ProviderRoutes(const IdentityDeps& deps, tenancy::Tenants& tenants)
        : deps_(deps), providers_(*deps.providers), tenants_(tenants) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        using All = std::vector<IdentityProvider>;
        auto begin = [this, tenant](process::Callback<All> done) {
            providers_.list(tenant, std::move(done));
        };
        ZONA_CO_TRY(const All all, co_await answer_of<All>(std::move(begin)));
        json::array data;
        for (const IdentityProvider& provider : all)
            data.push_back(shown(provider));
        co_return Response::success(core::to_json(data));
    }

    Answer create(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        ZONA_CO_TRY(IdentityProvider wanted, co_await complete(provider_in(call.body(), tenant)));
        auto begin = [this, by = subject_of(call.request()),
                      wanted = std::move(wanted)](process::Callback<IdentityProvider> done) {
            providers_.create(by, wanted, std::move(done));
        };
        ZONA_CO_TRY(const auto made, co_await answer_of<IdentityProvider>(std::move(begin)));
        call.changed({}, core::to_json(shown(made)));
        co_return Response::success(core::to_json(shown(made)), {}, 201);
    }

    Answer get(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        ZONA_CO_TRY(const auto found, co_await find(tenant, call.path("name")));
        co_return Response::success(core::to_json(shown(found)));
    }

    Answer replace(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        ZONA_CO_TRY(IdentityProvider wanted,
                    co_await complete(provider_in(call.body(), tenant, call.path("name"))));
        ZONA_CO_TRY(const auto before, co_await find(tenant, call.path("name")));
        auto begin = [this, by = subject_of(call.request()),
                      wanted = std::move(wanted)](process::Callback<IdentityProvider> done) {
            providers_.change(by, wanted, std::move(done));
        };
        ZONA_CO_TRY(const auto now, co_await answer_of<IdentityProvider>(std::move(begin)));
        call.changed(core::to_json(shown(before)), core::to_json(shown(now)));
        co_return Response::success(core::to_json(shown(now)));
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const std::string tenant, co_await tenant_in(call, tenants_));
        auto begin = [this, by = subject_of(call.request()), tenant,
                      name = call.path("name")](process::Callback<IdentityProvider> done) {
            providers_.remove(by, tenant, name, std::move(done));
        };
        ZONA_CO_TRY(const auto was, co_await answer_of<IdentityProvider>(std::move(begin)));
        call.changed(core::to_json(shown(was)), {});
        co_return Response::success(core::to_json(shown(was)));
    }

    Answer begin(Call& call) const {
        const json::object& body = call.body().get_object();
        std::string tenant = core::lower_ascii(text_of(body, "tenant"));
        auto begin = [this, &body, tenant](process::Callback<SignInBegun> done) {
            deps_.federation->begin(tenant, text_of(body, "provider"),
                                    text_of(body, "redirect_uri"), std::move(done));
        };
        ZONA_CO_TRY(const auto begun, co_await answer_of<SignInBegun>(std::move(begin)));
        std::string data = "{\"url\":";
        core::append_json_string(data, begun.url);
        data += ",\"attempt\":";
        core::append_json_string(data, begun.attempt.reveal());
        data += ",\"expires_at\":";
        core::append_json_string(data, core::to_rfc3339(begun.expires_at));
        co_return Response::success(data + "}", {}, 201);
    }

    Answer finish(Call& call) const {
        const json::object& body = call.body().get_object();
        ProviderAnswer answer{.attempt = core::Secret(text_of(body, "attempt")),
                              .state = text_of(body, "state"),
                              .code = core::Secret(text_of(body, "code")),
                              .issuer = text_of(body, "iss"),
                              .error = text_of(body, "error"),
                              .address = client_of(call.request()).address};
        auto ask = [this,
                    answer = std::move(answer)](process::Callback<ProviderSignIn> done) mutable {
            deps_.federation->finish(std::move(answer), std::move(done));
        };
        ZONA_CO_TRY(const auto in, co_await answer_of<ProviderSignIn>(std::move(ask)));
        co_return co_await begin_session(call, deps_, in.who, "provider:" + in.provider);
    }

  private:
    /// With what the provider's metadata say.
    net::asio::awaitable<Result<IdentityProvider>> complete(Result<IdentityProvider> wanted) const {
        if (!wanted) co_return wanted.take_error();
        auto begin =
            [this, wanted = *std::move(wanted)](process::Callback<IdentityProvider> done) mutable {
                deps_.federation->complete(std::move(wanted), std::move(done));
            };
        co_return co_await answer_of<IdentityProvider>(std::move(begin));
    }

    net::asio::awaitable<Result<IdentityProvider>> find(std::string tenant,
                                                        std::string name) const {
        auto begin = [this, tenant = std::move(tenant),
                      name = std::move(name)](process::Callback<IdentityProvider> done) {
            providers_.find(tenant, name, std::move(done));
        };
        co_return co_await answer_of<IdentityProvider>(std::move(begin));
    }

    const IdentityDeps deps_;
    IdentityProviders& providers_;
    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_provider_routes(Service& service, const IdentityDeps* deps,
                                 tenancy::Tenants* tenants) {
    service.name("IdentityProvider", provider_shape());
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const ProviderRoutes>(*deps, *tenants);
    using Member = Answer (ProviderRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{list_providers(), &ProviderRoutes::list},
                                                 {create_provider(), &ProviderRoutes::create},
                                                 {get_provider(), &ProviderRoutes::get},
                                                 {replace_provider(), &ProviderRoutes::replace},
                                                 {remove_provider(), &ProviderRoutes::remove},
                                                 {begin_sign_in(), &ProviderRoutes::begin},
                                                 {finish_sign_in(), &ProviderRoutes::finish}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
