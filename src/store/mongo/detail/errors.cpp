#include "store/mongo/detail/errors.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/uri.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;

namespace {

using Kind = Failure::Kind;

template <std::size_t N>
bool is_one_of(std::uint32_t code, const std::array<std::uint32_t, N>& codes) {
    return std::ranges::find(codes, code) != codes.end();
}

// Numbers of the server's error_codes.yml.
constexpr std::array<std::uint32_t, 3> kDuplicate = {11000, 11001, 12582};
// NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary, InterruptedAtShutdown,
// InterruptedDueToReplStateChange, PrimarySteppedDown, ShutdownInProgress, HostUnreachable,
// HostNotFound, NetworkTimeout, SocketException, LegacyNotPrimary.
constexpr std::array<std::uint32_t, 12> kNoPrimary = {10107, 13435, 13436, 11600, 11602, 189,
                                                      91,    6,     7,     89,    9001,  10058};
// OutOfDiskSpace.
constexpr std::array<std::uint32_t, 1> kFull = {14031};
// BSONObjectTooLarge, and of a transaction.
constexpr std::array<std::uint32_t, 3> kTooLarge = {10334, 17280, 257};
// AuthenticationFailed, and the driver's own.
constexpr std::array<std::uint32_t, 1> kNoLogin = {18};
// Unauthorized.
constexpr std::array<std::uint32_t, 1> kNoRight = {13};
// MaxTimeMSExpired, ExceededTimeLimit, WriteConcernFailed, UnsatisfiableWriteConcern,
// WriteConcernTimeout.
constexpr std::array<std::uint32_t, 4> kLate = {50, 262, 64, 100};

bool is_network(const bson_error_t& error) {
    return error.domain == MONGOC_ERROR_STREAM || error.domain == MONGOC_ERROR_PROTOCOL;
}

/// FerretDB gives the code of MongoDB to an insert alone, else what SQLite says.
bool is_duplicate(const bson_error_t& error) {
    if (error.domain != MONGOC_ERROR_SERVER) return false;
    return is_one_of(error.code, kDuplicate) ||
           std::string_view(error.message).contains("UNIQUE constraint failed");
}

bool is_login(const bson_error_t& error) {
    if (error.domain == MONGOC_ERROR_SASL || error.domain == MONGOC_ERROR_SCRAM) return true;
    if (error.domain == MONGOC_ERROR_CLIENT && error.code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
        return true;
    return error.domain == MONGOC_ERROR_SERVER && is_one_of(error.code, kNoLogin);
}

/// The driver wraps a refused login into the search for a server.
bool speaks_of_login(std::string_view said) {
    return said.contains("Authentication failed") || said.contains("authentication failed");
}

void replace_all(std::string& text, std::string_view what) {
    if (what.empty()) return;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += 3)
        text.replace(at, what.size(), "***");
}

}  // namespace

Failure failure_of(const bson_error_t& error, const bson_t* reply) {
    Failure out{.kind = Kind::kOther, .code = static_cast<int>(error.code)};
    const auto labelled = [reply](const char* label) {
        return reply != nullptr && mongoc_error_has_label(reply, label);
    };
    if (labelled("UnknownTransactionCommitResult")) {
        out.kind = Kind::kUnknownCommit;
    } else if (labelled("TransientTransactionError")) {
        out.kind = Kind::kTransient;
    } else if (is_duplicate(error)) {
        out.kind = Kind::kDuplicate;
        out.index = index_in(error.message);
    } else if (error.domain == MONGOC_ERROR_SERVER_SELECTION) {
        out.kind = Kind::kNoServer;
    } else if (is_network(error) ||
               (error.domain == MONGOC_ERROR_SERVER && is_one_of(error.code, kNoPrimary))) {
        out.kind = Kind::kNetwork;
    }
    return out;
}

Error error_of(const bson_error_t& error, const Failure& failure, const std::string& said) {
    if (is_login(error) || speaks_of_login(said)) {
        return {Code::kUnauthenticated,
                "the database server refuses the user name or password: set those of the tenant "
                "(database username and password) to what the server knows, and its "
                "authentication source"};
    }
    if (failure.kind == Kind::kDuplicate)
        return {Code::kConflict, "another document has the same values in a unique index"};
    if (error.domain == MONGOC_ERROR_SERVER_SELECTION || is_network(error) ||
        failure.kind == Kind::kNetwork) {
        return {Code::kUnavailable, fmt::format("no database server answers: {}", said)};
    }
    if (error.domain == MONGOC_ERROR_SERVER) {
        if (is_one_of(error.code, kNoRight)) {
            return {Code::kForbidden,
                    fmt::format("the database's user may not do this: give it the role readWrite "
                                "on its database ({})",
                                said)};
        }
        if (is_one_of(error.code, kFull) || said.contains("No space left") ||
            said.contains("disk is full")) {
            return {Code::kResourceExhausted,
                    "there is no room on the disk of the database server: nothing was changed; "
                    "make room there"};
        }
        if (is_one_of(error.code, kTooLarge))
            return {Code::kTooLarge, "more than the database server takes at once (16 MB)"};
        if (is_one_of(error.code, kLate))
            return {Code::kUnavailable, fmt::format("the database is too slow: {}", said)};
    }
    if (error.domain == MONGOC_ERROR_BSON)
        return {Code::kTooLarge, "more than the database server takes at once (16 MB)"};
    if (failure.kind == Kind::kTransient || failure.kind == Kind::kUnknownCommit)
        return {Code::kUnavailable, fmt::format("the transaction was not kept: {}", said)};
    return {Code::kInternal, fmt::format("the database server says: {} ({})", said, error.code)};
}

bool says_not_found(int code) {
    return code == 26 || code == 27;  // NamespaceNotFound, IndexNotFound
}

bool says_not_authorised(int code) {
    return code == 13;
}

std::string index_in(std::string_view message) {
    // E11000 duplicate key error collection: DB.COLLECTION index: NAME dup key: { ... }
    constexpr std::string_view kBefore = " index: ";
    const std::size_t at = message.find(kBefore);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = message.substr(at + kBefore.size());
    return std::string(rest.substr(0, rest.find(' ')));
}

std::string scrub(std::string text, std::string_view password) {
    replace_all(text, password);
    replace_all(text, core::percent_encoded(password));
    for (std::size_t at = 0; (at = text.find("mongodb", at)) != std::string::npos; ++at) {
        const std::size_t begin = text.find("://", at);
        if (begin == std::string::npos) break;
        const std::size_t host = text.find('@', begin);
        if (host != std::string::npos && host < text.find_first_of(" '\"/", begin + 3))
            text.replace(begin + 3, host - begin - 3, "***");
    }
    return text;
}

}  // namespace zona::store::mongo
