#include "api/detail/audit_operations.h"

#include <string>
#include <utility>
#include <vector>

#include "audit/query.h"

namespace zona::api::detail {

using core::Code;
using net::Method;

namespace {

constexpr std::int64_t kMostListed = 500;
constexpr const char* kCategories[] = {"authentication", "data_access", "configuration",
                                       "process",        "security",    "compliance"};
constexpr const char* kOutcomes[] = {"success", "failure", "refused"};

const char* const kEntryExample =
    R"({"id": "2f1f7c1e-93bb-4e0c-a1cf-0ad0b6f6c1d2", "timestamp": "2026-01-31T12:00:00.000Z",)"
    R"( "category": "configuration", "outcome": "success", "actor": "local:0",)"
    R"( "action": "updateTenant", "resource": "/api/v1/tenants/acme", "tenantcode": "acme",)"
    R"( "correlation": "eef8c1b47c67b833-3", "before": {"name": "Acme"}, "after": {"name": "Acme Ltd."},)"
    R"( "seq": 17, "userid": null, "erased": false, "previous": "9f86d081884c7d65",)"
    R"( "hash": "60303ae22b998861"})";
const char* const kVerificationExample =
    R"({"scope": "acme", "intact": true, "entries": 17, "first": 1, "last": 17,)"
    R"( "hash": "60303ae22b998861", "heads": 2, "signed": 16, "archives": null, "flaw": null})";

Shape counts_shape(std::string doc) {
    return Shape::map(std::move(doc), Shape::integer("How many.")).example(R"({"success": 3})");
}

ParameterSpec time_parameter(std::string name, std::string doc) {
    return {.name = std::move(name),
            .shape = Shape::text(std::move(doc))
                         .hint("give a time like 2026-01-31T12:00:00Z, or how long ago like 10m")
                         .example("\"24h\"")};
}

std::vector<ParameterSpec> period() {
    return {time_parameter("from", "Not before: a time, or how long ago."),
            time_parameter("to", "Before: a time, or how long ago.")};
}

std::vector<ParameterSpec> filters() {
    const auto text = [](std::string name, std::string doc, std::string example) {
        return ParameterSpec{.name = std::move(name),
                             .shape = Shape::text(std::move(doc)).example(std::move(example))};
    };
    std::vector<ParameterSpec> out = {
        text("actor", "Who did it, all of it.", "\"local:0\""),
        text("action", "What was done, all of it.", "\"updateTenant\""),
        text("resource", "To what, all of it.", "\"/api/v1/tenants/acme\""),
        text("subject", "Whose personal data it holds.", "\"user:17\""),
        {.name = "category",
         .shape = Shape::text("What it is about.")
                      .choices({kCategories[0], kCategories[1], kCategories[2], kCategories[3],
                                kCategories[4], kCategories[5]})
                      .example("\"security\"")},
        {.name = "outcome",
         .shape = Shape::text("How it ended.")
                      .choices({kOutcomes[0], kOutcomes[1], kOutcomes[2]})
                      .example("\"refused\"")}};
    for (ParameterSpec& one : period())
        out.push_back(std::move(one));
    return out;
}

}  // namespace

Shape entry_shape() {
    return Shape::object(
        {required("id", Shape::text("Its own, wherever it is.")),
         required("timestamp", Shape::text("When it happened.").format(Format::kTime)),
         required("category", Shape::text("What it is about.")
                                  .choices({kCategories[0], kCategories[1], kCategories[2],
                                            kCategories[3], kCategories[4], kCategories[5]})),
         required("outcome",
                  Shape::text("How it ended.").choices({kOutcomes[0], kOutcomes[1], kOutcomes[2]})),
         required("actor", Shape::text("Who did it: kind, or kind:id.")),
         required("action", Shape::text("What was done: as a rule the operationId.")),
         required("resource", Shape::text("To what: as a rule the path.")),
         required("tenantcode", Shape::text("Whom it is about; `core`: the installation.")),
         required("userid", Shape::integer("The number of the user.").nullable()),
         sometimes("name", Shape::text("Personal: how the actor was called.")),
         sometimes("address", Shape::text("Personal: where the request came from.")),
         sometimes("session", Shape::text("Personal: of the actor.")),
         sometimes("details", Shape::text("Why it did not succeed.")),
         sometimes("correlation", Shape::text("The id of the request.")),
         sometimes("subject", Shape::text("Whose personal data it holds.")),
         sometimes("before", Shape::map("What has changed, as it was.", Shape::any("A value."))
                                 .example(R"({"name": "Acme"})")),
         sometimes("after", Shape::map("What has changed, as it is.", Shape::any("A value."))
                                .example(R"({"name": "Acme Ltd."})")),
         sometimes("context", Shape::map("What it was done for.", Shape::any("A value."))
                                  .example(R"({"ticket": "T-1"})")),
         required("erased", Shape::boolean("Whether personal data of it was erased.")),
         required("seq", Shape::integer("Its number in the record.")),
         required("previous", Shape::text("The hash of the entry before.")),
         required("hash", Shape::text("Its own, SHA-256."))},
        "Something that was done, or refused.");
}

Shape verification_shape() {
    return Shape::object(
        {required("scope", Shape::text("Whose record: a tenant's code, or `core`.")),
         required("intact", Shape::boolean("Whether all of it is as it was written.")),
         required("entries", Shape::integer("That were looked at and are right.")),
         required("first", Shape::integer("The number of the first one.")),
         required("last", Shape::integer("The number of the last one.")),
         required("hash", Shape::text("Of the last one.")),
         required("heads", Shape::integer("Signed heads that fit.")),
         required("signed", Shape::integer("Up to which number the last of them covers it.")),
         required("archives",
                  Shape::object({required("archives", Shape::integer("That were looked at.")),
                                 required("entries", Shape::integer("In them."))},
                                "Of the archives that the record goes on from; null: they were "
                                "not asked for.")
                      .nullable()),
         required("flaw",
                  Shape::object({required("seq", Shape::integer("The number of the entry.")),
                                 required("problem", Shape::text("What is wrong with it."))},
                                "The first thing that is wrong.")
                      .nullable())},
        "What a walk over a record has shown.");
}

namespace {

Shape retention_shape() {
    const auto time = [](const char* doc) { return Shape::text(doc).format(Format::kTime); };
    return Shape::object(
        {required("archives", Shape::integer("Archives of the record that were made.")),
         required("archived", Shape::integer("Entries that have left the record into them.")),
         required("purged", Shape::map("Documents that were removed, by collection.",
                                       Shape::integer("How many."))
                                .example(R"({"events": 120})")),
         required("failed", Shape::integer("How often it could not do its work.")),
         required("failures",
                  Shape::array("The first hundred of them.",
                               Shape::object({required("time", time("When.")),
                                              required("action", Shape::text("What was tried.")),
                                              required("problem", Shape::text("Why it failed."))},
                                             "Something that retention could not do."))),
         required(
             "overdue",
             Shape::array("What is there now although it was to be gone two days ago or "
                          "earlier.",
                          Shape::object({required("collection", Shape::text("Of which documents.")),
                                         required("oldest", time("When the oldest one was made.")),
                                         required("due", time("When that was to be gone."))},
                                        "A collection that retention is late with.")))},
        "What retention did in the period, and what it could not do.");
}

}  // namespace

Shape report_shape() {
    return Shape::object(
        {required("from", Shape::text("Its beginning.").format(Format::kTime)),
         required("to", Shape::text("Its end.").format(Format::kTime)),
         required("entries", Shape::integer("In the period.")),
         required("categories", counts_shape("By category.")),
         required("outcomes", counts_shape("By outcome.")),
         required("actions", counts_shape("By action.")),
         required("actors", counts_shape("By actor.")),
         required("erased", Shape::integer("With personal data that was erased.")),
         required("retention", retention_shape()),
         required("verification", Shape::component("AuditVerification", "Of the whole record."))},
        "What was done in a period, and whether the record is whole.");
}

Shape archive_shape() {
    return Shape::object(
        {required("file", Shape::text("Its name, in the folder of the tenant's archives.")),
         required("first", Shape::integer("The number of its first entry.")),
         required("last", Shape::integer("And of its last one.")),
         required("archived_at", Shape::text("When they left.").format(Format::kTime)),
         required("previous", Shape::text("The hash before the first.")),
         required("hash", Shape::text("Of the last one.")),
         required("key", Shape::text("The id of the key that has signed this.")),
         required("signature", Shape::text("In base64url."))},
        "A span of the record that has left it.");
}

Operation about(Whose whose, Operation operation) {
    operation.tag = Tag::kAudit;
    if (whose == Whose::kInstallation) {
        operation.path = "/api/v1/audit" + operation.path;
        return operation;
    }
    operation.path = "/api/v1/tenants/{code}/audit" + operation.path;
    operation.id.insert(operation.id.find("Audit"), "Tenant");
    operation.summary += " of a tenant";
    operation.reach = Reach::kTenant;
    operation.parameters.insert(
        operation.parameters.begin(),
        {.name = "code",
         .shape = Shape::text("The tenant's code; case does not matter.").example("\"default\""),
         .place = Place::kPath,
         .presence = Presence::kRequired});
    operation.errors.push_back({Code::kNotFound, "There is no such tenant."});
    operation.errors.push_back({Code::kTenantInactive, "The tenant is not served now."});
    return operation;
}

Operation list_entries() {
    std::vector<ParameterSpec> parameters = filters();
    parameters.push_back({.name = "order",
                          .shape = Shape::text("Which come first.")
                                       .choices({"newest", "oldest"})
                                       .default_value("\"newest\"")
                                       .example("\"newest\"")});
    parameters.push_back({.name = "limit",
                          .shape = Shape::integer("Entries of one page.")
                                       .range(1, kMostListed)
                                       .default_value("50")
                                       .example("50")});
    parameters.push_back(
        {.name = "cursor", .shape = Shape::text("`next` of the page before.").example("\"\"")});
    return {.path = "",
            .id = "listAudit",
            .summary = "Show the record",
            .description =
                "What was done and refused, page by page, with what was done just now. "
                "The installation's own record has what concerns no tenant, or one that "
                "is not served. Who lacks `personal_data:read` sees what is personal as `***`.",
            .parameters = std::move(parameters),
            .answers = {{.description = "The entries.",
                         .shape = Shape::array("By time.", Shape::component("AuditEntry")),
                         .meta = Shape::object({required("next", Shape::text("The cursor of the "
                                                                             "next page; empty: "
                                                                             "there is no more."))},
                                               "About the page.")
                                     .example(R"({"next": ""})"),
                         .example = std::string("[") + kEntryExample + "]"}}};
}

Operation export_entries() {
    std::vector<ParameterSpec> parameters = filters();
    parameters.push_back({.name = "format",
                          .shape = Shape::text("The form.")
                                       .choices({"jsonl", "csv"})
                                       .default_value("\"jsonl\"")
                                       .example("\"jsonl\"")});
    parameters.push_back({.name = "archives",
                          .shape = Shape::boolean("Those that have left into archives, too.")
                                       .default_value("false")
                                       .example("false")});
    return {.path = "/export",
            .id = "exportAudit",
            .feature = tenancy::Feature::kAuditExport,
            .summary = "Export the record",
            .description =
                "All entries that meet the filters, the oldest first; with `archives` after "
                "those that have left the record, each archive being verified. In CSV a "
                "value that a spreadsheet would take for a formula has an apostrophe in "
                "front.",
            .parameters = std::move(parameters),
            .answers = {{.description = "One object a line.",
                         .shape = Shape::component("AuditEntry"),
                         .media_type = "application/x-ndjson",
                         .example = kEntryExample},
                        {.description = "A header and one entry a line.",
                         .shape = Shape::text("RFC 4180."),
                         .media_type = "text/csv",
                         .example = audit::csv_header()}}};
}

Operation list_archives() {
    std::vector<ParameterSpec> parameters;
    parameters.push_back({.name = "limit",
                          .shape = Shape::integer("Archives of one page.")
                                       .range(1, kMostListed)
                                       .default_value("50")
                                       .example("50")});
    parameters.push_back(
        {.name = "cursor", .shape = Shape::text("`next` of the page before.").example("\"1\"")});
    return {.path = "/archives",
            .id = "listAuditArchives",
            .summary = "List the archives of the record",
            .description =
                "What has left the record, the oldest first: which entries, when, with which "
                "hashes, signed by which key, and the file that they are in. Whether the files "
                "are there and right is said by `verify` with `archives`.",
            .parameters = std::move(parameters),
            .answers = {{.description = "The archives.",
                         .shape = Shape::array("By number.", Shape::component("AuditArchive")),
                         .meta = Shape::object({required("next", Shape::text("The cursor of the "
                                                                             "next page; empty: "
                                                                             "there is no more."))},
                                               "About the page.")
                                     .example(R"({"next": ""})"),
                         .example = R"([{"file": "000000000001-000000010000.zaa", "first": 1,
                             "last": 10000, "archived_at": "2026-01-31T12:00:00.000Z",
                             "previous": "0", "hash": "60303ae22b998861", "key": "k1",
                             "signature": "c2lnbmF0dXJl"}])"}}};
}

Operation verify_record() {
    const Shape body = Shape::object(
        {optional(
             "seq",
             Shape::integer("The number of a head that was kept elsewhere.").range(1, INT64_MAX)),
         optional("hash", Shape::text("Its hash.").length(1, 64)),
         optional("archives",
                  Shape::boolean("Walk the archives as well that the record goes on from."))},
        "A head to hold the record against, both or none; and how far back.");
    return {.method = Method::kPost,
            .path = "/verify",
            .id = "verifyAudit",
            .access = Access::kAdmin,
            .summary = "Verify the record",
            .description =
                "Walks the chain: every number, link, hash and signed head. What was "
                "changed, taken out, put in, exchanged, cut off or written anew is "
                "found, and the first entry that is wrong is named. With `archives` it "
                "begins with the first entry that there ever was: each archive is read, "
                "verified, and has to join the one before, and the last one the record.",
            .body = BodySpec{body,
                             {{"all", "The whole record", "{}"},
                              {"archives", "And its archives", R"({"archives": true})"}}},
            .answers = {{.description = "What was found; `intact` says whether all is well.",
                         .shape = Shape::component("AuditVerification"),
                         .example = kVerificationExample}}};
}

Operation unmask_entries() {
    constexpr std::size_t kMostUnmasked = 100;
    constexpr std::size_t kLongestReason = 500;
    const Shape body = Shape::object(
        {required("entries", Shape::array("Numbers of the entries.",
                                          Shape::integer("A `seq`.").range(1, INT64_MAX))
                                 .length(1, kMostUnmasked)),
         required("reason", Shape::text("What for; it is put on record.")
                                .length(1, kLongestReason)
                                .example("\"case 4711\""))});
    return {.method = Method::kPost,
            .path = "/unmaskings",
            .id = "unmaskAudit",
            .access = Access::kAdmin,
            .permission =
                identity::Permission{identity::Resource::kPersonalData, identity::Action::kExecute},
            .summary = "Show personal data of the record",
            .description =
                "Entries with the names, addresses, sessions and data that who lacks "
                "`personal_data:read` sees as `***`. Who asked for which, and why, is on record. "
                "What was erased stays so; a number that the record lacks is left out.",
            .body = BodySpec{body,
                             {{"one", "One entry", R"({"entries": [1], "reason": "case 4711"})"}}},
            .answers = {{.description = "The entries in clear.",
                         .shape = Shape::array("In the order of the numbers that were asked for.",
                                               Shape::component("AuditEntry")),
                         .example = std::string("[") + kEntryExample + "]"}}};
}

Operation report_on_record() {
    return {.path = "/report",
            .id = "reportAudit",
            .feature = tenancy::Feature::kAuditReport,
            .summary = "Report on the record",
            .description =
                "How much of what was done in a period, by whom, what retention archived, "
                "removed and could not do, and whether the record is whole. Without "
                "`from` it is of the last thirty days.",
            .parameters = period(),
            .answers = {{.description = "The report.",
                         .shape = Shape::component("AuditReport"),
                         .example = std::string(R"({"from": "2026-01-01T00:00:00.000Z",
                             "to": "2026-01-31T00:00:00.000Z", "entries": 3,
                             "categories": {"configuration": 3}, "outcomes": {"success": 3},
                             "actions": {"updateTenant": 3}, "actors": {"local:0": 3},
                             "erased": 0, "retention": {"archives": 1, "archived": 10000,
                             "purged": {"events": 120}, "failed": 0, "failures": [],
                             "overdue": []}, "verification": )") +
                                    kVerificationExample + "}"}}};
}

Operation erase_subject() {
    return {
        .method = Method::kDelete,
        .path = "/subjects/{subject}",
        .id = "eraseAuditSubject",
        .access = Access::kAdmin,
        .summary = "Erase a subject from the record",
        .description =
            "Destroys the key of its personal data: names, addresses and what its "
            "entries hold become unreadable for good, and the chain stays right. "
            "What is left is its kind and id.",
        .parameters = {{.name = "subject",
                        .shape = Shape::text("Kind and id, as in `actor`.").example("\"user:17\""),
                        .place = Place::kPath,
                        .presence = Presence::kRequired}},
        .answers = {{.description = "It cannot be read any more.",
                     .shape = Shape::object({required("subject", Shape::text("Who."))}),
                     .example = R"({"subject": "user:17"})"}},
        .errors = {{Code::kNotFound, "The record holds nothing personal of this subject."}}};
}

}  // namespace zona::api::detail
