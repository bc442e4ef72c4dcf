/// @file
/// Collects everything that is wrong with an ecosystem file, so that a user corrects it once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "process/detail/ecosystem_tree.h"

namespace zona::process::detail {

/// A value's place, in a file and in the tree ("apps[0].env.NAME").
struct Place {
    Position at;
    std::string path;
};

/// How a place is told to the user.
enum class PlaceStyle : std::uint8_t { kLine, kPath };

class Report {
  public:
    static constexpr std::size_t kMostListed = 100;

    Report(std::string file, PlaceStyle style) : file_(std::move(file)), style_(style) {}

    std::string where(const Place& place) const;

    void error(const Place& place, std::string problem, std::string hint = {});
    void warn(const Place& place, std::string_view text, std::string_view hint = {});
    /// warn(), but only the first time for this `topic`.
    void warn_once(std::string_view topic, const Place& place, std::string_view text,
                   std::string_view hint = {});

    bool failed() const { return total_ > 0; }
    /// All errors in the file's order, as one. Precondition: failed().
    core::Error take_error() &&;
    /// All warnings in the file's order, a line each.
    std::vector<std::string> take_warnings() &&;

  private:
    struct Item {
        Position at;
        std::size_t number = 0;  ///< in the order of finding
        core::Detail detail;
    };

    void sort(std::vector<Item>& items) const;

    std::string file_;
    PlaceStyle style_;
    std::vector<Item> errors_;
    std::size_t total_ = 0;
    std::vector<Item> warnings_;
    std::size_t warning_total_ = 0;
    std::set<std::string, std::less<>> warned_;
};

}  // namespace zona::process::detail
