/// @file
/// What all streams and sinks of one Capture share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/clock.h"
#include "core/log.h"
#include "os/fd.h"
#include "process/capture.h"
#include "process/detail/open_files.h"

namespace zona::process::detail {

struct CaptureContext {
    CaptureOptions options;
    OpenFiles open_files{options.open_files};
    const core::Clock& clock;
    core::Logger log;
    os::UniqueFd null_device;                ///< /dev/null, to consume without looking
    std::atomic<std::uint64_t> dropped = 0;  ///< bytes
    /// Bytes by which FIFOs were grown. An unprivileged user has 64 MB of pipe buffers in all;
    /// beyond them every new pipe of that user shrinks to two pages (pipe(7)), so half of them is
    /// our limit.
    std::atomic<std::int64_t> grown = 0;
};

inline constexpr std::int64_t kMostGrown = 32LL << 20U;
inline constexpr std::size_t kMostPipe = 1U << 20U;  ///< fs.pipe-max-size as Linux ships it
/// What one splice, and one hold of a slot's lock by the capture thread, moves at most.
inline constexpr std::size_t kTurnBytes = 1U << 20U;

}  // namespace zona::process::detail
