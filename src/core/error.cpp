#include "core/error.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace zona::core {
namespace {

Code code_of(int number) {
    switch (number) {
        case ENOENT:
        case ESRCH:
        case ENOTDIR:
            return Code::kNotFound;
        case EACCES:
        case EPERM:
        case EROFS:
            return Code::kForbidden;
        case ENOSPC:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case EDQUOT:
        case EAGAIN:
            return Code::kResourceExhausted;
        case EEXIST:
        case EBUSY:
        case ENOTEMPTY:
        case EADDRINUSE:
            return Code::kConflict;
        case EINVAL:
        case ENAMETOOLONG:
        case E2BIG:
        case ENOEXEC:
        case EISDIR:
        case ELOOP:
            return Code::kInvalidArgument;
        case ETIMEDOUT:
            return Code::kTimeout;
        case ECONNREFUSED:
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN:
            return Code::kUnavailable;
        case ENOSYS:
        case EOPNOTSUPP:
            return Code::kUnsupported;
        case ECANCELED:
            return Code::kCancelled;
        default:
            return Code::kInternal;
    }
}

}  // namespace

const std::vector<CodeInfo>& all_codes() {
    static const std::vector<CodeInfo> rows = {
        {Code::kInvalidArgument, "INVALID_ARGUMENT", 400, 2, LogLevel::kInfo,
         "The request, file or option is wrong; correct it and try again.",
         "A field, parameter, option or line of a file is wrong, missing, unknown or of the wrong "
         "type.",
         "Read `details`: each entry names the place, what is wrong there and often the nearest "
         "right word."},
        {Code::kUnauthenticated, "UNAUTHENTICATED", 401, 5, LogLevel::kWarn,
         "No usable credentials were given.",
         "No key, one that is unknown or expired, or one that was mistyped.",
         "Give the key as `Authorization: Bearer KEY`, `Authorization: ApiKey KEY` or `X-API-Key: "
         "KEY`; it stands in the file api-key of zona's home."},
        {Code::kInvalidToken, "INVALID_TOKEN", 401, 5, LogLevel::kWarn,
         "What is shown is no token of this zona.",
         "A token that was cut short or changed, of another zona, or signed with a key that is "
         "not used any more.",
         "Sign in again: `zona login`."},
        {Code::kUnknownToken, "UNKNOWN_TOKEN", 401, 5, LogLevel::kInfo,
         "The token's session does not exist any more.",
         "Somebody signed out or was signed out, a refresh token was used twice, or the session "
         "ended a while ago.",
         "Sign in again: `zona login`."},
        {Code::kTokenExpired, "TOKEN_EXPIRED", 401, 5, LogLevel::kInfo, "The token's time is over.",
         "An access token lives for minutes.",
         "Renew it with the refresh token, or sign in again."},
        {Code::kSecondFactor, "SECOND_FACTOR_REQUIRED", 401, 5, LogLevel::kInfo,
         "The password is right; a second factor is wanted.",
         "The user, or the policy of the tenant, wants a code beside the password.",
         "Sign in with the code that the authenticator shows."},
        {Code::kForbidden, "FORBIDDEN", 403, 5, LogLevel::kWarn,
         "The caller or the daemon's user may not do this.",
         "A page of another origin asked, or zona's user may not read, write or execute something.",
         "Mend owner and mode of what the message names; `api.cors_origins` names the pages."},
        {Code::kAccessDenied, "ACCESS_DENIED", 403, 5, LogLevel::kWarn,
         "Who asks is known, and may not do this.",
         "No role of the user, or scope of the key, allows it; or it belongs to somebody else.",
         "`zona whoami` shows what is allowed; an administrator grants roles."},
        {Code::kInvalidTenant, "INVALID_TENANT", 403, 5, LogLevel::kWarn,
         "The tenant does not exist, or is not the one of who asks.",
         "The path or body names another tenant than the token or key, or the tenant is gone.",
         "Name the tenant of the token; only a Super Admin reaches others."},
        {Code::kTenantInactive, "TENANT_INACTIVE", 403, 5, LogLevel::kInfo,
         "The tenant is not served now.", "It is suspended, or being made or erased.",
         "An administrator activates it: `zona tenant activate`."},
        {Code::kLicense, "LICENSE_REQUIRED", 403, 5, LogLevel::kInfo,
         "The licence does not allow it.",
         "The licence has this feature turned off, has no place for more, or has expired.",
         "`zona license` shows what it allows; install another: `zona license install FILE`."},
        {Code::kCsrf, "CSRF_TOKEN_INVALID", 403, 5, LogLevel::kWarn,
         "The request of a browser's session does not show that its own page has sent it.",
         "The header X-CSRF-Token is missing or is not that of the session.",
         "Send the value of the cookie zona_csrf (over TLS __Host-zona_csrf) as X-CSRF-Token; "
         "programs send tokens instead of "
         "cookies and need none."},
        {Code::kAddressDenied, "ADDRESS_DENIED", 403, 5, LogLevel::kWarn,
         "Requests from this address are not taken.",
         "The address is on the list of those that are denied, or not on that of those allowed.",
         "Ask from another address, or have the lists changed."},
        {Code::kNotFound, "NOT_FOUND", 404, 3, LogLevel::kInfo, "The named thing does not exist.",
         "An id, a name, a path of the API or a file does not exist, or not any more.",
         "`zona list` shows what there is; `details` may hold the nearest names."},
        {Code::kMethodNotAllowed, "METHOD_NOT_ALLOWED", 405, 2, LogLevel::kInfo,
         "The path exists, but not with this method.", "The path is right and the method is not.",
         "The header Allow lists the methods that it takes."},
        {Code::kConflict, "CONFLICT", 409, 4, LogLevel::kInfo, "The present state refuses it.",
         "A name exists already, a process runs or does not, another zona holds the home.",
         "Look at the present state, change it or the request, and try again."},
        {Code::kTooLarge, "TOO_LARGE", 413, 2, LogLevel::kInfo,
         "A body or value is over its limit.",
         "A body over the limit of its operation, or a value over its own.",
         "Send less at a time, or raise `api.max_body_bytes`."},
        {Code::kHeaderTooLarge, "HEADER_TOO_LARGE", 431, 2, LogLevel::kInfo,
         "The request line or header is over its limit.",
         "A request line or header fields over `api.max_header_bytes`.",
         "Send shorter ones: cookies and long queries are the usual reason."},
        {Code::kUnsupportedMedia, "UNSUPPORTED_MEDIA", 415, 2, LogLevel::kInfo,
         "The body's format is not one that the route takes.",
         "A body without `Content-Type: application/json`.",
         "Send JSON and say so in Content-Type."},
        {Code::kTooManyRequests, "TOO_MANY_REQUESTS", 429, 7, LogLevel::kWarn,
         "A rate or queue limit is reached; try again later.",
         "Too many requests or connections of one client, or a queue that is full.",
         "Wait as long as Retry-After says, if it is there, and try again."},
        {Code::kTimeout, "TIMEOUT", 504, 8, LogLevel::kWarn,
         "A deadline passed; the effect may still come.", "The work took longer than its limit.",
         "Look whether the effect came before asking again; a change may have been made."},
        {Code::kCancelled, "CANCELLED", 499, 8, LogLevel::kInfo,
         "The caller went away or shutdown came first.",
         "The client closed the connection, or zona ended.",
         "Ask again if the answer is still wanted."},
        {Code::kUnavailable, "UNAVAILABLE", 503, 6, LogLevel::kWarn,
         "Something needed cannot be reached now.",
         "The daemon is starting or stopping, or something that it needs does not answer.",
         "Try again in a moment; `zona ping` and /readyz say how it is."},
        {Code::kResourceExhausted, "RESOURCE_EXHAUSTED", 507, 7, LogLevel::kWarn,
         "Disk, memory, file descriptors or process ids of the host are used up.",
         "A full disk, no memory, a limit on descriptors or processes, or a tenant's storage "
         "quota.",
         "Free some, or raise the limit that the message names; `zona doctor` shows them."},
        {Code::kUnsupported, "UNSUPPORTED", 501, 9, LogLevel::kWarn,
         "This host or build cannot do it.",
         "A kernel without the call, or a file of a kind that zona does not read.",
         "`zona doctor` says what is missing and how to get it."},
        {Code::kSessionError, "SESSION_ERROR", 500, 6, LogLevel::kWarn,
         "The tenant's database cannot be had now.",
         "Its server does not answer, or its file cannot be opened; it is tried again by itself.",
         "Try again as Retry-After says; `zona tenant show` names the reason."},
        {Code::kInternal, "INTERNAL", 500, 70, LogLevel::kError,
         "A bug, or an answer of the system nobody expected.", "A bug of zona.",
         "Search zonad.log for the correlation id and report what stands there."},
        {Code::kRequestBlocked, "REQUEST_BLOCKED", 403, 5, LogLevel::kWarn,
         "The web application firewall takes the request for an attack.",
         "A rule of the firewall finds in it what attacks look like, or cannot read its body.",
         "Whoever runs zona finds the rules by the correlation id in the log, and may turn one off "
         "in `api.firewall_rules`."},
    };
    return rows;
}

const CodeInfo& info(Code code) {
    return all_codes().at(static_cast<std::size_t>(code));
}

std::string render_errors_markdown() {
    std::string out =
        "| Code | HTTP status | Exit status | Meaning | Usual cause | Cure |\n"
        "|---|---|---|---|---|---|\n";
    for (const CodeInfo& row : all_codes()) {
        out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", row.name, row.http_status,
                           row.exit_status, row.meaning, row.cause, row.cure);
    }
    return out;
}

Code code_from_name(std::string_view name) {
    for (const CodeInfo& row : all_codes()) {
        if (row.name == name) return row.code;
    }
    return Code::kInternal;
}

Error::Error(Code code, std::string message, std::source_location where)
    : data_(std::make_unique<Data>(Data{code, 0, std::move(message), {}, where})) {}

Error Error::from_errno(int number, std::string message, std::source_location where) {
    Error error(code_of(number), std::move(message), where);
    error.data_->number = number;
    error.data_->message += ": ";
    error.data_->message += std::strerror(number);
    return error;
}

Error::Error(const Error& other) : data_(std::make_unique<Data>(*other.data_)) {}

Error& Error::operator=(const Error& other) {
    if (this != &other) data_ = std::make_unique<Data>(*other.data_);
    return *this;
}

Error&& Error::context(std::string_view text) && {
    return std::move(context(text));
}

Error& Error::context(std::string_view text) & {
    data_->message.insert(0, std::string(text) + ": ");
    return *this;
}

Error&& Error::detail(Detail entry) && {
    return std::move(detail(std::move(entry)));
}

Error& Error::detail(Detail entry) & {
    data_->details.push_back(std::move(entry));
    return *this;
}

Error&& Error::recode(Code code) && {
    data_->code = code;
    return std::move(*this);
}

}  // namespace zona::core
