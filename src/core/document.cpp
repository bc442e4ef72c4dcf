#include "core/document.h"

#include <algorithm>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/detail/document_readers.h"
#include "core/detail/json_parser.h"
#include "core/text.h"

namespace zona::core {

struct Document::Content {
    std::string name;
    boost::json::value value;
    detail::PositionTree positions;
};

Document::Document(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

const boost::json::value& Document::value() const {
    return content_->value;
}

Position Document::position(std::string_view pointer) const {
    return content_->positions.find(pointer);
}

std::string Document::where(std::string_view pointer) const {
    return fmt::format("{}:{}", content_->name, position(pointer).line);
}

Error Document::locate(const Error& error) const {
    Error located(error.code(), error.message(), error.where());
    for (Detail detail : error.details()) {
        const std::string line = where(detail.where);
        detail.where = detail.where.empty() ? line : fmt::format("{} {}", line, detail.where);
        located.detail(std::move(detail));
    }
    return located;
}

std::optional<DocumentFormat> document_format(std::string_view path) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) return std::nullopt;
    std::string extension(path.substr(dot + 1));
    std::ranges::transform(extension, extension.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (extension == "json" || extension == "jsonc") return DocumentFormat::kJson;
    if (extension == "toml") return DocumentFormat::kToml;
    if (extension == "yaml" || extension == "yml") return DocumentFormat::kYaml;
    return std::nullopt;
}

namespace detail {

Error problem_at(Position at, std::string_view problem) {
    if (at.column == 0)
        return Error(Code::kInvalidArgument, fmt::format("{}: {}", at.line, problem));
    return Error(Code::kInvalidArgument, fmt::format("{}:{}: {}", at.line, at.column, problem));
}

}  // namespace detail

namespace {

Result<boost::json::value> read(std::string_view text, DocumentFormat format,
                                const DocumentLimits& limits, detail::PositionTree& positions) {
    switch (format) {
        case DocumentFormat::kToml:
            return detail::read_toml(text, limits, positions);
        case DocumentFormat::kYaml:
            return detail::read_yaml(text, limits, positions);
        case DocumentFormat::kJson:
            break;
    }
    const JsonLimits json_limits{limits.max_bytes, limits.max_depth, JsonSyntax::kLenient};
    return detail::parse_json_text(text, json_limits, &positions);
}

Result<void> check_bytes(std::string_view text) {
    std::size_t nul = text.find('\0');
    if (nul == std::string_view::npos && is_valid_utf8(text)) return {};
    int line = 1;
    while (!text.empty()) {
        const std::string_view row = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
        if (row.find('\0') != std::string_view::npos) {
            return detail::problem_at({line, 0}, "a NUL byte");
        }
        if (!is_valid_utf8(row)) return detail::problem_at({line, 0}, "bytes that are not UTF-8");
        text.remove_prefix(row.size());
        ++line;
    }
    return detail::problem_at({line, 0}, "bytes that are not UTF-8");
}

}  // namespace

Result<Document> parse_document(std::string_view text, DocumentFormat format, std::string_view name,
                                const DocumentLimits& limits) {
    if (text.size() > limits.max_bytes.as_size()) {
        return Error(Code::kTooLarge,
                     fmt::format("{} has {}, the limit is {}", name,
                                 format_size(ByteCount(static_cast<std::int64_t>(text.size()))),
                                 format_size(limits.max_bytes)));
    }
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const auto named = [name](const Error& error) {
        std::string message = fmt::format("{}:{}", name, error.message());
        return Error(error.code(), std::move(message), error.where());
    };
    if (Result<void> bytes = check_bytes(text); !bytes) return named(bytes.take_error());

    auto content = std::make_unique<Document::Content>();
    content->name = name;
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        content->value = boost::json::object();
        return Document(std::move(content));
    }
    Result<boost::json::value> value = read(text, format, limits, content->positions);
    if (!value) return named(value.take_error());
    content->value = std::move(*value);
    return Document(std::move(content));
}

}  // namespace zona::core
