// Reads the clock with its first instruction, writes "born NS", then "dies NS" and kills itself: N
// times over all its lives.
//   crash_clock TRACE N
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
timespec crash_clock_born;

// The program's entry point where one is written. What libc does before main() is the program's own
// time, and not little on a virtual machine: it asks cpuid some dozens of times, and each one is a
// trap.
#if defined(__x86_64__)
[[gnu::naked]] void crash_clock_entry() {
    asm("movl %0, %%eax\n"
        "movl %1, %%edi\n"
        "leaq crash_clock_born(%%rip), %%rsi\n"
        "syscall\n"
        "jmp _start" ::"i"(SYS_clock_gettime),
        "i"(CLOCK_MONOTONIC));
}
#endif
}

namespace {
long long ns(const timespec& t) {
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

long long now() {
    timespec t;
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return ns(t);
}
}  // namespace

int main(int argc, char** argv) {
    if (crash_clock_born.tv_sec == 0) ::clock_gettime(CLOCK_MONOTONIC, &crash_clock_born);
    if (argc != 3) return 2;
    const int fd = ::open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct stat s;
    if (fd < 0 || ::fstat(fd, &s) < 0) return 3;
    ::dprintf(fd, "born %018lld\n", ns(crash_clock_born));
    if (s.st_size >= std::atoll(argv[2]) * 48) {
        ::pause();
    }
    // Past min_uptime it would be slower; a crash loop is what is measured.
    ::dprintf(fd, "dies %018lld\n", now());
    ::raise(SIGKILL);
}
