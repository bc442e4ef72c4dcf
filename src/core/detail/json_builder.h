/// @file
/// Builds a boost::json::value from parse events, and beside it a tree of positions. Refuses what a
/// tree cannot show: a key given twice. Shared by the JSON, TOML and YAML readers.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "core/json.h"

namespace zona::core::detail {

/// Where each value of a document stands, found by JSON pointer. Keys are stored once, however
/// deep.
class PositionTree {
  public:
    static constexpr std::size_t kRoot = 0;

    std::size_t add(std::size_t parent, std::string key, Position at);
    /// The position of the value, or of the nearest value around it.
    Position find(std::string_view pointer) const;

  private:
    std::map<std::pair<std::size_t, std::string>, std::size_t> children_;
    std::vector<Position> at_{{1, 1}};
};

/// Precondition of all members: events come in document order, a key before each member of an
/// object.
class JsonBuilder {
  public:
    /// `positions` may be nullptr; else it must outlive the builder.
    explicit JsonBuilder(PositionTree* positions) : positions_(positions) {}

    /// Positions of members are those of their keys; `at` counts for elements of arrays.
    void begin_object(Position at) { begin(boost::json::object(), at); }
    void begin_array(Position at) { begin(boost::json::array(), at); }
    void end();
    void add(boost::json::value&& value, Position at);

    /// False if the open object has this key already.
    bool key(std::string_view name, Position at);

    /// The container that is open. Precondition: there is one.
    boost::json::value& open() { return frames_.back().container; }
    std::size_t depth() const { return frames_.size(); }
    boost::json::value take() { return std::move(root_); }

  private:
    struct Frame {
        boost::json::value container;
        std::string key;
        Position key_at;
        std::size_t node;
    };

    void begin(boost::json::value&& container, Position at);
    std::size_t note(Position at);
    void place(boost::json::value&& value);

    PositionTree* positions_;
    std::vector<Frame> frames_;
    boost::json::value root_;
};

}  // namespace zona::core::detail
