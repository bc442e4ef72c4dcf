#include "os/detail/clone_into.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

namespace zona::os::detail {
namespace {

/// struct clone_args of Linux 5.7.
struct CloneArguments {
    std::uint64_t flags = 0;
    std::uint64_t pidfd = 0;
    std::uint64_t child_tid = 0;
    std::uint64_t parent_tid = 0;
    std::uint64_t exit_signal = 0;
    std::uint64_t stack = 0;
    std::uint64_t stack_size = 0;
    std::uint64_t tls = 0;
    std::uint64_t set_tid = 0;
    std::uint64_t set_tid_size = 0;
    std::uint64_t cgroup = 0;
};
constexpr std::uint64_t kIntoCgroup = 1ULL << 33U;

}  // namespace

__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) long clone_and_call(
    const CloneRequest& request) {
    CloneArguments arguments;
    const bool grouped = request.cgroup_fd >= 0;
    arguments.flags =
        CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PARENT_SETTID | (grouped ? kIntoCgroup : 0);
    arguments.parent_tid = reinterpret_cast<std::uint64_t>(request.pid_slot);
    arguments.exit_signal = SIGCHLD;
    arguments.stack = reinterpret_cast<std::uint64_t>(request.stack);
    arguments.stack_size = request.stack_size;
    arguments.cgroup = grouped ? static_cast<std::uint64_t>(request.cgroup_fd) : 0;

    // Without a group the structure of 5.3, which ends before set_tid.
    const std::size_t size = grouped ? sizeof arguments : offsetof(CloneArguments, set_tid);

    // The child has its own stack and a copy of the registers: it must not return from here.
#if defined(__x86_64__)
    long result = SYS_clone3;
    register void* argument asm("r12") = request.argument;
    register int (*function)(void*) asm("r13") = request.function;
    asm volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xor %%ebp, %%ebp\n\t"
        "mov %%r12, %%rdi\n\t"
        "call *%%r13\n\t"
        "mov %%eax, %%edi\n\t"
        "mov %[exit_group], %%eax\n\t"
        "syscall\n\t"
        "1:"
        : "+a"(result)
        : "D"(&arguments), "S"(size), "r"(argument), "r"(function), [exit_group] "i"(SYS_exit_group)
        : "rcx", "r11", "memory", "cc");
    return result;
#elif defined(__aarch64__)
    register long number asm("x8") = SYS_clone3;
    register std::uint64_t first asm("x0") = reinterpret_cast<std::uint64_t>(&arguments);
    register std::uint64_t second asm("x1") = size;
    register void* argument asm("x19") = request.argument;
    register int (*function)(void*) asm("x20") = request.function;
    asm volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, #0\n\t"
        "mov x0, x19\n\t"
        "blr x20\n\t"
        "mov x8, %[exit_group]\n\t"
        "svc #0\n\t"
        "1:"
        : "+r"(first)
        : "r"(second), "r"(number), "r"(argument), "r"(function), [exit_group] "i"(SYS_exit_group)
        : "memory", "cc");
    return static_cast<long>(first);
#else
#error "clone_and_call is written for x86-64 and arm64"
#endif
}

}  // namespace zona::os::detail
