/// @file
/// Tags: the name of each write, which a document bears until the next one (stored.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace zona::store::mongo {

/// What takes part in a write set of the outbox, and may be unfinished.
inline bool is_of_set(std::string_view tag) {
    return tag.ends_with('+');
}

/// Names that no other process and no other database of this one gives. Any thread.
class Tags {
  public:
    Tags();
    std::string next() { return prefix_ + std::to_string(++last_); }
    std::string next_set() { return next() + "+"; }
    bool is_own(std::string_view tag) const { return tag.starts_with(prefix_); }
    const std::string& prefix() const { return prefix_; }

  private:
    std::string prefix_;
    std::atomic<std::uint64_t> last_ = 0;
};

}  // namespace zona::store::mongo
