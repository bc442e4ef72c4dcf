#include "os/cgroup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"
#include "os/spawn.h"

namespace zona::os {
namespace {

constexpr std::size_t kMaxVisited = 20'000;
constexpr int kMaxPasses = 4;               // over the members, for those started meanwhile
constexpr int kFreezeLooks = 50;            // at the state within one step, yielding in between
constexpr std::uint16_t kFreezeSteps = 10;  // steps to wait for FROZEN; then kill whoever is there
constexpr std::string_view kUsualRoot = "/sys/fs/cgroup";

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> out;
    while (true) {
        const std::size_t end = text.find(separator);
        out.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::from_chars(&text[i + 1], &text[i + 4], value, 8).ptr == &text[i + 4] &&
            value < 256) {
            out.push_back(static_cast<char>(value));
            i += 3;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

bool is_below(std::string_view path, std::string_view top) {
    if (top == "/" || path == top) return true;
    return path.size() > top.size() && path.starts_with(top) && path[top.size()] == '/';
}

std::string join_path(std::string_view top, std::string_view rest) {
    while (rest.starts_with('/'))
        rest.remove_prefix(1);
    if (rest.empty()) return std::string(top);
    return fmt::format("{}{}{}", top, top.ends_with('/') ? "" : "/", rest);
}

/// The directory of a membership path; nullopt when it lies outside of what is mounted.
std::optional<std::string> directory_of(const CgroupHierarchy& h, std::string_view path) {
    if (path.find("/..") != std::string_view::npos || !is_below(path, h.mount_root))
        return std::nullopt;
    return join_path(h.mount_point, path.substr(h.mount_root == "/" ? 0 : h.mount_root.size()));
}

core::Result<CgroupHierarchy> locate(const std::vector<CgroupMount>& mounts,
                                     const std::vector<CgroupMembership>& memberships,
                                     const std::string& controller, const std::string& root) {
    const std::string what =
        controller.empty() ? "cgroup v2" : fmt::format("the cgroup v1 controller '{}'", controller);
    const auto mount = std::ranges::find_if(mounts, [&](const CgroupMount& m) {
        if (controller.empty()) return m.version == CgroupVersion::kV2;
        return m.version == CgroupVersion::kV1 && std::ranges::count(m.controllers, controller) > 0;
    });
    if (mount == mounts.end()) {
        return core::Error(core::Code::kNotFound, fmt::format("{} is not mounted", what));
    }
    const auto own = std::ranges::find_if(memberships, [&](const CgroupMembership& m) {
        if (controller.empty()) return m.controllers.empty();
        return std::ranges::count(split(m.controllers, ','), controller) > 0;
    });
    CgroupHierarchy out{.version = mount->version,
                        .controller = controller,
                        .mount_point = mount->mount_point,
                        .mount_root = mount->mount_root};
    if (is_below(out.mount_point, kUsualRoot)) {
        out.mount_point = join_path(root, out.mount_point.substr(kUsualRoot.size()));
    }
    const auto directory = own == memberships.end() ? std::nullopt : directory_of(out, own->path);
    if (!directory) {
        return core::Error(
            core::Code::kUnsupported,
            fmt::format(
                "{} is mounted at {}, but the group of this process ({}) is not visible there",
                what, mount->mount_point, own == memberships.end() ? "unknown" : own->path));
    }
    out.own_path = own->path;
    out.own_directory = *directory;
    return out;
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

std::vector<std::string> subdirectories(const std::string& path) {
    std::vector<std::string> out;
    const Directory dir(::opendir(path.c_str()), ::closedir);
    if (!dir) return out;
    while (const dirent* entry = ::readdir(dir.get())) {
        const std::string_view name = entry->d_name;
        if (entry->d_type == DT_DIR && name != "." && name != "..") out.emplace_back(name);
    }
    return out;
}

/// A directory with two links has no sub-directories, where links are counted (cgroupfs, ext4,
/// tmpfs).
bool may_have_subdirectories(const std::string& directory) {
    struct stat s{};
    return ::stat(directory.c_str(), &s) != 0 || s.st_nlink != 2;
}

/// Appends the pids of one group; what has been removed meanwhile is empty.
core::Result<void> read_members(const std::string& directory, std::vector<pid_t>& out) {
    const auto text = read_file(directory + "/cgroup.procs");
    if (!text) {
        const int number = text.error().system_error();
        // EOPNOTSUPP: a threaded group; its processes stand in the group above it.
        if (number == ENOENT || number == ENODEV || number == EOPNOTSUPP) return {};
        return text.error();
    }
    const char* at = text->data();
    const char* const end = at + text->size();
    while (at < end) {
        pid_t pid = 0;
        const auto [next, error] = std::from_chars(at, end, pid);
        if (error == std::errc() && pid > 0) out.push_back(pid);  // 0: outside of our pid namespace
        at = std::find(next, end, '\n');
        if (at < end) ++at;
    }
    return {};
}

core::Result<void> read_tree(const std::string& directory, std::vector<pid_t>& out) {
    ZONA_TRY_VOID(read_members(directory, out));
    for (const std::string& name : subdirectories(directory)) {
        ZONA_TRY_VOID(read_tree(fmt::format("{}/{}", directory, name), out));
    }
    return {};
}

/// Makes one directory; one that exists is fine.
core::Result<bool> make_group(const std::string& directory) {
    if (::mkdir(directory.c_str(), 0755) == 0) return true;
    if (errno == EEXIST) return false;
    const int number = errno;
    core::Error error = core::Error::from_errno(number, fmt::format("make cgroup {}", directory));
    if (number == EAGAIN || number == ENOSPC)
        return std::move(error).recode(core::Code::kResourceExhausted);
    return error;
}

core::Result<void> remove_tree(const std::string& directory) {
    for (const std::string& name : subdirectories(directory)) {
        ZONA_TRY_VOID(remove_tree(fmt::format("{}/{}", directory, name)));
    }
    if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return {};
    return core::Error::from_errno(errno, fmt::format("remove cgroup {}", directory));
}

bool path_exists(const std::string& path) {
    return ::faccessat(AT_FDCWD, path.c_str(), F_OK, 0) == 0;
}

enum class Entrance : std::uint8_t { kBirth, kWrite };

/// Starts a child in the group. It executes nothing and ends. kUnsupported: it was killed for being
/// there.
core::Result<void> try_to_enter(CgroupDir& group, Entrance entrance) {
    SpawnPlan plan{.executable = "/", .arguments = {"probe"}};
    UniqueFd join;
    if (entrance == Entrance::kBirth) {
        ZONA_TRY(plan.cgroup2_fd, group.directory_fd());
    } else {
        ZONA_TRY(join, group.join_fd());
        plan.cgroup_procs_fds = {join.get()};
    }
    std::int32_t pid = 0;
    const SpawnOutcome outcome = spawn(plan, &pid);
    siginfo_t info{};
    if (outcome.pid > 0) {
        while (::waitid(P_PID, static_cast<id_t>(outcome.pid), &info, WEXITED) < 0 &&
               errno == EINTR) {
        }
    }
    if (outcome.failed_step == SpawnStep::kExec) return {};
    if (info.si_code == CLD_KILLED) {
        return core::Error(
            core::Code::kUnsupported,
            fmt::format("a child is killed as soon as it is in cgroup {}", group.directory()));
    }
    return core::Error::from_errno(
        outcome.error_number,
        fmt::format("enter cgroup {} ({})", group.directory(), to_string(outcome.failed_step)));
}

/// rmdir says EBUSY for some microseconds after the last process of a group has been reaped.
void remove_soon(const std::string& directory) {
    for (int i = 0; i < 20 && ::rmdir(directory.c_str()) != 0 && errno == EBUSY; ++i)
        ::usleep(200);
}

}  // namespace

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
    std::vector<CgroupMount> out;
    for (const std::string& line : split(mountinfo, '\n')) {
        const std::vector<std::string> fields = split(line, ' ');
        const auto dash = std::ranges::find(fields, "-");
        const auto behind = fields.end() - dash;
        if (dash - fields.begin() < 6 || behind < 4) continue;
        CgroupMount mount{.mount_root = unescape(fields[3]), .mount_point = unescape(fields[4])};
        if (dash[1] == "cgroup") {
            mount.version = CgroupVersion::kV1;
            mount.controllers = split(dash[3], ',');
        } else if (dash[1] != "cgroup2") {
            continue;
        }
        out.push_back(std::move(mount));
    }
    return out;
}

CgroupHost discover_cgroups(const ProcFs& proc, const std::string& root) {
    const auto mountinfo = proc.text("self/mountinfo");
    const auto memberships = proc.memberships(0);
    if (!mountinfo || !memberships) {
        const core::Error error = mountinfo ? memberships.error() : mountinfo.error();
        return {error, error, error, error};
    }
    const std::vector<CgroupMount> mounts = parse_cgroup_mounts(*mountinfo);
    return {.unified = locate(mounts, *memberships, "", root),
            .freezer = locate(mounts, *memberships, "freezer", root),
            .memory = locate(mounts, *memberships, "memory", root),
            .pids = locate(mounts, *memberships, "pids", root)};
}

core::Result<CgroupFeatures> probe_cgroup(const CgroupHierarchy& hierarchy) {
    ZONA_TRY(CgroupDir group,
             CgroupDir::create(hierarchy, fmt::format("zona-probe-{}", ::getpid())));
    const bool v2 = hierarchy.version == CgroupVersion::kV2;
    core::Result<CgroupFeatures> out = [&]() -> core::Result<CgroupFeatures> {
        const auto born = v2 ? try_to_enter(group, Entrance::kBirth)
                             : core::Result<void>(core::Error(core::Code::kUnsupported, "v1"));
        if (!born && born.error().code() != core::Code::kUnsupported) return born.error();
        if (!born) ZONA_TRY_VOID(try_to_enter(group, Entrance::kWrite));
        return CgroupFeatures{
            .kill = v2 && path_exists(group.directory() + "/cgroup.kill"),
            .birth = born.has_value(),
            .freeze = path_exists(group.directory() + (v2 ? "/cgroup.freeze" : "/freezer.state"))};
    }();
    remove_soon(group.directory());
    return out;
}

std::vector<std::string> find_cgroups(const CgroupHierarchy& hierarchy, const std::string& name,
                                      const std::string& closed) {
    std::vector<std::string> out;
    std::deque<std::string> waiting = {""};
    for (std::size_t visited = 0; !waiting.empty() && visited < kMaxVisited; ++visited) {
        const std::string at = std::move(waiting.front());
        waiting.pop_front();
        for (const std::string& child : subdirectories(hierarchy.mount_point + at)) {
            std::string path = fmt::format("{}/{}", at, child);
            if (child == name) out.push_back(join_path(hierarchy.mount_root, path));
            if (closed.empty() || !child.starts_with(closed)) waiting.push_back(std::move(path));
        }
    }
    return out;
}

core::Result<void> move_to_cgroup(const std::string& directory, pid_t pid) {
    const std::string what = fmt::format("move process {} to cgroup {}", pid, directory);
    auto fd = open_file(directory + "/cgroup.procs", O_WRONLY);
    if (!fd) return std::move(fd.take_error().context(what));
    auto written = write_all(fd->get(), std::to_string(pid));
    if (!written) return std::move(written.take_error().context(what));
    return {};
}

std::optional<OomCounter> OomCounter::open(const std::string& directory, CgroupVersion version) {
    auto file = open_file(
        directory + (version == CgroupVersion::kV2 ? "/memory.events" : "/memory.oom_control"),
        O_RDONLY);
    if (!file) return std::nullopt;
    OomCounter out(std::move(*file));
    if (!out.kills()) return std::nullopt;
    return out;
}

std::optional<std::uint64_t> OomCounter::kills() const {
    std::array<std::byte, 1024> buffer;
    const auto n = read_at(file_.get(), buffer, 0);
    if (!n) return std::nullopt;
    return find_counter({reinterpret_cast<const char*>(buffer.data()), *n}, "oom_kill");
}

CgroupDir::CgroupDir(CgroupVersion version, std::string directory, std::string path)
    : version_(version), directory_(std::move(directory)), path_(std::move(path)) {}

CgroupDir::CgroupDir(CgroupDir&& other) noexcept
    : version_(other.version_),
      freeze_(std::exchange(other.freeze_, Freeze::kThawed)),
      pristine_(other.pristine_),
      steps_(other.steps_),
      directory_(std::move(other.directory_)),
      path_(std::move(other.path_)),
      fd_(std::move(other.fd_)) {}

CgroupDir& CgroupDir::operator=(CgroupDir&& other) noexcept {
    if (this == &other) return *this;
    thaw_if_frozen();
    version_ = other.version_;
    freeze_ = std::exchange(other.freeze_, Freeze::kThawed);
    pristine_ = other.pristine_;
    steps_ = other.steps_;
    directory_ = std::move(other.directory_);
    path_ = std::move(other.path_);
    fd_ = std::move(other.fd_);
    return *this;
}

std::string CgroupDir::file(std::string_view name) const {
    return fmt::format("{}/{}", directory_, name);
}

core::Result<int> CgroupDir::directory_fd() {
    if (!fd_.valid()) {
        ZONA_TRY(fd_, open_file(directory_, O_RDONLY | O_DIRECTORY));
    }
    return fd_.get();
}

CgroupDir::~CgroupDir() {
    thaw_if_frozen();
}

void CgroupDir::thaw_if_frozen() {
    if (freeze_ == Freeze::kFrozen) (void)set_freeze(Freeze::kThawed);
}

/// A daemon that died between freezing and killing leaves a group frozen. Where cgroup.kill is,
/// none of ours freezes.
void CgroupDir::thaw_left_over() {
    if (version_ == CgroupVersion::kV2 && path_exists(file("cgroup.kill"))) return;
    (void)set_freeze(Freeze::kThawed);
}

core::Result<CgroupDir> CgroupDir::create(const CgroupHierarchy& hierarchy,
                                          const std::string& relative) {
    std::string directory = join_path(hierarchy.own_directory, relative);
    auto made = make_group(directory);
    if (!made && made.error().code() == core::Code::kNotFound) {
        // What it lies in is not there yet, or not any more.
        std::string above = hierarchy.own_directory;
        for (const std::string& name : split(relative, '/')) {
            above = join_path(above, name);
            made = make_group(above);
            if (!made) break;
        }
    }
    if (!made) return made.take_error();
    CgroupDir out(hierarchy.version, std::move(directory), join_path(hierarchy.own_path, relative));
    out.pristine_ = *made && hierarchy.version == CgroupVersion::kV2;
    if (!*made) out.thaw_left_over();
    return out;
}

core::Result<std::optional<CgroupDir>> CgroupDir::find(const CgroupHierarchy& hierarchy,
                                                       const std::string& path) {
    const auto directory = directory_of(hierarchy, path);
    if (!directory) return std::optional<CgroupDir>();
    ZONA_TRY(const auto there, stat_path(*directory));
    if (!there || !S_ISDIR(there->mode)) return std::optional<CgroupDir>();
    std::optional<CgroupDir> out(CgroupDir(hierarchy.version, *directory, path));
    out->thaw_left_over();
    return out;
}

core::Result<UniqueFd> CgroupDir::join_fd() const {
    return open_file(file(version_ == CgroupVersion::kV2 ? "cgroup.procs" : "tasks"), O_WRONLY);
}

core::Result<bool> CgroupDir::populated() const {
    if (version_ == CgroupVersion::kV2) {
        std::array<std::byte, 256> buffer;
        const auto events = open_file(file("cgroup.events"), O_RDONLY);
        const auto n = events ? read_at(events->get(), buffer, 0) : events.error();
        if (!n && n.error().system_error() == ENODEV) return false;  // removed by somebody
        const auto value =
            n ? find_counter({reinterpret_cast<const char*>(buffer.data()), *n}, "populated")
              : std::nullopt;
        if (value) return *value != 0;
    }
    ZONA_TRY(const std::vector<pid_t> left, members());
    return !left.empty();
}

core::Result<std::vector<pid_t>> CgroupDir::members() const {
    std::vector<pid_t> out;
    if (may_have_subdirectories(directory_)) {
        ZONA_TRY_VOID(read_tree(directory_, out));
    } else {
        ZONA_TRY_VOID(read_members(directory_, out));
    }
    std::ranges::sort(out);
    out.erase(std::ranges::unique(out).begin(), out.end());
    return out;
}

std::vector<std::string> CgroupDir::children() const {
    return subdirectories(directory_);
}

core::Result<bool> CgroupDir::contains(const ProcFs& proc, pid_t pid) const {
    ZONA_TRY(const std::vector<CgroupMembership> all, proc.memberships(pid));
    return std::ranges::any_of(all, [&](const CgroupMembership& m) {
        const bool same = version_ == CgroupVersion::kV2
                              ? m.controllers.empty()
                              : std::ranges::count(split(m.controllers, ','), "freezer") > 0;
        return same && is_below(m.path, path_);
    });
}

core::Result<std::size_t> CgroupDir::signal_new(const ProcFs& proc, int number,
                                                std::vector<pid_t>& done) const {
    ZONA_TRY(const std::vector<pid_t> now, members());
    std::size_t sent = 0;
    std::optional<core::Error> refused;
    for (const pid_t pid : now) {
        if (std::ranges::binary_search(done, pid)) continue;
        const auto process = open_pidfd(pid);
        if (!process && process.error().code() == core::Code::kNotFound) continue;
        if (!process) return process.error();
        // The descriptor holds whoever had the pid; only now is it known to be ours.
        ZONA_TRY(const bool ours, contains(proc, pid));
        if (!ours) continue;
        const auto result = send_signal(*process, number);
        if (result) ++sent;
        if (!result && result.error().code() != core::Code::kNotFound) refused = result.error();
    }
    done = now;
    if (refused) return std::move(*refused).context(fmt::format("a process in {}", directory_));
    return sent;
}

core::Result<std::size_t> CgroupDir::signal(const ProcFs& proc, int number) {
    std::vector<pid_t> done;
    std::size_t total = 0;
    for (int pass = 0; pass < kMaxPasses; ++pass) {
        ZONA_TRY(const std::size_t sent, signal_new(proc, number, done));
        total += sent;
        if (sent == 0) break;
    }
    return total;
}

core::Result<bool> CgroupDir::set_freeze(Freeze wanted) {
    const bool frozen = wanted == Freeze::kFrozen;
    const bool v2 = version_ == CgroupVersion::kV2;
    ZONA_TRY(const UniqueFd fd, open_file(file(v2 ? "cgroup.freeze" : "freezer.state"), O_RDWR));
    const std::string_view value = v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
    ZONA_TRY_VOID(write_all(fd.get(), value));
    freeze_ = wanted;
    if (!frozen) return true;
    UniqueFd events;
    if (v2) {
        ZONA_TRY(events, open_file(file("cgroup.events"), O_RDONLY));
    }
    for (int look = 0; look < kFreezeLooks; ++look) {
        std::array<std::byte, 256> buffer;
        ZONA_TRY(const std::size_t n, read_at(v2 ? events.get() : fd.get(), buffer, 0));
        const std::string_view text(reinterpret_cast<const char*>(buffer.data()), n);
        if (v2 ? find_counter(text, "frozen") == 1 : text.starts_with("FROZEN")) return true;
        ::sched_yield();
    }
    return false;
}

CgroupDir::Step CgroupDir::next_step() {
    constexpr std::array<int, 8> kDelays = {1, 1, 2, 5, 10, 20, 50, 100};
    const std::size_t at = std::min<std::size_t>(steps_++, kDelays.size() - 1);
    return {.empty = false, .retry_after = std::chrono::milliseconds(kDelays[at])};
}

core::Result<CgroupDir::Step> CgroupDir::freeze_and_kill(const ProcFs& proc) {
    const auto frozen = set_freeze(Freeze::kFrozen);
    if (frozen && !*frozen && steps_ < kFreezeSteps) {
        ++steps_;
        return Step{.empty = false, .retry_after = std::chrono::milliseconds(1)};
    }
    // A kernel that cannot freeze this group, or a member stuck in the kernel: then round by round.
    std::vector<pid_t> done;
    const auto sent = signal_new(proc, SIGKILL, done);
    if (freeze_ == Freeze::kFrozen) ZONA_TRY_VOID(set_freeze(Freeze::kThawed));
    if (!sent) return sent.error();
    return next_step();
}

core::Result<CgroupDir::Step> CgroupDir::kill_step(const ProcFs& proc) {
    ZONA_TRY(const bool left, populated());
    if (!left) {
        if (freeze_ == Freeze::kFrozen) ZONA_TRY_VOID(set_freeze(Freeze::kThawed));
        steps_ = 0;
        return Step{.empty = true};
    }
    if (version_ == CgroupVersion::kV1) return freeze_and_kill(proc);
    const auto kill = open_file(file("cgroup.kill"), O_WRONLY);
    if (!kill && kill.error().code() == core::Code::kNotFound) return freeze_and_kill(proc);
    if (!kill) return kill.error();
    pristine_ = false;
    ZONA_TRY_VOID(write_all(kill->get(), "1"));
    return next_step();
}

core::Result<void> CgroupDir::renew() {
    ZONA_TRY_VOID(remove());
    ZONA_TRY(const bool made, make_group(directory_));
    pristine_ = made && version_ == CgroupVersion::kV2;
    return {};
}

core::Result<void> CgroupDir::remove() {
    fd_.reset();
    return remove_tree(directory_);
}

}  // namespace zona::os
