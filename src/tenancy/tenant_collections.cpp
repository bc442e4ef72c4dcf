// The collections that every tenant has, each declared here and nowhere else. What must be there is
// for the modules that own them to say; what is there has the type of the specification. Moments
// are microseconds since 1970.
#include <array>

#include "audit/collections.h"
#include "jobs/collections.h"
#include "tenancy/tenant_settings.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

using store::CollectionSpec;
using store::Coverage;
using store::FieldSpec;
using store::FieldType;
using store::IndexField;
using store::IndexSpec;

namespace {

using Paths = std::vector<const char*>;

FieldSpec status(std::vector<std::string> allowed) {
    return {.path = "status", .allowed = std::move(allowed)};
}

/// What an integration's definition flags as secret (GAP-18).
FieldSpec secrets() {
    return {.path = "secret_fields",
            .type = FieldType::kObject,
            .protection = store::Protection::kEncrypted};
}

/// `fields` and those of the other lists, all optional.
struct Typed {
    Paths texts;
    Paths integers;
    Paths booleans;
    Paths objects;
    Paths arrays;
};

std::vector<FieldSpec> fields_of(const Typed& typed, std::vector<FieldSpec> fields) {
    const auto add = [&fields](const Paths& paths, FieldType type) {
        for (const char* path : paths)
            fields.push_back({.path = path, .type = type});
    };
    add(typed.texts, FieldType::kText);
    add(typed.integers, FieldType::kInteger);
    add(typed.booleans, FieldType::kBoolean);
    add(typed.objects, FieldType::kObject);
    add(typed.arrays, FieldType::kArray);
    return fields;
}

/// The order of creation first: the purge goes by it.
std::vector<IndexSpec> indexes_by(const std::vector<std::vector<IndexField>>& all) {
    std::vector<IndexSpec> out = {{.name = "by_created"}};
    for (const std::vector<IndexField>& fields : all) {
        std::string name = "by";
        for (const IndexField& field : fields)
            name += "_" + field.path.pointer().substr(1);
        out.push_back({.name = std::move(name), .fields = fields, .coverage = Coverage::kSparse});
    }
    return out;
}

IndexField text(const char* path) {
    return {.path = path};
}
IndexField number(const char* path) {
    return {.path = path, .type = FieldType::kInteger};
}

/// DATA-02.
CollectionSpec integrations() {
    const Typed typed{
        .texts = {"title", "description", "version", "category", "tenant_code", "logo"},
        .integers = {"integration_id", "user_id", "created_ts", "updated_ts"},
        .booleans = {"generic_app", "add_instance"},
        .objects = {"metadata"},
        .arrays = {"fields"}};
    return {
        .name = "integrations",
        .fields = fields_of(typed, {status({"active", "inactive", "deleted", "draft"}), secrets()}),
        .indexes = indexes_by({{text("status")}, {text("category")}}),
        .search = {"title", "description", "category"}};
}

/// DATA-03.
CollectionSpec tasks() {
    const Typed typed{
        .texts = {"name", "task_tag", "task_handler", "tenant_code", "logo_path"},
        .integers = {"id", "integration_id", "execution_order", "created_ts", "updated_ts"},
        .booleans = {"ingest_cases"},
        .objects = {"fields", "case_ingestion_config", "events_api_config", "validation_rules",
                    "error_handling"},
        .arrays = {}};
    std::vector<IndexSpec> indexes =
        indexes_by({{number("integration_id"), number("execution_order")}, {text("status")}});
    indexes.push_back({.name = "by_tag",
                       .fields = {text("task_tag")},
                       .uniqueness = store::Uniqueness::kUnique,
                       .coverage = Coverage::kSparse});
    return {.name = "tasks",
            .fields = fields_of(typed, {status({"active", "inactive", "draft", "deleted"})}),
            .indexes = std::move(indexes),
            .search = {"name", "task_tag"}};
}

/// DATA-04.
CollectionSpec active_instances() {
    const Typed typed{
        .texts = {"title", "tenant_code", "base_url"},
        .integers = {"instance_id", "integration_id", "credentials_id", "user_id", "created_ts",
                     "updated_ts", "last_health_check"},
        .booleans = {"is_encrypted"},
        .objects = {"fields", "health_check_config", "rate_limiting", "monitoring_settings"},
        .arrays = {}};
    return {.name = "active_instances",
            .fields = fields_of(
                typed, {status({"active", "inactive", "error", "maintenance"}), secrets()}),
            .indexes = indexes_by({{number("integration_id")}, {text("status")}}),
            .search = {"title", "base_url"}};
}

/// DATA-37.
CollectionSpec events() {
    const Typed typed{.texts = {"event_id", "tenant_code", "severity", "status"},
                      .integers = {"instance_id", "occurred_at"},
                      .booleans = {},
                      .objects = {"payload"},
                      .arrays = {"alert_history"}};
    return {.name = "events",
            .fields = fields_of(typed, {}),
            .indexes = indexes_by({{number("instance_id")}, {text("status"), text("severity")}}),
            .search = {
                "event_id", {"payload", "title"}, {"payload", "name"}, {"payload", "description"}}};
}

/// DATA-05.
CollectionSpec execution_history() {
    const Typed typed{.texts = {"id", "tenant_code"},
                      .integers = {"instance_id", "start_time", "end_time", "records_processed"},
                      .booleans = {},
                      .objects = {"error_details", "performance_metrics", "system_resources"},
                      .arrays = {}};
    return {.name = "execution_history",
            .fields = fields_of(typed, {status({"success", "failure", "timeout", "cancelled"})}),
            .indexes = indexes_by({{number("instance_id")}, {text("status")}})};
}

}  // namespace

std::vector<const CollectionSpec*> tenant_collections() {
    static const std::array<CollectionSpec, 5> kSpecs = {
        integrations(), tasks(), active_instances(), events(), execution_history()};
    std::vector<const CollectionSpec*> out;
    for (const CollectionSpec& spec : kSpecs)
        out.push_back(&spec);
    out.push_back(&tenant_settings_spec());
    out.push_back(&jobs::job_fences_spec());
    for (const CollectionSpec* spec : audit::tenant_collections())
        out.push_back(spec);
    return out;
}

}  // namespace zona::tenancy
