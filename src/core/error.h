/// @file
/// The one error type of the program and its closed list of codes.
///
/// An Error is a value: it is returned, never thrown, and logged once, where it is handled. Every
/// code has exactly one HTTP status and one exit status, in the table of error.cpp; callers branch
/// on the code, people read the message.
#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "core/log_level.h"

namespace zona::core {

/// Why an operation failed. A new code is added only where some caller reacts differently to it.
enum class Code : unsigned char {
    kInvalidArgument,    ///< the request or file is wrong; repeating it cannot help
    kUnauthenticated,    ///< no or unusable credentials
    kInvalidToken,       ///< a token that nobody here has signed, or that is no token
    kUnknownToken,       ///< a token whose session does not exist, or not any more
    kTokenExpired,       ///< a token whose session has just ended by time
    kSecondFactor,       ///< the password was right, and a second factor is wanted
    kForbidden,          ///< the daemon's user, or the place of the caller, does not allow it
    kAccessDenied,       ///< known caller, whose roles and scopes do not allow it
    kInvalidTenant,      ///< the tenant of the token, or of the request, is not one it may reach
    kTenantInactive,     ///< the tenant is not served now
    kLicense,            ///< the licence does not allow it, or has expired
    kCsrf,               ///< a browser's session, and no proof that its page has sent the request
    kAddressDenied,      ///< requests from this address are not taken
    kNotFound,           ///< the named thing does not exist
    kMethodNotAllowed,   ///< the route exists, not with this method
    kConflict,           ///< the thing's present state refuses it (exists, running, locked)
    kTooLarge,           ///< body or value over an explicit limit
    kHeaderTooLarge,     ///< request line or header over its limit
    kUnsupportedMedia,   ///< body in a format that the route does not take
    kTooManyRequests,    ///< a rate or queue limit; later it may work
    kTimeout,            ///< a deadline passed; the effect may still come
    kCancelled,          ///< the caller went away or shutdown came first
    kUnavailable,        ///< something needed is not reachable now; retry
    kResourceExhausted,  ///< disk, memory, fds, pids of this host are used up
    kUnsupported,        ///< this host or build cannot do it
    kSessionError,       ///< the tenant's database cannot be had now (AUTH-09, GAP-12)
    kInternal,           ///< a bug or an unexpected answer of the system
    kRequestBlocked,     ///< the firewall takes the request for an attack
};

/// One row of the code table.
struct CodeInfo {
    Code code;
    std::string_view name;  ///< on the wire, e.g. "NOT_FOUND"
    int http_status;
    int exit_status;     ///< of the command, 1..125
    LogLevel log_level;  ///< of the line that whoever handles it writes
    std::string_view meaning;
    std::string_view cause;  ///< what usually brings it about
    std::string_view cure;   ///< what to do
};

/// The row of `code`. Total: every value has one (walked by a test).
const CodeInfo& info(Code code);

/// All rows in declaration order, for documents and tests.
const std::vector<CodeInfo>& all_codes();

/// The table of docs/errors.md, in Markdown.
std::string render_errors_markdown();

/// The code with this wire name; kInternal for an unknown name (a newer server).
Code code_from_name(std::string_view name);

/// One entry of a list of problems, e.g. a configuration error at a line of a file.
struct Detail {
    std::string where;    ///< file:line, JSON pointer or field; may be empty
    std::string problem;  ///< what is wrong there
    std::string hint;     ///< what to do; may be empty
    /// What `where` is; what is not said to be a pointer may be a path of this host.
    enum class Place : unsigned char { kAnything, kPointer } place = Place::kAnything;
};

/// A failed operation: code, public message, context, optional cause and details.
///
/// The message is for people and public: it carries no secret. It may name a path; the network face
/// strips paths for callers that are not local (net::shown_to). Cheap to move (one pointer), cheap
/// to return in the good case.
class [[nodiscard]] Error {
  public:
    /// `message` says what, where and what to do; no secret in it. `where` is for the log.
    Error(Code code, std::string message,
          std::source_location where = std::source_location::current());

    /// From errno: maps the number to a code (ENOENT → kNotFound, EACCES/EPERM → kForbidden,
    /// ENOSPC/EMFILE/ ENFILE/ENOMEM/EDQUOT/EAGAIN → kResourceExhausted, EEXIST → kConflict, EINVAL
    /// → kInvalidArgument, ETIMEDOUT → kTimeout, ECONNREFUSED/EPIPE/ECONNRESET → kUnavailable,
    /// ENOSYS/EOPNOTSUPP → kUnsupported, else kInternal) and appends ": <strerror>" to the message.
    static Error from_errno(int number, std::string message,
                            std::source_location where = std::source_location::current());

    Error(const Error& other);
    Error& operator=(const Error& other);
    Error(Error&&) noexcept = default;
    Error& operator=(Error&&) noexcept = default;
    ~Error() = default;

    Code code() const { return data_->code; }
    const std::string& message() const { return data_->message; }
    /// The errno it came from, 0 if none.
    int system_error() const { return data_->number; }
    const std::vector<Detail>& details() const { return data_->details; }
    const std::source_location& where() const { return data_->where; }

    /// @{
    /// Puts "text: " before the message. Returns *this for chaining.
    Error&& context(std::string_view text) &&;
    Error& context(std::string_view text) &;
    /// @}
    /// @{
    /// Appends one entry of a list of problems.
    Error&& detail(Detail entry) &&;
    Error& detail(Detail entry) &;
    /// @}
    /// Puts another code in place, where the caller of the operation knows better than the failed
    /// call.
    Error&& recode(Code code) &&;

  private:
    struct Data {
        Code code;
        int number = 0;
        std::string message;
        std::vector<Detail> details;
        std::source_location where;
    };
    std::unique_ptr<Data> data_;
};

}  // namespace zona::core
