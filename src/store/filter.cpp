#include <algorithm>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "store/detail/compare.h"
#include "store/detail/words.h"
#include "store/query.h"

namespace zona::store {

namespace json = boost::json;

struct Filter::Node {
    Kind kind = Kind::kEverything;
    Path path{""};
    std::vector<json::value> values;
    std::vector<Filter> members;
    std::vector<Path> paths;
};

Filter::Filter() {
    static const auto kNothingAsked = std::make_shared<const Node>();
    node_ = kNothingAsked;
}

namespace {

using Kind = Filter::Kind;

bool holds(Kind kind, std::partial_ordering order) {
    switch (kind) {
        case Kind::kLess:
            return order < 0;
        case Kind::kLessOrEqual:
            return order <= 0;
        case Kind::kGreater:
            return order > 0;
        case Kind::kGreaterOrEqual:
            return order >= 0;
        default:
            return false;
    }
}

bool begins_with(const json::value& value, const json::value& prefix) {
    return value.is_string() &&
           std::string_view(value.get_string()).starts_with(prefix.get_string());
}

}  // namespace

// One line for each way to make one.
#define ZONA_ON_FIELD(name, kind_value)                                               \
    Filter Filter::name(Path path, const Value& value) {                              \
        return Filter(std::make_shared<const Node>(Kind::kind_value, std::move(path), \
                                                   std::vector<json::value>{value})); \
    }
ZONA_ON_FIELD(eq, kEqual)
ZONA_ON_FIELD(ne, kNotEqual)
ZONA_ON_FIELD(lt, kLess)
ZONA_ON_FIELD(lte, kLessOrEqual)
ZONA_ON_FIELD(gt, kGreater)
ZONA_ON_FIELD(gte, kGreaterOrEqual)
#undef ZONA_ON_FIELD

Filter Filter::in(Path path, std::vector<Value> values) {
    return Filter(std::make_shared<const Node>(Kind::kIn, std::move(path), std::move(values)));
}

Filter Filter::exists(Path path, Exists exists) {
    return Filter(std::make_shared<const Node>(Kind::kExists, std::move(path),
                                               std::vector<json::value>{exists == Exists::kYes}));
}

Filter Filter::prefix(Path path, std::string_view text) {
    return Filter(std::make_shared<const Node>(Kind::kPrefix, std::move(path),
                                               std::vector<json::value>{json::value(text)}));
}

Filter Filter::search(std::vector<Path> paths, std::string_view text) {
    std::vector<json::value> words;
    for (const std::string& word : detail::search_words(text))
        words.emplace_back(word);
    return Filter(std::make_shared<const Node>(Kind::kSearch, Path(""), std::move(words),
                                               std::vector<Filter>{}, std::move(paths)));
}

Filter Filter::all(std::vector<Filter> members) {
    return Filter(std::make_shared<const Node>(Kind::kAll, Path(""), std::vector<json::value>{},
                                               std::move(members)));
}

Filter Filter::any(std::vector<Filter> members) {
    return Filter(std::make_shared<const Node>(Kind::kAny, Path(""), std::vector<json::value>{},
                                               std::move(members)));
}

Filter Filter::negate(Filter member) {
    std::vector<Filter> members;
    members.push_back(std::move(member));
    return Filter(std::make_shared<const Node>(Kind::kNot, Path(""), std::vector<json::value>{},
                                               std::move(members)));
}

Filter::Kind Filter::kind() const {
    return node_->kind;
}
const Path& Filter::path() const {
    return node_->path;
}
const std::vector<Value>& Filter::values() const {
    return node_->values;
}
const std::vector<Path>& Filter::paths() const {
    return node_->paths;
}
const std::vector<Filter>& Filter::members() const {
    return node_->members;
}

bool Filter::matches(const Document& document) const {
    const auto matching = [&document](const Filter& member) { return member.matches(document); };
    switch (kind()) {
        case Kind::kEverything:
            return true;
        case Kind::kAll:
            return std::ranges::all_of(members(), matching);
        case Kind::kAny:
            return std::ranges::any_of(members(), matching);
        case Kind::kNot:
            return !members().front().matches(document);
        case Kind::kSearch:
            return detail::holds_words(document, paths(), values());
        default:
            break;
    }
    const json::value* found = detail::find(document, path());
    const auto equals = [found](const json::value& value) {
        return found != nullptr && detail::equal(*found, value);
    };
    switch (kind()) {
        case Kind::kEqual:
            return equals(values().front());
        case Kind::kNotEqual:
            return !equals(values().front());
        case Kind::kIn:
            return std::ranges::any_of(values(), equals);
        case Kind::kExists:
            return (found != nullptr) == values().front().get_bool();
        case Kind::kPrefix:
            return found != nullptr && begins_with(*found, values().front());
        default:
            return found != nullptr && holds(kind(), detail::compare(*found, values().front()));
    }
}

}  // namespace zona::store
