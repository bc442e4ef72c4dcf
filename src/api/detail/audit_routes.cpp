#include "api/detail/audit_routes.h"

#include <array>
#include <functional>
#include <utility>

#include <boost/json.hpp>

#include "api/daemon_api.h"
#include "api/detail/audit_operations.h"
#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "audit/archive_walk.h"
#include "audit/query.h"
#include "audit/recorder.h"
#include "audit/report.h"
#include "audit/verify.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/caller.h"
#include "tenancy/audit_archives.h"
#include "tenancy/overdue.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Response;
using store::Scope;

namespace {

constexpr std::size_t kExportPage = 500;

json::object shown(const audit::Verification& done) {
    json::object out = {{"scope", done.scope},     {"intact", !done.flaw.has_value()},
                        {"entries", done.entries}, {"first", done.first},
                        {"last", done.last},       {"hash", done.hash},
                        {"heads", done.heads},     {"signed", done.signed_seq},
                        {"archives", nullptr},     {"flaw", nullptr}};
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

json::object shown(const audit::ArchivedSpan& span) {
    return {{"file", span.file},         {"first", span.first},
            {"last", span.last},         {"archived_at", core::to_rfc3339(span.at)},
            {"previous", span.previous}, {"hash", span.hash},
            {"key", span.key},           {"signature", span.signature}};
}

json::object shown(const audit::RetentionReport& done,
                   const std::vector<tenancy::Overdue>& overdue) {
    json::array failures;
    for (const audit::RetentionFailure& one : done.failures) {
        failures.push_back(json::object{
            {"time", core::to_rfc3339(one.at)}, {"action", one.action}, {"problem", one.problem}});
    }
    json::array late;
    for (const tenancy::Overdue& one : overdue) {
        late.push_back(json::object{{"collection", one.collection},
                                    {"oldest", core::to_rfc3339(one.oldest)},
                                    {"due", core::to_rfc3339(one.due)}});
    }
    return {{"archives", done.archives},       {"archived", done.archived},
            {"purged", shown(done.purged)},    {"failed", done.failed},
            {"failures", std::move(failures)}, {"overdue", std::move(late)}};
}

/// What verifyAudit is asked for.
struct ToVerify {
    std::optional<audit::KnownHead> known;
    bool archives = false;
};

/// What an export has come to.
struct ExportPage {
    std::vector<audit::Recorded> entries;
    std::int64_t next_archive = 0;  ///< where the next archive begins; 0: none is to come
    std::string token;              ///< of the next page of the record
    bool more = false;
};

class AuditRoutes {
  public:
    explicit AuditRoutes(const DaemonApiDeps& deps)
        : recorder_(deps.audit),
          archives_(deps.archives),
          tenants_(deps.tenants),
          clock_(deps.clock),
          run_long_(deps.run_long) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        ZONA_CO_TRY(audit::Wanted wanted, wanted_in(call));
        if (call.text("order") == "oldest") wanted.direction = store::Direction::kAscending;
        const store::PageRequest request{
            .limit = static_cast<std::size_t>(call.integer("limit").value_or(1)),
            .token = call.text("cursor").value_or("")};
        ZONA_CO_TRY(const audit::EntryPage page, co_await page_of(scope, wanted, request));
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
        ExportPage begin{.entries = {}, .next_archive = call.flag("archives") ? 1 : 0, .token = {}};
        ZONA_CO_TRY(ExportPage first, co_await export_page(scope, wanted, std::move(begin)));
        const bool is_clear = may_see_personal(call);
        auto body = [this, scope, wanted, is_csv, is_clear, page = std::move(first)](
                        net::BodyWriter& writer) mutable -> asio::awaitable<Result<void>> {
            std::string text = is_csv ? audit::csv_header() : "";
            while (true) {
                for (audit::Recorded& recorded : page.entries) {
                    const audit::Recorded one = seen(std::move(recorded), is_clear);
                    text += is_csv ? audit::csv_line(one) : audit::to_json_text(one) + "\n";
                }
                ZONA_CO_TRY_VOID(co_await writer.write(text));
                if (!page.more) co_return Result<void>();
                text.clear();
                ZONA_CO_TRY(page, co_await export_page(scope, wanted, std::move(page)));
            }
        };
        Response out = Response::streaming(is_csv ? "text/csv" : "application/x-ndjson",
                                           std::move(body), net::StreamEnd::kByItself);
        if (is_csv) out.headers.set("Content-Disposition", "attachment; filename=\"audit.csv\"");
        co_return out;
    }

    Answer archives(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        const auto limit = static_cast<std::size_t>(call.integer("limit").value_or(1));
        const std::string cursor = call.text("cursor").value_or("0");
        const auto from = core::parse_integer(cursor);
        if (!from) {
            co_return core::Error(Code::kInvalidArgument,
                                  "cursor: it is not `next` of the page before");
        }
        auto work = [this, scope, limit,
                     from = *from]() -> Result<std::vector<audit::ArchivedSpan>> {
            ZONA_TRY(audit::Books* const books, recorder_.books());
            std::vector<audit::ArchivedSpan> out;
            ZONA_TRY_VOID(books->read(Scope::core(), [&](store::Reader& core) -> Result<void> {
                ZONA_TRY(out, audit::archived_spans(core, scope, from, limit));
                return {};
            }));
            return out;
        };
        ZONA_CO_TRY(const auto spans, co_await answer_by(run_long_, std::move(work)));
        json::array data;
        for (const audit::ArchivedSpan& span : spans)
            data.push_back(shown(span));
        const json::object meta = {
            {"next", spans.size() == limit ? std::to_string(spans.back().last + 1) : ""}};
        co_return Response::success(core::to_json(data), core::to_json(meta));
    }

    Answer unmask(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        const json::object& body = call.body().get_object();
        std::string data = "[";
        for (const json::value& seq : body.at("entries").as_array()) {
            const audit::Wanted wanted{.seq = seq.to_number<std::int64_t>()};
            const store::PageRequest request{.limit = 1, .token = {}};
            ZONA_CO_TRY(const audit::EntryPage page, co_await page_of(scope, wanted, request));
            for (const audit::Recorded& one : page.entries)
                data += (data.size() > 1 ? "," : "") + audit::to_json_text(one);
        }
        call.changed({}, core::to_json(body));
        co_return Response::success(data + "]");
    }

    Answer verify(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        ZONA_CO_TRY(const ToVerify wanted, wanted_of_verify(call.body().get_object()));
        auto work = [this, scope, wanted] { return verified(scope, wanted); };
        ZONA_CO_TRY(const json::object done, co_await answer_by(run_long_, std::move(work)));
        co_return Response::success(core::to_json(done));
    }

    Answer report(Call& call) const {
        ZONA_CO_TRY(const Scope scope, scope_of(call));
        ZONA_CO_TRY(const audit::Wanted wanted, wanted_in(call));
        constexpr std::chrono::hours kMonth(24 * 30);
        const core::SystemTime to = wanted.to.value_or(clock_.system());
        const core::SystemTime from = wanted.from.value_or(to - kMonth);
        auto work = [this, scope, from, to]() -> Result<json::object> {
            ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            ZONA_TRY(const audit::Report done, audit::make_report(*books, scope, from, to));
            ZONA_TRY(const auto overdue,
                     tenancy::find_overdue(tenants_, *books, scope, clock_.system()));
            return json::object{{"from", core::to_rfc3339(done.from)},
                                {"to", core::to_rfc3339(done.to)},
                                {"entries", done.entries},
                                {"categories", shown(done.categories)},
                                {"outcomes", shown(done.outcomes)},
                                {"actions", shown(done.actions)},
                                {"actors", shown(done.actors)},
                                {"erased", done.erased},
                                {"retention", shown(done.retention, overdue)},
                                {"verification", shown(done.verification)}};
        };
        ZONA_CO_TRY(const json::object done, co_await answer_by(run_long_, std::move(work)));
        co_return Response::success(core::to_json(done));
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

    /// With what was just done.
    asio::awaitable<Result<audit::EntryPage>> page_of(Scope scope, audit::Wanted wanted,
                                                      store::PageRequest request) const {
        auto work = [this, scope = std::move(scope), wanted = std::move(wanted),
                     request = std::move(request)]() -> Result<audit::EntryPage> {
            ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            return entries_of(*books, scope, wanted, request);
        };
        co_return co_await answer_by(run_long_, std::move(work));
    }

    static Result<ToVerify> wanted_of_verify(const json::object& body) {
        const auto given = [&body](const char* key) -> const json::value* {
            const json::value* const value = body.if_contains(key);
            return value != nullptr && !value->is_null() ? value : nullptr;
        };
        ToVerify out;
        const json::value* const archives = given("archives");
        out.archives = archives != nullptr && archives->get_bool();
        const json::value* const seq = given("seq");
        const json::value* const hash = given("hash");
        if ((seq == nullptr) != (hash == nullptr)) {
            return core::Error(Code::kInvalidArgument,
                               "a head has both: seq, its number, and hash");
        }
        if (seq != nullptr) {
            out.known = {.seq = seq->to_number<std::int64_t>(),
                         .hash = std::string(hash->as_string())};
        }
        return out;
    }

    audit::ReadArchive reading(audit::PublicKeys keys) const {
        return [this, keys = std::move(keys)](const audit::ArchivedSpan& span) {
            return archives_.read(span, keys);
        };
    }

    /// Archives first, if they are asked for: a head that was kept is in them or in the record.
    Result<json::object> verified(const Scope& scope, ToVerify wanted) const {
        ZONA_TRY_VOID(recorder_.settle(scope));
        ZONA_TRY(audit::Books* const books, recorder_.books());
        ZONA_TRY(const auto keys, audit::public_keys(*books));
        if (!wanted.archives) {
            ZONA_TRY(const auto done, audit::verify(*books, scope, keys, wanted.known));
            return shown(done);
        }
        audit::Head head;
        ZONA_TRY_VOID(books->read(scope, [&](store::Reader& reader) -> Result<void> {
            ZONA_TRY(head, audit::find_head(reader, scope));
            return {};
        }));
        std::optional<audit::KnownHead> archived;
        if (wanted.known && wanted.known->seq <= head.archived)
            archived = std::exchange(wanted.known, std::nullopt);
        ZONA_TRY(const auto before,
                 audit::verify_archives(*books, scope, keys, archived, reading(keys)));
        ZONA_TRY(audit::Verification done, audit::verify(*books, scope, keys, wanted.known));
        if (before.flaw) done.flaw = before.flaw;
        if (before.archives > 0) done.first = 1;
        json::object out = shown(done);
        out["archives"] = json::object{{"archives", before.archives}, {"entries", before.entries}};
        return out;
    }

    /// What comes after `last`: an archive, or a page of the record when there is no other.
    asio::awaitable<Result<ExportPage>> export_page(Scope scope, audit::Wanted wanted,
                                                    ExportPage last) const {
        auto work = [this, scope = std::move(scope), wanted = std::move(wanted),
                     archive = last.next_archive,
                     token = std::move(last.token)]() -> Result<ExportPage> {
            if (token.empty()) ZONA_TRY_VOID(recorder_.settle(scope));
            ZONA_TRY(audit::Books* const books, recorder_.books());
            if (archive > 0) {
                ZONA_TRY(auto keys, audit::public_keys(*books));
                ZONA_TRY(auto found, audit::find_archived(*books, scope, wanted, archive,
                                                          reading(std::move(keys))));
                return ExportPage{.entries = std::move(found.entries),
                                  .next_archive = found.next,
                                  .token = {},
                                  .more = true};
            }
            ZONA_TRY(audit::EntryPage page,
                     entries_of(*books, scope, wanted, {.limit = kExportPage, .token = token}));
            const bool more = !page.next.empty();
            return ExportPage{.entries = std::move(page.entries),
                              .next_archive = 0,
                              .token = std::move(page.next),
                              .more = more};
        };
        co_return co_await answer_by(run_long_, std::move(work));
    }

    static Result<audit::EntryPage> entries_of(audit::Books& books, const Scope& scope,
                                               const audit::Wanted& wanted,
                                               const store::PageRequest& request) {
        audit::EntryPage out;
        ZONA_TRY_VOID(books.read(scope, [&](store::Reader& reader) -> Result<void> {
            ZONA_TRY(out, audit::find_entries(reader, scope, wanted, request));
            return {};
        }));
        return out;
    }

    audit::Recorder& recorder_;
    const tenancy::AuditArchives& archives_;
    tenancy::Tenants& tenants_;
    const core::Clock& clock_;
    const RunBlocking run_long_;
};

}  // namespace

Result<void> add_audit_routes(Service& service, const DaemonApiDeps* deps) {
    service.name("AuditEntry", detail::entry_shape());
    service.name("AuditVerification", detail::verification_shape());
    service.name("AuditReport", detail::report_shape());
    service.name("AuditArchive", detail::archive_shape());
    const auto routes = deps == nullptr ? nullptr : std::make_shared<const AuditRoutes>(*deps);
    using Member = Answer (AuditRoutes::*)(Call&) const;
    for (const detail::Whose whose : {detail::Whose::kInstallation, detail::Whose::kTenant}) {
        const auto of = [whose](Operation operation) {
            return detail::about(whose, std::move(operation));
        };
        const std::array<std::pair<Operation, Member>, 7> rows = {{
            {of(detail::list_entries()), &AuditRoutes::list},
            {of(detail::export_entries()), &AuditRoutes::all},
            {of(detail::list_archives()), &AuditRoutes::archives},
            {of(detail::verify_record()), &AuditRoutes::verify},
            {of(detail::unmask_entries()), &AuditRoutes::unmask},
            {of(detail::report_on_record()), &AuditRoutes::report},
            {of(detail::erase_subject()), &AuditRoutes::erase},
        }};
        ZONA_TRY_VOID(add_members(service, routes, rows));
    }
    return {};
}

}  // namespace zona::api
