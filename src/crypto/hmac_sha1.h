/// @file
/// HMAC-SHA1, for protocols that name it (RFC 4226); nothing of ours is made of it.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace zona::crypto {

/// HMAC-SHA1 under a key. As a MAC it is not touched by SHA-1's collisions. Any thread; aborts for
/// want of memory. Source: RFC 2104.
std::array<std::byte, 20> hmac_sha1(std::span<const std::byte> key,
                                    std::span<const std::byte> data);

}  // namespace zona::crypto
