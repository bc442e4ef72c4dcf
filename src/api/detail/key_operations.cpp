#include "api/detail/key_operations.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/detail/identity_routes.h"
#include "identity/keys/api_key.h"

namespace zona::api::detail {

using core::Code;
using identity::Action;
using net::Method;

namespace {

constexpr const char* kNamePattern = "[A-Za-z0-9._-]+";
constexpr std::int64_t kLongestCertificate = 16'384;  ///< characters

Shape name_shape() {
    return Shape::text("What it is called.").pattern(kNamePattern).length(1, 64).example("\"ci\"");
}

Shape tenant_shape() {
    return Shape::text("The code of the only tenant that it reaches; without one it reaches all.")
        .length(1, 64)
        .example("\"acme\"");
}

Shape permissions_shape() {
    return Shape::array("What a limited key may do, on all: RESOURCE:ACTION, as roles have them.",
                        Shape::text("A permission.").length(1, 64).example("\"users:read\""))
        .length(0, identity::kMaxPowersOfKey);
}

Shape key_roles_shape() {
    return Shape::array("Roles of its tenant that a limited key has, in the place of permissions.",
                        Shape::text("A role's name.").length(1, 64).example("\"night-shift\""))
        .length(0, identity::kMaxPowersOfKey);
}

Shape duration_shape(std::string doc, const char* example) {
    return Shape::text(std::move(doc)).format(Format::kDuration).example(example);
}

Shape time_shape(std::string doc) {
    return Shape::text(std::move(doc)).format(Format::kTime).nullable();
}

Shape certificate_shape() {
    return Shape::object(
               {required("sha256", Shape::text("Its fingerprint, 64 digits in hex.")),
                required("subject", Shape::text("Whom it names.").example("\"CN=robot\"")),
                required("not_after", Shape::text("When it ends.").format(Format::kTime))},
               "The client certificate that is shown in the place of a text; null: it is a text.")
        .nullable();
}

Field certificate_field(std::string doc) {
    return optional("certificate", Shape::text(std::move(doc)).length(1, kLongestCertificate));
}

ParameterSpec name_parameter() {
    return {.name = "name",
            .shape = Shape::text("The key's name.").example("\"ci\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

const char* const kKeyExample = R"({"id": "0d6b5a1e-7c1b-4b0e-9d0a-0f2a6a5c1d11",
    "name": "ci", "scope": "limited", "tenant": "acme", "permissions": ["users:read"], "roles": [], "certificate": null,
    "requests_per_second": 100, "burst": 200, "rotate_every": "2592000s",
    "created_at": "2026-01-31T12:00:00.000Z", "due_at": "2026-03-02T12:00:00.000Z",
    "expires_at": "2026-03-09T12:00:00.000Z", "last_used_at": "2026-02-01T08:00:00.000Z",
    "last_address": "192.0.2.7", "requests": 1200, "refusals": 3})";

AnswerSpec new_key(std::string description) {
    return {.status = 201,
            .description = std::move(description),
            .shape = Shape::object(
                {required("name", Shape::text("Its name.")),
                 required("key", Shape::text("The key. It is not shown again. Null: it is the "
                                             "certificate.")
                                     .nullable())}),
            .example = R"({"name": "ci", "key": "zona_key_..."})"};
}

Field overlap_field() {
    return optional("overlap", duration_shape("How long both are valid.", "\"10m\"")
                                   .default_value(fmt::format("\"{}\"", kUsualOverlap)));
}

Shape succession_shape() {
    return Shape::object(
        {overlap_field(),
         certificate_field("The client certificate that follows, in PEM, where the key is one.")});
}

std::vector<ErrorSpec> key_errors(std::vector<ErrorSpec> more) {
    more.push_back({Code::kConflict, "The list of keys of an earlier zona is damaged."});
    return more;
}

Shape new_key_shape(std::vector<Field> more) {
    std::vector<Field> fields{
        required("name", name_shape()),
        optional("scope", Shape::text("A viewer may only read. Left out where there are "
                                      "permissions or roles.")
                              .choices({"viewer", "admin", "limited"})
                              .default_value("\"viewer\"")),
        optional("permissions", permissions_shape()),
        optional("roles", key_roles_shape()),
        optional("requests_per_second",
                 Shape::integer("How often it may ask; 0: as often as it likes; without it, as "
                                "`api.key_requests_per_second` says.")
                     .range(0, 1'000'000)
                     .example("100")),
        optional("burst", Shape::integer("How many may come at once after a rest; without it, "
                                         "those of two seconds.")
                              .range(1, 1'000'000)
                              .example("200")),
        optional("rotate_every",
                 duration_shape("How old it may become. Then a successor is due, and a quarter of "
                                "that later, 7 days at most, it ends.",
                                "\"30d\"")),
        optional("expires_in",
                 duration_shape("How long it is valid; without it, for ever.", "\"30d\"")),
        certificate_field("A client certificate in PEM that is shown in the place of a text: who "
                          "shows it over TLS is this key. One of scope `limited` needs no "
                          "permissions: it counts beside a session or a key.")};
    fields.insert(fields.end(), more.begin(), more.end());
    return Shape::object(std::move(fields));
}

/// The same within a tenant, for who administers it.
Operation of_tenant(Operation out, std::string id, identity::Action action) {
    out.path.replace(0, std::string_view("/api/v1/keys").size(), "/api/v1/tenants/{code}/keys");
    out.id = std::move(id);
    out.reach = Reach::kTenant;
    out.permission = {.resource = identity::Resource::kApiKeys, .action = action};
    out.summary += " of a tenant";
    out.description += " Only keys of this tenant are seen.";
    for (ParameterSpec& name : out.parameters)
        name.shape = Shape::text("The key's name.").example("\"watcher\"");
    out.parameters.insert(out.parameters.begin(), tenant_parameter());
    out.errors.push_back({Code::kNotFound, "There is no such tenant."});
    return out;
}

}  // namespace

Shape key_shape() {
    return Shape::object(
        {required("id", Shape::text("Never reused.").format(Format::kUuid)),
         required("name", Shape::text("Of one key, or of two while a rotation lets them overlap.")),
         required("scope", Shape::text("A viewer may only read; a limited key may do what its "
                                       "permissions or roles say.")
                               .choices({"viewer", "admin", "limited"})),
         required("tenant", tenant_shape().nullable()),
         required("permissions", permissions_shape()), required("roles", key_roles_shape()),
         required("certificate", certificate_shape()),
         required("requests_per_second",
                  Shape::integer("How often it may ask; null: as often as it likes.").nullable()),
         required("burst", Shape::integer("How many may come at once after a rest.").nullable()),
         required("rotate_every",
                  duration_shape("How old it may become; null: as old as it likes.", "\"2592000s\"")
                      .nullable()),
         required("created_at", Shape::text("When it was made.").format(Format::kTime)),
         required("due_at", time_shape("When a successor is due; null: never.")),
         required("expires_at", time_shape("When it ends; null: never.")),
         required("last_used_at", time_shape("When it was shown last; null: never.")),
         required("last_address", Shape::text("From where; null: never.").nullable()),
         required("requests", Shape::integer("That it was taken for.")),
         required("refusals",
                  Shape::integer("Of them, for what it may not do, or more than it may."))},
        "What is known of a key; the key itself is not. Other instances write down within a minute "
        "how they have seen it used.");
}

Operation list_keys() {
    return {.path = "/api/v1/keys",
            .id = "listKeys",
            .tag = Tag::kKeys,
            .summary = "List the API keys",
            .description = "In the order of their making, expired ones included.",
            .answers = {{.description = "The keys.",
                         .shape = Shape::array("All keys.", Shape::component("ApiKey")),
                         .example = fmt::format("[{}]", kKeyExample)}},
            .errors = key_errors({})};
}

Operation get_key() {
    return {.path = "/api/v1/keys/{name}",
            .id = "getKey",
            .tag = Tag::kKeys,
            .summary = "Show an API key",
            .description = "All keys of this name, the latest last.",
            .parameters = {name_parameter()},
            .answers = {{.description = "The keys.",
                         .shape = Shape::array("One or more.", Shape::component("ApiKey")),
                         .example = fmt::format("[{}]", kKeyExample)}},
            .errors = key_errors({{Code::kNotFound, "No key has this name."}})};
}

Operation create_key() {
    return {.method = Method::kPost,
            .path = "/api/v1/keys",
            .id = "createKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Make an API key",
            .description =
                "The key is in the answer, and nowhere else: only its hash is stored. "
                "Nobody makes one that may do more than they may.",
            .body = BodySpec{.shape = new_key_shape({optional("tenant", tenant_shape())}),
                             .examples = {{.name = "viewer",
                                           .summary = "For a reader, for 30 days",
                                           .json = R"({"name": "ci", "scope": "viewer",
                                                       "expires_in": "30d"})"},
                                          {.name = "limited",
                                           .summary = "For one purpose, renewed each month",
                                           .json = R"({"name": "directory", "tenant": "acme",
                                                       "permissions": ["users:read"],
                                                       "requests_per_second": 100,
                                                       "rotate_every": "30d"})"}}},
            .answers = {new_key("It is valid from now on.")},
            .errors = key_errors({{Code::kNotFound, "There is no such tenant or role."},
                                  {Code::kAccessDenied, "It may do more than whoever asks."},
                                  {Code::kConflict, "The name is taken, or the certificate."}})};
}

Operation rotate_key() {
    return {.method = Method::kPost,
            .path = "/api/v1/keys/{name}/rotations",
            .id = "rotateKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Replace an API key",
            .description =
                "Makes a successor of the same name and rights. The old key goes on for "
                "`overlap`, so that clients can be changed one after the other.",
            .parameters = {name_parameter()},
            .body = BodySpec{.shape = succession_shape(),
                             .examples = {{.name = "ten-minutes",
                                           .summary = "Both are valid for ten minutes",
                                           .json = R"({"overlap": "10m"})"}}},
            .answers = {new_key("Both are valid for a while.")},
            .errors = key_errors({{Code::kNotFound, "No valid key has this name."},
                                  {Code::kConflict, "Several tenants have a key of this name."},
                                  {Code::kAccessDenied, "It may do more than whoever asks."}})};
}

Operation renew_key() {
    return {.method = Method::kPost,
            .path = "/api/v1/whoami/rotations",
            .id = "renewOwnKey",
            .tag = Tag::kKeys,
            .access = Access::kOpen,
            .reach = Reach::kEveryone,
            .summary = "Replace the API key that asks",
            .description =
                "For a client that renews its key by itself: one that has "
                "`rotate_every`, of any scope, when it likes. The key that asks goes on "
                "for `overlap`.",
            .body = BodySpec{.shape = succession_shape(),
                             .examples = {{.name = "ten-minutes",
                                           .summary = "Both are valid for ten minutes",
                                           .json = R"({"overlap": "10m"})"}}},
            .answers = {new_key("Both are valid for a while.")},
            .errors = key_errors(
                {{Code::kUnauthenticated, "The request shows no key."},
                 {Code::kConflict, "It has no `rotate_every`, or a successor already."}})};
}

Operation revoke_key() {
    return {.method = Method::kDelete,
            .path = "/api/v1/keys/{name}",
            .id = "revokeKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Take an API key back",
            .description =
                "All keys of this name: here at once, on other instances within a "
                "second. The unix socket needs none.",
            .parameters = {name_parameter()},
            .answers = {{.description = "Nobody gets in by it any more.",
                         .shape = Shape::object({required("name", Shape::text("Its name."))}),
                         .example = R"({"name": "ci"})"}},
            .errors = key_errors({{Code::kNotFound, "No key has this name."},
                                  {Code::kConflict, "Several tenants have a key of this name."},
                                  {Code::kAccessDenied, "It may do more than whoever asks."}})};
}

Operation list_tenant_keys() {
    return of_tenant(list_keys(), "listTenantKeys", Action::kRead);
}

Operation get_tenant_key() {
    return of_tenant(get_key(), "getTenantKey", Action::kRead);
}

Operation create_tenant_key() {
    Operation out = of_tenant(create_key(), "createTenantKey", Action::kCreate);
    out.body->shape = new_key_shape({});
    out.body->examples = {{.name = "watcher",
                           .summary = "For one purpose, renewed each month",
                           .json = R"({"name": "watcher", "permissions": ["users:read"],
                                       "rotate_every": "30d"})"}};
    return out;
}

Operation rotate_tenant_key() {
    return of_tenant(rotate_key(), "rotateTenantKey", Action::kUpdate);
}

Operation revoke_tenant_key() {
    return of_tenant(revoke_key(), "revokeTenantKey", Action::kDelete);
}

}  // namespace zona::api::detail
