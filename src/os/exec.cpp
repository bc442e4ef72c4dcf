#include "os/exec.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/child.h"
#include "os/detail/default_signals.h"
#include "os/fd.h"

extern char** environ;

namespace zona::os {
namespace {

/// Keeps the FIFOs and the standard streams open over exec, whatever else the flags said, and
/// nothing else. Returns the highest descriptor.
int keep_only_fifos() {
    int highest = 2;
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return 1 << 20;
    while (const dirent* entry = ::readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == ::dirfd(directory)) continue;
        highest = std::max(highest, fd);
        struct stat s;
        const bool kept = fd <= 2 || (::fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode));
        (void)set_close_on_exec(fd, kept ? 0 : 1);
    }
    ::closedir(directory);
    return highest;
}

/// What execve(2) takes; valid as long as `texts`.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// Of a thread that has failed while this process becomes another program, which ends it.
[[noreturn]] void wait_for_the_end() {
    while (true)
        ::pause();
}

}  // namespace

core::Error become_program(const std::string& program, std::vector<std::string> arguments,
                           std::span<const int> kept) {
    if (auto reaper = become_subreaper(); !reaper) return reaper.take_error();
    arguments.push_back(std::to_string(keep_only_fifos()));
    for (const int fd : kept) {
        if (auto set = set_close_on_exec(fd, 0); !set) return set.take_error();
    }
    const std::vector<char*> argv = pointers_to(arguments);
    // The mask stays: what is pending waits for the program that knows what to do with it.
    detail::default_dispositions();
    // Nor may another thread end this process: one that makes a thread meanwhile fails with EAGAIN.
    const std::terminate_handler before = std::set_terminate(wait_for_the_end);
    ::execve(program.c_str(), argv.data(), environ);
    const int error = errno;
    std::set_terminate(before);
    return core::Error::from_errno(error, "execute " + program);
}

core::Error execute(const std::string& program, std::vector<std::string> arguments,
                    std::vector<std::string> environment) {
    const std::vector<char*> argv = pointers_to(arguments);
    const std::vector<char*> envp = pointers_to(environment);
    ::execve(program.c_str(), argv.data(), envp.data());
    const int error = errno;
    return core::Error::from_errno(error, "execute " + program);
}

}  // namespace zona::os
