/// @file
/// Operation: one thing that the API can be asked, declared once.
///
/// The router's route, the check of requests and answers, /openapi.json, /docs and the tables of
/// docs/api.md all come from this value; none of them is written by hand. Pure data: a declaration
/// decides nothing. docs/guides/add-a-route.md shows how one is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/shape.h"
#include "core/error.h"
#include "identity/access/permissions.h"
#include "net/http.h"
#include "net/router.h"
#include "tenancy/limits/feature.h"

namespace zona::api {

/// Who may ask.
enum class Access : std::uint8_t {
    kOpen,    ///< everybody, without a key: a GET, or a POST that brings its own proof
    kViewer,  ///< reads: GET
    kAdmin,   ///< changes: every other method
};
/// "open", "viewer", "admin".
std::string_view to_string(Access access);

/// What a key that is bound to one tenant may ask (TEN-16, TEN-35).
enum class Reach : std::uint8_t {
    kInstallation,  ///< not this: it is about all of zona, or about other tenants, too
    kTenant,        ///< this of its own tenant, which the path parameter `code` names
    kEveryone,      ///< this: it tells nothing of anybody
};
/// The path parameter of every operation of a tenant's.
inline constexpr std::string_view kTenantParameter = "code";
/// In its place: those who belong to no tenant, Super Admins. No tenant has this code.
inline constexpr std::string_view kNoTenant = "core";
/// "installation", "tenant", "everyone".
std::string_view to_string(Reach reach);

/// Under which heading an operation stands, in the order of the documents.
enum class Tag : std::uint8_t {
    kProcesses,
    kExecutions,
    kLogs,
    kStreams,
    kSnapshots,
    kConfiguration,
    kSystem,
    kKeys,
    kTenants,
    kIdentity,
    kJobs,
    kVault,
    kAudit,
    kDocuments,
    kPages,
    kPmdaemon
};
/// "processes", "logs", ...: as in the documents.
std::string_view to_string(Tag tag);
/// The heading's one sentence.
std::string_view meaning(Tag tag);
/// All of them, in the order of the documents.
inline constexpr Tag kAllTags[] = {
    Tag::kProcesses, Tag::kExecutions,    Tag::kLogs,   Tag::kStreams,
    Tag::kSnapshots, Tag::kConfiguration, Tag::kSystem, Tag::kKeys,
    Tag::kTenants,   Tag::kIdentity,      Tag::kJobs,   Tag::kVault,
    Tag::kAudit,     Tag::kDocuments,     Tag::kPages,  Tag::kPmdaemon};

/// Whose conventions an operation keeps.
enum class Manner : std::uint8_t {
    kZona,
    /// PMDaemon's: a query parameter that it does not know is passed over, and what it refuses is
    /// told in the statuses and shapes of its answers.
    kPmdaemon,
    /// Another server sends a browser there: a query parameter that zona does not know is passed
    /// over.
    kReturn
};

/// Whether it is served once the licence is not valid any more.
enum class Unlicensed : std::uint8_t { kServed, kRefused };

/// Where a parameter stands.
enum class Place : std::uint8_t { kPath, kQuery };
/// Whether a query parameter may be given more than once.
enum class Repeat : std::uint8_t { kOnce, kMany };

/// A parameter of the path or the query. Its text is read as its shape says: a text, an integer, or
/// a boolean ("true", "1" and "" are true, "false" and "0" are not). The shape has doc, example and
/// default.
struct ParameterSpec {
    std::string name;
    Shape shape;
    Place place = Place::kQuery;
    Presence presence = Presence::kOptional;
    Repeat repeat = Repeat::kOnce;
};

/// A body, or another value, with words. The JSON text is checked against its shape by a test.
struct Example {
    std::string name;  ///< lower-case, with hyphens: a key in the document
    std::string summary;
    std::string json;
};

/// How the body of a request is written.
enum class BodyForm : std::uint8_t {
    kJson,  ///< an absent one is read as `{}`
    kForm,  ///< an HTML form: an object of texts (net/form.h)
};

/// The body of a request.
struct BodySpec {
    Shape shape;
    std::vector<Example> examples;  ///< the first one is the one of the curl line
    BodyForm form = BodyForm::kJson;
};
/// Its media type.
std::string_view media_type(const BodySpec& body);

/// What can be asked next with what an answer holds.
struct LinkSpec {
    std::string name;
    std::string operation;   ///< its operationId
    std::string parameter;   ///< of that operation
    std::string expression;  ///< an OpenAPI runtime expression: "$response.body#/data/pm_id"
};

/// Whether a JSON answer is the `data` of {"success":true,"data":...}, or a document by itself.
enum class Envelope : std::uint8_t { kYes, kNo };

/// What a success looks like.
struct AnswerSpec {
    int status = 200;
    std::string description;
    /// For application/json the value of `data`; for application/x-ndjson one line; else only
    /// words.
    Shape shape;
    std::optional<Shape> meta;
    std::string media_type = "application/json";  ///< empty: there is no body
    Envelope envelope = Envelope::kYes;
    std::string example;  ///< JSON text of `data` or of the line; the text itself for other types
    std::vector<LinkSpec> links{};
};

/// A code that this operation gives for reasons of its own.
struct ErrorSpec {
    core::Code code;
    std::string when;
};

/// What both sides say over a WebSocket: each message is a JSON text that fits one of the shapes.
struct SocketSpec {
    std::string subprotocol;
    std::vector<Shape> client;  ///< components
    std::vector<Shape> server;  ///< components
};

/// One thing that can be asked: method and path, words, what goes in, what comes out.
struct Operation {
    net::Method method = net::Method::kGet;
    std::string path;  ///< a pattern of net::Router, of literals and {name} only
    std::string id;    ///< the operationId: unique, camelCase, a verb first
    Tag tag = Tag::kSystem;
    Access access = Access::kViewer;
    Reach reach = Reach::kInstallation;
    /// What a user's roles must allow; none: what tag, reach and method say (permission_of()).
    std::optional<identity::Permission> permission{};
    /// What a licence can turn off; none: nothing.
    std::optional<tenancy::Feature> feature{};
    /// None: what method, tag, access and reach say (when_unlicensed()).
    std::optional<Unlicensed> unlicensed{};
    Manner manner = Manner::kZona;
    std::string summary;
    std::string description;
    std::vector<ParameterSpec> parameters{};
    std::optional<BodySpec> body{};
    std::vector<AnswerSpec> answers{};  ///< the first one is the usual one
    std::vector<ErrorSpec> errors{};
    net::RequestLimits limits{};
    std::optional<SocketSpec> socket{};  ///< the answer is a WebSocket
    /// It changes something though it is a GET, as it was promised: it is put on record, too.
    bool changes_by_get = false;
};

/// What a user's roles must allow for it (AUTH-34).
identity::Permission permission_of(const Operation& operation);

/// Refused is what adds to tenants, their users and settings or changes them. What only reads,
/// takes away, or is about processes is served, whatever the licence says. Source: LIC-07.
Unlicensed when_unlicensed(const Operation& operation);

/// Every code that the operation can give, those of all operations included, ordered by status.
std::vector<ErrorSpec> all_errors(const Operation& operation);

/// Everything that is wrong with a declaration, one sentence each: its path's parameters, its
/// access, shapes without words, examples that do not fit. For tests: too slow for a start.
std::vector<std::string> mistakes_of(const Operation& operation, const Components& components);

}  // namespace zona::api
