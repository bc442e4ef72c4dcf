#include "store/detail/compare.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include <boost/json/array.hpp>

namespace zona::store::detail {
namespace {

// 2^63: the first double above all signed integers; its negative is the least of them.
constexpr double kTooLarge = 9223372036854775808.0;

std::partial_ordering compare_mixed(std::int64_t a, double b) {
    if (b >= kTooLarge) return std::partial_ordering::less;
    if (b < -kTooLarge) return std::partial_ordering::greater;
    const auto whole = static_cast<std::int64_t>(b);
    if (a != whole) return a <=> whole;
    return 0.0 <=> b - static_cast<double>(whole);
}

std::partial_ordering reversed(std::partial_ordering order) {
    return 0 <=> order;
}

std::partial_ordering compare_numbers(const json::value& a, const json::value& b) {
    const auto whole_a = as_integer(a);
    const auto whole_b = as_integer(b);
    if (whole_a && whole_b) return *whole_a <=> *whole_b;
    const auto real = [](const json::value& v) {
        return v.is_uint64() ? static_cast<double>(v.get_uint64()) : v.get_double();
    };
    if (whole_a) return compare_mixed(*whole_a, real(b));
    if (whole_b) return reversed(compare_mixed(*whole_b, real(a)));
    return real(a) <=> real(b);
}

}  // namespace

Kind kind_of(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null:
            return Kind::kNull;
        case json::kind::bool_:
            return Kind::kBoolean;
        case json::kind::int64:
        case json::kind::uint64:
        case json::kind::double_:
            return Kind::kNumber;
        case json::kind::string:
            return Kind::kText;
        case json::kind::array:
            return Kind::kArray;
        case json::kind::object:
            return Kind::kObject;
    }
    return Kind::kNull;
}

std::optional<std::int64_t> as_integer(const json::value& value) {
    if (value.is_int64()) return value.get_int64();
    if (value.is_uint64() && value.get_uint64() <= std::numeric_limits<std::int64_t>::max())
        return static_cast<std::int64_t>(value.get_uint64());
    return std::nullopt;
}

std::partial_ordering compare(const json::value& a, const json::value& b) {
    const Kind kind = kind_of(a);
    if (kind != kind_of(b)) return std::partial_ordering::unordered;
    switch (kind) {
        case Kind::kBoolean:
            return a.get_bool() <=> b.get_bool();
        case Kind::kNumber:
            return compare_numbers(a, b);
        case Kind::kText:
            return std::string_view(a.get_string()) <=> std::string_view(b.get_string());
        default:
            return std::partial_ordering::unordered;
    }
}

bool equal(const json::value& a, const json::value& b) {
    const Kind kind = kind_of(a);
    if (kind != kind_of(b)) return false;
    if (kind == Kind::kNull) return true;
    if (kind == Kind::kArray) return std::ranges::equal(a.get_array(), b.get_array(), equal);
    if (kind != Kind::kObject) return compare(a, b) == 0;
    const json::object& x = a.get_object();
    const json::object& y = b.get_object();
    return x.size() == y.size() && std::ranges::all_of(x, [&y](const json::key_value_pair& field) {
               const json::value* other = y.if_contains(field.key());
               return other != nullptr && equal(field.value(), *other);
           });
}

const json::value* find(const json::object& document, const Path& path) {
    const json::object* object = &document;
    const json::value* value = nullptr;
    for (const std::string& key : path.keys()) {
        if (object == nullptr) return nullptr;
        value = object->if_contains(key);
        if (value == nullptr) return nullptr;
        object = value->if_object();
    }
    return value;
}

bool same_at(const json::object& a, const json::object& b, const Path& path) {
    const json::value* const x = find(a, path);
    const json::value* const y = find(b, path);
    if (x == nullptr || y == nullptr) return x == y;
    return *x == *y;
}

}  // namespace zona::store::detail
