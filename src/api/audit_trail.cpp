#include "api/audit_trail.h"

#include <chrono>
#include <utility>
#include <variant>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/alerts.h"
#include "audit/recorder.h"
#include "core/json.h"
#include "core/text.h"
#include "identity/caller.h"
#include "identity/secret_text.h"
#include "identity/users/users.h"

namespace zona::api {

namespace json = boost::json;
using audit::Category;
using audit::Entry;
using audit::Outcome;
using core::Code;

namespace {

Category category_of(const Operation& operation) {
    switch (operation.tag) {
        case Tag::kProcesses:
        case Tag::kExecutions:
        case Tag::kSnapshots:
        case Tag::kPmdaemon:
            return Category::kProcess;
        case Tag::kKeys:
        case Tag::kIdentity:
        case Tag::kPages:
            return Category::kAuthentication;
        case Tag::kVault:
            return Category::kSecurity;
        case Tag::kAudit:
            return Category::kCompliance;
        default:
            return Category::kConfiguration;
    }
}

/// Whether it was a refusal of who asked, and not a failure of what was asked.
bool is_refusal(Code code) {
    switch (code) {
        case Code::kUnauthenticated:
        case Code::kInvalidToken:
        case Code::kUnknownToken:
        case Code::kTokenExpired:
        case Code::kSecondFactor:
        case Code::kForbidden:
        case Code::kAccessDenied:
        case Code::kInvalidTenant:
        case Code::kCsrf:
        case Code::kAddressDenied:
        case Code::kRequestBlocked:
            return true;
        default:
            return false;
    }
}

/// By what authentication says: a user, "uid 0", "key NAME", "anybody".
audit::Actor actor_of(const net::Request& request) {
    audit::Actor out;
    if (const auto* tcp = std::get_if<net::TcpPeer>(&request.peer)) out.address = tcp->address;
    if (const identity::Principal* user = identity::user_of(request)) {
        out.kind = "user";
        out.id = std::to_string(user->user_id);
        out.number = user->user_id;
        out.name = user->name;
        out.session = user->session.to_string();
        return out;
    }
    const std::string& who = request.principal;
    const std::size_t space = who.find(' ');
    const std::string kind = who.substr(0, space);
    const std::string id = space == std::string::npos ? "" : who.substr(space + 1);
    if (kind == "uid") {
        out.kind = "local";
        out.id = id;
    } else if (id.empty()) {
        out.kind = "anonymous";
    } else {
        out.kind = kind;
        out.id = id;
    }
    return out;
}

std::string path_tenant(const net::Request& request) {
    for (const net::Parameter& parameter : request.parameters) {
        if (parameter.name == kTenantParameter) return core::lower_ascii(parameter.value);
    }
    return request.tenant;
}

/// For a path that holds a key or token.
std::string secret_resource(const net::Request& request) {
    return request.route.empty() ? "(secret)" : std::string(request.route);
}

Entry entry_of(const audit::Recorder& recorder, const net::Request& request) {
    Entry out = recorder.begin();
    out.actor = actor_of(request);
    out.tenant = path_tenant(request);
    out.resource = identity::is_secret_path(request.path) ? secret_resource(request) : request.path;
    out.correlation = request.correlation_id;
    return out;
}

void set_error(Entry& entry, const core::Error& error) {
    entry.outcome = is_refusal(error.code()) ? Outcome::kRefused : Outcome::kFailure;
    entry.details = fmt::format("{}: {}", core::info(error.code()).name, error.message());
}

/// Who wanted to be let in, if nobody was: personal, whoever it is.
void set_claim(Entry& entry, const Call& call) {
    if (entry.actor.name.empty()) entry.actor.name = call.claimed_name();
    if (entry.tenant.empty()) entry.tenant = call.claimed_tenant();
}

/// The keys and tokens of a request are not those of anybody. One that is over was somebody's.
bool is_unknown_sender(Code code) {
    return code == Code::kUnauthenticated || code == Code::kInvalidToken ||
           code == Code::kUnknownToken;
}

/// A request without a key or token has tried nothing.
bool has_shown_something(const net::Request& request) {
    return request.headers.has("Authorization") || request.headers.has("X-API-Key") ||
           request.certificate != nullptr;
}

/// Whether the proof that a request brought was none. What came too early to be looked at was none,
/// too: nobody types as quickly.
bool has_failed_proof(const Call& call, const core::Result<net::Response>& response) {
    if (call.operation().access != Access::kOpen || response) return false;
    const Code code = response.error().code();
    return is_unknown_sender(code) ||
           (code == Code::kTooManyRequests && !call.claimed_name().empty());
}

/// Without the members that are the same in both.
void set_change(Entry& entry, const std::string& before, const std::string& after) {
    const auto object = [](const std::string& text) -> json::object {
        auto value = core::parse_written_json(text.empty() ? "{}" : text);
        return value && value->is_object() ? std::move(value->get_object()) : json::object();
    };
    const json::object from = object(before);
    const json::object to = object(after);
    static const store::CollectionSpec kNoSecrets{.name = "shown"};
    audit::set_change(entry, kNoSecrets, before.empty() ? nullptr : &from,
                      after.empty() ? nullptr : &to);
}

}  // namespace

core::Result<void> AuditTrail::room() const {
    return recorder_.room();
}

void AuditTrail::done(const Call& call, const core::Result<net::Response>& response) {
    const net::Request& request = call.request();
    const Operation& operation = call.operation();
    Entry entry = entry_of(recorder_, request);
    entry.category = category_of(operation);
    entry.action = operation.id;
    set_claim(entry, call);
    if (!response) {
        set_error(entry, response.error());
    } else if (response->failure) {
        set_error(entry, response->failure->error);
    } else if (constexpr int kFirstError = 400; response->status >= kFirstError) {
        entry.outcome = Outcome::kFailure;
        entry.details = fmt::format("status {}", response->status);
    }
    if (has_failed_proof(call, response)) {
        alerts_.failed(entry.actor.address, call.claimed_tenant(),
                       core::lower_ascii(call.claimed_name()));
    }
    // Messages about users quote their names and addresses, which are never to stand in clear.
    if (operation.tag == Tag::kIdentity || operation.tag == Tag::kPages)
        entry.details = entry.details.substr(0, entry.details.find(':'));
    if (entry.outcome == Outcome::kSuccess) set_change(entry, call.before(), call.after());
    if (entry.outcome == Outcome::kRefused) entry.category = Category::kSecurity;
    const bool is_its_own = operation.reach == Reach::kTenant &&
                            entry.outcome != Outcome::kRefused && !entry.tenant.empty();
    recorder_.record(is_its_own ? entry.tenant : store::Scope::core().code(), entry);
}

void AuditTrail::came_from_new_place(const net::Request& request, const identity::SignedIn& who) {
    alerts_.came_from_new_place({.kind = "user",
                                 .id = std::to_string(who.user_id),
                                 .number = who.user_id,
                                 .name = who.name,
                                 .address = actor_of(request).address},
                                who.tenant);
}

void AuditTrail::attacked(const net::Request& request) {
    alerts_.attacked(actor_of(request).address);
}

void AuditTrail::watch(const net::Request& request, Code code) {
    if (code == Code::kInvalidTenant) {
        alerts_.reached_out(actor_of(request), path_tenant(request));
    } else if (is_unknown_sender(code) && has_shown_something(request)) {
        alerts_.failed(actor_of(request).address, {}, {});
    }
}

void AuditTrail::refused(const net::Request& request, const core::Error& error) {
    if (!is_refusal(error.code())) return;
    watch(request, error.code());
    std::uint64_t left_out = 0;
    {
        const std::scoped_lock lock(mutex_);
        const auto now = clock_.steady();
        if (now - second_ >= std::chrono::seconds(1)) {
            second_ = now;
            in_second_ = 0;
        }
        if (++in_second_ > kMostRefusals) {
            ++left_out_;
            return;
        }
        left_out = std::exchange(left_out_, 0);
    }
    Entry entry = entry_of(recorder_, request);
    entry.category = Category::kSecurity;
    entry.action = request.method_name.substr(0, audit::kMostAction);
    set_error(entry, error);
    if (left_out > 0) entry.details += fmt::format(" ({} more before it)", left_out);
    recorder_.record(store::Scope::core().code(), entry);
}

net::Middleware record_refusals(AuditTrail& trail) {
    return [&trail](const net::Request& request, net::Response& response) {
        // What came to a handler is told of by its operation.
        if (response.failure && !request.handled) trail.refused(request, response.failure->error);
    };
}

}  // namespace zona::api
