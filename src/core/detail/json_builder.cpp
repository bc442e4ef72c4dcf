#include "core/detail/json_builder.h"

#include <fmt/format.h>

namespace zona::core::detail {
namespace {

std::string unescape(std::string_view token) {
    std::string key;
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] == '~' && i + 1 < token.size()) {
            key += token[++i] == '1' ? '/' : '~';
        } else {
            key += token[i];
        }
    }
    return key;
}

}  // namespace

std::size_t PositionTree::add(std::size_t parent, std::string key, Position at) {
    at_.push_back(at);
    children_.insert_or_assign({parent, std::move(key)}, at_.size() - 1);
    return at_.size() - 1;
}

Position PositionTree::find(std::string_view pointer) const {
    std::size_t node = kRoot;
    while (pointer.starts_with('/')) {
        pointer.remove_prefix(1);
        const std::size_t end = std::min(pointer.find('/'), pointer.size());
        const auto child = children_.find({node, unescape(pointer.substr(0, end))});
        if (child == children_.end()) break;
        node = child->second;
        pointer.remove_prefix(end);
    }
    return at_[node];
}

bool JsonBuilder::key(std::string_view name, Position at) {
    Frame& frame = frames_.back();
    frame.key.assign(name);
    frame.key_at = at;
    return !frame.container.get_object().contains(name);
}

std::size_t JsonBuilder::note(Position at) {
    if (positions_ == nullptr || frames_.empty()) return PositionTree::kRoot;
    const Frame& frame = frames_.back();
    if (const boost::json::array* array = frame.container.if_array()) {
        return positions_->add(frame.node, fmt::format("{}", array->size()), at);
    }
    return positions_->add(frame.node, frame.key, frame.key_at);
}

void JsonBuilder::begin(boost::json::value&& container, Position at) {
    const std::size_t node = note(at);
    frames_.push_back({std::move(container), {}, {}, node});
}

void JsonBuilder::add(boost::json::value&& value, Position at) {
    note(at);
    place(std::move(value));
}

void JsonBuilder::end() {
    boost::json::value finished = std::move(frames_.back().container);
    frames_.pop_back();
    place(std::move(finished));
}

void JsonBuilder::place(boost::json::value&& value) {
    if (frames_.empty()) {
        root_ = std::move(value);
        return;
    }
    Frame& frame = frames_.back();
    if (boost::json::array* array = frame.container.if_array()) {
        array->push_back(std::move(value));
    } else {
        frame.container.get_object().insert_or_assign(frame.key, std::move(value));
    }
}

}  // namespace zona::core::detail
