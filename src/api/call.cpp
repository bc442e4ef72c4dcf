#include <algorithm>
#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/service.h"
#include "core/json.h"
#include "core/text.h"
#include "net/form.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Detail;
using core::Error;
using core::Result;
using Kind = ShapeNode::Kind;

namespace {

constexpr core::ByteCount kMostBody = core::ByteCount::mib(16);

/// The text of a parameter as the value that its shape means; a text that is none stays a text,
/// which the check then names.
json::value value_of(std::string_view text, const ShapeNode& shape) {
    if (shape.kind == Kind::kInteger) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && end == text.data() + text.size()) return number;
    }
    if (shape.kind == Kind::kBoolean) {
        if (text == "true" || text == "1" || text.empty()) return true;
        if (text == "false" || text == "0") return false;
    }
    return json::value(text);
}

/// Says what the text should have been: to somebody who wrote a query, everything is a string.
Detail reworded(Detail detail, std::string_view text, const ShapeNode& shape) {
    const std::string shown = core::to_valid_utf8(text.substr(0, 64));
    if (shape.kind == Kind::kBoolean) {
        detail.problem = fmt::format("'{}' is neither true nor false", shown);
    } else if (shape.kind == Kind::kInteger) {
        detail.problem = fmt::format("'{}' is not a number", shown);
        if (shape.least && shape.most) {
            detail.problem =
                fmt::format("'{}' is not a number from {} to {}", shown, *shape.least, *shape.most);
        }
    }
    return detail;
}

Result<json::object> read_form(const net::Request& request) {
    json::object out;
    if (request.body.empty()) return out;
    if (!net::is_form(request.headers)) {
        return Error(
            Code::kUnsupportedMedia,
            fmt::format("the request body must be a form; send the header Content-Type: {}",
                        net::kFormType));
    }
    ZONA_TRY(const std::vector<net::Parameter> fields, net::parse_form(request.body));
    for (const net::Parameter& field : fields) {
        if (!out.emplace(field.name, field.value).second)
            return Error(Code::kInvalidArgument, "a field of the form is given more than once");
    }
    return out;
}

}  // namespace

struct Call::Values {
    json::value body = json::object();
    json::object query;  ///< a name's values, always an array

    void read_parameter(const net::Request& request, const ParameterSpec& parameter,
                        const Components& components, std::vector<Detail>& mistakes);
    const json::array* find(std::string_view name) const {
        const json::value* found = query.if_contains(name);
        return found == nullptr ? nullptr : &found->get_array();
    }
};

void Call::Values::read_parameter(const net::Request& request, const ParameterSpec& parameter,
                                  const Components& components, std::vector<Detail>& mistakes) {
    const std::vector<std::string_view> given = request.query_values(parameter.name);
    const ShapeNode& shape = parameter.shape.node();
    json::array values;
    for (const std::string_view text : given) {
        values.push_back(value_of(text, shape));
        for (Detail& detail : mistakes_of(values.back(), parameter.shape, components)) {
            detail.where = parameter.name;
            mistakes.push_back(reworded(std::move(detail), text, shape));
        }
    }
    if (given.size() > 1 && parameter.repeat == Repeat::kOnce)
        mistakes.push_back({parameter.name, "is given more than once", "give it once"});
    if (given.empty() && parameter.presence == Presence::kRequired)
        mistakes.push_back({parameter.name, "is required", shape.hint});
    if (given.empty() && !shape.default_value.empty()) {
        if (auto value = core::parse_json(shape.default_value)) values.push_back(std::move(*value));
    }
    query[parameter.name] = std::move(values);
}

Call::Call(net::Request& request, const Operation& operation)
    : request_(request), operation_(operation), values_(std::make_unique<Values>()) {}

Call::~Call() = default;

Result<void> Call::read(const Components& components) {
    std::vector<Detail> mistakes;
    for (const ParameterSpec& parameter : operation_.parameters) {
        if (parameter.place == Place::kQuery)
            values_->read_parameter(request_, parameter, components, mistakes);
    }
    for (const net::Parameter& given : request_.query) {
        if (operation_.manner != Manner::kZona) break;
        if (values_->find(given.name) != nullptr) continue;
        std::vector<std::string> known;
        for (const auto& [name, values] : values_->query)
            known.emplace_back(name);
        const auto meant = core::nearest(given.name, known);
        mistakes.push_back({core::to_valid_utf8(std::string_view(given.name).substr(0, 64)),
                            "unknown query parameter",
                            meant           ? fmt::format("did you mean '{}'?", *meant)
                            : known.empty() ? "there are none here"
                                            : fmt::format("known are {}", fmt::join(known, ", "))});
    }
    if (!mistakes.empty()) return error_of("the query", std::move(mistakes));
    if (!operation_.body) return {};
    if (operation_.body->form == BodyForm::kForm) {
        ZONA_TRY(values_->body, read_form(request_));
    } else if (!request_.body.empty()) {
        ZONA_TRY(values_->body, core::parse_json(request_.body, {.max_bytes = kMostBody}));
    }
    mistakes = mistakes_of(values_->body, operation_.body->shape, components);
    if (!mistakes.empty()) return error_of("the request", std::move(mistakes));
    return {};
}

const json::value& Call::body() const {
    return values_->body;
}

std::optional<std::string> Call::text(std::string_view name) const {
    const json::array* values = values_->find(name);
    if (values == nullptr || values->empty()) return std::nullopt;
    return std::string(values->front().as_string());
}

std::vector<std::string> Call::texts(std::string_view name) const {
    std::vector<std::string> out;
    if (const json::array* values = values_->find(name)) {
        for (const json::value& value : *values)
            out.emplace_back(value.as_string());
    }
    return out;
}

std::optional<std::int64_t> Call::integer(std::string_view name) const {
    const json::array* values = values_->find(name);
    if (values == nullptr || values->empty()) return std::nullopt;
    return values->front().as_int64();
}

bool Call::flag(std::string_view name) const {
    const json::array* values = values_->find(name);
    return values != nullptr && !values->empty() && values->front().as_bool();
}

}  // namespace zona::api
