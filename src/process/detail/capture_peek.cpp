#include "process/detail/capture_peek.h"

#include <algorithm>
#include <cerrno>
#include <span>

#include <fcntl.h>

#include "os/splice.h"
#include "process/detail/capture_context.h"

namespace zona::process::detail {

CapturePeek::View CapturePeek::share(int fifo, std::size_t most) {
    if (!pipe_.read) {
        auto made = os::make_pipe(O_NONBLOCK);
        if (!made) return {.error_number = made.error().system_error()};
        pipe_ = std::move(*made);
        // A smaller one, where the kernel refuses, shows less at a time.
        os::grow_pipe(pipe_.write.get(), kMostPipe);
        buffer_.resize(kCopyBytes);
    }
    const os::Transfer shared = os::tee_pipe(fifo, pipe_.write.get(), most);
    if (shared.error_number == EAGAIN) return {};
    return {.bytes = shared.bytes, .error_number = shared.error_number};
}

CapturePeek::View CapturePeek::look(int fifo, std::size_t most) {
    View view = share(fifo, most);
    for (std::size_t seen = 0; seen < view.bytes;) {
        const os::Transfer piece = os::read_once(pipe_.read.get(), buffer_);
        if (piece.error_number != 0 || piece.bytes == 0) {
            pipe_ = {};
            return {.error_number = piece.error_number != 0 ? piece.error_number : EIO};
        }
        const auto begin = buffer_.begin();
        const auto end = begin + static_cast<std::ptrdiff_t>(piece.bytes);
        const auto newline = std::find(std::make_reverse_iterator(end),
                                       std::make_reverse_iterator(begin), std::byte{'\n'});
        if (newline.base() != begin) {
            view.lines = seen + static_cast<std::size_t>(newline.base() - begin);
        }
        seen += piece.bytes;
    }
    return view;
}

CapturePeek::View CapturePeek::copy(int fifo, std::size_t most) {
    const View view = share(fifo, std::min(most, kCopyBytes));
    for (std::size_t seen = 0; seen < view.bytes;) {
        const os::Transfer piece =
            os::read_once(pipe_.read.get(), std::span(buffer_).subspan(seen));
        if (piece.error_number != 0 || piece.bytes == 0) {
            pipe_ = {};
            return {.error_number = piece.error_number != 0 ? piece.error_number : EIO};
        }
        seen += piece.bytes;
    }
    return view;
}

}  // namespace zona::process::detail
