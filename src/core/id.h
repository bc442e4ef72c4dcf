/// @file
/// StrongId: an identifier that cannot be mistaken for another kind of identifier.
///     using ProcessId = core::StrongId<struct ProcessIdTag, std::int64_t>;
#pragma once

#include <compare>
#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace zona::core {

/// A `Rep` with a name. No arithmetic, no implicit conversion in either direction; ordered and
/// hashed like its value, printed by fmt like its value.
template <class Tag, class Rep>
class StrongId {
  public:
    /// What it wraps.
    using Value = Rep;

    StrongId()
        requires std::default_initializable<Rep>
    = default;
    /// Any value is taken: who makes an id checks it.
    explicit constexpr StrongId(Rep value) : value_(std::move(value)) {}

    constexpr const Rep& value() const { return value_; }

    auto operator<=>(const StrongId&) const = default;

  private:
    Rep value_{};
};

}  // namespace zona::core

template <class Tag, class Rep>
struct std::hash<zona::core::StrongId<Tag, Rep>> {
    std::size_t operator()(const zona::core::StrongId<Tag, Rep>& id) const {
        return std::hash<Rep>{}(id.value());
    }
};

template <class Tag, class Rep>
struct fmt::formatter<zona::core::StrongId<Tag, Rep>> : fmt::formatter<Rep> {
    template <class Context>
    auto format(const zona::core::StrongId<Tag, Rep>& id, Context& context) const {
        return fmt::formatter<Rep>::format(id.value(), context);
    }
};
