#include "api/detail/api_tables.h"

#include <fmt/format.h>

#include "api/detail/docs_page.h"

namespace zona::api::detail {

using Kind = ShapeNode::Kind;

namespace {

std::string cell(std::string text) {
    for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
        text.replace(at, 1, "\\|");
    return text;
}

std::string parameters_of(const Operation& operation) {
    std::string out;
    for (const ParameterSpec& parameter : operation.parameters) {
        if (parameter.place == Place::kQuery)
            out += fmt::format("{}`{}`", out.empty() ? "" : " ", parameter.name);
    }
    if (operation.body) {
        for (const Field& field : operation.body->shape.node().fields) {
            out += fmt::format("{}`{}`{}", out.empty() ? "" : " ", field.name,
                               field.presence == Presence::kRequired ? "*" : "");
        }
        if (operation.body->shape.node().kind == Kind::kMap) out += "by name";
    }
    return out;
}

std::string codes_of(const Operation& operation) {
    std::string out;
    for (const ErrorSpec& error : operation.errors)
        out += fmt::format("{}{}", out.empty() ? "" : ", ", core::info(error.code).name);
    return out;
}

std::string data_of(const AnswerSpec& answer) {
    if (answer.media_type.empty()) return "";
    if (answer.media_type != "application/json") return answer.media_type;
    if (answer.envelope == Envelope::kNo) return "a document";
    const ShapeNode& node = answer.shape.node();
    if (node.kind != Kind::kObject) return type_words(answer.shape);
    std::string out = "{";
    for (const Field& field : node.fields)
        out += fmt::format("{}`{}`", out.size() == 1 ? "" : ", ", field.name);
    return out + "}";
}

void add_fields(std::string& out, const std::vector<Field>& fields, const std::string& prefix) {
    for (const Field& field : fields) {
        const ShapeNode& node = field.shape.node();
        std::string words = node.doc;
        if (!node.choices.empty())
            words += fmt::format(" One of `{}`.", fmt::join(node.choices, "` `"));
        out += fmt::format("| `{}{}` | {}{} | {} |\n", prefix, field.name,
                           cell(type_words(field.shape)),
                           field.presence == Presence::kRequired ? "" : ", optional", cell(words));
        add_fields(out, node.fields, prefix + field.name + ".");
    }
}

}  // namespace

std::string api_tables(const std::vector<const Operation*>& operations,
                       const Components& components) {
    std::string out = "### Operations\n`*`: required. Codes beside those of every operation.\n";
    for (const Tag tag : kAllTags) {
        out += fmt::format(
            "\n**{}**\n\n| Operation | Scope | Query or body | Status, `data` | Codes |\n"
            "|---|---|---|---|---|\n",
            meaning(tag));
        for (const Operation* operation : operations) {
            if (operation->tag != tag) continue;
            const AnswerSpec& usual = operation->answers.front();
            out +=
                fmt::format("| `{}`: {}<br>{} `{}` | {} | {} | {} {} | {} |\n", operation->id,
                            cell(operation->summary), to_string(operation->method), operation->path,
                            to_string(operation->access), parameters_of(*operation), usual.status,
                            cell(data_of(usual)), codes_of(*operation));
        }
    }
    for (const auto& [name, shape] : components) {
        if (name == "App") continue;  // docs/ecosystem.md has this table
        out += fmt::format("\n### {}\n{}\n\n| Field | Type | Meaning |\n|---|---|---|\n", name,
                           shape.node().doc);
        add_fields(out, shape.node().fields, "");
    }
    return out;
}

}  // namespace zona::api::detail
