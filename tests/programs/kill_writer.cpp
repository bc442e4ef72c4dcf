// A child of the kill tests: it keeps its own record of what it did, which zona's must agree with.
//
//   kill_writer TRUTH_DIRECTORY
//
// All times are nanoseconds of CLOCK_REALTIME. NAME is "w" and its NODE_APP_INSTANCE. It takes the
// lock NAME.lock for its life: a second instance at the same time writes "DOUBLED". Its n-th run
// writes numbered lines "<run> <line>" to both streams, then "E <run> <lines> <how> <status>
// <when>" into NAME.truth, and ends that way. A run begins with "B <run> <pid> <when>" there; one
// that is stopped from outside has no E.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr long kLastBurst = 30;

std::string now() {
    const std::chrono::nanoseconds time = std::chrono::system_clock::now().time_since_epoch();
    return std::to_string(time.count());
}

void append(const std::string& path, const std::string& line) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) std::abort();
    ::close(fd);
}

long next_run(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    char text[32] = {};
    if (fd < 0 || ::pread(fd, text, sizeof text - 1, 0) < 0) std::abort();
    const long run = std::atol(text) + 1;
    const std::string next = std::to_string(run) + "\n";
    if (::pwrite(fd, next.data(), next.size(), 0) < 0) std::abort();
    ::close(fd);
    return run;
}

}  // namespace

int main(int argc, char** argv) {
    const char* instance = std::getenv("NODE_APP_INSTANCE");
    if (argc != 2 || instance == nullptr) return 2;
    const std::string base = std::string(argv[1]) + "/w" + instance;
    const int lock = ::open((base + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (::flock(lock, LOCK_EX | LOCK_NB) < 0) {
        append(base + ".truth", "DOUBLED " + std::to_string(::getpid()) + "\n");
        return 99;
    }
    // A stop that comes now takes effect once the run is on record.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    const long run = next_run(base + ".run");
    append(base + ".truth",
           "B " + std::to_string(run) + " " + std::to_string(::getpid()) + " " + now() + "\n");
    sigprocmask(SIG_SETMASK, &before, nullptr);
    std::mt19937 random(static_cast<unsigned>(::getpid()) * 2654435761U +
                        static_cast<unsigned>(run));
    const long lines = 60 + static_cast<long>(random() % 100);
    for (long n = 0; n < lines; ++n) {
        const std::string line = std::to_string(run) + " " + std::to_string(n) + "\n";
        if (::write(1, line.data(), line.size()) < 0 || ::write(2, line.data(), line.size()) < 0) {
            append(base + ".truth", std::string("WRITE FAILED ") + std::strerror(errno) + "\n");
        }
        // The last ones at once, so that some are still in the FIFO when it ends.
        if (n < lines - kLastBurst) ::usleep(random() % 8000);
    }
    const bool by_signal = random() % 4 == 0;
    const int status =
        by_signal ? (random() % 2 != 0 ? SIGKILL : SIGUSR1) : static_cast<int>(random() % 200);
    append(base + ".truth", "E " + std::to_string(run) + " " + std::to_string(lines) + " " +
                                (by_signal ? "signaled " : "exited ") + std::to_string(status) +
                                " " + now() + "\n");
    if (by_signal) {
        ::signal(SIGUSR1, SIG_DFL);
        ::raise(status);
    }
    ::_exit(status);
}
