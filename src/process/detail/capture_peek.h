/// @file
/// Looking at what is in a FIFO without consuming it.
#pragma once

#include <cstddef>
#include <vector>

#include "os/fd.h"

namespace zona::process::detail {

/// A private pipe that shares a FIFO's bytes by tee(2) and is read instead of it. Pipe and buffer
/// are made at the first use. One thread at a time.
class CapturePeek {
  public:
    /// What was seen.
    struct View {
        std::size_t bytes = 0;  ///< 0: nothing is there, or `error_number`
        std::size_t lines = 0;  ///< bytes up to and including the last newline among them
        int error_number = 0;
    };

    /// Looks at up to `most` bytes.
    View look(int fifo, std::size_t most);
    /// Looks at up to `most` and at most kCopyBytes bytes, which are at data() afterwards.
    View copy(int fifo, std::size_t most);
    const std::byte* data() const { return buffer_.data(); }

    static constexpr std::size_t kCopyBytes = 65536;

  private:
    View share(int fifo, std::size_t most);

    os::Pipe pipe_;
    std::vector<std::byte> buffer_;
};

}  // namespace zona::process::detail
