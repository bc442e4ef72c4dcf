/// @file
/// ByteCount: an amount of memory, disk or traffic. Its text forms are in core/text.h.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace zona::core {

/// A number of bytes, >= 0 by convention of its users (parse_size never gives a negative one).
class ByteCount {
  public:
    constexpr ByteCount() = default;
    /// `bytes` as they are, negative ones too.
    explicit constexpr ByteCount(std::int64_t bytes) : bytes_(bytes) {}

    /// @{
    /// `n` times 1024, 1024² or 1024³ bytes.
    static constexpr ByteCount kib(std::int64_t n) { return ByteCount(n * 1024); }
    static constexpr ByteCount mib(std::int64_t n) { return ByteCount(n * 1024 * 1024); }
    static constexpr ByteCount gib(std::int64_t n) { return ByteCount(n * 1024 * 1024 * 1024); }
    /// @}

    constexpr std::int64_t bytes() const { return bytes_; }
    /// For sizes of containers and buffers; a negative amount is 0.
    constexpr std::size_t as_size() const {
        return bytes_ < 0 ? 0 : static_cast<std::size_t>(bytes_);
    }

    constexpr auto operator<=>(const ByteCount&) const = default;
    constexpr ByteCount operator+(ByteCount other) const {
        return ByteCount(bytes_ + other.bytes_);
    }
    constexpr ByteCount operator-(ByteCount other) const {
        return ByteCount(bytes_ - other.bytes_);
    }
    constexpr ByteCount& operator+=(ByteCount other) {
        bytes_ += other.bytes_;
        return *this;
    }
    constexpr ByteCount& operator-=(ByteCount other) {
        bytes_ -= other.bytes_;
        return *this;
    }

  private:
    std::int64_t bytes_ = 0;
};

}  // namespace zona::core
