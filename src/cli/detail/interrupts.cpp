#include "cli/detail/interrupts.h"

#include <array>
#include <csignal>

#include "os/child.h"

namespace zona::cli {

core::Result<void> SignalInterrupts::watch() {
    constexpr std::array kSignals = {SIGINT, SIGTERM};
    ZONA_TRY(fd_, os::signals_as_fd(kSignals));
    return {};
}

int SignalInterrupts::count() {
    while (fd_.valid() && os::next_signal(fd_.get()) != 0)
        ++count_;
    return count_;
}

}  // namespace zona::cli
