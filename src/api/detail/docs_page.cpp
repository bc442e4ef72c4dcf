#include "api/detail/docs_page.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/docs_assets.h"
#include "api/detail/html.h"
#include "api/detail/openapi.h"
#include "core/json.h"
#include "core/markup.h"
#include "core/shell.h"
#include "core/text.h"

namespace zona::api::detail {

using core::escaped_markup;
using Kind = ShapeNode::Kind;

namespace {

constexpr std::string_view kServer = "http://127.0.0.1:8063";

/// Text in which `code` stands between backquotes.
std::string prose(std::string_view text) {
    std::string out;
    bool code = false;
    for (const char c : text) {
        if (c == '`') {
            out += code ? "</code>" : "<code>";
            code = !code;
        } else {
            out += escaped_markup(std::string_view(&c, 1));
        }
    }
    return out;
}

std::string compact(const std::string& json) {
    auto value = core::parse_json(json);
    return value ? core::to_json(*value) : json;
}

std::string indented(const std::string& json) {
    auto value = core::parse_json(json);
    return value ? core::to_json(*value, core::JsonLayout::kIndented) : json;
}

/// Python has its own words for true, false and null.
std::string python_literal(const std::string& json) {
    const std::string text = compact(json);
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
        const std::string_view rest = std::string_view(text).substr(i);
        constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kWords = {
            {{"true", "True"}, {"false", "False"}, {"null", "None"}}};
        const auto* word = std::ranges::find_if(
            kWords, [&](const auto& w) { return !quoted && rest.starts_with(w.first); });
        if (word != kWords.end()) {
            out += word->second;
            i += word->first.size() - 1;
        } else {
            out += text[i];
            if (!quoted && (text[i] == ',' || text[i] == ':')) out += ' ';
        }
    }
    return out;
}

/// The fields of its first example, which are texts.
std::vector<std::pair<std::string, std::string>> example_form(const Operation& operation) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto value = core::parse_json(operation.body->examples.front().json);
    if (!value || !value->is_object()) return out;
    for (const auto& [name, field] : value->get_object())
        out.emplace_back(name, field.is_string() ? field.get_string().c_str() : "");
    return out;
}

void add_row(std::string& out, std::string_view name, std::string_view type,
             std::string_view words) {
    out += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n",
                       escaped_markup(name), type, words);
}

std::string type_html(const Shape& shape) {
    const std::string words = type_words(shape);
    const ShapeNode& node = shape.node();
    const ShapeNode& inner = node.kind == Kind::kArray ? node.parts.front().node() : node;
    if (inner.kind != Kind::kComponent) return escaped_markup(words);
    std::string out = escaped_markup(words);
    const std::size_t at = out.find(inner.component);
    return out.replace(at, inner.component.size(),
                       fmt::format("<a href=\"#shape-{0}\">{0}</a>", inner.component));
}

std::string words_of(const Shape& shape) {
    const ShapeNode& node = shape.node();
    std::string out = prose(node.doc);
    if (!node.choices.empty())
        out += fmt::format(" One of <code>{}</code>.", fmt::join(node.choices, "</code> <code>"));
    if (!node.default_value.empty())
        out += fmt::format(" Default <code>{}</code>.", escaped_markup(node.default_value));
    return out;
}

void add_fields(std::string& out, const std::vector<Field>& fields, const std::string& prefix) {
    for (const Field& field : fields) {
        const bool needed = field.presence == Presence::kRequired;
        add_row(out, prefix + field.name, type_html(field.shape) + (needed ? "" : ", optional"),
                words_of(field.shape));
        const ShapeNode& node = field.shape.node();
        add_fields(out, node.fields, prefix + field.name + ".");
        if (node.kind == Kind::kArray)
            add_fields(out, node.parts.front().node().fields, prefix + field.name + "[].");
    }
}

void add_field_table(std::string& out, const std::vector<Field>& fields) {
    out += "<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>\n";
    add_fields(out, fields, "");
    out += "</table>\n";
}

void add_parameters(std::string& out, const Operation& operation) {
    if (operation.parameters.empty()) return;
    out += "<h4>Parameters</h4>\n<table><tr><th>Name</th><th>Type</th><th>Meaning</th></tr>\n";
    for (const ParameterSpec& parameter : operation.parameters) {
        std::string type = type_html(parameter.shape);
        type += parameter.place == Place::kPath ? ", in the path" : ", in the query";
        if (parameter.repeat == Repeat::kMany) type += ", repeatable";
        add_row(out, parameter.name, type, words_of(parameter.shape));
    }
    out += "</table>\n";
}

void add_sample(std::string& out, std::string_view title, const std::string& text) {
    out += fmt::format("<h4>{}</h4>\n<div class=\"sample\"><pre><code>{}</code></pre></div>\n",
                       title, escaped_markup(text));
}

void add_answers(std::string& out, const Operation& operation) {
    out += "<h4>Answers</h4>\n<table><tr><th>Status</th><th>Data</th><th>Meaning</th></tr>\n";
    for (const AnswerSpec& answer : operation.answers) {
        add_row(out, fmt::format("{}", answer.status),
                answer.media_type == "application/json" ? type_html(answer.shape)
                                                        : escaped_markup(answer.media_type),
                prose(answer.description));
    }
    for (const ErrorSpec& error : all_errors(operation)) {
        const core::CodeInfo& row = core::info(error.code);
        add_row(out, fmt::format("{}", row.http_status), fmt::format("<code>{}</code>", row.name),
                prose(error.when));
    }
    out += "</table>\n";
    const AnswerSpec& usual = operation.answers.front();
    if (!usual.shape.node().fields.empty()) {
        out += "<details><summary>Fields of the data</summary>\n";
        add_field_table(out, usual.shape.node().fields);
        out += "</details>\n";
    }
    if (usual.example.empty()) return;
    const std::string example =
        usual.media_type.ends_with("json") ? indented(usual.example) : usual.example;
    out += fmt::format("<details><summary>Example of the data</summary><pre>{}</pre></details>\n",
                       escaped_markup(example));
}

void add_operation(std::string& out, const Operation& operation) {
    const std::string text =
        fmt::format("{} {} {} {} {}", operation.id, operation.path, operation.summary,
                    to_string(operation.tag), to_string(operation.method));
    const std::string low = core::lower_ascii(text);
    out += fmt::format(
        "<article id=\"{0}\" data-text=\"{1}\">\n<span class=\"scope\">{2}</span><h3>{3}</h3>\n"
        "<p class=\"route\"><code><span class=\"method {4}\">{4}</span> "
        "{5}</code></p>\n<p>{6}</p>\n",
        operation.id, escaped_markup(low), to_string(operation.access),
        escaped_markup(operation.summary), to_string(operation.method),
        escaped_markup(operation.path), prose(operation.description));
    add_parameters(out, operation);
    if (operation.body && !operation.body->shape.node().fields.empty()) {
        out += "<h4>Body</h4>\n";
        add_field_table(out, operation.body->shape.node().fields);
    }
    add_sample(out, "curl", curl_sample(operation));
    out += "<details><summary>Python</summary>\n";
    add_sample(out, "Python", python_sample(operation));
    out += "</details>\n";
    if (operation.body && operation.body->examples.size() > 1) {
        out += "<details><summary>More bodies</summary>\n";
        for (const Example& example : operation.body->examples) {
            out += fmt::format("<h4>{}</h4><pre>{}</pre>\n", escaped_markup(example.summary),
                               escaped_markup(indented(example.json)));
        }
        out += "</details>\n";
    }
    add_answers(out, operation);
    out += "</article>\n";
}

void add_navigation(std::string& out, const std::vector<const Operation*>& operations) {
    out +=
        "<nav><strong>zona</strong>\n<p><label hidden>Filter <input id=\"filter\" "
        "type=\"search\"></label></p>\n";
    for (const Tag tag : kAllTags) {
        out += fmt::format("<h2>{}</h2>\n<ul>\n", to_string(tag));
        for (const Operation* operation : operations) {
            if (operation->tag != tag) continue;
            out += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", operation->id,
                               escaped_markup(operation->summary));
        }
        out += "</ul>\n";
    }
    out +=
        "<h2>Shapes and codes</h2>\n<ul><li><a href=\"#shapes\">Shapes</a></li><li><a "
        "href=\"#codes\">Codes</a></li></ul></nav>\n";
}

void add_shapes(std::string& out, const Components& components) {
    out += "<h2 id=\"shapes\">Shapes</h2>\n";
    for (const auto& [name, shape] : components) {
        out += fmt::format("<article id=\"shape-{0}\"><h3>{0}</h3><p>{1}</p>\n", name,
                           prose(shape.node().doc));
        add_field_table(out, shape.node().fields);
        out += "</article>\n";
    }
}

void add_codes(std::string& out) {
    out +=
        "<h2 id=\"codes\">Codes</h2>\n<article><table><tr><th>Code</th><th>Status</th>"
        "<th>Meaning, cause, cure</th></tr>\n";
    for (const core::CodeInfo& row : core::all_codes()) {
        add_row(out, row.name, fmt::format("{}", row.http_status),
                fmt::format("{}<br>{}<br>{}", escaped_markup(row.meaning),
                            escaped_markup(row.cause), escaped_markup(row.cure)));
    }
    out += "</table></article>\n";
}

}  // namespace

std::string type_words(const Shape& shape) {
    const ShapeNode& node = shape.node();
    std::string out;
    switch (node.kind) {
        case Kind::kAny:
            out = "anything";
            break;
        case Kind::kText:
            out = node.format == Format::kTime   ? "time"
                  : node.format == Format::kUuid ? "UUID"
                                                 : "string";
            break;
        case Kind::kInteger:
            out = "integer";
            break;
        case Kind::kNumber:
            out = "number";
            break;
        case Kind::kBoolean:
            out = "bool";
            break;
        case Kind::kArray:
            out = "[" + type_words(node.parts.front()) + "]";
            break;
        case Kind::kMap:
            out = "{name: " + type_words(node.parts.front()) + "}";
            break;
        case Kind::kObject:
            out = "object";
            break;
        case Kind::kComponent:
            out = node.component;
            break;
        case Kind::kOneOf:
            for (const Shape& part : node.parts)
                out += (out.empty() ? "" : " or ") + type_words(part);
    }
    return node.nullable ? out + " or null" : out;
}

std::string curl_sample(const Operation& operation) {
    std::string out = "curl";
    if (operation.method != net::Method::kGet)
        out += fmt::format(" -X {}", to_string(operation.method));
    if (operation.access != Access::kOpen) out += " -H \"X-API-Key: $ZONA_KEY\"";
    const bool is_form = operation.body && operation.body->form == BodyForm::kForm;
    if (operation.body && !is_form) out += " -H 'Content-Type: application/json'";
    const std::string url = fmt::format("{}{}", kServer, example_target(operation));
    out += " " + core::shell_word(url);
    if (is_form) {
        for (const auto& [name, value] : example_form(operation))
            out += " \\\n  --data-urlencode " + core::shell_word(name + "=" + value);
    } else if (operation.body) {
        out += " \\\n  -d " + core::shell_word(compact(operation.body->examples.front().json));
    }
    return out;
}

std::string python_sample(const Operation& operation) {
    std::string headers;
    std::string out = "import os\nimport requests\n\n";
    if (operation.access == Access::kOpen) {
        out = "import requests\n\n";
    } else {
        headers = ", headers={\"X-API-Key\": os.environ[\"ZONA_KEY\"]}";
    }
    const std::string verb = core::lower_ascii(to_string(operation.method));
    out += fmt::format("answer = requests.{}(\"{}{}\"{}", verb, kServer, example_target(operation),
                       headers);
    if (operation.body) {
        out +=
            fmt::format(",\n    {}={}", operation.body->form == BodyForm::kForm ? "data" : "json",
                        python_literal(operation.body->examples.front().json));
    }
    out += ")\nanswer.raise_for_status()\n";
    const AnswerSpec& usual = operation.answers.front();
    const bool enveloped =
        usual.media_type == "application/json" && usual.envelope == Envelope::kYes;
    out += enveloped ? "print(answer.json()[\"data\"])\n" : "print(answer.text)\n";
    return out;
}

DocsPage docs_page(const std::vector<const Operation*>& operations, const Components& components,
                   const std::string& version) {
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<title>zona API</title>\n<style>";
    out += kDocsStyle;
    out += "</style></head><body><div class=\"frame\">\n";
    add_navigation(out, operations);
    out += fmt::format(
        "<main><h1>zona {}</h1>\n<p>For programs: <a href=\"/openapi.json\">/openapi.json</a>. The "
        "samples take the key from the environment: <code>export ZONA_KEY=$(cat "
        "~/.zona/api-key)</code>. On the machine itself no key is needed: <code>curl --unix-socket "
        "~/.zona/api.sock http://zona/api/v1/processes</code>.</p>\n",
        escaped_markup(version));
    for (const Tag tag : kAllTags) {
        out += fmt::format("<h2>{}</h2>\n", escaped_markup(meaning(tag)));
        for (const Operation* operation : operations) {
            if (operation->tag == tag) add_operation(out, *operation);
        }
    }
    add_shapes(out, components);
    add_codes(out);
    out += "</main></div>\n<script>";
    out += kDocsScript;
    out += "</script></body></html>\n";
    return {std::move(out),
            fmt::format("default-src 'none'; style-src {}; script-src {}; base-uri 'none'; "
                        "form-action 'none'; frame-ancestors 'none'",
                        hash_source(kDocsStyle), hash_source(kDocsScript))};
}

}  // namespace zona::api::detail
