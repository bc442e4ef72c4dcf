// Reads the clock as its first act, writes "born NS", then "dies NS" and kills itself: N times over
// all its lives.
//   crash_clock TRACE N
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {
long long now() {
    timespec t;
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
}  // namespace

int main(int argc, char** argv) {
    const long long born = now();
    if (argc != 3) return 2;
    const int fd = ::open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct stat s;
    if (fd < 0 || ::fstat(fd, &s) < 0) return 3;
    ::dprintf(fd, "born %018lld\n", born);
    if (s.st_size >= std::atoll(argv[2]) * 48) {
        ::pause();
    }
    // Past min_uptime it would be slower; a crash loop is what is measured.
    ::dprintf(fd, "dies %018lld\n", now());
    ::raise(SIGKILL);
}
