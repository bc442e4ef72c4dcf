#include "os/detail/default_signals.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace zona::os::detail {

// A vforked child calls this: the sanitizers would record its stores as the parent's.
__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) void
default_dispositions() noexcept {
    constexpr int kSignals = 64;
    // Zeroes are SIG_DFL without flags in the kernel's own structure.
    unsigned long action[4] = {0, 0, 0, 0};
    for (int number = 1; number <= kSignals; ++number) {
        if (number != SIGKILL && number != SIGSTOP)
            ::syscall(SYS_rt_sigaction, number, action, nullptr, 8UL);
    }
}

}  // namespace zona::os::detail
