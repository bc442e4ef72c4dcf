/// @file
/// Randomness as an injected dependency, and the UUIDs made from it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace zona::core {

/// A source of random bytes.
class Random {
  public:
    Random() = default;
    Random(const Random&) = delete;
    Random& operator=(const Random&) = delete;
    virtual ~Random() = default;

    /// Overwrites all of `out`. Never fails and never returns fewer bytes.
    virtual void fill(std::span<std::byte> out) = 0;

    /// 64 random bits.
    std::uint64_t next();

    /// A number in [0, bound), evenly distributed. Precondition: bound > 0.
    std::uint64_t below(std::uint64_t bound);
};

/// The kernel's generator, fit for keys and tokens. Any thread.
///
/// Blocks only in the first moments of a boot. A kernel that refuses is a broken contract: the
/// process aborts rather than go on with predictable bytes. Source: getrandom(2).
class SystemRandom final : public Random {
  public:
    void fill(std::span<std::byte> out) override;
};

/// The same bytes for the same seed on every machine (xoshiro256**, seeded by splitmix64): for
/// tests and simulations, never for secrets. Not thread-safe.
class SeededRandom final : public Random {
  public:
    /// A run is repeated by giving its seed again.
    explicit SeededRandom(std::uint64_t seed);
    void fill(std::span<std::byte> out) override;

  private:
    std::uint64_t step();
    std::array<std::uint64_t, 4> state_;
};

/// A 128-bit identifier. The zero value is the nil UUID, which no generator makes.
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    /// A version 4 UUID: 122 random bits. Source: RFC 9562 section 5.4.
    static Uuid v4(Random& random);

    /// Takes the 36-character form, any version, either case.
    /// Errors: kInvalidArgument for any other text.
    static Result<Uuid> parse(std::string_view text);

    /// 36 characters, lower case.
    std::string to_string() const;

    auto operator<=>(const Uuid&) const = default;
};

}  // namespace zona::core

template <>
struct std::hash<zona::core::Uuid> {
    std::size_t operator()(const zona::core::Uuid& id) const noexcept;
};
