#include "os/host.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

namespace zona::os {
namespace {

Support support_from(int number) {
    switch (number) {
        case ENOSYS:
        case EINVAL:
        case ENOTTY:
        case EOPNOTSUPP:
            return Support::kMissing;
        default:
            return Support::kRefused;
    }
}

/// What unshare(2) with `flags` would say to us, found out by a child that ends at once.
Support try_namespaces(unsigned long flags) {
    // A raw fork: a child that only makes two system calls needs none of libc's handlers. Without
    // an exit signal it is invisible to whoever else in this process waits for children.
    const long pid = ::syscall(SYS_clone, 0UL, nullptr, nullptr, nullptr, nullptr);
    if (pid < 0) return Support::kRefused;
    if (pid == 0) {
        const long rc = ::syscall(SYS_unshare, flags);
        ::syscall(SYS_exit_group, rc == 0 ? 0 : errno);
    }
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL) < 0) {
        if (errno != EINTR) return Support::kRefused;
    }
    if (info.si_code != CLD_EXITED) return Support::kRefused;
    return info.si_status == 0 ? Support::kPresent : support_from(info.si_status);
}

struct NamedFileSystem {
    unsigned long magic;
    std::string_view name;
    bool remote;
};

// Numbers of linux/magic.h and statfs(2).
constexpr std::array<NamedFileSystem, 20> kFileSystems = {{
    {0xEF53, "ext4", false},         {0x01021994, "tmpfs", false},    {0x58465342, "xfs", false},
    {0x9123683E, "btrfs", false},    {0x794C7630, "overlay", false},  {0x2FC12FC1, "zfs", false},
    {0xF2F52010, "f2fs", false},     {0xCA451A4E, "bcachefs", false}, {0x858458F6, "ramfs", false},
    {0x73717368, "squashfs", false}, {0x4D44, "vfat", false},         {0x2011BAB0, "exfat", false},
    {0x6969, "nfs", true},           {0xFF534D42, "cifs", true},      {0xFE534D42, "smb2", true},
    {0x517B, "smb", true},           {0x01021997, "9p", true},        {0x65735546, "fuse", true},
    {0x00C36400, "ceph", true},      {0x6A656A63, "virtiofs", true},
}};

}  // namespace

KernelVersion parse_kernel_version(const std::string& release) {
    KernelVersion out{.release = release};
    if (std::sscanf(release.c_str(), "%5d.%5d", &out.major, &out.minor) != 2)
        out.major = out.minor = 0;
    return out;
}

KernelVersion kernel_version() {
    utsname name{};
    return ::uname(&name) == 0 ? parse_kernel_version(name.release) : KernelVersion{};
}

Support pidfd_support() {
    const long fd = ::syscall(SYS_pidfd_open, ::getpid(), 0);
    if (fd < 0) return support_from(errno);
    ::close(static_cast<int>(fd));
    return Support::kPresent;
}

Support clone3_support() {
    if (::syscall(SYS_clone3, nullptr, 0UL) >= 0) return Support::kPresent;
    // EINVAL is the kernel's answer to a size of 0; a filter answers ENOSYS or EPERM before that.
    if (errno == EINVAL) return Support::kPresent;
    return support_from(errno);
}

Support pidfd_info_support() {
    // A process that has not ended has no exit code; what the ioctl says of the request itself
    // counts.
    struct {
        std::uint64_t mask = 1UL << 3U;  // PIDFD_INFO_EXIT
        std::array<std::uint32_t, 14> rest{};
    } info;
    static_assert(sizeof info == 64);
    const long fd = ::syscall(SYS_pidfd_open, ::getpid(), 0);
    if (fd < 0) return support_from(errno);
    const UniqueFd owned = UniqueFd::adopt(static_cast<int>(fd));
    if (::ioctl(owned.get(), _IOC(_IOC_READ | _IOC_WRITE, 0xFFU, 11U, 64U), &info) < 0)
        return support_from(errno);
    // The ioctl is of 6.13, exit codes are of 6.15: a running process cannot tell the two apart.
    const KernelVersion needed{.major = 6, .minor = 15};
    return kernel_version() < needed ? Support::kMissing : Support::kPresent;
}

Support user_namespace_support() {
    return try_namespaces(CLONE_NEWUSER | CLONE_NEWPID);
}

Support pid_namespace_support() {
    return try_namespaces(CLONE_NEWPID);
}

Support seccomp_support() {
    const std::uint32_t action = SECCOMP_RET_ERRNO;
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return Support::kPresent;
    return support_from(errno);
}

Support subreaper_support() {
    int value = 0;
    return ::prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0) == 0 ? Support::kPresent
                                                                 : support_from(errno);
}

std::vector<double> parse_numbers(std::string_view text, std::size_t most) {
    std::vector<double> out;
    while (out.size() < most) {
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || !std::isfinite(number)) break;
        out.push_back(number);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.starts_with(' ')) break;
        text.remove_prefix(1);
    }
    return out;
}

core::Result<HostState> host_state(const ProcFs& proc) {
    ZONA_TRY(const std::string uptime, proc.text("uptime"));
    ZONA_TRY(const std::string load, proc.text("loadavg"));
    ZONA_TRY(const std::string memory, proc.text("meminfo"));
    const std::vector<double> age = parse_numbers(uptime, 1);
    const std::vector<double> loads = parse_numbers(load, 3);
    const auto total = find_counter(memory, "MemTotal");
    const auto available = find_counter(memory, "MemAvailable");
    if (age.empty() || loads.size() < 3 || !total || !available) {
        return core::Error(core::Code::kInternal,
                           "/proc does not say how old and how loaded the host is");
    }
    utsname names{};
    HostState out;
    if (::uname(&names) == 0) out.name = names.nodename;
    out.uptime = std::chrono::seconds(static_cast<std::int64_t>(age[0]));
    std::ranges::copy(loads, out.load.begin());
    out.memory_total = core::ByteCount::kib(static_cast<std::int64_t>(*total));
    out.memory_available = core::ByteCount::kib(static_cast<std::int64_t>(*available));
    return out;
}

core::Result<FileSystemFacts> file_system_facts(const std::string& path) {
    struct statfs raw{};
    struct statvfs portable{};
    if (::statfs(path.c_str(), &raw) != 0 || ::statvfs(path.c_str(), &portable) != 0) {
        return core::Error::from_errno(errno, fmt::format("look at the file system of {}", path));
    }
    FileSystemFacts out{.free_bytes = portable.f_bavail * portable.f_frsize,
                        .total_bytes = portable.f_blocks * portable.f_frsize,
                        .free_inodes = portable.f_favail,
                        .total_inodes = portable.f_files,
                        .read_only = (portable.f_flag & ST_RDONLY) != 0};
    const auto magic = static_cast<unsigned long>(raw.f_type) & 0xFFFFFFFFUL;
    for (const NamedFileSystem& known : kFileSystems) {
        if (known.magic != magic) continue;
        out.type = known.name;
        out.remote = known.remote;
        return out;
    }
    out.type = fmt::format("{:#x}", magic);
    return out;
}

SoftAndHard own_limit(int resource) {
    rlimit value{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &value) != 0) return {};
    const auto number = [](rlim_t n) {
        return n == RLIM_INFINITY ? std::nullopt : std::optional<std::uint64_t>(n);
    };
    return {number(value.rlim_cur), number(value.rlim_max)};
}

bool running_as_root() {
    return ::geteuid() == 0;
}

Support socket_support(const std::string& path) {
    struct stat s{};
    if (::stat(path.c_str(), &s) != 0)
        return errno == EACCES ? Support::kRefused : Support::kMissing;
    if (!S_ISSOCK(s.st_mode)) return Support::kMissing;
    return ::access(path.c_str(), R_OK | W_OK) == 0 ? Support::kPresent : Support::kRefused;
}

std::optional<std::string> find_in_path(const std::string& name, const std::string& search_path) {
    std::string_view rest = search_path;
    for (;;) {
        const std::size_t end = rest.find(':');
        const std::string_view directory = rest.substr(0, end);
        std::string candidate = fmt::format("{}/{}", directory.empty() ? "." : directory, name);
        struct stat s{};
        if (::stat(candidate.c_str(), &s) == 0 && S_ISREG(s.st_mode) &&
            ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        if (end == std::string_view::npos) return std::nullopt;
        rest.remove_prefix(end + 1);
    }
}

}  // namespace zona::os
