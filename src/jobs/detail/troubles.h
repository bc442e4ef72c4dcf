// How often whoever cannot reach the core database tries again.
#pragma once

#include <chrono>

#include "jobs/schedule.h"

namespace zona::jobs::detail {

inline constexpr Retries kTroubles{
    .attempts = 0, .first = std::chrono::seconds(1), .longest = std::chrono::minutes(5)};

}  // namespace zona::jobs::detail
