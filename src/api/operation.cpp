#include "api/operation.h"

#include <algorithm>
#include <array>
#include <regex>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "net/form.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using Kind = ShapeNode::Kind;

std::string_view to_string(Access access) {
    constexpr std::array<std::string_view, 3> kNames = {"open", "viewer", "admin"};
    return kNames.at(static_cast<std::size_t>(access));
}

std::string_view to_string(Reach reach) {
    constexpr std::array<std::string_view, 3> kNames = {"installation", "tenant", "everyone"};
    return kNames.at(static_cast<std::size_t>(reach));
}

std::string_view to_string(Tag tag) {
    constexpr std::array<std::string_view, 16> kNames = {
        "processes", "executions", "logs",    "streams",  "snapshots", "configuration",
        "system",    "keys",       "tenants", "identity", "jobs",      "vault",
        "audit",     "documents",  "pages",   "pmdaemon"};
    return kNames.at(static_cast<std::size_t>(tag));
}

std::string_view meaning(Tag tag) {
    constexpr std::array<std::string_view, 16> kMeanings = {
        "Processes: what runs, what should run, and how runs ended.",
        "Changes that go on after their answer, and what has become of them.",
        "What processes wrote, as lines with their times.",
        "What happens to processes, told as it happens.",
        "The list of processes, kept and brought back.",
        "The daemon's settings and the levels of its log.",
        "The daemon itself, its host, its measurements and its end.",
        "API keys: who may ask over the network.",
        "Tenants: who the platform works for.",
        "Users, invitations and roles: who may do what.",
        "Jobs: what is done in the background, when, and what has become of it.",
        "The keys that data is encrypted under: which there are, new ones, and their end.",
        "The record: what was done and refused, and whether it is as it was written.",
        "What this API is.",
        "Pages for people with a browser, which work without script.",
        "PMDaemon's paths and shapes, for its clients."};
    return kMeanings.at(static_cast<std::size_t>(tag));
}

std::string_view media_type(const BodySpec& body) {
    return body.form == BodyForm::kForm ? net::kFormType : "application/json";
}

Unlicensed when_unlicensed(const Operation& operation) {
    if (operation.unlicensed) return *operation.unlicensed;
    const bool changes = operation.method == net::Method::kPost ||
                         operation.method == net::Method::kPut ||
                         operation.method == net::Method::kPatch;
    const bool is_of_tenants = operation.tag == Tag::kTenants || operation.tag == Tag::kIdentity;
    const bool is_refused = changes && is_of_tenants && operation.access == Access::kAdmin &&
                            operation.reach != Reach::kEveryone;
    return is_refused ? Unlicensed::kRefused : Unlicensed::kServed;
}

std::vector<ErrorSpec> all_errors(const Operation& operation) {
    std::vector<ErrorSpec> out = operation.errors;
    const auto also = [&out](Code code, std::string_view when) {
        if (std::ranges::find(out, code, &ErrorSpec::code) == out.end())
            out.push_back({code, std::string(when)});
    };
    also(Code::kInvalidArgument,
         operation.parameters.empty() && !operation.body
             ? "The request has a query or a body that it should not have, or is not HTTP."
             : "A parameter or a field is wrong, missing or unknown; `details` lists every "
               "mistake.");
    if (operation.access != Access::kOpen) also(Code::kUnauthenticated, "No usable key was given.");
    const bool closed = operation.access != Access::kOpen;
    if (closed && operation.reach == Reach::kInstallation)
        also(Code::kAccessDenied, "The key is bound to a tenant, or is a viewer's.");
    if (operation.access == Access::kAdmin) {
        also(Code::kAccessDenied, "The key is a viewer's.");
        also(Code::kCsrf, "A browser's session, without its X-CSRF-Token.");
    }
    if (closed && operation.reach == Reach::kTenant)
        also(Code::kInvalidTenant, "The key is bound to another tenant.");
    if (operation.feature)
        also(Code::kLicense, fmt::format("The licence has `{}` turned off, or has expired.",
                                         to_string(*operation.feature)));
    if (when_unlicensed(operation) == Unlicensed::kRefused)
        also(Code::kLicense, "The licence has expired.");
    if (operation.body) {
        also(Code::kTooLarge, "The body is over its limit.");
        also(Code::kUnsupportedMedia,
             fmt::format("The body is not {}.", media_type(*operation.body)));
    }
    also(Code::kTooManyRequests, "A limit on requests or connections is reached.");
    also(Code::kInternal, "A bug; the daemon's log has the correlation id.");
    also(Code::kUnavailable, "The daemon is starting, stopping or at its limit.");
    also(Code::kTimeout, "The answer took longer than its limit; the effect may still come.");
    also(Code::kResourceExhausted, "Disk, memory, descriptors or pids of the host are used up.");
    std::ranges::sort(out, {}, [](const ErrorSpec& e) {
        return std::pair(core::info(e.code).http_status, e.code);
    });
    return out;
}

namespace {

using Mistakes = std::vector<std::string>;

void check_example(const std::string& text, const Shape& shape, const Components& components,
                   const std::string& what, Mistakes& out) {
    const auto value = core::parse_json(text);
    if (!value) {
        out.push_back(fmt::format("{}: {}", what, value.error().message()));
        return;
    }
    for (const core::Detail& detail : mistakes_of(*value, shape, components))
        out.push_back(fmt::format("{}: {} {}", what, detail.where, detail.problem));
}

/// Every field has words, and every example and default fits.
void check_shape(const Shape& shape, const Components& components, const std::string& what,
                 Mistakes& out) {
    const ShapeNode& node = shape.node();
    for (const Field& field : node.fields) {
        const ShapeNode& inner = field.shape.node();
        const std::string where = what + "." + field.name;
        if (inner.doc.empty()) out.push_back(where + " has no description");
        check_shape(field.shape, components, where, out);
    }
    for (const Shape& part : node.parts)
        check_shape(part, components, what + "[]", out);
    if (node.kind == Kind::kComponent && !components.contains(node.component))
        out.push_back(fmt::format("{}: no component is named {}", what, node.component));
    for (const std::string& text : {node.example, node.default_value}) {
        if (!text.empty()) check_example(text, shape, components, what, out);
    }
}

void check_path(const Operation& operation, Mistakes& out) {
    static const std::regex kName(R"(\{(\w+)\})");
    std::vector<std::string> names;
    for (std::sregex_iterator at(operation.path.begin(), operation.path.end(), kName), end;
         at != end; ++at) {
        names.push_back((*at)[1]);
    }
    std::vector<std::string> declared;
    for (const ParameterSpec& parameter : operation.parameters) {
        if (parameter.place == Place::kPath) declared.push_back(parameter.name);
    }
    if (names != declared) {
        out.push_back(fmt::format("the path has the parameters [{}], declared are [{}]",
                                  fmt::join(names, ", "), fmt::join(declared, ", ")));
    }
}

void check_access(const Operation& operation, Mistakes& out) {
    const bool reads = operation.method == net::Method::kGet;
    const bool is_open_post =
        operation.access == Access::kOpen && operation.method == net::Method::kPost;
    if (reads == (operation.access == Access::kAdmin) && !is_open_post) {
        out.push_back(fmt::format("{} does not go with access {}", to_string(operation.method),
                                  to_string(operation.access)));
    }
    if (reads && operation.body) out.emplace_back("GET has a body");
}

void check_answers(const Operation& operation, const Components& components, Mistakes& out) {
    if (operation.answers.empty()) out.emplace_back("there is no answer");
    for (const AnswerSpec& answer : operation.answers) {
        const std::string what = fmt::format("answer {}", answer.status);
        if (answer.description.empty()) out.push_back(what + " has no description");
        if (answer.example.empty() && !answer.media_type.empty())
            out.push_back(what + " has no example");
        check_shape(answer.shape, components, what, out);
        if (answer.meta) check_shape(*answer.meta, components, what + " meta", out);
        if (!answer.example.empty() && answer.media_type.ends_with("json"))
            check_example(answer.example, answer.shape, components, what, out);
    }
}

}  // namespace

std::vector<std::string> mistakes_of(const Operation& operation, const Components& components) {
    Mistakes out;
    if (operation.summary.empty() || operation.summary.ends_with('.'))
        out.emplace_back("the summary is a few words without a full stop");
    if (!operation.description.ends_with('.'))
        out.emplace_back("the description is not made of sentences");
    check_path(operation, out);
    check_access(operation, out);
    for (const ParameterSpec& parameter : operation.parameters) {
        const ShapeNode& node = parameter.shape.node();
        if (node.doc.empty()) out.push_back(parameter.name + " has no description");
        if (node.example.empty()) out.push_back(parameter.name + " has no example");
        check_shape(parameter.shape, components, parameter.name, out);
    }
    if (operation.body) {
        if (operation.body->examples.empty()) out.emplace_back("the body has no example");
        check_shape(operation.body->shape, components, "body", out);
        for (const Example& example : operation.body->examples)
            check_example(example.json, operation.body->shape, components, example.name, out);
    }
    check_answers(operation, components, out);
    if (operation.socket) {
        for (const auto* side : {&operation.socket->client, &operation.socket->server}) {
            for (const Shape& message : *side)
                check_shape(message, components, "message", out);
        }
    }
    for (std::string& mistake : out)
        mistake = operation.id + ": " + mistake;
    return out;
}

}  // namespace zona::api
