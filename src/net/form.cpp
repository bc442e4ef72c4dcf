#include "net/form.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/text.h"
#include "net/detail/target.h"

namespace zona::net {
namespace {

core::Error bad_form(std::string_view problem) {
    return {core::Code::kInvalidArgument, fmt::format("the form is not usable: {}", problem)};
}

bool is_control(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
           c == 0x7f;
}

core::Result<std::string> decoded(std::string_view raw) {
    auto out = detail::percent_decode(raw, detail::Plus::kSpace);
    if (!out) return bad_form("a '%' is not followed by two hexadecimal digits");
    if (std::ranges::any_of(*out, is_control)) return bad_form("it holds a control character");
    if (!core::is_valid_utf8(*out)) return bad_form("it is not UTF-8");
    return *std::move(out);
}

}  // namespace

bool is_form(const Headers& headers) {
    const auto types = headers.find_all("Content-Type");
    if (types.size() != 1) return false;
    const std::string_view type = types.front();
    return equal_ignoring_case(core::trimmed(type.substr(0, type.find(';'))), kFormType);
}

core::Result<std::vector<Parameter>> parse_form(std::string_view body) {
    std::vector<Parameter> out;
    while (!body.empty()) {
        const std::size_t end = std::min(body.find('&'), body.size());
        const std::string_view pair = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (pair.empty()) continue;
        if (out.size() == kMostFormFields)
            return bad_form(fmt::format("it has more than {} fields", kMostFormFields));
        const std::size_t equals = std::min(pair.find('='), pair.size());
        ZONA_TRY(std::string name, decoded(pair.substr(0, equals)));
        ZONA_TRY(std::string value, decoded(pair.substr(std::min(equals + 1, pair.size()))));
        out.push_back({std::move(name), std::move(value)});
    }
    return out;
}

std::optional<std::string> form_value(const Request& request, std::string_view name) {
    if (!is_form(request.headers)) return std::nullopt;
    auto fields = parse_form(request.body);
    if (!fields) return std::nullopt;
    const auto found = std::ranges::find(*fields, name, &Parameter::name);
    if (found == fields->end()) return std::nullopt;
    return std::move(found->value);
}

}  // namespace zona::net
