#include "core/error.h"

#include <cerrno>
#include <cstring>

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
         "The request, file or option is wrong; correct it and try again."},
        {Code::kUnauthenticated, "UNAUTHENTICATED", 401, 5, LogLevel::kWarn,
         "No usable credentials were given."},
        {Code::kForbidden, "FORBIDDEN", 403, 5, LogLevel::kWarn,
         "The caller or the daemon's user may not do this."},
        {Code::kNotFound, "NOT_FOUND", 404, 3, LogLevel::kInfo, "The named thing does not exist."},
        {Code::kMethodNotAllowed, "METHOD_NOT_ALLOWED", 405, 2, LogLevel::kInfo,
         "The path exists, but not with this method."},
        {Code::kConflict, "CONFLICT", 409, 4, LogLevel::kInfo, "The present state refuses it."},
        {Code::kTooLarge, "TOO_LARGE", 413, 2, LogLevel::kInfo,
         "A body or value is over its limit."},
        {Code::kHeaderTooLarge, "HEADER_TOO_LARGE", 431, 2, LogLevel::kInfo,
         "The request line or header is over its limit."},
        {Code::kUnsupportedMedia, "UNSUPPORTED_MEDIA", 415, 2, LogLevel::kInfo,
         "The body's format is not one that the route takes."},
        {Code::kTooManyRequests, "TOO_MANY_REQUESTS", 429, 7, LogLevel::kWarn,
         "A rate or queue limit is reached; try again later."},
        {Code::kTimeout, "TIMEOUT", 504, 8, LogLevel::kWarn,
         "A deadline passed; the effect may still come."},
        {Code::kCancelled, "CANCELLED", 499, 8, LogLevel::kInfo,
         "The caller went away or shutdown came first."},
        {Code::kUnavailable, "UNAVAILABLE", 503, 6, LogLevel::kWarn,
         "Something needed cannot be reached now."},
        {Code::kResourceExhausted, "RESOURCE_EXHAUSTED", 507, 7, LogLevel::kWarn,
         "Disk, memory, file descriptors or process ids of the host are used up."},
        {Code::kUnsupported, "UNSUPPORTED", 501, 9, LogLevel::kWarn,
         "This host or build cannot do it."},
        {Code::kInternal, "INTERNAL", 500, 70, LogLevel::kError,
         "A bug, or an answer of the system nobody expected."},
    };
    return rows;
}

const CodeInfo& info(Code code) {
    return all_codes().at(static_cast<std::size_t>(code));
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
