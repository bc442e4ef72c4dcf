#include "identity/users/collections.h"

namespace zona::identity {

using store::CollectionSpec;
using store::Coverage;
using store::FieldSpec;
using store::FieldType;
using store::Presence;
using store::Protection;
using store::Uniqueness;

namespace {

/// No delay lasts so long.
constexpr std::chrono::hours kKeepFailures(24);
/// Nothing that a provider answers is good for so long.
constexpr std::chrono::hours kKeepUsed(24);

FieldSpec required(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type, .presence = Presence::kRequired};
}

FieldSpec optional(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type};
}

FieldSpec secret(const char* key) {
    return {.path = key, .protection = Protection::kEncrypted};
}

}  // namespace

const CollectionSpec& users_spec() {
    static const CollectionSpec kSpec{
        .name = "users",
        .fields = {required("name"),
                   required("name_key"),
                   secret("email"),
                   optional("email_key"),
                   optional("external_key"),
                   optional("identity_provider"),
                   required("roles", FieldType::kArray),
                   {.path = "status",
                    .presence = Presence::kRequired,
                    .allowed = {"active", "disabled"}},
                   secret("password"),
                   secret("previous_passwords"),
                   required("must_change_password", FieldType::kBoolean),
                   secret("totp"),
                   secret("totp_begun"),
                   optional("totp_step", FieldType::kInteger),
                   optional("recovery_codes", FieldType::kArray),
                   required("failures", FieldType::kInteger),
                   optional("last_failure", FieldType::kInteger),
                   optional("last_sign_in", FieldType::kInteger),
                   optional("networks", FieldType::kArray)},
        .indexes = {{.name = "by_created"},
                    {.name = "by_name",
                     .fields = {{.path = "name_key"}},
                     .uniqueness = Uniqueness::kUnique},
                    {.name = "by_email",
                     .fields = {{.path = "email_key"}},
                     .uniqueness = Uniqueness::kUnique,
                     .coverage = Coverage::kSparse},
                    {.name = "by_external",
                     .fields = {{.path = "external_key"}},
                     .uniqueness = Uniqueness::kUnique,
                     .coverage = Coverage::kSparse}}};
    return kSpec;
}

const CollectionSpec& invitations_spec() {
    static const CollectionSpec kSpec{
        .name = "invitations",
        .fields = {required("token_hash"), secret("email"), required("roles", FieldType::kArray),
                   required("expires", FieldType::kInteger)},
        .indexes = {{.name = "by_created"},
                    {.name = "by_token",
                     .fields = {{.path = "token_hash"}},
                     .uniqueness = Uniqueness::kUnique}}};
    return kSpec;
}

const CollectionSpec& roles_spec() {
    static const CollectionSpec kSpec{
        .name = "roles",
        .fields = {required("name"), optional("description"),
                   optional("inherits", FieldType::kArray), optional("grants", FieldType::kObject),
                   optional("conditions", FieldType::kObject)},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& identity_providers_spec() {
    static const CollectionSpec kSpec{
        .name = "identity_providers",
        .fields = {required("name"), optional("kind"), optional("display_name"), required("issuer"),
                   optional("metadata"), optional("metadata_url"), required("client_id"),
                   secret("client_secret"), secret("encryption_key"),
                   optional("encryption_certificate"), optional("scopes", FieldType::kArray),
                   optional("claims", FieldType::kObject), optional("roles", FieldType::kObject),
                   optional("default_roles", FieldType::kArray), optional("newcomers"),
                   optional("enabled", FieldType::kBoolean)},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& used_sign_ins_spec() {
    static const CollectionSpec kSpec{.name = "used_sign_ins",
                                      .fields = {required("tenant")},
                                      .indexes = {{.name = "by_created"}},
                                      .retention = store::Retention{.keep = kKeepUsed}};
    return kSpec;
}

const CollectionSpec& identity_keys_spec() {
    static const CollectionSpec kSpec{
        .name = "identity_keys", .fields = {secret("key")}, .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& sign_in_failures_spec() {
    static const CollectionSpec kSpec{
        .name = "sign_in_failures",
        .fields = {required("tenant"), required("failures", FieldType::kInteger),
                   required("last", FieldType::kInteger)},
        .indexes = {{.name = "by_created"}, {.name = "by_tenant", .fields = {{.path = "tenant"}}}},
        .retention = store::Retention{.keep = kKeepFailures}};
    return kSpec;
}

std::vector<const CollectionSpec*> user_collections() {
    std::vector<const CollectionSpec*> all = user_collections_of_tenants();
    all.push_back(&sign_in_failures_spec());
    all.push_back(&used_sign_ins_spec());
    return all;
}

std::vector<const CollectionSpec*> user_collections_of_tenants() {
    return {&users_spec(), &invitations_spec(), &roles_spec(), &identity_keys_spec(),
            &identity_providers_spec()};
}

}  // namespace zona::identity
