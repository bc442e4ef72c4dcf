#include "store/mongo/detail/pushdown.h"

#include <optional>

#include <boost/json/string.hpp>

#include "core/text.h"

namespace zona::store::mongo {
namespace {

using Kind = Filter::Kind;

std::string field_of(const Path& path) {
    std::string out = "d";
    for (const std::string& key : path.keys())
        out += "." + encoded_key(key);
    return out;
}

/// Only these compare on the server as here.
bool is_scalar(const json::value& value) {
    if (value.is_string()) return core::is_valid_utf8(value.get_string());
    return value.is_number() || value.is_bool();
}

Bson on_field(const Path& path, const char* op, const json::value& value) {
    Bson condition;
    condition.put(op, value);
    Bson out;
    out.put(field_of(path), condition);
    return out;
}

Bson is_there(const Path& path) {
    return on_field(path, "$exists", json::value(true));
}

Bson any_of(const char* op, const std::vector<Bson>& members) {
    Bson out;
    out.put(op, members);
    return out;
}

/// Nothing for what the server cannot see. On a way through an array the server finds more than is
/// asked for, so only what holds is given, never what does not.
std::optional<Bson> condition_of(const Filter& filter) {
    const auto compared = [&filter](const char* op) {
        const json::value& value = filter.values().front();
        return is_scalar(value) ? on_field(filter.path(), op, value) : is_there(filter.path());
    };
    switch (filter.kind()) {
        case Kind::kEqual:
            return compared("$eq");
        case Kind::kLess:
            return compared("$lt");
        case Kind::kLessOrEqual:
            return compared("$lte");
        case Kind::kGreater:
            return compared("$gt");
        case Kind::kGreaterOrEqual:
        case Kind::kPrefix:
            return compared("$gte");
        case Kind::kExists:
            if (!filter.values().front().get_bool()) return std::nullopt;
            return is_there(filter.path());
        case Kind::kIn: {
            if (filter.values().empty()) return std::nullopt;
            std::vector<Bson> members;
            for (const json::value& value : filter.values()) {
                if (!is_scalar(value)) return is_there(filter.path());
                members.push_back(on_field(filter.path(), "$eq", value));
            }
            return any_of("$or", members);
        }
        case Kind::kAll: {
            std::vector<Bson> members = pushdown(filter);
            if (members.empty()) return std::nullopt;
            return any_of("$and", members);
        }
        case Kind::kAny: {
            std::vector<Bson> members;
            for (const Filter& member : filter.members()) {
                auto condition = condition_of(member);
                if (!condition) return std::nullopt;
                members.push_back(*std::move(condition));
            }
            if (members.empty()) return std::nullopt;
            return any_of("$or", members);
        }
        default:
            return std::nullopt;
    }
}

}  // namespace

std::vector<Bson> pushdown(const Filter& filter) {
    std::vector<Bson> out;
    if (filter.kind() != Kind::kAll) {
        if (auto condition = condition_of(filter)) out.push_back(*std::move(condition));
        return out;
    }
    for (const Filter& member : filter.members()) {
        if (auto condition = condition_of(member)) out.push_back(*std::move(condition));
    }
    return out;
}

}  // namespace zona::store::mongo
