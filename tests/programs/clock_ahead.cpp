// Preloaded into a program: its wall clock is TEST_CLOCK_AHEAD seconds ahead, as if that time had
// passed while it did not run. Steady clocks are as they are.
#include <cstdlib>
#include <ctime>

#include <sys/syscall.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
    static const char* const ahead = std::getenv("TEST_CLOCK_AHEAD");
    const auto done = static_cast<int>(::syscall(SYS_clock_gettime, clock, out));
    if (done == 0 && clock == CLOCK_REALTIME && ahead != nullptr)
        out->tv_sec += std::strtol(ahead, nullptr, 10);
    return done;
}
