/// @file
/// Builds a boost::json::value from parse events and refuses what a tree cannot show: a key given
/// twice, too much depth. Shared by the JSON, TOML and YAML readers.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace zona::core::detail {

class JsonBuilder {
  public:
    void begin_object() { frames_.push_back({boost::json::object(), {}}); }
    void begin_array() { frames_.push_back({boost::json::array(), {}}); }

    /// False if the open object has this key already.
    bool key(std::string_view name) {
        Frame& frame = frames_.back();
        frame.key.assign(name);
        return !frame.container.get_object().contains(name);
    }

    void end() {
        boost::json::value finished = std::move(frames_.back().container);
        frames_.pop_back();
        add(std::move(finished));
    }

    void add(boost::json::value&& value) {
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

    bool in_array() const { return !frames_.empty() && frames_.back().container.is_array(); }
    std::size_t depth() const { return frames_.size(); }
    boost::json::value take() { return std::move(root_); }

    /// The JSON pointer of the value that comes next.
    std::string pointer() const;

  private:
    struct Frame {
        boost::json::value container;
        std::string key;
    };
    std::vector<Frame> frames_;
    boost::json::value root_;
};

}  // namespace zona::core::detail
