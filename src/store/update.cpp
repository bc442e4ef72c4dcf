#include "store/update.h"

#include <algorithm>
#include <cmath>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "store/detail/compare.h"

namespace zona::store {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

struct Update::Step {
    Kind kind = Kind::kSet;
    Path path{""};
    json::value value;
    std::size_t keep = SIZE_MAX;
};

namespace {

Error refused(const Path& path, std::string_view problem) {
    return Error(Code::kInvalidArgument, fmt::format("{}: {}", path.pointer(), problem));
}

/// The object that holds the last key of `path`, made on the way where it is missing.
Result<json::object*> parent_of(json::object& document, const Path& path) {
    json::object* object = &document;
    for (std::size_t i = 0; i + 1 < path.keys().size(); ++i) {
        json::value& next = object->emplace(path.keys()[i], json::object()).first->value();
        object = next.if_object();
        if (object == nullptr) return refused(path, "the way leads through what is not an object");
    }
    return object;
}

void unset(json::object& document, const Path& path) {
    json::object* object = &document;
    for (std::size_t i = 0; i + 1 < path.keys().size(); ++i) {
        json::value* next = object->if_contains(path.keys()[i]);
        object = next == nullptr ? nullptr : next->if_object();
        if (object == nullptr) return;
    }
    object->erase(path.keys().back());
}

Result<json::value> sum(const Path& path, const json::value& a, const json::value& b) {
    if (!a.is_number() || !b.is_number())
        return refused(path, "only a number can be added to a number");
    const auto x = detail::as_integer(a);
    const auto y = detail::as_integer(b);
    if (x && y) {
        std::int64_t total = 0;
        if (__builtin_add_overflow(*x, *y, &total))
            return refused(path, "the sum is outside the 64 bits of a whole number");
        return json::value(total);
    }
    const double total = a.to_number<double>() + b.to_number<double>();
    if (!std::isfinite(total)) return refused(path, "the sum is not a finite number");
    return json::value(total);
}

Result<void> change_array(json::array& array, Update::Kind kind, const json::value& value,
                          std::size_t keep) {
    const auto same = [&value](const json::value& other) { return detail::equal(other, value); };
    if (kind == Update::Kind::kPull) {
        array.erase(std::remove_if(array.begin(), array.end(), same), array.end());
        return {};
    }
    if (kind == Update::Kind::kAddToSet && std::ranges::any_of(array, same)) return {};
    array.push_back(value);
    if (array.size() > keep) {
        const auto over = static_cast<std::ptrdiff_t>(array.size() - keep);
        array.erase(array.begin(), array.begin() + over);
    }
    return {};
}

}  // namespace

Update::Update() : steps_(std::make_unique<std::vector<Step>>()) {}
Update::Update(const Update& other) : steps_(std::make_unique<std::vector<Step>>(*other.steps_)) {}
Update::Update(Update&& other) noexcept = default;
Update& Update::operator=(Update other) noexcept {
    steps_ = std::move(other.steps_);
    return *this;
}
Update::~Update() = default;

Update& Update::set(Path path, const Value& value) {
    steps_->push_back({Kind::kSet, std::move(path), value});
    return *this;
}
Update& Update::unset(const Path& path) {
    steps_->push_back({Kind::kUnset, path, nullptr});
    return *this;
}
Update& Update::inc(Path path, const Value& number) {
    steps_->push_back({Kind::kIncrement, std::move(path), number});
    return *this;
}
Update& Update::push(Path path, const Value& value, std::size_t keep) {
    steps_->push_back({Kind::kPush, std::move(path), value, keep});
    return *this;
}
Update& Update::add_to_set(Path path, const Value& value) {
    steps_->push_back({Kind::kAddToSet, std::move(path), value});
    return *this;
}
Update& Update::pull(Path path, const Value& value) {
    steps_->push_back({Kind::kPull, std::move(path), value});
    return *this;
}

namespace {

/// One step on the object that holds its field.
Result<void> change_field(json::object& parent, Update::Kind kind, const Path& path,
                          const json::value& value, std::size_t keep) {
    const std::string& key = path.keys().back();
    if (kind == Update::Kind::kSet) {
        parent.insert_or_assign(key, value);
        return {};
    }
    if (kind == Update::Kind::kIncrement) {
        json::value& field = parent.emplace(key, std::int64_t{0}).first->value();
        ZONA_TRY(field, sum(path, field, value));
        return {};
    }
    if (kind == Update::Kind::kPull && !parent.contains(key)) return {};
    json::array* array = parent.emplace(key, json::array()).first->value().if_array();
    if (array == nullptr) return refused(path, "is not an array");
    return change_array(*array, kind, value, keep);
}

}  // namespace

bool Update::touches(const Path& path) const {
    return std::ranges::any_of(*steps_, [&path](const Step& step) {
        return step.path.is_in(path) || path.is_in(step.path);
    });
}

Result<void> Update::apply(Document& document) const {
    if (steps_->size() > kMaxUpdateSteps) {
        return Error(Code::kInvalidArgument, fmt::format("an update of {} steps: {} are allowed",
                                                         steps_->size(), kMaxUpdateSteps));
    }
    json::object changed = document;
    for (const Step& step : *steps_) {
        if (step.path.keys().empty())
            return Error(Code::kInvalidArgument, "an update of a path without a key");
        if (step.kind == Kind::kUnset) {
            store::unset(changed, step.path);
            continue;
        }
        ZONA_TRY(json::object * parent, parent_of(changed, step.path));
        ZONA_TRY_VOID(change_field(*parent, step.kind, step.path, step.value, step.keep));
    }
    document = std::move(changed);
    return {};
}

}  // namespace zona::store
