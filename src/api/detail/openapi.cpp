#include "api/detail/openapi.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/pmdaemon_operations.h"
#include "core/json.h"
#include "core/text.h"

namespace zona::api::detail {

namespace json = boost::json;
using Kind = ShapeNode::Kind;

namespace {

constexpr std::string_view kAbout =
    "zona supervises processes: it starts them, restarts those that crash, keeps what they wrote "
    "and how they ended, and loses none of it when it dies itself.\n\n"
    "Every answer is JSON in one envelope, `{\"success\": true, \"data\": ..., \"meta\": {...}}` "
    "or "
    "`{\"success\": false, \"error\": {...}}`, but for streams, /metrics and the documents. Times "
    "are RFC 3339 in UTC; durations and sizes say their unit in the name. A field or a query "
    "parameter that an operation does not know is an error, which names the nearest one. Answers "
    "may get new fields; clients pass over what they do not know.\n\n"
    "Every answer has X-Correlation-Id: the request's own if it gave one, else a new one. It "
    "stands "
    "in the daemon's log.";

json::value parsed(const std::string& text) {
    auto value = core::parse_json(text);
    return value ? std::move(*value) : json::value(text);
}

/// "NOT_FOUND" -> "NotFound": the name of its response.
std::string pascal(std::string_view name) {
    std::string out;
    bool upper = true;
    for (const char c : name) {
        if (c == '_') {
            upper = true;
        } else {
            out += upper ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            upper = false;
        }
    }
    return out;
}

void collect(const Shape& shape, const Components& components, std::set<std::string>& into) {
    const ShapeNode& node = shape.node();
    if (node.kind == Kind::kComponent && into.insert(node.component).second)
        collect(components.at(node.component), components, into);
    for (const Field& field : node.fields)
        collect(field.shape, components, into);
    for (const Shape& part : node.parts)
        collect(part, components, into);
}

json::object error_schema() {
    const Shape detail = Shape::object(
        {required("where", Shape::text("A JSON pointer into the request, the name of a parameter, "
                                       "or FILE:LINE; may be empty.")),
         required("problem", Shape::text("What is wrong there.")),
         required("hint", Shape::text("What to do; may be empty."))},
        "One of several mistakes.");
    std::vector<std::string> names;
    for (const core::CodeInfo& row : core::all_codes())
        names.emplace_back(row.name);
    const Shape error = Shape::object(
        {required("code", Shape::text("One of a closed list; docs/errors.md tells cause and cure.")
                              .choices(names)),
         required("message", Shape::text("One sentence for people.")),
         required("details", Shape::array("Every mistake that was found.", detail)),
         required("correlation_id", Shape::text("What the daemon's log calls this request."))},
        "Why a request failed.");
    return schema_of(error, Direction::kAnswer).as_object();
}

json::object envelope_schema(json::value data, const AnswerSpec& answer) {
    json::array needed = {"success", "data"};
    json::object properties = {{"success", {{"const", true}}}, {"data", std::move(data)}};
    if (answer.meta) {
        needed.emplace_back("meta");
        properties["meta"] = schema_of(*answer.meta, Direction::kAnswer);
    }
    return {
        {"type", "object"}, {"required", std::move(needed)}, {"properties", std::move(properties)}};
}

json::object content_of(const AnswerSpec& answer) {
    json::object media;
    json::value schema = schema_of(answer.shape, Direction::kAnswer);
    if (answer.media_type != "application/json" || answer.envelope == Envelope::kNo) {
        media["schema"] = std::move(schema);
        media["example"] = parsed(answer.example);
    } else {
        media["schema"] = envelope_schema(std::move(schema), answer);
        json::object example = {{"success", true}, {"data", parsed(answer.example)}};
        if (answer.meta && !answer.meta->node().example.empty())
            example["meta"] = parsed(answer.meta->node().example);
        media["example"] = std::move(example);
    }
    return {{answer.media_type, std::move(media)}};
}

json::object links_of(const AnswerSpec& answer) {
    json::object out;
    for (const LinkSpec& link : answer.links) {
        out[link.name] = {{"operationId", link.operation},
                          {"parameters", {{link.parameter, link.expression}}}};
    }
    return out;
}

json::object responses_of(const Operation& operation) {
    json::object out;
    for (const AnswerSpec& answer : operation.answers) {
        const std::string status = fmt::format("{}", answer.status);
        if (json::value* other = out.if_contains(status)) {
            // The same in another form.
            other->as_object()["content"].as_object()[answer.media_type] =
                content_of(answer).at(answer.media_type);
            continue;
        }
        json::object response = {{"description", answer.description}};
        if (!answer.media_type.empty()) response["content"] = content_of(answer);
        if (!answer.links.empty()) response["links"] = links_of(answer);
        out[status] = std::move(response);
    }
    for (const ErrorSpec& error : all_errors(operation)) {
        const core::CodeInfo& row = core::info(error.code);
        const std::string status = fmt::format("{}", row.http_status);
        const bool in_its_own_shape = operation.manner == Manner::kPmdaemon && out.contains(status);
        if (in_its_own_shape) continue;
        out[status] = {{"$ref", "#/components/responses/" + pascal(row.name)},
                       {"description", error.when}};
    }
    return out;
}

json::object parameter_of(const ParameterSpec& parameter) {
    const ShapeNode& node = parameter.shape.node();
    json::object schema = schema_of(parameter.shape, Direction::kRequest).as_object();
    schema.erase("description");
    schema.erase("examples");
    if (parameter.repeat == Repeat::kMany) schema = {{"type", "array"}, {"items", schema}};
    json::object out = {{"name", parameter.name},
                        {"in", parameter.place == Place::kPath ? "path" : "query"},
                        {"description", node.doc}};
    const bool needed =
        parameter.place == Place::kPath || parameter.presence == Presence::kRequired;
    out["required"] = needed;
    out["schema"] = std::move(schema);
    if (parameter.repeat == Repeat::kMany) {
        out["style"] = "form";
        out["explode"] = true;
        out["example"] = json::array{parsed(node.example)};
    } else {
        out["example"] = parsed(node.example);
    }
    return out;
}

json::object body_of(const BodySpec& body) {
    json::object examples;
    for (const Example& example : body.examples) {
        examples[example.name] = {{"summary", example.summary}, {"value", parsed(example.json)}};
    }
    const auto& fields = body.shape.node().fields;
    const bool needed = std::ranges::any_of(
        fields, [](const Field& field) { return field.presence == Presence::kRequired; });
    return {{"required", needed},
            {"content",
             {{media_type(body),
               {{"schema", schema_of(body.shape, Direction::kRequest)},
                {"examples", std::move(examples)}}}}}};
}

json::object socket_of(const SocketSpec& socket) {
    const auto side = [](const std::vector<Shape>& messages) {
        json::array one_of;
        for (const Shape& message : messages)
            one_of.push_back(schema_of(message, Direction::kAnswer));
        return json::object{{"oneOf", std::move(one_of)}};
    };
    return {{"subprotocol", socket.subprotocol},
            {"client", side(socket.client)},
            {"server", side(socket.server)}};
}

json::object failure_example(const core::CodeInfo& row) {
    return {{"success", false},
            {"error",
             {{"code", row.name},
              {"message", row.meaning},
              {"details", json::array()},
              {"correlation_id", "0f3a9c1d5e7b2468-1"}}}};
}

/// What every route of a WebSocket answers to an ordinary request.
json::object no_upgrade() {
    return {{"description", "The request is no handshake for a WebSocket (RFC 6455)."},
            {"content",
             {{"application/json",
               {{"schema", {{"$ref", "#/components/schemas/Failure"}}},
                {"example", failure_example(core::info(core::Code::kInvalidArgument))}}}}}};
}

json::object operation_of(const Operation& operation) {
    json::object out = {{"operationId", operation.id},
                        {"tags", json::array{to_string(operation.tag)}},
                        {"summary", operation.summary},
                        {"description", operation.description},
                        {"x-zona-scope", to_string(operation.access)},
                        {"x-zona-reach", to_string(operation.reach)}};
    if (operation.limits.body) out["x-zona-max-body-bytes"] = operation.limits.body->bytes();
    if (operation.limits.time) out["x-zona-max-time-ms"] = operation.limits.time->count();
    if (operation.access == Access::kOpen) out["security"] = json::array();
    json::array parameters;
    for (const ParameterSpec& parameter : operation.parameters)
        parameters.push_back(parameter_of(parameter));
    if (!parameters.empty()) out["parameters"] = std::move(parameters);
    if (operation.body) out["requestBody"] = body_of(*operation.body);
    if (operation.socket) out["x-websocket"] = socket_of(*operation.socket);
    json::object responses = responses_of(operation);
    if (responses.contains("101")) responses["426"] = no_upgrade();
    out["responses"] = std::move(responses);
    return out;
}

json::object shared_responses() {
    json::object out;
    for (const core::CodeInfo& row : core::all_codes()) {
        const json::object example = failure_example(row);
        out[pascal(row.name)] = {
            {"description", row.meaning},
            {"content",
             {{"application/json",
               {{"schema", {{"$ref", "#/components/schemas/Failure"}}}, {"example", example}}}}}};
    }
    return out;
}

json::object security_schemes() {
    return {{"bearer",
             {{"type", "http"},
              {"scheme", "bearer"},
              {"description",
               "`Authorization: Bearer KEY`, KEY from the file api-key in zona's home."}}},
            {"apiKey",
             {{"type", "apiKey"},
              {"in", "header"},
              {"name", "X-API-Key"},
              {"description", "`X-API-Key: KEY`."}}},
            {"authorization",
             {{"type", "apiKey"},
              {"in", "header"},
              {"name", "Authorization"},
              {"description", "`Authorization: ApiKey KEY`: the word ApiKey, a space, the key."}}}};
}

json::object components_of(const std::vector<const Operation*>& operations,
                           const Components& components) {
    std::set<std::string> asked;
    for (const Operation* operation : operations) {
        if (operation->body) collect(operation->body->shape, components, asked);
        if (!operation->socket) continue;
        for (const Shape& message : operation->socket->client)
            collect(message, components, asked);
    }
    json::object schemas;
    for (const auto& [name, shape] : components) {
        schemas[name] =
            schema_of(shape, asked.contains(name) ? Direction::kRequest : Direction::kAnswer);
    }
    schemas["Failure"] = {
        {"type", "object"},
        {"description", "The envelope of every error."},
        {"required", {"success", "error"}},
        {"properties", {{"success", {{"const", false}}}, {"error", error_schema()}}}};
    return {{"schemas", std::move(schemas)},
            {"responses", shared_responses()},
            {"securitySchemes", security_schemes()}};
}

}  // namespace

std::string example_text(const ParameterSpec& parameter) {
    const json::value value = parsed(parameter.shape.node().example);
    if (const json::string* text = value.if_string()) return std::string(*text);
    return core::to_json(value);
}

std::string example_target(const Operation& operation) {
    std::string out = operation.path;
    char separator = '?';
    for (const ParameterSpec& parameter : operation.parameters) {
        const std::string text = example_text(parameter);
        const std::string name = "{" + parameter.name + "}";
        if (parameter.place == Place::kPath) {
            out.replace(out.find(name), name.size(), text);
        } else if (parameter.presence == Presence::kRequired) {
            out += separator + parameter.name + "=" + text;
            separator = '&';
        }
    }
    return out;
}

std::string openapi_text(const std::vector<const Operation*>& operations,
                         const Components& components, const std::string& version) {
    json::array tags;
    for (const Tag tag : kAllTags)
        tags.push_back(json::object{{"name", to_string(tag)}, {"description", meaning(tag)}});
    json::object paths;
    for (const Operation* operation : operations) {
        if (!paths.contains(operation->path)) paths[operation->path] = json::object();
        paths[operation->path].as_object()[core::lower_ascii(to_string(operation->method))] =
            operation_of(*operation);
    }
    const json::object document = {
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "zona"},
          {"version", version},
          {"summary", "A supervisor of services that loses nothing when it dies."},
          {"description", kAbout}}},
        {"servers",
         {{{"url", "/"}, {"description", "The zona that this document is from."}},
          {{"url", "http://127.0.0.1:8063"}, {"description", "The default address."}}}},
        {"security",
         {{{"bearer", json::array()}},
          {{"apiKey", json::array()}},
          {{"authorization", json::array()}}}},
        {"tags", std::move(tags)},
        {"paths", std::move(paths)},
        {"components", components_of(operations, components)}};
    return core::to_json(document);
}

Operation openapi_operation() {
    return {.path = "/openapi.json",
            .id = "getApiDocument",
            .tag = Tag::kDocuments,
            .access = Access::kOpen,
            .summary = "This API as an OpenAPI 3.1 document",
            .description =
                "Everything that a client needs to know, made from the same declarations "
                "that requests are checked against.",
            .answers = {{.description = "The document.",
                         .shape = Shape::map("An OpenAPI 3.1 document.", Shape::any("")),
                         .envelope = Envelope::kNo,
                         .example = R"({"openapi": "3.1.0"})"}}};
}

Operation page_operation() {
    return {.path = "/docs",
            .id = "getApiPage",
            .tag = Tag::kDocuments,
            .access = Access::kOpen,
            .summary = "This API as a page for people",
            .description =
                "One HTML text with every operation, an example for each, and no link to "
                "anything outside. Works without JavaScript.",
            .answers = {{.description = "The page.",
                         .shape = Shape::text("HTML."),
                         .media_type = "text/html",
                         .example = "<!doctype html>"}}};
}

Operation front_operation() {
    return {.path = "/",
            .id = "getFrontPage",
            .tag = Tag::kDocuments,
            .access = Access::kOpen,
            .summary = "The way to everything",
            .description =
                "Sends browsers, which ask for HTML, to /docs; tells programs what there is.",
            .answers = {pmdaemon::front_answer(),
                        {.status = 307,
                         .description = "To a browser: see /docs.",
                         .shape = Shape::any("Nothing."),
                         .media_type = ""}}};
}

}  // namespace zona::api::detail
