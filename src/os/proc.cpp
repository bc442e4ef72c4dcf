#include "os/proc.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace zona::os {
namespace {

constexpr std::size_t kStatSize = 4096;  // a stat line is under 1 kB
constexpr std::size_t kMaxFile =
    8UL * 1024 * 1024;  // an environment may be 6 MB at most (execve(2))

template <class Number>
bool take_number(std::string_view& text, Number& out) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

/// The next line without its newline; removed from `text`.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

bool vanished(int number) {
    return number == ENOENT || number == ESRCH;
}

/// Reads into `buffer` what one read(2) gives; the length, or -1 with errno.
ssize_t read_once(int root, const char* path, std::span<char> buffer) {
    const int fd = ::openat(root, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const UniqueFd owned = UniqueFd::adopt(fd);
    ssize_t n = 0;
    do
        n = ::read(fd, buffer.data(), buffer.size());
    while (n < 0 && errno == EINTR);
    return n;
}

core::Result<std::optional<std::string>> read_all(const UniqueFd& root, const std::string& path) {
    const int raw = ::openat(root.get(), path.c_str(), O_RDONLY | O_CLOEXEC);
    if (raw < 0) {
        if (vanished(errno)) return std::optional<std::string>();
        return core::Error::from_errno(errno, fmt::format("open /proc/{}", path));
    }
    const UniqueFd fd = UniqueFd::adopt(raw);
    std::string out;
    std::array<char, kStatSize> chunk;
    while (out.size() < kMaxFile) {
        const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
        if (n == 0) break;
        if (n > 0) {
            out.append(chunk.data(), static_cast<std::size_t>(n));
        } else if (vanished(errno)) {
            return std::optional<std::string>();
        } else if (errno != EINTR) {
            return core::Error::from_errno(errno, fmt::format("read /proc/{}", path));
        }
    }
    return std::optional<std::string>(std::move(out));
}

/// "PID/file" without the heap.
struct PidPath {
    std::array<char, 40> text;
    PidPath(pid_t pid, std::string_view file) {
        char* end = std::to_chars(text.data(), text.data() + 16, pid).ptr;
        *end++ = '/';
        end = std::ranges::copy(file.substr(0, 20), end).out;
        *end = '\0';
    }
    const char* c_str() const { return text.data(); }
};

/// Reads a /proc directory, a buffer at a time.
core::Result<void> for_each_pid(const UniqueFd& root, std::span<char> buffer, const auto& visitor) {
    ZONA_TRY(const UniqueFd directory, open_at(root, ".", O_RDONLY | O_DIRECTORY));
    for (;;) {
        const long n = ::syscall(SYS_getdents64, directory.get(), buffer.data(), buffer.size());
        if (n < 0) return core::Error::from_errno(errno, "list /proc");
        if (n == 0) return {};
        for (long at = 0; at < n;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
            at += entry->d_reclen;
            const std::string_view name = entry->d_name;
            pid_t pid = 0;
            const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
            if (error == std::errc() && end == name.data() + name.size() && pid > 0) visitor(pid);
        }
    }
}

bool parse_stat_into(std::string_view text, ProcStat& out) {
    const std::size_t open = text.find('(');
    const std::size_t close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
        return false;
    std::string_view head = text.substr(0, open);
    if (!take_number(head, out.pid) || out.pid <= 0 || head != " ") return false;
    out.name.assign(text.substr(open + 1, close - open - 1));
    std::string_view rest = text.substr(close + 1);
    if (rest.size() < 3 || rest[0] != ' ' || rest[2] != ' ') return false;
    out.state = rest[1];
    rest.remove_prefix(2);

    std::int64_t unused = 0;
    std::uint64_t wide = 0;  // flags, faults and sizes are unsigned 64 bit
    const auto skip = [&](int count) {
        for (int i = 0; i < count; ++i) {
            if (!take_number(rest, unused) && !take_number(rest, wide)) return false;
        }
        return true;
    };
    const bool good = take_number(rest, out.parent) && take_number(rest, out.group) &&
                      take_number(rest, out.session) && skip(7) &&
                      take_number(rest, out.user_ticks) && take_number(rest, out.system_ticks) &&
                      skip(4) && take_number(rest, out.threads) && skip(1) &&
                      take_number(rest, out.start_ticks) && skip(1) &&
                      take_number(rest, out.resident_pages);
    int status = 0;
    if (good && out.is_dead() && skip(27) && take_number(rest, status)) out.wait_status = status;
    return good;
}

}  // namespace

std::optional<ProcStat> parse_stat(std::string_view text) {
    ProcStat out;
    if (!parse_stat_into(text, out)) return std::nullopt;
    return out;
}

std::vector<CgroupMembership> parse_memberships(std::string_view text) {
    std::vector<CgroupMembership> out;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        int hierarchy = 0;
        if (!take_number(line, hierarchy) || !line.starts_with(':')) continue;
        line.remove_prefix(1);
        // A named hierarchy's name and a path may hold a colon; the path is what begins with '/'.
        const std::size_t split = line.find(":/");
        if (split == std::string_view::npos) continue;
        out.push_back({std::string(line.substr(0, split)), std::string(line.substr(split + 1))});
    }
    return out;
}

std::optional<std::string_view> find_variable(std::string_view environment, std::string_view name) {
    while (!environment.empty()) {
        const std::size_t end = std::min(environment.find('\0'), environment.size());
        const std::string_view entry = environment.substr(0, end);
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
            return entry.substr(name.size() + 1);
        }
        environment.remove_prefix(std::min(end + 1, environment.size()));
    }
    return std::nullopt;
}

std::optional<uid_t> parse_real_uid(std::string_view status) {
    while (!status.empty()) {
        std::string_view line = take_line(status);
        if (!line.starts_with("Uid:")) continue;
        line.remove_prefix(4);
        uid_t uid = 0;
        return take_number(line, uid) ? std::optional<uid_t>(uid) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<SoftAndHard> parse_limit(std::string_view limits, std::string_view name) {
    const auto value = [](std::string_view& text, std::optional<std::uint64_t>& out) {
        while (text.starts_with(' '))
            text.remove_prefix(1);
        if (text.starts_with("unlimited")) {
            text.remove_prefix(9);
            return true;
        }
        return take_number(text, out.emplace());
    };
    while (!limits.empty()) {
        std::string_view line = take_line(limits);
        if (!line.starts_with(name) || name.empty()) continue;
        line.remove_prefix(name.size());
        SoftAndHard out;
        if (!line.starts_with("  ") || !value(line, out.soft) || !value(line, out.hard))
            return std::nullopt;
        return out;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> find_counter(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        std::string_view line = take_line(text);
        if (!line.starts_with(name)) continue;
        line.remove_prefix(name.size());
        if (!line.starts_with(' ') && !line.starts_with(':')) continue;
        line.remove_prefix(1);
        std::uint64_t value = 0;
        return take_number(line, value) ? std::optional<std::uint64_t>(value) : std::nullopt;
    }
    return std::nullopt;
}

const ProcStat* ProcessSnapshot::find(pid_t pid) const {
    const auto entries = all();
    const auto at = std::ranges::lower_bound(entries, pid, {}, &ProcStat::pid);
    return at != entries.end() && at->pid == pid ? &*at : nullptr;
}

void ProcessSnapshot::add_descendants(std::vector<pid_t>& pids,
                                      std::span<const pid_t> barred) const {
    std::ranges::sort(pids);
    pids.erase(std::ranges::unique(pids).begin(), pids.end());
    // A child's pid may be lower than its parent's after a wrap, so one pass is not always enough.
    for (bool grew = true; grew;) {
        grew = false;
        const auto known = static_cast<std::ptrdiff_t>(pids.size());
        const auto is_known = [&](pid_t pid) {
            return std::binary_search(pids.begin(), pids.begin() + known, pid);
        };
        for (const ProcStat& entry : all()) {
            if (!is_known(entry.parent) || is_known(entry.pid)) continue;
            if (std::ranges::count(barred, entry.pid) > 0) continue;
            pids.push_back(entry.pid);
            grew = true;
        }
        std::ranges::sort(pids);
    }
}

core::Result<ProcFs> ProcFs::open(const std::string& root) {
    ZONA_TRY(UniqueFd fd, open_file(root, O_RDONLY | O_DIRECTORY));
    return ProcFs(std::move(fd));
}

core::Result<std::optional<ProcStat>> ProcFs::stat(pid_t pid) const {
    std::array<char, kStatSize> buffer;
    const PidPath path(pid, "stat");
    const ssize_t n = read_once(root_.get(), path.c_str(), buffer);
    if (n < 0) {
        if (vanished(errno)) return std::optional<ProcStat>();
        return core::Error::from_errno(errno, fmt::format("read /proc/{}/stat", pid));
    }
    auto out = parse_stat({buffer.data(), static_cast<std::size_t>(n)});
    if (!out) {
        return core::Error(core::Code::kInternal,
                           fmt::format("/proc/{}/stat has an unknown format", pid));
    }
    return out;
}

core::Result<std::optional<ProcStat>> ProcFs::stat(const ProcessRef& process) const {
    ZONA_TRY(auto found, stat(process.pid));
    if (found && found->start_ticks != process.start_ticks) found.reset();
    return found;
}

core::Result<std::optional<ChildExit>> ProcFs::exit_of_zombie(const ProcessRef& process) const {
    ZONA_TRY(const auto entry, stat(process));
    if (!entry || !entry->is_dead() || !entry->wait_status) return std::optional<ChildExit>();
    // Zero is also what the kernel writes for those who may not know; they may not read this
    // either.
    if (*entry->wait_status == 0) {
        const auto permitted = read_all(root_, PidPath(process.pid, "io").c_str());
        if (!permitted || !*permitted) return std::optional<ChildExit>();
    }
    return exit_from_status(entry->pid, *entry->wait_status);
}

core::Result<void> ProcFs::list(std::vector<pid_t>& into) const {
    into.clear();
    alignas(dirent64) std::array<char, 32768> buffer;
    ZONA_TRY_VOID(for_each_pid(root_, buffer, [&](pid_t pid) { into.push_back(pid); }));
    // The kernel lists pids in order; a fixture tree need not.
    if (!std::ranges::is_sorted(into)) std::ranges::sort(into);
    return {};
}

core::Result<void> ProcFs::visit(const std::function<void(pid_t)>& visitor) const {
    alignas(dirent64) std::array<char, 512> buffer;  // some twenty entries
    return for_each_pid(root_, buffer, visitor);
}

core::Result<void> ProcFs::scan(ProcessSnapshot& into) const {
    into.count_ = 0;
    std::vector<pid_t> pids;
    ZONA_TRY_VOID(list(pids));
    std::array<char, kStatSize> buffer;
    for (const pid_t pid : pids) {
        const PidPath path(pid, "stat");
        const ssize_t n = read_once(root_.get(), path.c_str(), buffer);
        if (n < 0) {
            if (vanished(errno) || errno == EACCES || errno == EPERM) continue;
            return core::Error::from_errno(errno, fmt::format("read /proc/{}/stat", pid));
        }
        if (into.count_ == into.entries_.size()) into.entries_.emplace_back();
        ProcStat& entry = into.entries_[into.count_];
        if (parse_stat_into({buffer.data(), static_cast<std::size_t>(n)}, entry) &&
            entry.pid == pid) {
            ++into.count_;
        }
    }
    return {};
}

core::Result<std::vector<pid_t>> ProcFs::children(pid_t pid) const {
    ZONA_TRY(const auto text, read_all(root_, fmt::format("{0}/task/{0}/children", pid)));
    std::vector<pid_t> out;
    if (!text) {
        ZONA_TRY(const auto there, stat(pid));
        if (!there) return out;
        return core::Error(core::Code::kUnsupported,
                           "this kernel does not list children (CONFIG_PROC_CHILDREN)");
    }
    std::string_view rest = *text;
    for (pid_t child = 0; take_number(rest, child);)
        out.push_back(child);
    return out;
}

core::Result<std::optional<std::string>> ProcFs::variable(pid_t pid, std::string_view name) const {
    ZONA_TRY(const auto block, read_all(root_, PidPath(pid, "environ").c_str()));
    if (!block) return std::optional<std::string>();
    const auto value = find_variable(*block, name);
    return value ? std::optional<std::string>(*value) : std::nullopt;
}

core::Result<std::optional<uid_t>> ProcFs::real_uid(pid_t pid) const {
    ZONA_TRY(const auto status, read_all(root_, PidPath(pid, "status").c_str()));
    return status ? parse_real_uid(*status) : std::nullopt;
}

core::Result<std::optional<SoftAndHard>> ProcFs::limit(pid_t pid, std::string_view name) const {
    ZONA_TRY(const auto limits, read_all(root_, PidPath(pid, "limits").c_str()));
    return limits ? parse_limit(*limits, name) : std::nullopt;
}

core::Result<std::vector<CgroupMembership>> ProcFs::memberships(pid_t pid) const {
    const std::string path = pid == 0 ? "self/cgroup" : PidPath(pid, "cgroup").c_str();
    ZONA_TRY(const auto lines, read_all(root_, path));
    return lines ? parse_memberships(*lines) : std::vector<CgroupMembership>();
}

core::Result<std::string> ProcFs::boot_id() const {
    ZONA_TRY(std::string id, text("sys/kernel/random/boot_id"));
    id.erase(std::min(id.find_last_not_of(" \n") + 1, id.size()));
    if (id.empty()) return core::Error(core::Code::kInternal, "the kernel's boot id is empty");
    return id;
}

core::Result<std::chrono::milliseconds> ProcFs::uptime() const {
    ZONA_TRY(const std::string line, text("uptime"));
    double seconds = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), seconds);
    if (error != std::errc() || !(seconds >= 0) || seconds > 1e12) {
        return core::Error(core::Code::kInternal, "/proc/uptime has an unknown format");
    }
    return std::chrono::milliseconds(std::llround(seconds * 1000));
}

core::Result<std::optional<std::uint64_t>> ProcFs::oom_kills() const {
    ZONA_TRY(const std::string counters, text("vmstat"));
    return find_counter(counters, "oom_kill");
}

core::Result<std::uint64_t> ProcFs::forks() const {
    ZONA_TRY(const std::string counters, text("stat"));
    const auto value = find_counter(counters, "processes");
    if (!value) return core::Error(core::Code::kInternal, "/proc/stat has an unknown format");
    return *value;
}

core::Result<std::string> ProcFs::text(const std::string& path) const {
    ZONA_TRY(auto content, read_all(root_, path));
    if (!content)
        return core::Error(core::Code::kNotFound, fmt::format("/proc/{} does not exist", path));
    return std::move(*content);
}

core::Result<std::uint64_t> ProcFs::number(const std::string& path) const {
    ZONA_TRY(const std::string content, text(path));
    std::string_view rest = content;
    std::uint64_t value = 0;
    if (!take_number(rest, value)) {
        return core::Error(core::Code::kInternal, fmt::format("/proc/{} holds no number", path));
    }
    return value;
}

std::uint64_t ticks_per_second() {
    return static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
}

core::Result<std::optional<rlimit>> resource_limit(pid_t pid, int resource) {
    rlimit value{};
    if (::syscall(SYS_prlimit64, pid, resource, nullptr, &value) == 0) return std::optional(value);
    if (errno == ESRCH) return std::optional<rlimit>();
    return core::Error::from_errno(errno, fmt::format("read the limits of process {}", pid));
}

}  // namespace zona::os
