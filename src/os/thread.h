/// @file
/// What a thread of ours does to itself first.
#pragma once

namespace zona::os {

/// Names the calling thread for ps, top and /proc/PID/task/TID/comm. At most 15 bytes; the rest is
/// cut. Source: prctl(2) PR_SET_NAME.
void name_this_thread(const char* name) noexcept;

}  // namespace zona::os
