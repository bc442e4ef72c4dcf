// The rules that zona brings along.
#pragma once

#include <cstdint>

namespace zona::net::detail {

/// Of ours: a body that cannot be read as what it says it is.
inline constexpr std::int64_t kUnreadableRule = 8063003;
/// Of ours: more members and parameters than are inspected.
inline constexpr std::int64_t kArgumentsRule = 8063004;
/// What stands for a request that an unnamed rule has refused.
inline constexpr std::int64_t kUnnamedRule = 0;

/// How the engine works, what is allowed here that the core rules do not know, and what of them
/// does not hold for zona. Precede all others.
extern const char* const kOwnRules;

}  // namespace zona::net::detail
