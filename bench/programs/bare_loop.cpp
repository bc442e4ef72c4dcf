// What the kernel alone takes for what a supervisor does.
//   bare_loop restart N PROGRAM ARG...   starts PROGRAM, waits for its end, starts it again; N
//   times bare_loop start N PROGRAM ARG...     starts it N times; prints the seconds that took;
//   ends them
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

double now() {
    timespec t;
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

pid_t start(char** program) {
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, program[0], nullptr, nullptr, program, environ);
    if (error == 0) return pid;
    std::fprintf(stderr, "%s: %s\n", program[0], std::strerror(error));
    std::exit(3);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    const long count = std::atol(argv[2]);
    if (std::strcmp(argv[1], "restart") == 0) {
        for (long i = 0; i < count; ++i)
            ::waitpid(start(argv + 3), nullptr, 0);
        return 0;
    }
    std::vector<pid_t> pids;
    const double begin = now();
    for (long i = 0; i < count; ++i)
        pids.push_back(start(argv + 3));
    std::printf("%.6f\n", now() - begin);
    for (const pid_t pid : pids)
        ::kill(pid, SIGKILL);
    for (const pid_t pid : pids)
        ::waitpid(pid, nullptr, 0);
}
