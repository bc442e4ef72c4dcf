#include "tenancy/core_collections.h"

#include "audit/collections.h"
#include "identity/keys/key_store.h"
#include "identity/sessions/session_store.h"
#include "identity/users/collections.h"
#include "jobs/collections.h"
#include "store/counters.h"
#include "tenancy/keys/shared_ring.h"

namespace zona::tenancy {

using store::CollectionSpec;
using store::FieldSpec;
using store::FieldType;
using store::Presence;
using store::Protection;

namespace {

FieldSpec required(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type, .presence = Presence::kRequired};
}

FieldSpec optional(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type};
}

FieldSpec one_of(const char* key, std::vector<std::string> allowed) {
    return {.path = key, .presence = Presence::kRequired, .allowed = std::move(allowed)};
}

FieldSpec secret(const char* key) {
    return {.path = key, .protection = Protection::kEncrypted};
}

/// What TENANT, TENANTDB and TENANTBACKUP have in common.
std::vector<FieldSpec> tenant_fields() {
    return {required("id", FieldType::kInteger),
            required("tenant_code"),
            required("tenant_name"),
            one_of("status", {"active", "inactive", "suspended"}),
            one_of("connection_status", {"connected", "disconnected", "error"}),
            optional("db_host"),
            optional("db_name"),
            optional("db_username"),
            secret("db_password")};
}

std::vector<FieldSpec> whole_tenant_fields() {
    std::vector<FieldSpec> fields = tenant_fields();
    fields.push_back(required("configuration", FieldType::kObject));
    fields.push_back(required("compliance_settings", FieldType::kObject));
    fields.push_back(optional("contact_email"));
    fields.push_back(optional("quotas", FieldType::kObject));
    return fields;
}

/// One that a tenant has any number of.
CollectionSpec of_a_tenant(const char* name) {
    std::vector<FieldSpec> fields = tenant_fields();
    fields.push_back(required("uuid"));
    return {.name = name,
            .fields = std::move(fields),
            .indexes = {{.name = "by_tenant", .fields = {{.path = "tenant_code"}}},
                        {.name = "by_uuid",
                         .fields = {{.path = "uuid"}},
                         .uniqueness = store::Uniqueness::kUnique}}};
}

}  // namespace

const CollectionSpec& tenants_spec() {
    static const CollectionSpec kSpec{
        .name = "tenants",
        .fields = whole_tenant_fields(),
        .indexes = {{.name = "by_created"},
                    {.name = "by_status", .fields = {{.path = "status"}}},
                    {.name = "by_number",
                     .fields = {{.path = "id", .type = FieldType::kInteger}},
                     .uniqueness = store::Uniqueness::kUnique}}};
    return kSpec;
}

const CollectionSpec& tenant_history_spec() {
    static const CollectionSpec kSpec{
        .name = "tenant_history",
        .fields = whole_tenant_fields(),
        .indexes = {{.name = "by_tenant", .fields = {{.path = "tenant_code"}}}}};
    return kSpec;
}

const CollectionSpec& tenant_databases_spec() {
    static const CollectionSpec kSpec = of_a_tenant("tenant_databases");
    return kSpec;
}

const CollectionSpec& tenant_backups_spec() {
    static const CollectionSpec kSpec = of_a_tenant("tenant_backups");
    return kSpec;
}

const CollectionSpec& tenant_work_spec() {
    static const CollectionSpec kSpec{.name = "tenant_work",
                                      .fields = {one_of("kind", {"restore", "erase", "move"})},
                                      .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& license_info_spec() {
    static const CollectionSpec kSpec{
        .name = "license_info",
        .fields = {one_of("license_type", {"trial", "enterprise", "community"}),
                   optional("license_details", FieldType::kObject),
                   optional("max_integrations", FieldType::kInteger),
                   optional("max_tenants", FieldType::kInteger),
                   optional("feature_flags", FieldType::kObject),
                   optional("expiry_date", FieldType::kInteger),
                   optional("usage_metrics", FieldType::kObject),
                   optional("compliance_features", FieldType::kObject)},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& system_config_spec() {
    static const CollectionSpec kSpec{.name = "system_config", .indexes = {{.name = "by_created"}}};
    return kSpec;
}

std::vector<const CollectionSpec*> core_collections() {
    std::vector<const CollectionSpec*> all = {
        &tenants_spec(),        &tenant_history_spec(),  &tenant_databases_spec(),
        &tenant_backups_spec(), &tenant_work_spec(),     &license_info_spec(),
        &system_config_spec(),  &store::counters_spec(), &key_ring_spec()};
    for (const CollectionSpec* spec : jobs::core_collections())
        all.push_back(spec);
    for (const CollectionSpec* spec : audit::core_collections())
        all.push_back(spec);
    for (const CollectionSpec* spec : identity::session_collections())
        all.push_back(spec);
    for (const CollectionSpec* spec : identity::user_collections())
        all.push_back(spec);
    for (const CollectionSpec* spec : identity::api_key_collections())
        all.push_back(spec);
    return all;
}

}  // namespace zona::tenancy
