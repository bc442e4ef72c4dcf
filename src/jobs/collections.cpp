#include "jobs/collections.h"

namespace zona::jobs {

using store::CollectionSpec;
using store::FieldSpec;
using store::FieldType;
using store::Presence;

namespace {

/// Runs and tasks are purged after it, whatever their number.
constexpr std::chrono::hours kKeepRuns(24 * 90);

FieldSpec required(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type, .presence = Presence::kRequired};
}

FieldSpec optional(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type};
}

}  // namespace

const CollectionSpec& jobs_spec() {
    static const CollectionSpec kSpec{
        .name = "jobs",
        .fields = {required("name"), required("schedule"), required("paused", FieldType::kBoolean),
                   required("attempt", FieldType::kInteger), optional("due", FieldType::kInteger),
                   optional("last_run", FieldType::kInteger),
                   optional("last_success", FieldType::kInteger),
                   optional("checkpoint", FieldType::kObject)},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& job_runs_spec() {
    static const CollectionSpec kSpec{
        .name = "job_runs",
        .fields = {required("job"),
                   required("trigger"),
                   required("instance"),
                   required("life"),
                   {.path = "outcome",
                    .presence = Presence::kRequired,
                    .allowed = {"running", "succeeded", "failed", "cancelled", "timed_out", "lost",
                                "interrupted"}},
                   required("attempt", FieldType::kInteger),
                   required("fence", FieldType::kInteger),
                   required("started_at", FieldType::kInteger),
                   optional("ended_at", FieldType::kInteger),
                   optional("duration_us", FieldType::kInteger),
                   optional("error"),
                   required("counters", FieldType::kObject)},
        .indexes = {{.name = "by_created"},
                    {.name = "by_job", .fields = {{.path = "job"}}},
                    {.name = "by_outcome", .fields = {{.path = "outcome"}}}},
        .retention = store::Retention{.keep = kKeepRuns}};
    return kSpec;
}

const CollectionSpec& job_leases_spec() {
    static const CollectionSpec kSpec{
        .name = "job_leases",
        .fields = {required("line"), required("instance"), required("life"),
                   required("fence", FieldType::kInteger), required("beat", FieldType::kInteger),
                   required("cancel", FieldType::kBoolean)},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& job_fences_spec() {
    static const CollectionSpec kSpec{
        .name = "job_fences",
        .fields = {required("line"), required("fence", FieldType::kInteger)},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

const CollectionSpec& tasks_spec() {
    static const CollectionSpec kSpec{
        .name = "tasks",
        .fields = {required("kind"),
                   required("tenant"),
                   required("correlation_id"),
                   {.path = "state",
                    .presence = Presence::kRequired,
                    .allowed = {"waiting", "delayed", "running", "succeeded", "failed",
                                "cancelled"}},
                   required("turn", FieldType::kInteger),
                   required("only"),
                   required("instance"),
                   required("attempt", FieldType::kInteger),
                   required("interruptions", FieldType::kInteger),
                   optional("failures", FieldType::kInteger),
                   required("asked_at", FieldType::kInteger),
                   optional("ended_at", FieldType::kInteger),
                   optional("not_before", FieldType::kInteger),
                   optional("key"),
                   {.path = "input",
                    .type = FieldType::kObject,
                    .presence = Presence::kRequired,
                    .protection = store::Protection::kEncrypted},
                   optional("progress", FieldType::kObject),
                   optional("outcome", FieldType::kObject),
                   optional("error", FieldType::kObject)},
        .indexes = {{.name = "by_created"},
                    {.name = "by_state",
                     .fields = {{.path = "state"}, {.path = "turn", .type = FieldType::kInteger}}},
                    {.name = "by_tenant",
                     .fields = {{.path = "state"},
                                {.path = "tenant"},
                                {.path = "turn", .type = FieldType::kInteger}}},
                    {.name = "by_due",
                     .fields = {{.path = "state"},
                                {.path = "not_before", .type = FieldType::kInteger}},
                     .coverage = store::Coverage::kSparse},
                    {.name = "by_key",
                     .fields = {{.path = "key"}},
                     .uniqueness = store::Uniqueness::kUnique,
                     .coverage = store::Coverage::kSparse}},
        .retention = store::Retention{.keep = kKeepRuns}};
    return kSpec;
}

std::vector<const CollectionSpec*> core_collections() {
    return {&jobs_spec(), &job_runs_spec(), &job_leases_spec(), &job_fences_spec(), &tasks_spec()};
}

}  // namespace zona::jobs
