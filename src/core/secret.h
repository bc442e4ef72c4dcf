/// @file
/// Secret: a text that must not be seen. It prints as "***" whoever prints it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace zona::core {

/// A password, key or token.
///
/// fmt and the log facade show "***"; there is no operator<<, no comparison and no implicit
/// conversion, so a leak takes a visible call of reveal(). The bytes lie in memory that is neither
/// dumped nor, as far as RLIMIT_MEMLOCK goes, swapped (locked_memory.h), and are overwritten when
/// the value dies or is replaced; copies that a caller makes of reveal() are the caller's. Throws
/// std::bad_alloc as a string does. Source: SEC-07, SEC-27.
class Secret {
  public:
    Secret() = default;
    /// Takes the text over and overwrites it; pass a moved string, a copy elsewhere stays.
    explicit Secret(std::string text);
    Secret(const Secret& other);
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret other) noexcept;
    ~Secret();

    /// The text itself, valid as long as this object. For the one place that needs it.
    std::string_view reveal() const { return text_; }
    bool empty() const { return text_.empty(); }

    /// Whether both hold the same text; takes the same time wherever two texts of one length
    /// differ.
    bool same_as(const Secret& other) const;

  private:
    struct Copied {};
    Secret(std::string_view text, Copied);

    std::string_view text_;  // in locked memory, owned
};

}  // namespace zona::core

template <>
struct fmt::formatter<zona::core::Secret> {
    constexpr auto parse(fmt::format_parse_context& context) const { return context.begin(); }

    template <class Context>
    auto format(const zona::core::Secret&, Context& context) const {
        auto out = context.out();
        for (int i = 0; i < 3; ++i)
            *out++ = '*';
        return out;
    }
};
