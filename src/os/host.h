/// @file
/// Facts about this host that decide what zona can do on it. For `zona doctor`; nothing here
/// changes the host.
///
/// Each fact is found out by trying it where that is harmless (a system call on ourselves, a child
/// that ends at once), by reading it elsewhere. An unknown fact is an empty optional, never a
/// guess. Source: uname(2), pidfd_open(2), clone(2), user_namespaces(7), pipe(7), inotify(7),
/// statfs(2).
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_count.h"
#include "os/proc.h"

namespace zona::os {

/// Whether the host has something: it does not know it, it or a filter forbids it to us, it works.
enum class Support : std::uint8_t { kMissing, kRefused, kPresent };

/// Compared by its two numbers.
struct KernelVersion {
    int major = 0;
    int minor = 0;
    std::string release;  ///< as `uname -r` prints it
    auto operator<=>(const KernelVersion& other) const {
        return major != other.major ? major <=> other.major : minor <=> other.minor;
    }
    bool operator==(const KernelVersion& other) const {
        return major == other.major && minor == other.minor;
    }
};

/// The first two numbers of a release such as "6.1.0-18-amd64"; zeroes when there are none.
KernelVersion parse_kernel_version(const std::string& release);
/// Of the running kernel.
KernelVersion kernel_version();

/// pidfd_open(2), on ourselves.
Support pidfd_support();
/// clone3(2): asked with a size that no kernel takes, so that nothing is cloned. kRefused: a
/// seccomp filter.
Support clone3_support();
/// The exit code of a process that is not our child, from its pidfd (Linux 6.15).
Support pidfd_info_support();
/// Whether a child of ours may make a user namespace, and a pid namespace inside it. Tried in a
/// child.
Support user_namespace_support();
/// The same for a pid namespace without a user namespace: needs CAP_SYS_ADMIN.
Support pid_namespace_support();
/// Seccomp filters: asked for an action that every version knows.
Support seccomp_support();
/// PR_SET_CHILD_SUBREAPER (Linux 3.4), asked without setting it.
Support subreaper_support();

/// What the host does now.
struct HostState {
    std::string name;  ///< its name in the network
    std::chrono::seconds uptime{0};
    std::array<double, 3> load{};  ///< mean of runnable tasks over 1, 5 and 15 minutes
    core::ByteCount memory_total;
    core::ByteCount memory_available;  ///< without swapping
};
/// Three small files of /proc, some 30 us. Errors: those of ProcFs::text; kInternal for a file that
/// does not say what it should.
core::Result<HostState> host_state(const ProcFs& proc);

/// The leading numbers of a text such as /proc/loadavg or /proc/uptime, at most `most` of them.
std::vector<double> parse_numbers(std::string_view text, std::size_t most);

/// Kind, room and limits of a file system.
struct FileSystemFacts {
    std::string type;              ///< "ext4", "tmpfs", "nfs"; "0x…" for one that has no name here
    std::uint64_t free_bytes = 0;  ///< for an unprivileged user
    std::uint64_t total_bytes = 0;
    std::uint64_t free_inodes = 0;
    std::uint64_t total_inodes = 0;  ///< 0: the file system does not count them
    bool read_only = false;
    bool remote = false;  ///< locks and notifications may not work between hosts
};
/// Of the file system that holds `path`. Errors: from errno, the message names the path.
core::Result<FileSystemFacts> file_system_facts(const std::string& path);

/// The calling process's own limit.
SoftAndHard own_limit(int resource);
/// By the effective user, as the kernel judges.
bool running_as_root();
/// A unix socket at `path`: none, one that we may not connect to, or a usable one. Nothing is sent.
Support socket_support(const std::string& path);

/// The first executable `name` in a PATH-like list; nullopt when there is none.
std::optional<std::string> find_in_path(const std::string& name, const std::string& search_path);

}  // namespace zona::os
