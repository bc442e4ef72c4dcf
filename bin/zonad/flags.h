/// @file
/// The words that zonad was started with: the keeper's, and those of maintenance.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zona::daemon {

class Flags {
  public:
    Flags(int argc, char** argv) : words_(argv + 1, argv + argc) {}

    bool has(std::string_view name) const;
    /// The word behind the first of that name; empty without one.
    std::string value(std::string_view name) const;
    /// The same as a number; 0 without one.
    std::uint64_t number(std::string_view name) const;
    /// The words behind each of that name, in order.
    std::vector<std::string> values(std::string_view name) const;

  private:
    std::vector<std::string> words_;
};

/// Each KEY=VALUE taken apart; the value is empty without a '='.
std::vector<std::pair<std::string, std::string>> split(const std::vector<std::string>& settings);

}  // namespace zona::daemon
