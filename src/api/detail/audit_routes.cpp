#include "api/detail/audit_routes.h"

#include <array>
#include <functional>
#include <utility>

#include <boost/json.hpp>

#include "api/daemon_api.h"
#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "audit/query.h"
#include "audit/recorder.h"
#include "audit/report.h"
#include "audit/verify.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/caller.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using store::Scope;

namespace {

constexpr std::int64_t kMostListed = 500;
constexpr std::size_t kExportPage = 500;
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
    R"( "hash": "60303ae22b998861", "heads": 2, "signed": 16, "flaw": null})";

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
         required("flaw",
                  Shape::object({required("seq", Shape::integer("The number of the entry.")),
                                 required("problem", Shape::text("What is wrong with it."))},
                                "The first thing that is wrong.")
                      .nullable())},
        "What a walk over a record has shown.");
}

Shape counts_shape(std::string doc) {
    return Shape::map(std::move(doc), Shape::integer("How many.")).example(R"({"success": 3})");
}

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
         required("verification", Shape::component("AuditVerification", "Of the whole record."))},
        "What was done in a period, and whether the record is whole.");
}

/// Whose record an operation is about.
enum class Whose : std::uint8_t { kInstallation, kTenant };

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

/// The operation on the core's record, or the same on a tenant's.
Operation of(Whose whose, Operation operation) {
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
    return {.path = "/export",
            .id = "exportAudit",
            .feature = tenancy::Feature::kAuditExport,
            .summary = "Export the record",
            .description =
                "All entries that meet the filters, the oldest first. In CSV a value "
                "that a spreadsheet would take for a formula has an apostrophe in "
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

Operation verify_record() {
    const Shape body = Shape::object(
        {optional(
             "seq",
             Shape::integer("The number of a head that was kept elsewhere.").range(1, INT64_MAX)),
         optional("hash", Shape::text("Its hash.").length(1, 64))},
        "A head to hold the record against, both or none.");
    return {.method = Method::kPost,
            .path = "/verify",
            .id = "verifyAudit",
            .access = Access::kAdmin,
            .summary = "Verify the record",
            .description =
                "Walks the chain: every number, link, hash and signed head. What was "
                "changed, taken out, put in, exchanged, cut off or written anew is "
                "found, and the first entry that is wrong is named.",
            .body = BodySpec{body, {{"all", "The whole record", "{}"}}},
            .answers = {{.description = "What was found; `intact` says whether all is well.",
                         .shape = Shape::component("AuditVerification"),
                         .example = kVerificationExample}}};
}

Operation unmask() {
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

Operation report() {
    return {.path = "/report",
            .id = "reportAudit",
            .feature = tenancy::Feature::kAuditReport,
            .summary = "Report on the record",
            .description =
                "How much of what was done in a period, by whom, and whether the record "
                "is whole. Without `from` it is of the last thirty days.",
            .parameters = period(),
            .answers = {{.description = "The report.",
                         .shape = Shape::component("AuditReport"),
                         .example = std::string(R"({"from": "2026-01-01T00:00:00.000Z",
                             "to": "2026-01-31T00:00:00.000Z", "entries": 3,
                             "categories": {"configuration": 3}, "outcomes": {"success": 3},
                             "actions": {"updateTenant": 3}, "actors": {"local:0": 3},
                             "erased": 0, "verification": )") +
                                    kVerificationExample + "}"}}};
}

Operation erase_subject_operation() {
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

json::object shown(const audit::Verification& done) {
    json::object out = {{"scope", done.scope},     {"intact", !done.flaw.has_value()},
                        {"entries", done.entries}, {"first", done.first},
                        {"last", done.last},       {"hash", done.hash},
                        {"heads", done.heads},     {"signed", done.signed_seq},
                        {"flaw", nullptr}};
    if (done.flaw)
        out["flaw"] = json::object{{"seq", done.flaw->seq}, {"problem", done.flaw->problem}};
    return out;
}

json::object shown(const std::map<std::string, std::uint64_t>& counts) {
    json::object out;
    for (const auto& [name, count] : counts)
        out[name] = count;
    return out;
}

class AuditRoutes {
  public:
    explicit AuditRoutes(const DaemonApiDeps& deps)
        : recorder_(deps.audit), clock_(deps.clock), run_long_(deps.run_long) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        ZONA_CO_TRY(audit::Wanted wanted, wanted_in(call));
        if (call.text("order") == "oldest") wanted.direction = store::Direction::kAscending;
        const store::PageRequest request{
            .limit = static_cast<std::size_t>(call.integer("limit").value_or(1)),
            .token = call.text("cursor").value_or("")};
        ZONA_CO_TRY(const audit::EntryPage page,
                    co_await page_of(scope, wanted, request, Settle::kFirst));
        std::string data = "[";
        const bool is_clear = may_see_personal(call);
        for (const audit::Recorded& one : page.entries)
            data += (data.size() > 1 ? "," : "") + audit::to_json_text(seen(one, is_clear));
        const json::object meta = {{"next", page.next}};
        co_return Response::success(data + "]", core::to_json(meta));
    }

    Answer all(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        ZONA_CO_TRY(audit::Wanted wanted, wanted_in(call));
        wanted.direction = store::Direction::kAscending;
        const bool is_csv = call.text("format") == "csv";
        // The first page tells of what is wrong while there is a status to tell it by.
        store::PageRequest request{.limit = kExportPage, .token = {}};
        ZONA_CO_TRY(audit::EntryPage first,
                    co_await page_of(scope, wanted, request, Settle::kFirst));
        const bool is_clear = may_see_personal(call);
        auto body = [this, scope, wanted, request, is_csv, is_clear, page = std::move(first)](
                        net::BodyWriter& writer) mutable -> asio::awaitable<Result<void>> {
            std::string text = is_csv ? audit::csv_header() : "";
            while (true) {
                for (const audit::Recorded& recorded : page.entries) {
                    const audit::Recorded one = seen(recorded, is_clear);
                    text += is_csv ? audit::csv_line(one) : audit::to_json_text(one) + "\n";
                }
                ZONA_CO_TRY_VOID(co_await writer.write(text));
                if (page.next.empty()) co_return Result<void>();
                text.clear();
                request.token = page.next;
                ZONA_CO_TRY(page, co_await page_of(scope, wanted, request, Settle::kNo));
            }
        };
        Response out = Response::streaming(is_csv ? "text/csv" : "application/x-ndjson",
                                           std::move(body), net::StreamEnd::kByItself);
        if (is_csv) out.headers.set("Content-Disposition", "attachment; filename=\"audit.csv\"");
        co_return out;
    }

    Answer unmask(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        const json::object& body = call.body().get_object();
        std::string data = "[";
        for (const json::value& seq : body.at("entries").as_array()) {
            const audit::Wanted wanted{.seq = seq.to_number<std::int64_t>()};
            const store::PageRequest request{.limit = 1, .token = {}};
            ZONA_CO_TRY(const audit::EntryPage page,
                        co_await page_of(scope, wanted, request, Settle::kFirst));
            for (const audit::Recorded& one : page.entries)
                data += (data.size() > 1 ? "," : "") + audit::to_json_text(one);
        }
        call.changed({}, core::to_json(body));
        co_return Response::success(data + "]");
    }

    Answer verify(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        const json::object& body = call.body().get_object();
        std::optional<audit::KnownHead> known;
        const auto is_given = [&body](const char* key) {
            const json::value* value = body.if_contains(key);
            return value != nullptr && !value->is_null();
        };
        if (is_given("seq") != is_given("hash")) {
            co_return core::Error(Code::kInvalidArgument,
                                  "a head has both: seq, its number, and hash");
        }
        if (is_given("seq"))
            known = {.seq = body.at("seq").to_number<std::int64_t>(),
                     .hash = std::string(body.at("hash").as_string())};
        auto work = [this, scope, known]() -> Result<audit::Verification> {
            ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            ZONA_TRY(const auto keys, audit::public_keys(*books));
            return audit::verify(*books, scope, keys, known);
        };
        ZONA_CO_TRY(const audit::Verification done, co_await answer_by(run_long_, std::move(work)));
        co_return Response::success(core::to_json(shown(done)));
    }

    Answer report(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        ZONA_CO_TRY(const audit::Wanted wanted, wanted_in(call));
        constexpr std::chrono::hours kMonth(24 * 30);
        const core::SystemTime to = wanted.to.value_or(clock_.system());
        const core::SystemTime from = wanted.from.value_or(to - kMonth);
        auto work = [this, scope, from, to]() -> Result<audit::Report> {
            ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            return audit::make_report(*books, scope, from, to);
        };
        ZONA_CO_TRY(const audit::Report done, co_await answer_by(run_long_, std::move(work)));
        co_return Response::success(
            core::to_json(json::object{{"from", core::to_rfc3339(done.from)},
                                       {"to", core::to_rfc3339(done.to)},
                                       {"entries", done.entries},
                                       {"categories", shown(done.categories)},
                                       {"outcomes", shown(done.outcomes)},
                                       {"actions", shown(done.actions)},
                                       {"actors", shown(done.actors)},
                                       {"erased", done.erased},
                                       {"verification", shown(done.verification)}}));
    }

    Answer erase(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        const std::string subject = call.path("subject");
        auto work = [this, scope, subject]() -> Result<bool> {
            ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            bool out = false;
            const auto now = clock_.system();
            ZONA_TRY_VOID(books->write(scope, [&](store::Writer& writer) -> Result<void> {
                ZONA_TRY(out, audit::erase_subject(writer, scope, subject, now));
                return {};
            }));
            return out;
        };
        ZONA_CO_TRY(const bool erased, co_await answer_by(run_long_, std::move(work)));
        if (!erased) {
            co_return core::Error(Code::kNotFound,
                                  "the record holds nothing personal of '" + subject + "'");
        }
        co_return Response::success(core::to_json(json::object{{"subject", subject}}));
    }

  private:
    enum class Settle : std::uint8_t { kNo, kFirst };

    bool may_see_personal(const Call& call) const {
        const net::Request& request = call.request();
        const bool of_tenant = call.operation().reach == Reach::kTenant;
        const std::string tenant =
            of_tenant ? core::lower_ascii(call.path(kTenantParameter)) : std::string();
        const auto* remote = std::get_if<net::TcpPeer>(&request.peer);
        const std::string_view address = remote == nullptr ? "" : std::string_view(remote->address);
        return identity::decide(identity::subject_of(request),
                                {identity::Resource::kPersonalData, identity::Action::kRead},
                                {.tenant = tenant}, {.time = clock_.system(), .address = address})
            .has_value();
    }

    static audit::Recorded seen(audit::Recorded one, bool is_clear) {
        if (!is_clear) audit::mask_personal(one);
        return one;
    }

    static Result<Scope> scope_of(const Call& call) {
        if (call.operation().reach != Reach::kTenant) return Scope::core();
        const std::string code = core::lower_ascii(call.path(kTenantParameter));
        auto scope = Scope::tenant(code);
        if (scope) return scope;
        return core::Error(Code::kNotFound, "there is no tenant '" + code + "'");
    }

    Result<audit::Wanted> wanted_in(const Call& call) const {
        audit::Wanted out;
        const auto time = [&](const char* name) -> Result<std::optional<core::SystemTime>> {
            const auto text = call.text(name);
            if (!text) return std::nullopt;
            auto moment = core::parse_moment(*text, clock_.system());
            if (!moment) return moment.take_error().context(name);
            return *moment;
        };
        ZONA_TRY(out.from, time("from"));
        ZONA_TRY(out.to, time("to"));
        if (call.operation().path.ends_with("/report")) return out;
        out.actor = call.text("actor").value_or("");
        out.action = call.text("action").value_or("");
        out.resource = call.text("resource").value_or("");
        out.subject = call.text("subject").value_or("");
        if (const auto category = call.text("category")) {
            ZONA_TRY(out.category, audit::parse_category(*category));
        }
        if (const auto outcome = call.text("outcome")) {
            ZONA_TRY(out.outcome, audit::parse_outcome(*outcome));
        }
        return out;
    }

    asio::awaitable<Result<audit::EntryPage>> page_of(Scope scope, audit::Wanted wanted,
                                                      store::PageRequest request,
                                                      Settle settle) const {
        auto work = [this, scope = std::move(scope), wanted = std::move(wanted),
                     request = std::move(request), settle]() -> Result<audit::EntryPage> {
            if (settle == Settle::kFirst) ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            audit::EntryPage out;
            ZONA_TRY_VOID(books->read(scope, [&](store::Reader& reader) -> Result<void> {
                ZONA_TRY(out, audit::find_entries(reader, scope, wanted, request));
                return {};
            }));
            return out;
        };
        co_return co_await answer_by(run_long_, std::move(work));
    }

    audit::Recorder& recorder_;
    const core::Clock& clock_;
    const RunBlocking run_long_;
};

}  // namespace

Result<void> add_audit_routes(Service& service, const DaemonApiDeps* deps) {
    service.name("AuditEntry", entry_shape());
    service.name("AuditVerification", verification_shape());
    service.name("AuditReport", report_shape());
    const auto routes = deps == nullptr ? nullptr : std::make_shared<const AuditRoutes>(*deps);
    using Member = Answer (AuditRoutes::*)(Call&) const;
    for (const Whose whose : {Whose::kInstallation, Whose::kTenant}) {
        const std::array<std::pair<Operation, Member>, 6> rows = {{
            {of(whose, list_entries()), &AuditRoutes::list},
            {of(whose, export_entries()), &AuditRoutes::all},
            {of(whose, unmask()), &AuditRoutes::unmask},
            {of(whose, verify_record()), &AuditRoutes::verify},
            {of(whose, report()), &AuditRoutes::report},
            {of(whose, erase_subject_operation()), &AuditRoutes::erase},
        }};
        ZONA_TRY_VOID(add_members(service, routes, rows));
    }
    return {};
}

}  // namespace zona::api
