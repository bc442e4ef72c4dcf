/// @file
/// What is changed in a document: a list of steps, applied in order, all or none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/value.h"

namespace zona::store {

/// Steps of one update.
inline constexpr std::size_t kMaxUpdateSteps = 100;

/// A change, built by its members:
///
///     Update().set("status", "done").inc({"counts", "runs"}, 1).push("log", entry, 100)
///
/// Objects on the way to a field are made where they are missing; a way that leads through anything
/// else is refused. A value type; any thread.
class Update {
  public:
    /// What a step does.
    enum class Kind : std::uint8_t { kSet, kUnset, kIncrement, kPush, kAddToSet, kPull };
    /// One of them.
    struct Step;

    Update();
    Update(const Update& other);
    Update(Update&& other) noexcept;
    Update& operator=(Update other) noexcept;
    ~Update();

    /// Replaces what is there.
    Update& set(Path path, const Value& value);
    Update& unset(const Path& path);  ///< absent already: nothing
    /// Adds to a number; an absent one is 0. Whole numbers stay whole.
    Update& inc(Path path, const Value& number);
    /// Appends to an array, an absent one is empty; then drops from its front what is over `keep`.
    Update& push(Path path, const Value& value, std::size_t keep = SIZE_MAX);
    Update& add_to_set(Path path, const Value& value);  ///< push, unless an equal one is there
    Update& pull(Path path, const Value& value);        ///< takes out all that are equal

    /// Whether a step changes the field at `path`, a part of it, or what it lies in.
    bool touches(const Path& path) const;

    /// Applies it. On an error `document` holds what it held.
    /// Errors: kInvalidArgument, with the JSON pointer: inc of or by what is no number, a sum over
    /// 64 bits or not finite, push to or pull from what is no array, a way through what is no
    /// object, more than kMaxUpdateSteps.
    core::Result<void> apply(Document& document) const;

  private:
    std::unique_ptr<std::vector<Step>> steps_;
};

}  // namespace zona::store
